/** Which pods a metric of a target is about, by their names. Pure. */
import type { ScaleTarget } from "../api/autoscaling/scale-target.ts";
import { escapeRegex } from "../observe/query-text.ts";

/**
 * Matches the names of the pods of one target, and of none whose name only begins alike: a pod of a clique is called like it and some letters and
 * digits more, one of a scaling group has the number of the group's replica in between (`src/grove/names.ts`).
 * @param target absent: it went away during the turn, and has no pods
 */
export function podRegexOf(set: string, { ref = "", level }: Partial<ScaleTarget> = {}): string {
  const rest = level === "PodCliqueScalingGroup" ? "[0-9]+-.*" : "[a-z0-9]+";
  return `${escapeRegex(set)}-[0-9]+-${escapeRegex(ref)}-${rest}`;
}

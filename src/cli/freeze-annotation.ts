/** The mark that tells a policy that `freeze` stopped from one that a person paused. */
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";

/** JSON: `{"mode": before, "reason", "at", "by"}`. */
export const FREEZE_ANNOTATION = "autoscaling.grove.io/frozen";

/** @returns undefined when the policy is not marked; of a mark that somebody broke, that it is one */
export function freezeOf({ metadata }: ScalingPolicy): { readonly reason: string } | undefined {
  const text = metadata.annotations?.[FREEZE_ANNOTATION];
  if (text === undefined) return undefined;
  try {
    const { reason } = JSON.parse(text) as { readonly reason?: unknown };
    return { reason: typeof reason === "string" ? reason : text };
  } catch {
    return { reason: text };
  }
}

/** When a policy has not been heard of for longer than it should be. Pure. */
import type { ScalingPolicy } from "../../api/autoscaling/scaling-policy.ts";
import { parseDurationMs } from "../../api/duration.ts";
import { parseTime } from "../../api/kubernetes/time.ts";

/** Statuses are written when something changes, and else once a minute: only a longer silence means something. */
const SILENCE_MS = 60_000;

/** Whether nobody decides about it any more. @returns undefined for a policy of which nothing has been decided */
export function isSilent({ status, spec }: ScalingPolicy, nowMs: number): boolean | undefined {
  if (status?.lastDecision === undefined) return undefined;
  const intervalMs = parseDurationMs(spec.interval ?? "15s") ?? 0;
  return nowMs - parseTime(status.lastDecision.time) > SILENCE_MS + 3 * intervalMs;
}

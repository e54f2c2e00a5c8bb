/** When a policy has not been heard of for longer than it should be. Pure. */
import type { ScalingPolicy } from "../../api/autoscaling/scaling-policy.ts";
import { parseDurationMs } from "../../api/duration.ts";
import { parseTime } from "../../api/kubernetes/time.ts";

/** Of a status that does not say by when the next one comes, as one of an earlier version. */
const SILENCE_MS = 60_000;

/** Whether nobody decides about it any more. @returns undefined for a policy of which nothing has been decided */
export function isSilent({ status, spec }: ScalingPolicy, nowMs: number): boolean | undefined {
  if (status?.lastDecision === undefined) return undefined;
  const { lastDecision, nextStatusBy } = status;
  const intervalMs = parseDurationMs(spec.interval ?? "15s") ?? 0;
  const byMs = nextStatusBy === undefined ? parseTime(lastDecision.time) + SILENCE_MS : parseTime(nextStatusBy);
  return nowMs > byMs + 3 * intervalMs;
}

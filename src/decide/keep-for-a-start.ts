/**
 * How long a replica that is no longer needed is kept at least: as long as one takes to start.
 *
 * To let go and to start again costs a start; to keep costs the time. Whoever keeps for exactly as long as a start takes never pays more than twice what
 * somebody with foresight would (the ski-rental problem: A. Karlin et al., "Competitive snoopy caching", 1988).
 */
import { leadTimeMs } from "./forecast/lead-time.ts";
import type { Policy, TargetPolicy } from "./policy.ts";

/** A start that takes longer is stuck, not slow. */
const MAX_WINDOW_MS = 1_800_000;

/**
 * The policy with scale-down windows that are no shorter.
 *
 * @param startupsMs measured; while there are none, windows are as configured
 */
export function keepForAStart(policy: Policy, startupsMs: readonly number[]): Policy {
  const leastMs = leastWindowMs(policy, startupsMs);
  const keep = (target: TargetPolicy): TargetPolicy => {
    const { scaleUp, scaleDown } = target.behavior;
    if (scaleDown.stabilizationWindowMs >= leastMs) return target;
    return { ...target, behavior: { scaleUp, scaleDown: { ...scaleDown, stabilizationWindowMs: leastMs } } };
  };
  return {
    ...policy,
    targets: policy.targets.map(keep),
    ...(policy.set === undefined ? {} : { set: keep(policy.set) }),
  };
}

function leastWindowMs({ coldStart }: Policy, startupsMs: readonly number[]): number {
  if (coldStart.scaleDownWindowMs !== undefined) return coldStart.scaleDownWindowMs;
  if (coldStart.leadTimeMs === undefined && startupsMs.length === 0) return 0;
  return Math.min(MAX_WINDOW_MS, leadTimeMs(startupsMs, coldStart.leadTimeMs));
}

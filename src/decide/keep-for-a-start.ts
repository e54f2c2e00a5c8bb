/**
 * How long a replica that is no longer needed is kept at least: as long as one takes to start.
 *
 * To let go and to start again costs a start; to keep costs the time. Whoever keeps for exactly as long as a start takes never pays more than twice what
 * somebody with foresight would (the ski-rental problem: A. Karlin et al., "Competitive snoopy caching", 1988).
 */
import type { LeadTimes } from "./forecast/lead-time.ts";
import type { Policy, TargetPolicy } from "./policy.ts";

/** A start that takes longer is stuck, not slow. */
const MAX_WINDOW_MS = 1_800_000;

/**
 * The policy with scale-down windows that are no shorter.
 *
 * @param leads of a target that was never seen to start the windows are as configured
 */
export function keepForAStart(policy: Policy, leads: LeadTimes): Policy {
  const { scaleDownWindowMs } = policy.coldStart;
  const keep = (target: TargetPolicy, startMs: number | undefined): TargetPolicy => {
    const leastMs = scaleDownWindowMs ?? Math.min(MAX_WINDOW_MS, startMs ?? 0);
    const { scaleUp, scaleDown } = target.behavior;
    if (scaleDown.stabilizationWindowMs >= leastMs) return target;
    return { ...target, behavior: { scaleUp, scaleDown: { ...scaleDown, stabilizationWindowMs: leastMs } } };
  };
  return {
    ...policy,
    targets: policy.targets.map((target) => keep(target, leads.known(target.name))),
    ...(policy.set === undefined ? {} : { set: keep(policy.set, slowestOf(policy, leads)) }),
  };
}

/** A set replica is there when the last of its parts is. */
function slowestOf({ targets }: Policy, leads: LeadTimes): number | undefined {
  const known = targets.map(({ name }) => leads.known(name)).filter((one) => one !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

/** Stage 4: what no metric may pass: the minimum viable set from below, the policy's maxima from above. */
import type { Observation } from "./observation.ts";
import type { Policy, TargetPolicy } from "./policy.ts";
import type { ZeroState } from "./scale-to-zero.ts";
import type { Scheduled } from "./schedule.ts";

export interface TargetBounds {
  /** Inside one set replica. */
  readonly min: number;
  readonly max: number;
  /** Grove's gang floor, raised by the policy; nothing goes below it. */
  readonly minViable: number;
  /** `minReplicas` was below the minimum viable set and is raised to it. */
  readonly isRaised: boolean;
}

/** A target that sleeps at zero. */
const ASLEEP: TargetBounds = { min: 0, max: 0, minViable: 0, isRaised: false };

export interface BoundsContext {
  readonly scheduled: Scheduled;
  readonly zero: ZeroState | undefined;
}

export function boundsOf(
  target: TargetPolicy,
  minAvailable: number,
  { scheduled, zero }: BoundsContext = UNSCHEDULED,
): TargetBounds {
  if (zero?.isAsleep === true && zero.targets.has(target.name)) return ASLEEP;
  const minViable = Math.max(minAvailable, target.minViableOverride);
  const { lo, hi } = withSchedule(target, scheduled);
  // Replicas that are there to be woken are at least one.
  const awake = zero?.targets.has(target.name) === true ? 1 : 0;
  const min = Math.max(lo, minViable, awake);
  return { min, max: Math.max(hi, min), minViable, isRaised: minViable > target.minReplicas };
}

/** Set replicas. Without a target for the set they are as many as there are. */
export function setBounds(
  { set: target }: Policy,
  { set }: Observation,
  { scheduled, zero }: BoundsContext = UNSCHEDULED,
): SetBounds {
  if (target === undefined) return { min: set.replicas, max: set.replicas, minViable: 0 };
  const isInZeroSet = zero?.targets.has(target.name) === true;
  if (isInZeroSet && zero.isAsleep) return { min: 0, max: 0, minViable: 0 };
  const { lo, hi } = withSchedule(target, scheduled);
  const min = Math.max(lo, target.minViableOverride, isInZeroSet ? 1 : 0);
  return {
    min,
    max: Math.max(min, hi),
    minViable: Math.max(Math.min(target.minReplicas, hi), target.minViableOverride),
  };
}

export interface SetBounds {
  readonly min: number;
  readonly max: number;
  /** Nothing goes below it: the policy's minimum, which a window with a lower maximum takes down. */
  readonly minViable: number;
}

/** A window's minimum raises and its maximum lowers; where both pass one another the maximum is kept. */
function withSchedule(
  { name, minReplicas, maxReplicas }: TargetPolicy,
  { bounds }: Scheduled,
): { readonly lo: number; readonly hi: number } {
  const { min = 0, earlyMin = 0, max = Number.POSITIVE_INFINITY } = bounds.get(name) ?? {};
  const hi = Math.min(maxReplicas, max);
  return { lo: Math.min(Math.max(minReplicas, min, earlyMin), hi), hi };
}

const UNSCHEDULED: BoundsContext = {
  scheduled: { active: [], early: [], windows: [], bounds: new Map(), maxOwners: new Map(), overlaps: [] },
  zero: undefined,
};

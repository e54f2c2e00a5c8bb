/** Stage 4: what no metric may pass: the minimum viable set from below, the policy's maxima from above. */
import type { Observation } from "./observation.ts";
import type { Policy, TargetPolicy } from "./policy.ts";

export interface TargetBounds {
  /** Inside one set replica. */
  readonly min: number;
  readonly max: number;
  /** Grove's gang floor, raised by the policy; nothing goes below it. */
  readonly minViable: number;
  /** `minReplicas` was below the minimum viable set and is raised to it. */
  readonly isRaised: boolean;
}

export function boundsOf(target: TargetPolicy, minAvailable: number): TargetBounds {
  const minViable = Math.max(minAvailable, target.minViableOverride);
  const min = Math.max(target.minReplicas, minViable);
  return { min, max: Math.max(target.maxReplicas, min), minViable, isRaised: minViable > target.minReplicas };
}

export function setBounds(policy: Policy, observation: Observation): { readonly min: number; readonly max: number } {
  if (policy.set === undefined) return { min: observation.set.replicas, max: observation.set.replicas };
  const min = Math.max(policy.set.minReplicas, policy.set.minViableOverride);
  return { min, max: Math.max(min, policy.set.maxReplicas) };
}

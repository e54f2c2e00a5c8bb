/** How few replicas of a target a policy keeps, gang floors of Grove left aside. Pure. */
import type { ScaleTarget } from "./scale-target.ts";
import type { ScalingPolicySpec } from "./scaling-policy.ts";

export const leastReplicas = (
  { minimumViableSet }: Pick<ScalingPolicySpec, "minimumViableSet">,
  { name, minReplicas }: Pick<ScaleTarget, "name" | "minReplicas">,
): number => Math.max(minReplicas, minimumViableSet.overrides[name] ?? 0);

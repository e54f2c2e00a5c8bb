import { resolve } from "../autoscaler/resolve.ts";
import type { TrialTarget } from "./record.ts";
import type { Scenario } from "./scenario.ts";

/** The targets of a scenario inside a set replica, in the order of the policy. */
export function trialTargets({ policy, set, startUpOf }: Scenario): readonly TrialTarget[] {
  const resolved = resolve(policy.spec, set).resolution?.targets ?? [];
  const { cliques, podCliqueScalingGroups = [] } = set.spec.template;
  return policy.spec.scaleTargets
    .filter(({ level }) => level !== "PodCliqueSet")
    .map(({ name, role = "other", minReplicas, ref }): TrialTarget => {
      const target = resolved.find((one) => one.name === name);
      const group = podCliqueScalingGroups.find((one) => one.name === ref);
      const clique = cliques.find((one) => one.name === (group?.cliqueNames[0] ?? ref));
      const { fixedMedianMs, weightsGiB, podGiBPerSecond } = startUpOf(clique?.name ?? "");
      return {
        name,
        role,
        gpusPerReplica: target?.gpusPerReplica ?? 0,
        minReplicas: Math.max(minReplicas, target?.minAvailable ?? 1),
        medianStartupMs: fixedMedianMs + (1000 * weightsGiB) / podGiBPerSecond,
      };
    });
}

/** Fields that do not act where they stand. Nobody should find that out from a service that did not do what was asked. */
import type { ScalingPolicySpec } from "./scaling-policy.ts";

export function inactiveFieldWarnings(spec: ScalingPolicySpec): readonly string[] {
  const inactive: string[] = [];
  if (spec.fallback !== undefined && spec.metricsPolicy.onMissing === "Hold") {
    inactive.push("spec.fallback: without effect while metricsPolicy.onMissing is Hold; set it to Fallback");
  }
  for (const [index, { overflow, level, behavior, gpusPerReplica }] of spec.scaleTargets.entries()) {
    const path = `spec.scaleTargets[${index}]`;
    if (level === "PodCliqueSet" && behavior.panic !== undefined) {
      inactive.push(
        `${path}.behavior.panic: without effect on level PodCliqueSet; set it on the targets inside, or raise scaleUp`,
      );
    }
    if (level === "PodCliqueSet" && gpusPerReplica !== undefined && gpusPerReplica !== "auto") {
      inactive.push(
        `${path}.gpusPerReplica: without effect on level PodCliqueSet, whose replica has the GPUs of what is inside`,
      );
    }
    if (overflow !== undefined && level !== "PodCliqueSet") {
      inactive.push(
        `spec.scaleTargets[${index}].overflow: without effect on level ${level}; set it on the PodCliqueSet`,
      );
    }
  }
  return inactive;
}

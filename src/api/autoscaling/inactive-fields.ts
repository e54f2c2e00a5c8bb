/** Fields that do not act where they stand. Nobody should find that out from a service that did not do what was asked. */
import type { ScalingPolicySpec } from "./scaling-policy.ts";

export function inactiveFieldWarnings(spec: ScalingPolicySpec): readonly string[] {
  const inactive: string[] = [];
  if (spec.fallback !== undefined && spec.metricsPolicy.onMissing === "Hold") {
    inactive.push("spec.fallback: without effect while metricsPolicy.onMissing is Hold; set it to Fallback");
  }
  for (const [index, { overflow, level }] of spec.scaleTargets.entries()) {
    if (overflow !== undefined && level !== "PodCliqueSet") {
      inactive.push(
        `spec.scaleTargets[${index}].overflow: without effect on level ${level}; set it on the PodCliqueSet`,
      );
    }
  }
  return inactive;
}

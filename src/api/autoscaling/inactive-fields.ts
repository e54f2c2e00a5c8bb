/**
 * Fields that are part of the API and do not act in this version. Nobody should find that out from a service that did not do what was asked.
 */
import type { ScalingPolicySpec } from "./scaling-policy.ts";

export function inactiveFieldWarnings(spec: ScalingPolicySpec): readonly string[] {
  const inactive: string[] = [];
  const note = (field: string, instead: string): void => {
    inactive.push(`${field}: accepted, and without effect in this version; ${instead}`);
  };
  if (spec.schedules.length > 0) note("spec.schedules", "apply a ScalingOverride with minReplicas for the time");
  if (spec.scaleToZero.enabled) note("spec.scaleToZero.enabled", "targets keep their minimum viable set");
  if (spec.gpuBudget.min !== undefined) note("spec.gpuBudget.min", "set minReplicas on the targets");
  if (spec.fallback !== undefined && spec.metricsPolicy.onMissing === "Hold") {
    inactive.push("spec.fallback: without effect while metricsPolicy.onMissing is Hold; set it to Fallback");
  }
  for (const [index, { overflow, behavior }] of spec.scaleTargets.entries()) {
    const { windowSeconds = 60 } = behavior.panic ?? {};
    if (windowSeconds !== 60) {
      note(`spec.scaleTargets[${index}].behavior.panic.windowSeconds`, "panic is judged on each decision's demand");
    }
    if (overflow !== undefined)
      note(
        `spec.scaleTargets[${index}].overflow`,
        "a set grows by itself when the targets inside are at their maximum",
      );
  }
  return inactive;
}

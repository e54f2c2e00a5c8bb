/**
 * Fields that are part of the API and do not act in this version. Nobody should find that out from a service that did not do what was asked.
 */
import type { ScalingPolicySpec } from "./scaling-policy.ts";

export function inactiveFieldWarnings(spec: ScalingPolicySpec): readonly string[] {
  const inactive: string[] = [];
  const note = (field: string, instead: string): void => {
    inactive.push(`${field}: accepted, and without effect in this version; ${instead}`);
  };
  if (spec.slo !== undefined)
    note("spec.slo", "size targets by their metrics, e.g. the presets timeToFirstToken and interTokenLatency");
  if (spec.performanceModel.profileRef !== undefined)
    note("spec.performanceModel.profileRef", "size targets by their metrics");
  if (spec.schedules.length > 0) note("spec.schedules", "apply a ScalingOverride with minReplicas for the time");
  if (spec.scaleToZero.enabled) note("spec.scaleToZero.enabled", "targets keep their minimum viable set");
  if (spec.gpuBudget.min !== undefined) note("spec.gpuBudget.min", "set minReplicas on the targets");
  if (spec.forecast.method === "SeasonalNaive")
    note("spec.forecast.method SeasonalNaive", "use HoltWinters or LinearTrend");
  if (spec.fallback !== undefined && spec.metricsPolicy.onMissing === "Hold") {
    inactive.push("spec.fallback: without effect while metricsPolicy.onMissing is Hold; set it to Fallback");
  }
  if (spec.forecast.season !== "24h") note("spec.forecast.season", "forecasts follow the trend, not a season");
  for (const [index, { overflow }] of spec.scaleTargets.entries()) {
    if (overflow !== undefined)
      note(
        `spec.scaleTargets[${index}].overflow`,
        "a set grows by itself when the targets inside are at their maximum",
      );
  }
  return inactive;
}

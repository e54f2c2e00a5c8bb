/** Times that are legal and do not do what they seem to, beside the interval between decisions. */
import { parseDurationMs } from "../duration.ts";
import type { ScalingPolicySpec } from "./scaling-policy.ts";

/** Few Prometheus servers scrape more often; a shorter interval decides on the same samples again. */
const SCRAPE_INTERVAL_MS = 5_000;

export function windowWarnings(spec: ScalingPolicySpec): readonly string[] {
  const intervalMs = parseDurationMs(spec.interval);
  if (intervalMs === undefined || intervalMs <= 0) return [];
  const warnings: string[] = [];
  if (intervalMs < SCRAPE_INTERVAL_MS) {
    warnings.push(
      `spec.interval: ${spec.interval} is shorter than most scrape intervals, so decisions repeat on the same samples; use the scrape interval of the engines or more`,
    );
  }
  const shorter = (field: string, durationMs: number | undefined, effect: string): void => {
    if (durationMs !== undefined && durationMs > 0 && durationMs < intervalMs)
      warnings.push(`${field}: shorter than interval (${spec.interval}), ${effect}`);
  };
  const { metricsPolicy, slo, forecast, scaleToZero } = spec;
  shorter(
    "spec.metricsPolicy.staleAfter",
    parseDurationMs(metricsPolicy.staleAfter),
    "so samples may be stale at every decision",
  );
  for (const [index, { behavior }] of spec.scaleTargets.entries()) {
    for (const direction of ["scaleUp", "scaleDown"] as const) {
      const { stabilizationWindowSeconds = 0 } = behavior[direction];
      const field = `spec.scaleTargets[${index}].behavior.${direction}.stabilizationWindowSeconds`;
      shorter(
        field,
        stabilizationWindowSeconds * 1000,
        "so it holds one decision only and steadies nothing; make it longer, or 0",
      );
    }
  }
  if (slo !== undefined)
    shorter(
      "spec.slo.window",
      parseDurationMs(slo.window),
      "so requests between two windows count for nothing; make it longer",
    );
  if (forecast.enabled && forecast.horizon !== "auto")
    shorter(
      "spec.forecast.horizon",
      parseDurationMs(forecast.horizon),
      "so the forecast ends before the next decision; make it longer, or auto",
    );
  if (scaleToZero.enabled)
    shorter(
      "spec.scaleToZero.idleWindow",
      parseDurationMs(scaleToZero.idleWindow),
      "so a single reading puts the targets to sleep; make it longer",
    );
  return warnings;
}

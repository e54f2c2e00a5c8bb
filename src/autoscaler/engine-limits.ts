/**
 * Targets of metrics that the engine's own limits contradict, where the performance profile says them: a target that can never be passed adds
 * nothing, however long the queue before the engine is. Pure.
 */
import type { PerformanceProfile } from "../api/autoscaling/performance-profile.ts";
import type { ScalingPolicySpec } from "../api/autoscaling/scaling-policy.ts";
import { parseQuantity } from "../api/quantity.ts";
import type { Findings } from "./review-policy.ts";

/** Decode steps are what the limit is about: a prefill worker has few requests at a time. */
const ROLES: ReadonlySet<string> = new Set(["decode", "aggregated"]);

export function engineLimitFindings({ scaleTargets }: ScalingPolicySpec, profile: PerformanceProfile): Findings {
  const { name, maxRequests } = profile;
  const errors: Findings["errors"][number][] = [];
  const warnings: string[] = [];
  const limit = `limits.max_num_seqs ${maxRequests} of profile ${name}`;
  for (const [index, { role, metrics, behavior }] of scaleTargets.entries()) {
    if (!ROLES.has(role)) continue;
    for (const [at, { preset, advisoryOnly }] of metrics.entries()) {
      const each = parseQuantity(preset?.target.averageValue ?? "");
      if (advisoryOnly || preset === undefined || each === undefined) continue;
      const field = `spec.scaleTargets[${index}].metrics[${at}].preset.target.averageValue`;
      const tolerance = parseQuantity(behavior.scaleUp.tolerance) ?? 0;
      if (preset.name === "runningRequests" && each * (1 + tolerance) >= maxRequests) {
        const most = Math.ceil(maxRequests / (1 + tolerance)) - 1;
        const message =
          most > 0
            ? `must be at most ${most}, so that ${limit} is above it by more than the scaleUp tolerance of ${tolerance}: no replica runs more, so nothing would ever be added; lower it`
            : `can never be passed: ${limit}; use waitingRequests`;
        errors.push({ field, message });
      } else if (preset.name === "waitingRequests" && each > maxRequests) {
        warnings.push(
          `${field}: ${each} is above ${limit}: whole batches would wait before anything is added; lower it`,
        );
      }
    }
  }
  return { errors, warnings };
}

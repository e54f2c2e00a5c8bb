/** Rules of ScalingOverride and GPUBudget that need only the object. */
import { parseTime } from "../kubernetes/time.ts";
import type { FieldError } from "../schema/validate.ts";
import type { GPUBudget } from "./gpu-budget.ts";
import type { ScalingOverride } from "./scaling-override.ts";

/** @param nowMs where known, refuses an override on create that has ended before it began */
export function validateScalingOverride({ spec }: ScalingOverride, nowMs?: number): readonly FieldError[] {
  const errors: FieldError[] = [];
  const entries = Object.entries(spec.scaleTargets);
  if (entries.length === 0) errors.push({ field: "spec.scaleTargets", message: "must name at least one scale target" });
  for (const [name, { replicas, minReplicas, maxReplicas }] of entries) {
    const field = `spec.scaleTargets.${name}`;
    const bounded = minReplicas !== undefined || maxReplicas !== undefined;
    if (replicas === undefined && !bounded) {
      errors.push({ field, message: "must have replicas, minReplicas or maxReplicas" });
    } else if (replicas !== undefined && bounded) {
      errors.push({ field, message: "replicas excludes minReplicas and maxReplicas; keep one of the two" });
    } else if ((minReplicas ?? 0) > (maxReplicas ?? Infinity)) {
      errors.push({ field: `${field}.minReplicas`, message: `must not be above maxReplicas (${maxReplicas})` });
    }
  }
  if (spec.reason.trim() === "")
    errors.push({ field: "spec.reason", message: "must say why, for those who find it later" });
  if (nowMs !== undefined && parseTime(spec.expiresAt) <= nowMs) {
    errors.push({ field: "spec.expiresAt", message: "must be in the future" });
  }
  return errors;
}

export function validateGpuBudget({ spec }: GPUBudget): readonly FieldError[] {
  if (spec.reserve <= spec.capacity) return [];
  return [{ field: "spec.reserve", message: `must not be above capacity (${spec.capacity}); lower it` }];
}

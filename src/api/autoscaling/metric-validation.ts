/** Rules of one metric of a scale target. */
import { MAX_QUANTITY, parseQuantity } from "../quantity.ts";
import type { FieldError } from "../schema/validate.ts";
import type { MetricPreset, MetricTarget, PolicyMetric } from "./scale-target.ts";

/** What a preset measures decides which targets make sense for it. */
const TARGET_TYPES: Readonly<Record<MetricPreset, readonly MetricTarget["type"][]>> = {
  kvCacheUsage: ["Utilization"],
  gpuUtilization: ["Utilization"],
  waitingRequests: ["AverageValue", "Value"],
  runningRequests: ["AverageValue", "Value"],
  requestsPerSecond: ["AverageValue", "Value"],
  promptTokensPerSecond: ["AverageValue", "Value"],
  generationTokensPerSecond: ["AverageValue", "Value"],
  timeToFirstToken: ["Value"],
  interTokenLatency: ["Value"],
};

const VALUE_FIELD = { Utilization: "averageUtilization", AverageValue: "averageValue", Value: "value" } as const;

/** @param scaleUpTolerance of the target: what its demand must pass before it grows, as a share */
export function validateMetric(metric: PolicyMetric, path: string, scaleUpTolerance: number): readonly FieldError[] {
  const [own, other] =
    metric.type === "Preset" ? (["preset", "prometheus"] as const) : (["prometheus", "preset"] as const);
  const errors: FieldError[] = [];
  if (metric[other] !== undefined) {
    errors.push({
      field: `${path}.${other}`,
      message: `must not be set with type ${metric.type}; remove it or change type`,
    });
  }
  const source = metric[own];
  if (source === undefined) {
    errors.push({ field: `${path}.${own}`, message: `is required with type ${metric.type}` });
    return errors;
  }
  const at = `${path}.${own}.target`;
  errors.push(...validateTarget(source.target, at));
  if (metric.type === "Preset" && metric.preset !== undefined) {
    const allowed = TARGET_TYPES[metric.preset.name];
    if (!allowed.includes(source.target.type)) {
      errors.push({ field: `${at}.type`, message: `must be ${allowed.join(" or ")} for preset ${metric.preset.name}` });
    } else if (source.target.type === "Utilization" && (source.target.averageUtilization ?? 0) > 100) {
      errors.push({
        field: `${at}.averageUtilization`,
        message: `must be at most 100 for preset ${metric.preset.name}`,
      });
    } else if (metric.preset.name === "kvCacheUsage") {
      const problem = fullCacheProblem(
        source.target.averageUtilization ?? 0,
        metric.advisoryOnly ? 0 : scaleUpTolerance,
      );
      if (problem !== undefined) errors.push({ field: `${at}.averageUtilization`, message: problem });
    }
  }
  return errors;
}

/** A full cache reads 100 and preempts requests: usage never passes that, so a target that is left at more is never left. */
function fullCacheProblem(percent: number, tolerance: number): string | undefined {
  if (percent < 100 && percent * (1 + tolerance) < 100) return undefined;
  const reads = "for preset kvCacheUsage: a full cache reads 100, so nothing would ever be added";
  if (percent >= 100 || !(tolerance > 0)) return `must be below 100 ${reads}; use 80`;
  const most = Math.ceil(100 / (1 + tolerance)) - 1;
  return `must be at most ${most} with a scaleUp tolerance of ${tolerance} ${reads}; lower it, or the tolerance`;
}

function validateTarget(target: MetricTarget, path: string): readonly FieldError[] {
  const field = VALUE_FIELD[target.type];
  const errors: FieldError[] = [];
  const value = target[field];
  const parsed = value === undefined ? undefined : parseQuantity(value);
  if (value === undefined) {
    errors.push({ field: `${path}.${field}`, message: `is required with type ${target.type}` });
  } else if (parsed === undefined || parsed <= 0) {
    errors.push({ field: `${path}.${field}`, message: `must be a quantity above 0, not ${JSON.stringify(value)}` });
  } else if (parsed >= MAX_QUANTITY) {
    // Every load is nothing beside it: the target would go to its minimum at once.
    errors.push({
      field: `${path}.${field}`,
      message: `must be below 2^63, the most that a quantity can be, not ${JSON.stringify(value)}; lower it`,
    });
  }
  for (const extra of Object.values(VALUE_FIELD)) {
    if (extra !== field && target[extra] !== undefined) {
      errors.push({ field: `${path}.${extra}`, message: `must not be set with type ${target.type}; use ${field}` });
    }
  }
  return errors;
}

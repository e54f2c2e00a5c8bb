/**
 * Stage 2: how many replicas each target needs, as a real number: the maximum over its metrics.
 *
 * The arithmetic and the fill for missing replicas are the HPA's
 * (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details): the load is conserved, so replicas =
 * load / target; a replica without a value counts as exactly on target when that would shrink the target, and as idle when it would
 * grow. A metric that is unknown never shrinks anything.
 */
import { type CollectedMetric, collect } from "./collect.ts";
import type { MetricReading } from "./observation.ts";
import type { FallbackPolicy, MetricPolicy, TargetPolicy } from "./policy.ts";

export interface MetricDemand {
  readonly label: string;
  readonly collected: CollectedMetric;
  /** Mean per replica, or the total. */
  readonly value?: number;
  readonly targetValue: number;
  readonly replicas?: number;
  readonly reason: DemandReason;
}

export type DemandReason =
  | "Metric"
  | "BacklogLimited"
  | "MissingFilled"
  | "NotReady"
  | "CoverageTooLow"
  | "MetricUnknown"
  | "NoMetrics"
  | "Fallback"
  | "ScaledToZero"
  | "Advisory"
  | "SLO"
  | "SLOMissed";

export interface Demand {
  /** Replicas over the whole set; at least 0. */
  readonly replicas: number;
  readonly reason: DemandReason;
  readonly detail: string;
  /** No metric may shrink the target now, because something is unknown. */
  readonly holdsDown: boolean;
  /** Why, where it is not that something is unknown. */
  readonly holdsBecause?: string;
  /** `replicas` is what is there, for want of a measurement: it says nothing about load, and asks for nothing beyond the bounds. */
  readonly isHold: boolean;
  /** Not one metric of the target could be used. */
  readonly isUnknown: boolean;
  readonly metrics: readonly MetricDemand[];
}

export interface DemandInput {
  readonly target: TargetPolicy;
  readonly readings: readonly MetricReading[];
  /** Sum of `spec.replicas` over the set replicas. */
  readonly currentReplicas: number;
  readonly readyReplicas: number;
  readonly staleAfterMs: number;
  readonly minCoverageRatio: number;
  /** Decisions in a row, this one not counted, in which the target was unknown. */
  readonly failures: number;
  readonly fallback?: FallbackPolicy;
}

/**
 * A queue may at most double what serves now. It grows for as long as replicas start, and dividing it by the target would order
 * replicas without end for a lack of one (llm-d-autoscaling PR #1019).
 */
const BACKLOG_GROWTH = 2;

export function demandOf(input: DemandInput): Demand {
  const { target, readings, currentReplicas, staleAfterMs, failures, fallback } = input;
  const metrics = target.metrics.map((metric, index) => {
    const reading = readings[index] ?? { kind: "Error", reason: "Failed", message: "not read" };
    return metricDemand(metric, collect(reading, { staleAfterMs }), input);
  });
  const acting = metrics.filter((_, index) => target.metrics[index]?.advisoryOnly !== true);
  if (acting.length === 0) {
    return demand(0, "NoMetrics", "no metric of its own; follows its ratios and bounds", false, false, metrics);
  }
  const known = acting.filter(({ replicas }) => replicas !== undefined);
  const unknown = acting.filter(({ replicas }) => replicas === undefined);
  if (known.length === 0) {
    const detail = unknown
      .map(({ label, collected }) => `${label}: ${collected.detail || collected.quality}`)
      .join("; ");
    if (fallback !== undefined && failures + 1 >= fallback.failureThreshold) {
      const replicas = fallbackReplicas(fallback, target.name, currentReplicas);
      return demand(replicas, "Fallback", `${failures + 1} decisions without metrics (${detail})`, true, true, metrics);
    }
    return demand(currentReplicas, "MetricUnknown", detail, true, true, metrics);
  }
  const winner = known.reduce((best, one) => ((one.replicas ?? 0) > (best.replicas ?? 0) ? one : best));
  const replicas = winner.replicas ?? 0;
  if (unknown.length > 0 && replicas < currentReplicas) {
    const detail = `${winner.label} would go down to ${round(replicas)}, but ${unknown.map(({ label }) => label).join(", ")} is unknown`;
    return demand(currentReplicas, "MetricUnknown", detail, true, false, metrics);
  }
  // Where one metric says so, another one that is content does not shrink it either.
  const pressed = replicas < currentReplicas ? known.find(({ reason }) => reason === "NotReady") : undefined;
  const said = pressed ?? winner;
  const holdsDown = pressed !== undefined || winner.reason === "CoverageTooLow";
  return demand(replicas, said.reason, describe(said), holdsDown, false, metrics);
}

function metricDemand(metric: MetricPolicy, collected: CollectedMetric, input: DemandInput): MetricDemand {
  const { currentReplicas, readyReplicas, minCoverageRatio } = input;
  const base = { label: metric.label, collected, targetValue: metric.targetValue };
  if (collected.values.length === 0) return { ...base, reason: "MetricUnknown" };
  const load = collected.values.reduce((sum, value) => sum + value, 0);
  const value = collected.isTotal ? load : load / collected.values.length;

  if (metric.targetType === "Value") {
    return holdUnderPressure(
      { ...base, value, reason: "Metric", replicas: (load / metric.targetValue) * Math.max(1, readyReplicas) },
      load / metric.targetValue,
    );
  }
  if (collected.isTotal) return limitBacklog({ ...base, value, reason: "Metric", replicas: load / metric.targetValue });

  const pressure = value / metric.targetValue;
  const { missingReplicas } = collected;
  const filled = load / metric.targetValue + (pressure < 1 ? missingReplicas : 0);
  const replicas = pressure > 1 && missingReplicas > 0 ? Math.max(filled, readyReplicas) : filled;
  if (collected.coverageRatio < minCoverageRatio && replicas < currentReplicas) {
    return { ...base, value, reason: "CoverageTooLow", replicas: currentReplicas };
  }
  const reason = missingReplicas > 0 ? "MissingFilled" : "Metric";
  return holdUnderPressure(limitBacklog({ ...base, value, reason, replicas }), pressure);

  /**
   * Replicas that serve above their target never shrink it, however many of their peers are lost or still start: what those would take over is not
   * measured. The HPA's rule, which changes nothing where unready replicas would turn an up into a down.
   */
  function holdUnderPressure(one: MetricDemand & { readonly replicas: number }, ratio: number): MetricDemand {
    return ratio > 1 && one.replicas < currentReplicas ? { ...one, reason: "NotReady" } : one;
  }

  function limitBacklog(
    one: MetricDemand & { readonly replicas: number },
  ): MetricDemand & { readonly replicas: number } {
    const most = BACKLOG_GROWTH * Math.max(1, readyReplicas);
    return metric.isBacklog && one.replicas > most ? { ...one, replicas: most, reason: "BacklogLimited" } : one;
  }
}

function fallbackReplicas({ behavior, replicas }: FallbackPolicy, target: string, current: number): number {
  const configured = replicas[target] ?? current;
  switch (behavior) {
    case "static":
      return configured;
    case "currentReplicas":
      return current;
    case "currentReplicasIfHigher":
      return Math.max(current, configured);
    case "currentReplicasIfLower":
      return Math.min(current, configured);
    default:
      return behavior satisfies never;
  }
}

function describe({ label, value, targetValue, replicas, collected, reason }: MetricDemand): string {
  const unit = collected.isTotal ? "in all" : "a replica";
  const partly =
    collected.quality === "Partial" ? `, ${Math.round(collected.coverageRatio * 100)} % of replicas report` : "";
  const limited =
    reason === "BacklogLimited"
      ? ", a queue may at most double what serves"
      : reason === "NotReady"
        ? ", what is not ready is kept while the rest is above its target"
        : "";
  return `${label} is ${round(value ?? Number.NaN)} ${unit}, target ${round(targetValue)}: ${round(replicas ?? Number.NaN)} replicas${partly}${limited}`;
}

function demand(
  replicas: number,
  reason: DemandReason,
  detail: string,
  holdsDown: boolean,
  isUnknown: boolean,
  metrics: readonly MetricDemand[],
): Demand {
  const isHold = reason === "MetricUnknown" || reason === "CoverageTooLow";
  return { replicas: Math.max(0, replicas), reason, detail, holdsDown, isHold, isUnknown, metrics };
}

export const round = (value: number): number => Math.round(value * 1000) / 1000;

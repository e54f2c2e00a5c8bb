/**
 * Stage 2: how many replicas each target needs, as a real number: the maximum over its metrics.
 *
 * The arithmetic and the fill for missing replicas are the HPA's
 * (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details): the load is conserved, so replicas =
 * load / target; a replica without a value counts as exactly on target when that would shrink the target, and as idle when it would
 * grow. A metric that is unknown never shrinks anything.
 *
 * A brake (GPU utilisation) can keep replicas and never adds any: its demand is capped at what is there, and it is no measurement of load.
 */
import { type CollectedMetric, collect } from "./collect.ts";
import type { MetricReading } from "./observation.ts";
import type { FallbackPolicy, MetricPolicy, TargetPolicy } from "./policy.ts";

export interface MetricDemand {
  readonly label: string;
  readonly collected: CollectedMetric;
  /** Mean per replica, or for the whole target. */
  readonly value?: number;
  readonly targetValue: number;
  readonly replicas?: number;
  readonly reason: DemandReason;
}

export type DemandReason =
  | "Metric"
  | "BacklogLimited"
  | "Brake"
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
  /** What is for the load that comes, without what has piled up; absent: all of `replicas`, or nothing known where a queue asks for the most. */
  readonly flowReplicas?: number;
  /** Of `replicas`, without what a queue asks for beyond it; absent: all of it, or not known. */
  readonly loadReplicas?: number;
  /** A queue asks for the most. */
  readonly isBacklog?: true;
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
/** What `spec.replicas` can hold; a huge value over a tiny target is more, up to infinite. */
const MAX_REPLICAS = 2 ** 31 - 1;

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
  const isBrake = (metric: MetricDemand): boolean => target.metrics[metrics.indexOf(metric)]?.isBrake === true;
  if (acting.every(isBrake)) {
    const detail = `${acting.map(({ label }) => label).join(", ")} can only keep replicas, and no other metric says how many are needed`;
    return demand(currentReplicas, "Brake", detail, true, known.length === 0, metrics);
  }
  // A brake alone does not know the load either.
  if (known.every(isBrake)) {
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
  const reason = isBrake(said) && said.reason !== "NotReady" ? "Brake" : said.reason;
  const one = demand(replicas, reason, describe({ ...said, reason }), holdsDown, false, metrics);
  const isQueue = (metric: MetricDemand): boolean => target.metrics[metrics.indexOf(metric)]?.isBacklog === true;
  if (!isQueue(winner)) return one;
  const others = known.filter((metric) => !isQueue(metric) && !isBrake(metric));
  const load = Math.max(...others.map((other) => other.replicas ?? 0));
  return { ...one, isBacklog: true, ...(others.length === 0 ? {} : { flowReplicas: load, loadReplicas: load }) };
}

function metricDemand(metric: MetricPolicy, collected: CollectedMetric, input: DemandInput): MetricDemand {
  const base = { label: metric.label, collected, targetValue: metric.targetValue };
  if (collected.values.length === 0) return { ...base, reason: "MetricUnknown" };
  const { value, replicas, reason } = sized(metric, collected, input);
  // Sums of finite numbers may be too large to be one.
  const one = {
    ...base,
    value: Math.max(-Number.MAX_VALUE, Math.min(value, Number.MAX_VALUE)),
    replicas: Math.min(Math.max(0, replicas), MAX_REPLICAS),
    reason,
  };
  const { currentReplicas } = input;
  return metric.isBrake === true && one.replicas > currentReplicas
    ? { ...one, replicas: currentReplicas, reason: "Brake" }
    : one;
}

interface Sized {
  readonly value: number;
  readonly replicas: number;
  readonly reason: DemandReason;
}

function sized(metric: MetricPolicy, collected: CollectedMetric, input: DemandInput): Sized {
  const { currentReplicas, minCoverageRatio } = input;
  const { values, isTotal, missingReplicas, asleepReplicas = 0, coverageRatio } = collected;
  // What sleeps is part of the target and of no use to it: it comes on top of what the load needs.
  const ready = Math.max(0, input.readyReplicas - asleepReplicas);
  const load = values.reduce((sum, one) => sum + one, 0);
  const mean = load / values.length;
  const reason = missingReplicas > 0 ? "MissingFilled" : "Metric";

  if (metric.targetType === "Value") {
    const value = metric.isMean === true ? mean : load;
    const pressure = value / metric.targetValue;
    const filled = pressure < 1 ? fillWhole(pressure, metric, collected) : pressure;
    return guarded({ value, reason, replicas: filled * Math.max(1, ready) }, pressure);
  }
  if (isTotal) return limitBacklog({ value: load, reason, replicas: load / metric.targetValue });

  const pressure = mean / metric.targetValue;
  const filled = load / metric.targetValue + (pressure <= 1 ? missingReplicas : 0);
  const replicas = pressure > 1 && missingReplicas > 0 ? Math.max(filled, ready) : filled;
  return guarded({ value: mean, reason, replicas }, pressure);

  /**
   * Replicas that serve above their target never shrink it, however many of their peers are lost or still start: what those would take over is not
   * measured. The HPA's rule, which changes nothing where unready replicas would turn an up into a down.
   */
  function guarded(one: Sized, pressure: number): Sized {
    const limited = limitBacklog(one);
    const wanted = { ...limited, replicas: limited.replicas + asleepReplicas };
    if (wanted.replicas >= currentReplicas) return wanted;
    if (!isTotal && coverageRatio < minCoverageRatio) {
      return { ...wanted, replicas: currentReplicas, reason: "CoverageTooLow" };
    }
    return pressure > 1 ? { ...wanted, reason: "NotReady" } : wanted;
  }

  function limitBacklog(one: Sized): Sized {
    const most = BACKLOG_GROWTH * Math.max(1, ready);
    return metric.isBacklog && one.replicas > most ? { ...one, replicas: most, reason: "BacklogLimited" } : one;
  }
}

/** A value for the whole target that is below it, with replicas that say nothing taken as exactly on target. */
function fillWhole(
  pressure: number,
  { isMean }: MetricPolicy,
  { values, missingReplicas, isTotal }: CollectedMetric,
): number {
  if (isTotal || missingReplicas === 0) return pressure;
  const missingRatio = missingReplicas / (values.length + missingReplicas);
  return isMean === true ? pressure * (1 - missingRatio) + missingRatio : Math.min(1, pressure + missingRatio);
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
        : reason === "Brake"
          ? ", which keeps replicas and never adds any"
          : "";
  const asleep = (collected.asleepReplicas ?? 0) === 0 ? "" : `, ${collected.asleepReplicas} asleep`;
  return `${label} is ${round(value ?? Number.NaN)} ${unit}, target ${round(targetValue)}: ${round(replicas ?? Number.NaN)} replicas${partly}${asleep}${limited}`;
}

function demand(
  replicas: number,
  reason: DemandReason,
  detail: string,
  holdsDown: boolean,
  isUnknown: boolean,
  metrics: readonly MetricDemand[],
): Demand {
  // A brake is capped at what is there: forecast from it, growth would feed on itself.
  const isHold = reason === "MetricUnknown" || reason === "CoverageTooLow" || reason === "Brake";
  return {
    replicas: Math.min(Math.max(0, replicas), MAX_REPLICAS),
    reason,
    detail,
    holdsDown,
    isHold,
    isUnknown,
    metrics,
  };
}

export const round = (value: number): number => (Math.abs(value) > 2 ** 40 ? value : Math.round(value * 1000) / 1000);

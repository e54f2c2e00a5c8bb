/** The demand arithmetic backwards: which value of the deciding metric asks for a number of replicas. Pure. */
import type { Demand, MetricDemand } from "./demand.ts";
import type { MetricPolicy, TargetPolicy } from "./policy.ts";

export interface MetricThreshold {
  readonly label: string;
  readonly unit: "a replica" | "in all";
  readonly now: number;
  /** The demand passes the number asked about when the metric is above this, or comes down to it when it is at most this. */
  readonly value: number;
}

export interface InverseInput {
  readonly target: TargetPolicy;
  readonly demand: Demand;
  readonly ready: number;
  readonly current: number;
  /** What a queue asks for at most; absent: no more than that it doubles what serves. */
  readonly mostByQueue?: number;
}

/**
 * @param replicas over the whole set; real
 * @returns a text that says which term decides, where one value of one metric does not
 */
export function thresholdOf(input: InverseInput, replicas: number, isUp: boolean): MetricThreshold | string {
  const { target, demand } = input;
  if (demand.reason !== "Metric") return demand.detail;
  const acting = demand.metrics.filter((_, at) => target.metrics[at]?.advisoryOnly !== true);
  const winner = acting.reduce((best, one) => ((one.replicas ?? 0) > (best.replicas ?? 0) ? one : best));
  const metric = target.metrics[demand.metrics.indexOf(winner)];
  if (metric === undefined || metric.isBrake === true) return demand.detail;
  if (!isUp) {
    const others = acting.filter((one) => one !== winner && (one.replicas === undefined || one.replicas > replicas));
    if (others.length > 0) {
      const names = others.map(({ label, replicas: asked }) =>
        asked === undefined ? `${label} is unknown` : `${label} asks for ${round(asked)}`,
      );
      return `${demand.detail}; ${names.join(", ")}: no one metric alone changes it`;
    }
  }
  return inverse(metric, winner, input, replicas, isUp) ?? demand.detail;
}

function inverse(
  metric: MetricPolicy,
  { collected, value: now, label }: MetricDemand,
  { ready, current, mostByQueue = Number.POSITIVE_INFINITY }: InverseInput,
  replicas: number,
  isUp: boolean,
): MetricThreshold | undefined {
  const { values, isTotal, missingReplicas, asleepReplicas = 0 } = collected;
  if (now === undefined || missingReplicas > 0 || asleepReplicas > 0) return undefined;
  if (isUp && metric.isBacklog && replicas >= Math.min(mostByQueue, 2 * Math.max(1, ready))) return undefined;
  const isWhole = metric.targetType === "Value";
  const perUnit = isWhole ? 1 / Math.max(1, ready) : isTotal ? 1 : 1 / values.length;
  const exact = replicas * metric.targetValue * perUnit;
  // What serves above its target shrinks nothing, however few serve.
  const isGuarded = isWhole || !isTotal;
  const value = !isUp && isGuarded && replicas < current ? Math.min(exact, metric.targetValue) : exact;
  const unit = isTotal || (isWhole && metric.isMean !== true) ? "in all" : "a replica";
  return { label, unit, now, value: isUp ? outward(value, Math.ceil) : outward(value, Math.floor) };
}

/** Four digits, on the side where it still does what it says. */
function outward(value: number, towards: (value: number) => number): number {
  if (value === 0) return 0;
  const digits = 3 - Math.floor(Math.log10(Math.abs(value)));
  // 3.6000000000000005 is 3.6: below any real difference.
  const guard = towards === Math.ceil ? 1 - 1e-12 : 1 + 1e-12;
  return digits >= 0
    ? towards(value * guard * 10 ** digits) / 10 ** digits
    : towards((value * guard) / 10 ** -digits) * 10 ** -digits;
}

const round = (value: number): number => Math.round(value * 100) / 100;

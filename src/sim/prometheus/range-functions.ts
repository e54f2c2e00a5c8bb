/**
 * PromQL functions over a range vector: plain arithmetic on the points of one series.
 *
 * Semantics are those of Prometheus's `promql/functions.go`; each name is the PromQL name.
 */

/** The points of one series inside the range, times in ms, no staleness markers. */
export interface RangePoints {
  readonly times: readonly number[];
  readonly values: readonly number[];
  readonly rangeStartMs: number;
  readonly rangeEndMs: number;
  readonly evaluationMs: number;
  /** 2 and 3 differ in how far `rate` extrapolates towards a zero that lies near the range start. */
  readonly dialect: 2 | 3;
}

/** `undefined` drops the series from the result. */
export type RangeFunction = (points: RangePoints, parameters: readonly number[]) => number | undefined;

const always =
  (compute: (values: readonly number[], points: RangePoints) => number): RangeFunction =>
  (points) =>
    points.values.length === 0 ? undefined : compute(points.values, points);

const atLeastTwo =
  (compute: (points: RangePoints, parameters: readonly number[]) => number | undefined): RangeFunction =>
  (points, parameters) =>
    points.values.length < 2 ? undefined : compute(points, parameters);

export const RANGE_FUNCTIONS: Readonly<Record<string, RangeFunction>> = {
  rate: (points) => changeOver(points, "rate"),
  increase: (points) => changeOver(points, "increase"),
  delta: (points) => changeOver(points, "delta"),
  irate: (points) => instantaneous(points, true),
  idelta: (points) => instantaneous(points, false),
  avg_over_time: always(mean),
  sum_over_time: always(sum),
  count_over_time: always((values) => values.length),
  min_over_time: always((values) => extreme(values, (a, b) => a < b)),
  max_over_time: always((values) => extreme(values, (a, b) => a > b)),
  last_over_time: always((values) => values.at(-1) as number),
  first_over_time: always((values) => values[0] as number),
  present_over_time: always(() => 1),
  stddev_over_time: always((values) => Math.sqrt(variance(values))),
  stdvar_over_time: always(variance),
  mad_over_time: always((values) => {
    const middle = quantile(0.5, values);
    return quantile(
      0.5,
      values.map((value) => Math.abs(value - middle)),
    );
  }),
  quantile_over_time: (points, [q = Number.NaN]) =>
    points.values.length === 0 ? undefined : quantile(q, points.values),
  changes: always((values) => {
    let changes = 0;
    for (let i = 1; i < values.length; i++) {
      const [before, now] = [values[i - 1] as number, values[i] as number];
      if (now !== before && !(Number.isNaN(now) && Number.isNaN(before))) changes++;
    }
    return changes;
  }),
  resets: always((values) => {
    let resets = 0;
    for (let i = 1; i < values.length; i++) if ((values[i] as number) < (values[i - 1] as number)) resets++;
    return resets;
  }),
  deriv: atLeastTwo((points) => linearRegression(points, points.times[0] as number).slope),
  predict_linear: atLeastTwo((points, [seconds = Number.NaN]) => {
    const { slope, intercept } = linearRegression(points, points.evaluationMs);
    return slope * seconds + intercept;
  }),
};

/** The functions of the change over a range. */
export type ChangeFunction = "rate" | "increase" | "delta";

export const isChangeFunction = (name: string): name is ChangeFunction =>
  name === "rate" || name === "increase" || name === "delta";

/** What these functions need of the samples. */
export interface Change {
  samples: number;
  firstMs: number;
  lastMs: number;
  firstValue: number;
  /** From the first to the last sample; with what was lost at resets, for a counter. */
  change: number;
}

function changeOver(points: RangePoints, name: ChangeFunction): number | undefined {
  const { times, values } = points;
  const last = values.length - 1;
  if (last < 1) return undefined;
  const firstValue = values[0] as number;
  let change = (values[last] as number) - firstValue;
  if (name !== "delta") {
    for (let i = 1; i <= last; i++) {
      if ((values[i] as number) < (values[i - 1] as number)) change += values[i - 1] as number;
    }
  }
  const [firstMs, lastMs] = [times[0] as number, times[last] as number];
  return extrapolated({ samples: values.length, firstMs, lastMs, firstValue, change }, points, name);
}

/**
 * The change over the range, as if the samples reached its edges: by less than 1.1 sample distances the first and last
 * sample are extended to the edge, otherwise by half a distance; a counter is never extended below zero.
 *
 * @returns undefined with less than two samples
 */
export function extrapolated(
  { samples, firstMs, lastMs, firstValue, change }: Change,
  { rangeStartMs, rangeEndMs, dialect }: Pick<RangePoints, "rangeStartMs" | "rangeEndMs" | "dialect">,
  name: ChangeFunction,
): number | undefined {
  if (samples < 2) return undefined;
  const isCounter = name !== "delta";
  let toStart = (firstMs - rangeStartMs) / 1000;
  const toEnd = (rangeEndMs - lastMs) / 1000;
  const sampled = (lastMs - firstMs) / 1000;
  const distance = sampled / (samples - 1);
  const threshold = distance * 1.1;
  if (dialect === 3 && toStart >= threshold) toStart = distance / 2;
  if (isCounter && change > 0 && firstValue >= 0) toStart = Math.min(toStart, sampled * (firstValue / change));
  const extent = sampled + (toStart < threshold ? toStart : distance / 2) + (toEnd < threshold ? toEnd : distance / 2);
  let factor = extent / sampled;
  if (name === "rate") factor /= (rangeEndMs - rangeStartMs) / 1000;
  return change * factor;
}

function instantaneous({ times, values }: RangePoints, isRate: boolean): number | undefined {
  const last = values.length - 1;
  if (last < 1) return undefined;
  const elapsedMs = (times[last] as number) - (times[last - 1] as number);
  if (elapsedMs === 0) return undefined;
  const [before, now] = [values[last - 1] as number, values[last] as number];
  const change = isRate && now < before ? now : now - before;
  return isRate ? change / (elapsedMs / 1000) : change;
}

/** Kahan's summation in Neumaier's form, as Prometheus sums over time. */
function sum(values: readonly number[]): number {
  let total = 0;
  let lost = 0;
  for (const value of values) {
    const next = total + value;
    if (Math.abs(total) >= Math.abs(value)) lost += total - next + value;
    else lost += value - next + total;
    total = next;
  }
  return Number.isFinite(total) ? total + lost : total;
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

/** NaN only when every value is NaN. */
export function extreme(values: readonly number[], better: (a: number, b: number) => boolean): number {
  let best = values[0] as number;
  for (const value of values) if (better(value, best) || Number.isNaN(best)) best = value;
  return best;
}

/** Population variance by Welford's recurrence. */
export function variance(values: readonly number[]): number {
  let count = 0;
  let average = 0;
  let squares = 0;
  for (const value of values) {
    count++;
    const delta = value - average;
    average += delta / count;
    squares += delta * (value - average);
  }
  return squares / count;
}

/** Linear interpolation between the two nearest ranks; NaN sorts first. */
export function quantile(q: number, values: readonly number[]): number {
  if (values.length === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  const sorted = [...values].sort((a, b) =>
    Number.isNaN(a) ? (Number.isNaN(b) ? 0 : -1) : Number.isNaN(b) ? 1 : a - b,
  );
  const rank = q * (sorted.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(sorted.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return (sorted[lower] as number) * (1 - weight) + (sorted[upper] as number) * weight;
}

function linearRegression({ times, values }: RangePoints, interceptMs: number): { slope: number; intercept: number } {
  const first = values[0] as number;
  if (values.every((value) => value === first)) {
    return Number.isFinite(first) ? { slope: 0, intercept: first } : { slope: Number.NaN, intercept: Number.NaN };
  }
  const xs = times.map((timeMs) => (timeMs - interceptMs) / 1000);
  const n = values.length;
  const sumX = sum(xs);
  const sumY = sum(values);
  const covariance = sum(xs.map((x, i) => x * (values[i] as number))) - (sumX * sumY) / n;
  const slope = covariance / (sum(xs.map((x) => x * x)) - (sumX * sumX) / n);
  return { slope, intercept: sumY / n - (slope * sumX) / n };
}

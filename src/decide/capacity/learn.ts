/**
 * What one replica carries at a latency target, learned from the running system. Pure and bounded.
 *
 * Samples are (load of a ready replica, latency quantile) of decisions with a steady replica set. The line through them is Theil and Sen's: the median
 * slope over all pairs, which up to 29 % of wild samples do not move (P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau", 1968).
 * The time of a decode step is close to affine in what runs (2-4 % on measured dense models), so ITL is fitted as it is. TTFT grows faster than its load,
 * like 1 / (1 − ρ), so its logarithm is fitted.
 *
 * Nothing learned is used before it is earned: enough samples, over enough different loads, of late, and close to the line.
 */
import { median, quantileSorted } from "simple-statistics";

/** `[monotonic ms, load of one replica, latency in seconds]`, by time. */
export type LatencySamples = readonly (readonly [number, number, number])[];

export type Curve = "Affine" | "Exponential";

export type Learned =
  | {
      readonly kind: "Learned";
      /** Load of one replica at the target, in the unit of the samples. */
      readonly loadAtTarget: number;
      /** In (0, 1]: by the number of samples and their distance from the line. */
      readonly confidenceRatio: number;
      /** The target lies beyond what was seen; the load is what may be extrapolated. */
      readonly isExtrapolated: boolean;
    }
  | { readonly kind: "Learning"; readonly why: string }
  /** Even with no load the line is above the target. */
  | { readonly kind: "Unattainable" };

export const MAX_SAMPLES = 48;
const MIN_SAMPLES = 12;
/** One sample an interval of 15 s; decisions in a row see the same window of the metrics. */
const MIN_SPACING_MS = 15_000;
const MAX_AGE_MS = 6 * 3_600_000;
/** A model whose newest sample is older says nothing about now. */
const MAX_SILENCE_MS = 900_000;
/** 90th over 10th percentile of the loads. */
const MIN_SPREAD = 1.5;
/** Median distance from the line over the median latency. */
const MAX_RESIDUAL_RATIO = 0.2;
const MAX_EXTRAPOLATION = 1.5;
/** Loads within a factor are one bin: of the fullest bin the oldest sample goes, so that a long calm does not wipe out what a peak taught. */
const BIN_FACTOR = 1.3;

/** @returns the samples with one more, or as they were when it is of no use */
export function addSample(
  samples: LatencySamples,
  nowMs: number,
  load: number,
  latencySeconds: number,
): LatencySamples {
  const kept = samples.filter(([atMs]) => atMs <= nowMs && nowMs - atMs <= MAX_AGE_MS);
  const last = kept.at(-1);
  if (!isPositive(load) || !isPositive(latencySeconds)) return kept;
  if (last !== undefined && nowMs - last[0] < MIN_SPACING_MS) return kept;
  const all = [...kept, [nowMs, round(load), round(latencySeconds)] as const];
  if (all.length <= MAX_SAMPLES) return all;
  const bins = new Map<number, number[]>();
  all.forEach(([, x], index) => {
    const bin = Math.round(Math.log(x) / Math.log(BIN_FACTOR));
    bins.set(bin, [...(bins.get(bin) ?? []), index]);
  });
  const fullest = [...bins.values()].reduce((best, one) => (one.length > best.length ? one : best));
  return all.filter((_, index) => index !== fullest[0]);
}

export function learn(samples: LatencySamples, nowMs: number, targetSeconds: number, curve: Curve): Learned {
  const usable = samples.filter(
    ([atMs, x, y]) => atMs <= nowMs && nowMs - atMs <= MAX_AGE_MS && isPositive(x) && isPositive(y),
  );
  if (usable.length < MIN_SAMPLES) return learning(`${usable.length} of ${MIN_SAMPLES} samples`);
  const silenceMs = nowMs - Math.max(...usable.map(([atMs]) => atMs));
  if (silenceMs > MAX_SILENCE_MS) return learning(`no sample for ${Math.round(silenceMs / 60_000)} min`);
  const loads = usable.map(([, x]) => x).toSorted((a, b) => a - b);
  const spread = quantileSorted(loads, 0.9) / quantileSorted(loads, 0.1);
  if (spread < MIN_SPREAD)
    return learning(`loads differ by a factor of ${spread.toFixed(1)} only, ${MIN_SPREAD} is needed`);

  const shape = curve === "Affine" ? (y: number) => y : Math.log;
  const unshape = curve === "Affine" ? (y: number) => y : Math.exp;
  const points = usable.map(([, x, y]) => [x, shape(y)] as const);
  const slope = median(pairSlopes(points));
  const intercept = median(points.map(([x, y]) => y - slope * x));
  const residual = median(usable.map(([, x, y]) => Math.abs(y - unshape(intercept + slope * x))));
  const residualRatio = residual / median(usable.map(([, , y]) => y));
  if (residualRatio > MAX_RESIDUAL_RATIO)
    return learning(`latency is off its line by ${Math.round(residualRatio * 100)} %`);
  if (!(slope > 0)) return learning("latency does not rise with load yet");

  const atTarget = (shape(targetSeconds) - intercept) / slope;
  if (!(atTarget > 0)) return { kind: "Unattainable" };
  const most = MAX_EXTRAPOLATION * (loads.at(-1) as number);
  return {
    kind: "Learned",
    loadAtTarget: Math.min(atTarget, most),
    confidenceRatio: Math.min(1, usable.length / (2 * MIN_SAMPLES)) * (1 - residualRatio),
    isExtrapolated: atTarget > (loads.at(-1) as number),
  };
}

/** At most 48 × 47 / 2 of them. */
function pairSlopes(points: readonly (readonly [number, number])[]): readonly number[] {
  const slopes: number[] = [];
  points.forEach(([x, y], index) => {
    for (const [otherX, otherY] of points.slice(index + 1)) {
      if (otherX !== x) slopes.push((otherY - y) / (otherX - x));
    }
  });
  return slopes;
}

const learning = (why: string): Learned => ({ kind: "Learning", why });
const isPositive = (value: number): boolean => Number.isFinite(value) && value > 0;
/** Six digits: a checkpoint need not carry sixteen. */
const round = (value: number): number => Number(value.toPrecision(6));

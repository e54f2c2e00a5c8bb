/** What several seeds say together: a mean, and the interval that the mean of other seeds would mostly be in. */
import { mean, quantileSorted, sampleWithReplacement } from "simple-statistics";
import type { Random } from "../../random.ts";

export interface Estimate {
  readonly mean: number;
  /** Of 95 %, by the percentile bootstrap of the mean; from ten values it holds the true mean in 90 % of cases. Absent below {@link MIN_SEEDS} values. */
  readonly interval?: readonly [low: number, high: number];
  /** Seeds that gave a value. */
  readonly seeds: number;
}

/** An interval of fewer is too narrow to be shown. */
export const MIN_SEEDS = 10;

const RESAMPLES = 2_000;
const LEVEL = 0.95;

/** @returns undefined when no seed gave a value */
export function estimate(values: readonly (number | undefined)[], random: Random): Estimate | undefined {
  const known = values.filter((value) => value !== undefined);
  if (known.length === 0) return undefined;
  const center = { mean: mean(known), seeds: known.length };
  if (known.length < MIN_SEEDS) return center;
  const means = Float64Array.from({ length: RESAMPLES }, () =>
    mean(sampleWithReplacement(known, known.length, () => random.next())),
  );
  const sorted = Array.from(means.sort());
  const tail = (1 - LEVEL) / 2;
  return { ...center, interval: [quantileSorted(sorted, tail), quantileSorted(sorted, 1 - tail)] };
}

/** One value a seed. */
export type BySeed = ReadonlyMap<number, number | undefined>;

/**
 * `a − b` on the seeds that both have: traffic and cold starts are the same there, so what is left is the autoscalers' own.
 *
 * @returns undefined when they share no seed
 */
export function pairedDifference(a: BySeed, b: BySeed, random: Random): Estimate | undefined {
  const differences = [...a].map(([seed, value]) => {
    const other = b.get(seed);
    return value === undefined || other === undefined ? undefined : value - other;
  });
  return estimate(differences, random);
}

/**
 * How much slower (or faster) this deployment is than its profile: a factor on the profile's times that follows the measured latency slowly.
 *
 * Integral control on the logarithm: as long as what is measured is above what the corrected profile predicts, the factor grows, and the prediction with
 * it. Slow and clamped, because a latency has many causes besides the engine, and a factor that overshoots costs GPUs.
 */

export interface Correction {
  readonly factor: number;
  readonly atMs: number;
}

export const MIN_FACTOR = 0.5;
export const MAX_FACTOR = 2;
/** In this time two thirds of a difference are followed. */
const TIME_CONSTANT_MS = 600_000;
/** A longer gap teaches no more than this: the sample is of now, not of all that time. */
const MAX_STEP_MS = 60_000;
/** One sample says at most this about the ratio; histograms with coarse buckets are off by a factor of 2. */
const MAX_RATIO = 4;

/**
 * @param observed latency, in the unit of `predicted`
 * @param predicted by the profile with the correction so far
 */
export function correct(
  known: Correction | undefined,
  nowMs: number,
  observed: number,
  predicted: number,
): Correction | undefined {
  if (!(Number.isFinite(observed) && observed > 0 && Number.isFinite(predicted) && predicted > 0)) return known;
  const { factor, atMs } = known ?? { factor: 1, atMs: nowMs };
  const elapsedMs = Math.min(MAX_STEP_MS, Math.max(0, nowMs - atMs));
  const ratio = Math.min(MAX_RATIO, Math.max(1 / MAX_RATIO, observed / predicted));
  const weight = 1 - Math.exp(-elapsedMs / TIME_CONSTANT_MS);
  const next = factor * ratio ** weight;
  return { factor: Math.min(MAX_FACTOR, Math.max(MIN_FACTOR, next)), atMs: nowMs };
}

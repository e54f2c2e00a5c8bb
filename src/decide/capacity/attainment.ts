/** The share of decisions within a window at which the measured quantile met its target. Pure and bounded. */

/** `[start of the bucket, decisions that met the target, decisions]`, by time. */
export type AttainmentBuckets = readonly (readonly [number, number, number])[];

const MAX_BUCKETS = 60;
/** Before that many decisions a share says nothing. */
const MIN_DECISIONS = 10;
/** The most that a missed goal takes from the capacity that a replica is counted with. */
export const MIN_SAFETY = 0.7;

export function recordAttainment(
  buckets: AttainmentBuckets,
  nowMs: number,
  windowMs: number,
  isMet: boolean | undefined,
): AttainmentBuckets {
  const widthMs = Math.max(1, windowMs / MAX_BUCKETS);
  const startMs = Math.floor(nowMs / widthMs) * widthMs;
  const kept = buckets.filter(([atMs]) => atMs > nowMs - windowMs && atMs <= nowMs);
  if (isMet === undefined) return kept;
  const last = kept.at(-1);
  const [, met, all] = last !== undefined && last[0] === startMs ? last : [startMs, 0, 0];
  const others = last !== undefined && last[0] === startMs ? kept.slice(0, -1) : kept;
  return [...others, [startMs, met + (isMet ? 1 : 0), all + 1] as const].slice(-MAX_BUCKETS);
}

/** In [0, 1]; undefined while there are too few decisions. */
export function attainmentRatio(buckets: AttainmentBuckets): number | undefined {
  const all = buckets.reduce((sum, [, , decisions]) => sum + decisions, 0);
  return all < MIN_DECISIONS ? undefined : buckets.reduce((sum, [, met]) => sum + met, 0) / all;
}

/**
 * What a replica is counted with, over what it should serve: 1 while the goal is met, less by what is missing of it, never below 0.7.
 *
 * A model that is right on average and wrong at the peaks misses its goal without any latency that contradicts it: the window sees that, a single
 * sample does not. Bounded, because a goal that cannot be met must not buy GPUs without end.
 */
export function safetyFactor(attained: number | undefined, goalRatio: number): number {
  if (attained === undefined || attained >= goalRatio) return 1;
  return Math.max(MIN_SAFETY, 1 - (goalRatio - attained));
}

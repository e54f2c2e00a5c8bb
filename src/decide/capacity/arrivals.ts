/**
 * How many requests come, where it is counted how many are done. Pure.
 *
 * Over any time what comes is what is done and by how much more there is in the system: engines count a request when it ends, so in an overload they count
 * what they can serve and not what is asked of them.
 */

/** `[monotonic ms, requests in the system]` of the last decisions, by time. */
export type SystemHistory = readonly (readonly [number, number])[];

/** What the rates of the presets look back: the growth must be over the same time. */
const WINDOW_MS = 60_000;
/** A growth over less is noise. */
const MIN_WINDOW_MS = 25_000;
const MAX_WINDOW_MS = 90_000;
const MAX_SAMPLES = 32;

export interface Arrivals {
  /** Requests a second; at least 0. */
  readonly perSecond: number;
  readonly history: SystemHistory;
}

/**
 * @param donePerSecond over the last minute
 * @param inSystem running and waiting now; absent: not known, and what is done is taken for what comes
 */
export function arrivalsOf(
  donePerSecond: number,
  inSystem: number | undefined,
  known: SystemHistory,
  nowMs: number,
): Arrivals {
  const recent = known.filter(([atMs]) => atMs < nowMs && nowMs - atMs <= MAX_WINDOW_MS);
  if (inSystem === undefined) return { perSecond: donePerSecond, history: recent };
  const history = [...recent, [nowMs, inSystem] as const].slice(-MAX_SAMPLES);
  const then = recent.reduce<(typeof recent)[number] | undefined>((best, one) => {
    if (nowMs - one[0] < MIN_WINDOW_MS) return best;
    const distance = ([atMs]: readonly [number, number]): number => Math.abs(nowMs - atMs - WINDOW_MS);
    return best === undefined || distance(one) < distance(best) ? one : best;
  }, undefined);
  if (then === undefined) return { perSecond: donePerSecond, history };
  const growthPerSecond = (1000 * (inSystem - then[1])) / (nowMs - then[0]);
  return { perSecond: Math.min(Number.MAX_VALUE, Math.max(0, donePerSecond + growthPerSecond)), history };
}

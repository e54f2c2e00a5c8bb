/**
 * What the demand usually is at each time of a season (a day, a week): bins of equal length, each the mean of the demand seen in it, blended with what
 * earlier seasons left there. Plain data, bounded.
 */

export interface SeasonMemory {
  readonly seasonMs: number;
  /** Mean demand by bin; `UNSEEN` where there was none yet. */
  readonly bins: readonly number[];
  /** The bin that is being filled: its number since the epoch, the sum and the count of its samples. */
  readonly current: readonly [bin: number, sum: number, count: number];
  /**
   * Bins that are complete and not blended in yet, `bin, mean` after `bin, mean`: as long as the recent history is compared with the season, the season
   * must not contain that same history.
   */
  readonly closed: readonly number[];
}

const UNSEEN = -1;

const BIN_MS = 5 * 60_000;
const MIN_BINS = 12;
/** A day of 5 minutes, or a week of 35. */
const MAX_BINS = 288;
/** Weight of the latest season against all before it. */
const BLEND = 0.5;

const binCount = (seasonMs: number): number => Math.min(MAX_BINS, Math.max(MIN_BINS, Math.round(seasonMs / BIN_MS)));

export function emptySeason(seasonMs: number): SeasonMemory {
  return { seasonMs, bins: [], current: [0, 0, 0], closed: [] };
}

/** @param historyFromMs start of the recent history that is still compared with the season */
export function recordInSeason(
  memory: SeasonMemory,
  nowMs: number,
  demandReplicas: number,
  historyFromMs: number,
): SeasonMemory {
  const { seasonMs } = memory;
  const binMs = seasonMs / binCount(seasonMs);
  const bin = Math.floor(nowMs / binMs);
  const [known, sum, count] = memory.current;
  if (count === 0 || bin < known) return { ...memory, current: [bin, demandReplicas, 1] };
  if (bin === known) return { ...memory, current: [bin, sum + demandReplicas, count + 1] };

  const closed = [...memory.closed, known, rounded(sum / count)];
  const isDue = (at: number): boolean => at < closed.length && ((closed[at] as number) + 1) * binMs <= historyFromMs;
  if (!isDue(0)) return { ...memory, current: [bin, demandReplicas, 1], closed };
  const bins = memory.bins.length === 0 ? Array<number>(binCount(seasonMs)).fill(UNSEEN) : [...memory.bins];
  let blended = 0;
  while (isDue(blended)) {
    const index = (closed[blended] as number) % bins.length;
    const mean = closed[blended + 1] as number;
    const before = bins[index] as number;
    bins[index] = before === UNSEEN ? mean : rounded(BLEND * mean + (1 - BLEND) * before);
    blended += 2;
  }
  return { seasonMs, bins, current: [bin, demandReplicas, 1], closed: closed.slice(blended) };
}

/** The usual demand at a time, between the middles of two bins; undefined where no earlier season was seen. */
export function usualDemand({ seasonMs, bins }: SeasonMemory, atMs: number): number | undefined {
  if (bins.length === 0) return undefined;
  const position = (atMs / seasonMs) * bins.length - 0.5;
  const before = Math.floor(position);
  const share = position - before;
  const wrap = (bin: number): number => bins[((bin % bins.length) + bins.length) % bins.length] as number;
  const left = wrap(before);
  const right = wrap(before + 1);
  if (left === UNSEEN || right === UNSEEN) return undefined;
  return left + (right - left) * share;
}

/** Thousandths of a replica: keeps the checkpoint short. */
export const rounded = (replicas: number): number => Math.round(replicas * 1000) / 1000;

/**
 * What the demand usually is at each time of a season (a day, a week): bins of equal length, each the mean of the demand seen in it, blended with what
 * earlier seasons left there. Plain data, bounded.
 */

export interface SeasonMemory {
  readonly seasonMs: number;
  /** Mean demand by bin, packed, as there are 288 of each target. Empty until the first that is complete is no part of the recent history. */
  readonly bins: string;
  /** The bin that is being filled: its number since the epoch, the sum and the count of its samples. */
  readonly current: readonly [bin: number, sum: number, count: number];
  /**
   * Bins that are complete and not blended in yet, `bin, mean` after `bin, mean`: as long as the recent history is compared with the season, the season
   * must not contain that same history.
   */
  readonly closed: readonly number[];
}

/**
 * A bin is thousandths of a replica in four digits to the base of 64, half the bytes of a number in memory and two thirds in a checkpoint. More replicas
 * than 16,777 count as that; all digits set is a bin that was never seen.
 */
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const DIGITS_PER_BIN = 4;
/** By character code: read some hundred times for each forecast. */
const VALUES = Uint8Array.from({ length: 128 }, (_, code) => Math.max(0, DIGITS.indexOf(String.fromCharCode(code))));
const UNSEEN_THOUSANDTHS = 64 ** DIGITS_PER_BIN - 1;

function packed(thousandths: number): string {
  let text = "";
  for (let rest = thousandths, at = 0; at < DIGITS_PER_BIN; at++, rest = Math.floor(rest / 64))
    text = (DIGITS[rest % 64] as string) + text;
  return text;
}

const packedReplicas = (replicas: number): string =>
  packed(Math.min(UNSEEN_THOUSANDTHS - 1, Math.max(0, Math.round(replicas * 1000))));

/** @returns undefined where there was none yet */
function binAt(bins: string, index: number): number | undefined {
  let thousandths = 0;
  for (let at = index * DIGITS_PER_BIN; at < (index + 1) * DIGITS_PER_BIN; at++)
    thousandths = thousandths * 64 + (VALUES[bins.charCodeAt(at)] ?? 0);
  return thousandths === UNSEEN_THOUSANDTHS ? undefined : thousandths / 1000;
}

const withBin = (bins: string, index: number, replicas: number): string =>
  bins.slice(0, index * DIGITS_PER_BIN) + packedReplicas(replicas) + bins.slice((index + 1) * DIGITS_PER_BIN);

const BIN_MS = 5 * 60_000;
const MIN_BINS = 12;
/** A day of 5 minutes, or a week of 35. */
const MAX_BINS = 288;
/** Weight of the latest season against all before it. */
const BLEND = 0.5;

const binCount = (seasonMs: number): number => Math.min(MAX_BINS, Math.max(MIN_BINS, Math.round(seasonMs / BIN_MS)));

export function emptySeason(seasonMs: number): SeasonMemory {
  return { seasonMs, bins: "", current: [0, 0, 0], closed: [] };
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
  const places = binCount(seasonMs);
  let bins = memory.bins === "" ? packed(UNSEEN_THOUSANDTHS).repeat(places) : memory.bins;
  let blended = 0;
  while (isDue(blended)) {
    const index = (closed[blended] as number) % places;
    const mean = closed[blended + 1] as number;
    const before = binAt(bins, index);
    bins = withBin(bins, index, before === undefined ? mean : BLEND * mean + (1 - BLEND) * before);
    blended += 2;
  }
  return { seasonMs, bins, current: [bin, demandReplicas, 1], closed: closed.slice(blended) };
}

/** The usual demand at a time, between the middles of two bins; undefined where no earlier season was seen. */
export function usualDemand({ seasonMs, bins }: SeasonMemory, atMs: number): number | undefined {
  const count = bins.length / DIGITS_PER_BIN;
  if (count === 0) return undefined;
  const position = (atMs / seasonMs) * count - 0.5;
  const before = Math.floor(position);
  const share = position - before;
  const wrapped = (bin: number): number | undefined => binAt(bins, ((bin % count) + count) % count);
  const left = wrapped(before);
  const right = wrapped(before + 1);
  if (left === undefined || right === undefined) return undefined;
  return left + (right - left) * share;
}

/** Thousandths of a replica: keeps the checkpoint short. */
export const rounded = (replicas: number): number => Math.round(replicas * 1000) / 1000;

/** How the demand of the future follows from that of the past. Each method: recent history and season in, replicas at a time out. */
import { type SeasonMemory, usualDemand } from "./season.ts";

/** Monotonic ms and demand by turns, by time: `[ms, replicas, ms, replicas, …]`. Flat, because there are many of them. */
export type History = readonly number[];

export const METHODS = ["HoltWinters", "LinearTrend", "SeasonalNaive", "LastValue"] as const;
export type ForecastMethod = (typeof METHODS)[number];

/** Fewer samples than this show no trend. */
const MIN_SAMPLES = 4;
const HOLT = { level: 0.5, trend: 0.3 } as const;

/** @returns replicas, perhaps negative where a trend leads there */
export function predict(method: ForecastMethod, history: History, season: SeasonMemory, atMs: number): number {
  const last = history.at(-1) ?? 0;
  if (history.length < 2 * MIN_SAMPLES) return last;
  switch (method) {
    case "LastValue":
      return last;
    case "LinearTrend":
      return linearTrend(history, atMs);
    case "HoltWinters":
      return holtWinters(history, season, atMs);
    case "SeasonalNaive":
      return usualDemand(season, atMs) ?? last;
    default:
      return method satisfies never;
  }
}

/**
 * Least squares, as `linearRegression` of simple-statistics in the same order of operations, on a history as it lies: pairs of it were a thirtieth of all
 * memory that a decision takes and lets go. Relative to the end: squares of milliseconds since the epoch have no digits left for the slope.
 */
function linearTrend(history: History, atMs: number): number {
  const count = history.length / 2;
  const endMs = history[history.length - 2] as number;
  let sumMs = 0;
  let sum = 0;
  for (let at = 0; at < history.length; at += 2) {
    sumMs += (history[at] as number) - endMs;
    sum += history[at + 1] as number;
  }
  const meanMs = sumMs / count;
  const mean = sum / count;
  let covariance = 0;
  let variance = 0;
  for (let at = 0; at < history.length; at += 2) {
    const deviationMs = (history[at] as number) - endMs - meanMs;
    covariance += deviationMs * ((history[at + 1] as number) - mean);
    variance += deviationMs * deviationMs;
  }
  const perMs = covariance / variance;
  return mean - perMs * meanMs + perMs * (atMs - endMs);
}

/**
 * Holt's level and trend (C. C. Holt, 1957) on what is left when the season is taken off, plus the season at the time asked for: the additive form of
 * P. R. Winters (1960), with the season kept apart because its bins are minutes and the decisions are seconds. Without a season it is Holt's trend.
 */
function holtWinters(history: History, season: SeasonMemory, atMs: number): number {
  const usualThen = usualDemand(season, atMs);
  const usual = usualThen === undefined ? undefined : usualDemands(season, history);
  let level = (history[1] as number) - (usual?.[0] ?? 0);
  let perMs = 0;
  let previousMs = history[0] as number;
  for (let at = 2; at < history.length; at += 2) {
    const ms = history[at] as number;
    const value = (history[at + 1] as number) - (usual?.[at / 2] ?? 0);
    const elapsedMs = Math.max(1, ms - previousMs);
    const next = HOLT.level * value + (1 - HOLT.level) * (level + perMs * elapsedMs);
    perMs = HOLT.trend * ((next - level) / elapsedMs) + (1 - HOLT.trend) * perMs;
    level = next;
    previousMs = ms;
  }
  return level + perMs * (atMs - previousMs) + (usual === undefined ? 0 : (usualThen as number));
}

/** @returns undefined when there is a time without */
function usualDemands(season: SeasonMemory, history: History): readonly number[] | undefined {
  // Of its length from the start: an array that grows leaves as much again behind, three times a decision.
  const usual = new Array<number>(history.length / 2);
  for (let at = 0; at < history.length; at += 2) {
    const one = usualDemand(season, history[at] as number);
    if (one === undefined) return undefined;
    usual[at / 2] = one;
  }
  return usual;
}

/**
 * Stage 3: what the demand will be when a replica that is ordered now is ready. It only ever raises the demand.
 *
 * What comes is not what was forecast: over a start of minutes a load wanders and bursts. So the forecast is raised to a quantile of what may come, by how
 * far the same method has been too low over the same horizon: the safety stock of inventory control for a stochastic lead-time demand (base stock at the
 * critical quantile; E. A. Silver, D. F. Pyke, D. J. Thomas, "Inventory and Production Management in Supply Chains", chapter 6).
 *
 * Every method forecasts at every decision, and each is scored against what came. `Auto` follows the one with the least error over the last season, for
 * in a quiet hour all are right; whichever is followed is ignored while its recent error (rolling WAPE) is more than the policy allows.
 */
import { probit } from "simple-statistics";
import { once } from "../once.ts";
import type { Policy } from "../policy.ts";
import { type ForecastMethod, type History, METHODS, predict } from "./methods.ts";
import { emptySeason, recordInSeason, rounded, type SeasonMemory } from "./season.ts";

export interface ForecastMemory {
  readonly history: History;
  readonly season: SeasonMemory;
  /** Forecasts whose time has not come, one after the other: due monotonic ms, then the replicas by each of `METHODS`. Flat, as there is one of each target. */
  readonly open: readonly number[];
  /** Exponentially weighted sums of the absolute error of each of `METHODS`, and of the demand, for the WAPE. */
  readonly errorSums: readonly number[];
  readonly demandSum: number;
  /** Absolute error of each of `METHODS` with the weight of the past falling over a season, by which `Auto` chooses. */
  readonly seasonErrors: readonly number[];
  readonly scoredMs: number;
  /** Of each of `METHODS`: weighted squares of by how much, relative to itself, what came was above it; and the sum of the weights. */
  readonly shortfalls: readonly number[];
  readonly shortfallWeight: number;
}

export const noForecasts = (seasonMs: number): ForecastMemory => ({
  history: [],
  season: emptySeason(seasonMs),
  open: [],
  errorSums: METHODS.map(() => 0),
  demandSum: 0,
  seasonErrors: METHODS.map(() => 0),
  scoredMs: 0,
  shortfalls: METHODS.map(() => 0),
  shortfallWeight: 0,
});

/** 15 minutes at one decision in 15 s: long enough for a trend, short enough to forget the last one. */
const MAX_SAMPLES = 60;
/** Two decisions in a row (something was changed by hand) are one sample: a slope over no time is noise without bound. */
const MIN_SPACING_MS = 5_000;
/** Forecasts that wait for their time; made at a pace that keeps them this few. */
const MAX_OPEN = 32;
/** When it is due, and what each method says. */
const OPEN_LENGTH = 1 + METHODS.length;
/** One that was due longer ago than that, in a gap, is compared with nothing: what came then was not seen. */
const MAX_LATE_DECISIONS = 2;
/** Weight of the past in the rolling error, per scored forecast. */
const ERROR_MEMORY = 0.95;
/** A method is left only for one that is better by this factor: between equals the choice would flutter. */
const CLEARLY_BETTER = 0.9;
/** A trend is not followed to more than this multiple of the demand now. */
const MAX_RAISE = 2;
/** Half of what was too low so many horizons ago is forgotten: what looks ten minutes ahead has fewer forecasts to learn from than what looks one ahead. */
const SHORTFALL_HALF_LIFE_HORIZONS = 10;
/** Before anything is known a forecast counts as a tenth too low at one in six, as if that had been seen this often. */
const PRIOR_SHORTFALL = 0.1;
const PRIOR_WEIGHT = 4;
/** More than this on top is a burst that no stock is for. */
const MAX_HEADROOM = 1;
/** A step is no measure of what usually comes: one of them would be kept in stock for hours. */
const MAX_SHORTFALL = 0.5;

export interface ForecastResult {
  /** Never below the measured demand. */
  readonly replicas: number;
  readonly horizonMs: number;
  readonly method: ForecastMethod;
  readonly errorRatio?: number;
  /** What is forecast, before the headroom. */
  readonly foreseenReplicas?: number;
  /** What is kept on top of the forecast for what it does not foresee, as a share of it. */
  readonly headroomRatio?: number;
  readonly isTrusted: boolean;
  readonly memory: ForecastMemory;
}

/** @param demandReplicas the measured demand; never lowered */
export function forecastDemand(
  demandReplicas: number,
  nowMs: number,
  horizonMs: number,
  options: Policy["forecast"],
  known?: ForecastMemory,
): ForecastResult {
  const memory = memoryOf(known, options);
  if (!options.enabled) {
    return { replicas: demandReplicas, horizonMs, method: "LastValue", isTrusted: true, memory };
  }
  const history = withSample(memory.history, nowMs, demandReplicas);
  const season = recordInSeason(memory.season, nowMs, demandReplicas, history[0] as number);
  const dueMs = nowMs + horizonMs;
  const predictions = METHODS.map((method) => Math.max(0, predict(method, history, season, dueMs)));
  const ahead = { nowMs, horizonMs, options };
  const { scores, ...followed } = follow(memory, demandReplicas, (method) => predictions[method] as number, ahead);

  const open = withOpen(stillOpen(memory.open, nowMs), [dueMs, ...predictions.map(rounded)], horizonMs / MAX_OPEN);
  return { horizonMs, ...followed, memory: { history, season, open, ...scores } };
}

/**
 * What would be forecast for another demand measured now, for those who look for the demand behind a forecast: `forecastDemand` by the same rules, without
 * what it leaves for the next. What every method predicts is linear in the last sample, so that the history is gone through twice and not once a demand.
 *
 * @param scale a demand of the magnitude that is asked about: at it no digit is lost
 */
export function forecaster(
  nowMs: number,
  horizonMs: number,
  options: Policy["forecast"],
  known: ForecastMemory | undefined,
  scale: number,
): (demandReplicas: number) => number {
  if (!options.enabled) return (demandReplicas) => demandReplicas;
  const memory = memoryOf(known, options);
  const unit = Math.max(1, scale);
  const [none, some] = [0, unit].map((demandReplicas) => {
    const history = withSample(memory.history, nowMs, demandReplicas);
    const season = recordInSeason(memory.season, nowMs, demandReplicas, history[0] as number);
    return (method: ForecastMethod) => predict(method, history, season, nowMs + horizonMs);
  }) as [(method: ForecastMethod) => number, (method: ForecastMethod) => number];
  // Of the methods that are followed: mostly one.
  const lines = METHODS.map((method) =>
    once(() => {
      const base = none(method);
      return { base, slope: (some(method) - base) / unit };
    }),
  );
  return (demandReplicas) => {
    const predicted = (method: number): number => {
      const { base, slope } = (lines[method] as () => { base: number; slope: number })();
      return Math.max(0, base + slope * rounded(demandReplicas));
    };
    return follow(memory, demandReplicas, predicted, { nowMs, horizonMs, options }).replicas;
  };
}

function memoryOf(known: ForecastMemory | undefined, { seasonMs }: Policy["forecast"]): ForecastMemory {
  return known?.season.seasonMs === seasonMs ? known : noForecasts(seasonMs);
}

interface Ahead {
  readonly nowMs: number;
  readonly horizonMs: number;
  readonly options: Policy["forecast"];
}

/**
 * Which method is followed, whether it is trusted, and what is kept on top of it.
 *
 * @param predicted replicas, by index in `METHODS`
 */
function follow(
  memory: ForecastMemory,
  demandReplicas: number,
  predicted: (method: number) => number,
  { nowMs, horizonMs, options }: Ahead,
): Omit<ForecastResult, "horizonMs" | "memory"> & { readonly scores: Scores } {
  const scores = score(memory, demandReplicas, nowMs, SHORTFALL_HALF_LIFE_HORIZONS * horizonMs);
  const { errorSums, demandSum } = scores;
  const method = options.method === "Auto" ? best(scores.seasonErrors) : options.method;
  const index = METHODS.indexOf(method);
  const errorRatio = demandSum > 0 ? (errorSums[index] as number) / demandSum : undefined;
  const isTrusted = errorRatio === undefined || errorRatio <= options.maxErrorRatio;
  const followed = isTrusted ? index : METHODS.indexOf("LastValue");
  const headroomRatio = headroomOf(scores, followed, options.quantile);
  const foreseenReplicas = Math.min(predicted(followed), MAX_RAISE * demandReplicas);
  return {
    replicas: Math.max(demandReplicas, foreseenReplicas * (1 + headroomRatio)),
    method,
    foreseenReplicas,
    headroomRatio,
    ...(errorRatio === undefined ? {} : { errorRatio }),
    isTrusted,
    scores,
  };
}

type Scores = Omit<ForecastMemory, "history" | "season" | "open">;

function score(memory: ForecastMemory, demandReplicas: number, nowMs: number, halfLifeMs: number): Scores {
  const { history, season, open, ...unchanged } = memory;
  const isScored = (dueMs: number): boolean => dueMs <= nowMs && nowMs - dueMs <= MAX_LATE_DECISIONS * paceMs(history);
  if (!open.some((dueMs, at) => at % OPEN_LENGTH === 0 && isScored(dueMs))) return unchanged;
  let { demandSum, scoredMs, shortfallWeight } = memory;
  const errorSums = [...memory.errorSums];
  const seasonErrors = [...memory.seasonErrors];
  const shortfalls = [...memory.shortfalls];
  for (let at = 0; at < open.length; at += OPEN_LENGTH) {
    if (!isScored(open[at] as number)) continue;
    const agedMs = Math.min(0, scoredMs - nowMs);
    const kept = Math.exp(agedMs / season.seasonMs);
    const remembered = 2 ** (agedMs / halfLifeMs);
    for (let index = 0; index < METHODS.length; index++) {
      const replicas = open[at + 1 + index] as number;
      const error = Math.abs(replicas - demandReplicas);
      const shortfall = Math.max(0, demandReplicas - replicas) / Math.max(1, replicas);
      errorSums[index] = (errorSums[index] as number) * ERROR_MEMORY + error;
      seasonErrors[index] = (seasonErrors[index] as number) * kept + error;
      shortfalls[index] = (shortfalls[index] as number) * remembered + Math.min(MAX_SHORTFALL, shortfall) ** 2;
    }
    shortfallWeight = shortfallWeight * remembered + 1;
    scoredMs = nowMs;
    // Below one replica a large relative error is a small absolute one: it costs at most one replica.
    demandSum = demandSum * ERROR_MEMORY + Math.max(1, demandReplicas);
  }
  return { errorSums, demandSum, seasonErrors, scoredMs, shortfalls, shortfallWeight };
}

/** Mean time between samples. */
const paceMs = (history: History): number =>
  history.length < 4
    ? Number.POSITIVE_INFINITY
    : ((history[history.length - 2] as number) - (history[0] as number)) / (history.length / 2 - 1);

/** Errors to both sides alike: the mean square of those to one side is half the variance. */
function headroomOf(
  { shortfalls, shortfallWeight }: Pick<ForecastMemory, "shortfalls" | "shortfallWeight">,
  method: number,
  quantile: number,
): number {
  const halfVariance =
    ((shortfalls[method] as number) + (PRIOR_WEIGHT * PRIOR_SHORTFALL ** 2) / 2) / (shortfallWeight + PRIOR_WEIGHT);
  return Math.min(MAX_HEADROOM, Math.max(0, probit(quantile)) * Math.sqrt(2 * halfVariance));
}

// What grows by pushing has room for half as much again, in the memory of ten thousand policies; what is concatenated has not.

function stillOpen(open: readonly number[], nowMs: number): readonly number[] {
  const isOpen = (_: number, at: number): boolean => (open[at - (at % OPEN_LENGTH)] as number) > nowMs;
  return open.every(isOpen) ? open : open.filter(isOpen);
}

function withOpen(open: readonly number[], next: readonly number[], leastBetweenMs: number): readonly number[] {
  const [dueMs = 0] = next;
  const lastDueMs = open.at(-OPEN_LENGTH) ?? Number.NEGATIVE_INFINITY;
  const isRoom = open.length < MAX_OPEN * OPEN_LENGTH && dueMs - lastDueMs >= leastBetweenMs;
  return isRoom ? open.concat(next) : open;
}

function withSample(history: History, nowMs: number, demandReplicas: number): History {
  const lastMs = history.length === 0 ? Number.NEGATIVE_INFINITY : (history[history.length - 2] as number);
  const kept = nowMs - lastMs < MIN_SPACING_MS ? history.slice(0, -2) : history;
  return kept.slice(-2 * (MAX_SAMPLES - 1)).concat(nowMs, rounded(demandReplicas));
}

/** The earlier of `METHODS` unless a later one is clearly better: trends anticipate, so they come first while nothing is known. */
function best(errorSums: readonly number[]): ForecastMethod {
  let choice = 0;
  for (let index = 1; index < METHODS.length; index++) {
    if ((errorSums[index] as number) < CLEARLY_BETTER * (errorSums[choice] as number)) choice = index;
  }
  return METHODS[choice] as ForecastMethod;
}

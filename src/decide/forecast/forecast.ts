/**
 * Stage 3: what the demand will be when a replica that is ordered now is ready. It only ever raises the demand.
 *
 * Every method forecasts at every decision, and each is scored against what came. `Auto` follows the one with the least error over the last season, for
 * in a quiet hour all are right; whichever is followed is ignored while its recent error (rolling WAPE) is more than the policy allows.
 */
import type { Policy } from "../policy.ts";
import { type ForecastMethod, type History, METHODS, predict } from "./methods.ts";
import { emptySeason, recordInSeason, type SeasonMemory } from "./season.ts";

export interface ForecastMemory {
  readonly history: History;
  readonly season: SeasonMemory;
  /** Forecasts whose time has not come: due monotonic ms, then the replicas by each of `METHODS`. */
  readonly open: readonly (readonly number[])[];
  /** Exponentially weighted sums of the absolute error of each of `METHODS`, and of the demand, for the WAPE. */
  readonly errorSums: readonly number[];
  readonly demandSum: number;
  /** Absolute error of each of `METHODS` with the weight of the past falling over a season, by which `Auto` chooses. */
  readonly seasonErrors: readonly number[];
  readonly scoredMs: number;
}

export const noForecasts = (seasonMs: number): ForecastMemory => ({
  history: [],
  season: emptySeason(seasonMs),
  open: [],
  errorSums: METHODS.map(() => 0),
  demandSum: 0,
  seasonErrors: METHODS.map(() => 0),
  scoredMs: 0,
});

/** 15 minutes at one decision in 15 s: long enough for a trend, short enough to forget the last one. */
const MAX_SAMPLES = 60;
/** Two decisions in a row (something was changed by hand) are one sample: a slope over no time is noise without bound. */
const MIN_SPACING_MS = 5_000;
/** Forecasts that wait for their time; made at a pace that keeps them this few. */
const MAX_OPEN = 32;
/** Weight of the past in the rolling error, per scored forecast. */
const ERROR_MEMORY = 0.95;
/** A method is left only for one that is better by this factor: between equals the choice would flutter. */
const CLEARLY_BETTER = 0.9;
/** A trend is not followed to more than this multiple of the demand now. */
const MAX_RAISE = 2;

export interface ForecastResult {
  /** Never below the measured demand. */
  readonly replicas: number;
  readonly horizonMs: number;
  readonly method: ForecastMethod;
  readonly errorRatio?: number;
  readonly isTrusted: boolean;
  readonly memory: ForecastMemory;
}

/** @param demandReplicas the measured demand; never lowered */
export function forecastDemand(
  demandReplicas: number,
  nowMs: number,
  horizonMs: number,
  options: Policy["forecast"],
  known: ForecastMemory = noForecasts(options.seasonMs),
): ForecastResult {
  const memory = known.season.seasonMs === options.seasonMs ? known : noForecasts(options.seasonMs);
  if (!options.enabled) {
    return { replicas: demandReplicas, horizonMs, method: "LastValue", isTrusted: true, memory };
  }
  const scores = score(memory, demandReplicas, nowMs);
  const { errorSums, demandSum } = scores;
  const history = withSample(memory.history, nowMs, demandReplicas);
  const season = recordInSeason(memory.season, nowMs, demandReplicas, history[0] as number);
  const dueMs = nowMs + horizonMs;
  const predictions = METHODS.map((method) => Math.max(0, predict(method, history, season, dueMs)));
  const method = options.method === "Auto" ? best(scores.seasonErrors) : options.method;
  const index = METHODS.indexOf(method);
  const errorRatio = demandSum > 0 ? (errorSums[index] as number) / demandSum : undefined;
  const isTrusted = errorRatio === undefined || errorRatio <= options.maxErrorRatio;
  const predicted = Math.min(predictions[index] as number, MAX_RAISE * demandReplicas);

  const open = memory.open.filter(([atMs = 0]) => atMs > nowMs);
  const lastDueMs = open.at(-1)?.[0] ?? Number.NEGATIVE_INFINITY;
  if (open.length < MAX_OPEN && dueMs - lastDueMs >= horizonMs / MAX_OPEN) open.push([dueMs, ...predictions]);
  return {
    replicas: isTrusted ? Math.max(demandReplicas, predicted) : demandReplicas,
    horizonMs,
    method,
    ...(errorRatio === undefined ? {} : { errorRatio }),
    isTrusted,
    memory: { history, season, open, ...scores },
  };
}

function score(
  memory: ForecastMemory,
  demandReplicas: number,
  nowMs: number,
): Omit<ForecastMemory, "history" | "season" | "open"> {
  let { errorSums, demandSum, seasonErrors, scoredMs } = memory;
  for (const [atMs = 0, ...predictions] of memory.open) {
    if (atMs > nowMs) continue;
    const errors = predictions.map((replicas) => Math.abs(replicas - demandReplicas));
    const kept = Math.exp(Math.min(0, scoredMs - nowMs) / memory.season.seasonMs);
    seasonErrors = seasonErrors.map((sum, index) => sum * kept + (errors[index] as number));
    scoredMs = nowMs;
    errorSums = errorSums.map((sum, index) => sum * ERROR_MEMORY + (errors[index] as number));
    // Below one replica a large relative error is a small absolute one: it costs at most one replica.
    demandSum = demandSum * ERROR_MEMORY + Math.max(1, demandReplicas);
  }
  return { errorSums, demandSum, seasonErrors, scoredMs };
}

function withSample(history: History, nowMs: number, demandReplicas: number): History {
  const lastMs = history.length === 0 ? Number.NEGATIVE_INFINITY : (history[history.length - 2] as number);
  const kept = nowMs - lastMs < MIN_SPACING_MS ? history.slice(0, -2) : history;
  return [...kept.slice(-2 * (MAX_SAMPLES - 1)), nowMs, demandReplicas];
}

/** The earlier of `METHODS` unless a later one is clearly better: trends anticipate, so they come first while nothing is known. */
function best(errorSums: readonly number[]): ForecastMethod {
  let choice = 0;
  for (let index = 1; index < METHODS.length; index++) {
    if ((errorSums[index] as number) < CLEARLY_BETTER * (errorSums[choice] as number)) choice = index;
  }
  return METHODS[choice] as ForecastMethod;
}

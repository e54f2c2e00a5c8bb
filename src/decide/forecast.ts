/**
 * Stage 3: what the demand will be when a replica that is ordered now is ready. It only ever raises the demand.
 *
 * Holt's linear smoothing (level and trend; C. C. Holt, 1957) is run on the demand of past decisions; the forecast is scored against what came
 * (rolling WAPE) and ignored while it is wrong by more than the policy allows.
 */
import { linearRegression, linearRegressionLine, quantile } from "simple-statistics";
import type { Policy } from "./policy.ts";

export interface ForecastMemory {
  /** `[monotonic ms, demand in replicas]`, by time. */
  readonly history: readonly (readonly [number, number])[];
  /** Forecasts whose time has not come: `[due monotonic ms, forecast, demand when it was made]`. */
  readonly open: readonly (readonly [number, number, number])[];
  /** Exponentially weighted sums of absolute error and of demand, for the WAPE. */
  readonly errorSum: number;
  readonly demandSum: number;
}

const EMPTY: ForecastMemory = { history: [], open: [], errorSum: 0, demandSum: 0 };

/** 15 minutes at one decision in 15 s: long enough for a trend, short enough to forget the last one. */
const MAX_HISTORY = 60;
const MIN_HISTORY = 4;
const MIN_SPACING_MS = 5_000;
const MAX_OPEN = 200;
/** Weight of the past in the rolling error, per scored forecast. */
const ERROR_MEMORY = 0.95;
/** A trend is not followed to more than this multiple of the demand now. */
const MAX_RAISE = 2;
const HOLT = { level: 0.5, trend: 0.3 } as const;

export interface ForecastResult {
  readonly replicas: number;
  readonly horizonMs: number;
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
  memory: ForecastMemory = EMPTY,
): ForecastResult {
  const due = memory.open.filter(([atMs]) => atMs <= nowMs);
  let { errorSum, demandSum } = memory;
  for (const [, predicted] of due) {
    errorSum = errorSum * ERROR_MEMORY + Math.abs(predicted - demandReplicas);
    // Below one replica a large relative error is a small absolute one: it costs at most one replica.
    demandSum = demandSum * ERROR_MEMORY + Math.max(1, demandReplicas);
  }
  const errorRatio = demandSum > 0 ? errorSum / demandSum : undefined;
  const last = memory.history.at(-1);
  // Two decisions in a row (something was changed by hand) are one sample: a slope over no time is noise without bound.
  const kept = last !== undefined && nowMs - last[0] < MIN_SPACING_MS ? memory.history.slice(0, -1) : memory.history;
  const history = [...kept, [nowMs, demandReplicas] as const].slice(-MAX_HISTORY);
  const predicted = options.enabled
    ? Math.min(predict(history, nowMs + horizonMs, options.method), MAX_RAISE * demandReplicas)
    : demandReplicas;
  const isTrusted = errorRatio === undefined || errorRatio <= options.maxErrorRatio;
  const open = [
    ...memory.open.filter(([atMs]) => atMs > nowMs),
    [nowMs + horizonMs, predicted, demandReplicas] as const,
  ];
  return {
    replicas: isTrusted ? Math.max(demandReplicas, predicted) : demandReplicas,
    horizonMs,
    ...(errorRatio === undefined ? {} : { errorRatio }),
    isTrusted,
    memory: { history, open: open.slice(-MAX_OPEN), errorSum, demandSum },
  };
}

function predict(history: ForecastMemory["history"], atMs: number, method: Policy["forecast"]["method"]): number {
  const last = history.at(-1)?.[1] ?? 0;
  if (history.length < MIN_HISTORY) return last;
  switch (method) {
    case "LastValue":
      return last;
    case "LinearTrend":
      return linearRegressionLine(linearRegression(history.map(([ms, value]) => [ms, value])))(atMs);
    // A season is only known after it has been seen; until then both seasonal methods are their trend and their last value.
    case "Auto":
    case "HoltWinters":
      return holt(history, atMs);
    case "SeasonalNaive":
      return last;
    default:
      return method satisfies never;
  }
}

function holt(history: ForecastMemory["history"], atMs: number): number {
  const [[firstMs, first] = [0, 0]] = history;
  let level = first;
  let perMs = 0;
  let previousMs = firstMs;
  for (const [ms, value] of history.slice(1)) {
    const elapsedMs = Math.max(1, ms - previousMs);
    const expected = level + perMs * elapsedMs;
    const next = HOLT.level * value + (1 - HOLT.level) * expected;
    perMs = HOLT.trend * ((next - level) / elapsedMs) + (1 - HOLT.trend) * perMs;
    level = next;
    previousMs = ms;
  }
  return level + perMs * (atMs - previousMs);
}

/** Before any replica was seen to start: one of the faster measured cold starts, so that the first forecast is modest. */
const UNKNOWN_LEAD_TIME_MS = 60_000;

/** The p90 of the measured start-up times, Pending to Ready. */
export function leadTimeMs(startupsMs: readonly number[], configuredMs?: number): number {
  if (configuredMs !== undefined) return configuredMs;
  return startupsMs.length === 0 ? UNKNOWN_LEAD_TIME_MS : quantile([...startupsMs], 0.9);
}

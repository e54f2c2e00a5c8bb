/**
 * Dynamo's throughput scaling: replicas for the traffic that is predicted, without corrections. With load scaling on, it is a lower bound only.
 *
 * Source: ai-dynamo/dynamo:components/src/dynamo/planner/core/throughput_scaling.py.
 */
import { finite } from "../finite.ts";
import type { PeerPerformance, PeerRole } from "../peer.ts";
import { bestAggregated, bestDecode, contextOf, prefillQueueSeconds } from "./capacity.ts";
import { observe, type Predictor, pointsOf, predict } from "./predictors.ts";

export interface ThroughputOptions {
  readonly intervalSeconds: number;
  readonly predictor: Predictor;
  readonly ttftSeconds: number;
  readonly itlSeconds: number;
  readonly minEndpoint: number;
  readonly performance: PeerPerformance;
}

export type Bounds = { readonly [Role in PeerRole]?: number };

export interface ThroughputMemory {
  readonly requests: readonly number[];
  readonly inputTokens: readonly number[];
  readonly outputTokens: readonly number[];
  /** Of the last interval that had something to size by. */
  readonly bounds: Bounds;
}

export const NO_TRAFFIC: ThroughputMemory = { requests: [], inputTokens: [], outputTokens: [], bounds: {} };

const SEASON_SECONDS = 86_400;

/** After one interval. An interval whose traffic is not known leaves everything as it is: unknown is not idle. */
export function advanceThroughput(
  totals: Readonly<Record<string, number>>,
  memory: ThroughputMemory,
  roles: readonly PeerRole[],
  options: ThroughputOptions,
): ThroughputMemory {
  const requests = finite(totals["requests"]);
  if (requests === undefined) return memory;
  // Means over no request are not numbers; only with no request they are taken for 0.
  const inputTokens = finite(totals["inputTokens"]) ?? (requests === 0 ? 0 : undefined);
  const outputTokens = finite(totals["outputTokens"]) ?? (requests === 0 ? 0 : undefined);
  if (inputTokens === undefined || outputTokens === undefined) return memory;
  const seasonPoints = Math.round(SEASON_SECONDS / options.intervalSeconds);
  const keep = pointsOf(options.predictor, seasonPoints);
  const next = {
    requests: observe(memory.requests, requests, keep),
    inputTokens: observe(memory.inputTokens, inputTokens, keep),
    outputTokens: observe(memory.outputTokens, outputTokens, keep),
  };
  const forecast = (history: readonly number[]): number => predict(history, options.predictor, seasonPoints);
  const demand = {
    requestsPerSecond: forecast(next.requests) / options.intervalSeconds,
    inputTokens: forecast(next.inputTokens),
    outputTokens: forecast(next.outputTokens),
  };
  const bounds = Object.fromEntries(roles.map((role) => [role, boundOf(role, demand, options)]));
  const isComplete = Object.values(bounds).every((bound) => bound !== undefined);
  return { ...next, bounds: isComplete ? (bounds as Bounds) : memory.bounds };
}

export interface Forecast {
  readonly requestsPerSecond: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** @returns undefined: no lengths to size by */
export function boundOf(role: PeerRole, forecast: Forecast, options: ThroughputOptions): number | undefined {
  const { requestsPerSecond, inputTokens, outputTokens } = forecast;
  const { performance, ttftSeconds, itlSeconds, minEndpoint } = options;
  if (!(inputTokens > 0) || !(outputTokens > 0)) return undefined;
  if (role === "prefill") {
    const seconds = prefillQueueSeconds(performance, inputTokens);
    const forLatency = seconds > ttftSeconds ? Math.ceil(seconds / ttftSeconds) : 1;
    return bounded(Math.ceil(requestsPerSecond * seconds), forLatency, minEndpoint);
  }
  if (role === "aggregated") {
    const perReplica = bestAggregated(performance, forecast, { ttftSeconds, itlSeconds });
    return bounded(Math.ceil(requestsPerSecond / perReplica), 1, minEndpoint);
  }
  const { batch, stepSeconds } = bestDecode(performance, contextOf(forecast), itlSeconds);
  return bounded(Math.ceil((requestsPerSecond * outputTokens * stepSeconds) / batch), 1, minEndpoint);
}

const bounded = (...replicas: readonly number[]): number | undefined => finite(Math.max(...replicas));

/**
 * What one replica serves at its latency targets, from a profile. Pure.
 *
 * Units: requests a second, tokens, ms. A replica is one worker of the profile, with perfect balance over its data-parallel ranks.
 */
import { probit } from "simple-statistics";
import type { PerformanceProfile } from "../../api/autoscaling/performance-profile.ts";
import {
  lateShare,
  MAX_UTILIZATION,
  plannedServers,
  plannedUtilization,
  responseQuantileMs,
  type Services,
  servicesOf,
  sizes,
} from "./queueing.ts";
import { decodeStepMs, kvTransferMs, prefillMs } from "./step-times.ts";

/** What requests are like now. */
export interface RequestShape {
  /** Mean prompt, cached part included. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Share of the prompt that the prefix cache has, in [0, 1). */
  readonly prefixHitRatio: number;
  /** Coefficients of variation of the lengths. */
  readonly inputVariation: number;
  readonly outputVariation: number;
  /** Tokens that a running request holds, where they are measured; else they follow from the lengths. */
  readonly contextTokens?: number;
}

export interface LatencyGoal {
  /** In (0.5, 1). */
  readonly quantile: number;
  readonly targetMs: number;
}

export interface Capacity {
  /** > 0. */
  readonly requestsPerSecond: number;
  readonly limitedBy: "TTFT" | "ITL" | "KVCache" | "MaxRequests" | "Utilization";
  /** False: not even an idle replica meets the target, and more of them do not help. */
  readonly isAttainable: boolean;
  /** Requests in decode at that rate, on average. Absent for prefill. */
  readonly runningRequests?: number;
  /** Of an aggregated replica: the goals that an idle one misses. */
  readonly unattainable?: readonly ("ttft" | "itl")[];
}

/** Times of this replica over those of the profile: what was learned by comparing with the measured latency. 1 = as in the profile. */
export interface Corrections {
  readonly ttft: number;
  readonly itl: number;
}

const NO_CORRECTION: Corrections = { ttft: 1, itl: 1 };

/** Without a reachable target a replica is used at most up to here: a queue of 4 services on average at exponential ones. */
const UTILIZATION_WITHOUT_TARGET = 0.8;
/** The rest is room for sequences that grow: above it engines preempt. */
const KV_SHARE = 0.9;

/** Replicas that share one queue, since a router sends each request to the one with least to do. */
export interface Pool {
  /** What comes to it. */
  readonly requestsPerSecond: number;
}

/**
 * Prefill: the rate at which the `quantile` of the first tokens still comes in time.
 *
 * @param pool the capacity is that of one of as many replicas as the pool needs; without one, of a replica with a queue of its own
 */
export function prefillCapacity(
  profile: PerformanceProfile,
  shape: RequestShape,
  { quantile, targetMs }: LatencyGoal,
  { correction = 1, pool }: { readonly correction?: number; readonly pool?: Pool | undefined } = {},
): Capacity {
  const services = prefillServices(profile, shape, correction);
  const limitMs = targetMs - firstTokenFixedMs(profile, shape);
  const isAttainable = lateShare(services, 0, limitMs) <= 1 - quantile;
  const most = isAttainable ? MAX_UTILIZATION : UTILIZATION_WITHOUT_TARGET;
  const offered = ((pool?.requestsPerSecond ?? 0) * services.mean) / 1000;
  const used =
    offered > 0
      ? offered / plannedServers(services, offered, { limitMs, quantile, bounds: [MIN_UTILIZATION, most] })
      : Math.min(most, Math.max(MIN_UTILIZATION, plannedUtilization(services, limitMs, quantile)));
  return {
    requestsPerSecond: (1000 * profile.prefill.ranks * used) / services.mean,
    limitedBy: used >= most ? "Utilization" : "TTFT",
    isAttainable,
  };
}

/** A room so small that it asks for servers which are idle nine tenths of the time: the next ms would take ten times as many. */
const MIN_UTILIZATION = 0.1;

/**
 * The `quantile` of TTFT at a rate per replica; undefined in overload.
 *
 * @param poolReplicas those that share one queue; 1 where each has its own
 */
export function predictedTtftMs(
  profile: PerformanceProfile,
  shape: RequestShape,
  {
    requestsPerSecond,
    quantile,
    poolReplicas = 1,
  }: { readonly requestsPerSecond: number; readonly quantile: number; readonly poolReplicas?: number },
  correction = 1,
): number | undefined {
  const { ranks } = profile.prefill;
  const services = prefillServices(profile, shape, correction);
  const utilization = (requestsPerSecond * services.mean) / 1000 / ranks;
  return responseQuantileMs(services, utilization, quantile, poolReplicas * ranks);
}

/** What comes on top of queue and prefill before the client sees the first token of a disaggregated set. */
export function firstTokenFixedMs(profile: PerformanceProfile, { inputTokens }: RequestShape): number {
  return kvTransferMs(profile, inputTokens) + profile.ttftOverheadMs;
}

/**
 * Decode: the largest batch whose step is within the target and whose KV cache fits, and by Little's law the rate that keeps it there.
 *
 * Arrivals are independent, so the batch of a replica varies like a Poisson number (the occupancy of M/G/∞, whatever the lengths): the `quantile` of
 * the batch must be within the limit, not its mean.
 */
export function decodeCapacity(
  profile: PerformanceProfile,
  shape: RequestShape,
  { quantile, targetMs }: LatencyGoal,
  correction = 1,
): Capacity {
  const context = contextTokens(shape);
  const stepMs = (batch: number): number => correction * decodeStepMs(profile, batch, context);
  const limits = batchLimits(profile, context);
  const byLatency = greatest(limits.most, (batch) => stepMs(batch) <= targetMs);
  const isAttainable = byLatency >= 1;
  const batch = meanBatch(isAttainable ? byLatency : UTILIZATION_WITHOUT_TARGET * limits.most, quantile);
  return {
    requestsPerSecond: (1000 * batch) / (Math.max(1, shape.outputTokens) * stepMs(batch)),
    limitedBy: !isAttainable ? "Utilization" : byLatency < limits.most ? "ITL" : limits.by,
    isAttainable,
    runningRequests: batch,
  };
}

/**
 * One engine for both: prefill steals time from decode, and decode slows prefill down.
 *
 * With a batch of b, each request takes b's step for each of its tokens plus one prefill of each other request meanwhile:
 * time per token = step(b) + (b − 1) prefill / output. The rate follows by Little's law; prompts queue for a server whose steps also carry the decodes.
 */
export function aggregatedCapacity(
  profile: PerformanceProfile,
  shape: RequestShape,
  goals: { readonly ttft?: LatencyGoal; readonly itl?: LatencyGoal },
  corrections: Corrections = NO_CORRECTION,
): Capacity {
  const context = contextTokens(shape);
  const limits = batchLimits(profile, context);
  const alone = prefillServices(profile, shape, corrections.ttft);
  const loadAt = (batch: number) => aggregatedLoad(profile, shape, context, batch, corrections, alone);
  const quantile = goals.itl?.quantile ?? 0.5;
  const fitsItl = (batch: number): boolean =>
    goals.itl === undefined || itlOf(loadAt(batch), quantile) <= goals.itl.targetMs;
  const fitsTtft = (batch: number): boolean => goals.ttft === undefined || isInTime(loadAt(batch), profile, goals.ttft);
  const byItl = greatest(limits.most, fitsItl);
  const byTtft = greatest(limits.most, fitsTtft);
  const isAttainable = byItl >= 1 && byTtft >= 1;
  const cap = greatest(limits.most, (batch) => loadAt(batch).utilization <= UTILIZATION_WITHOUT_TARGET);
  const most = isAttainable ? Math.min(byItl, byTtft) : Math.max(1, Math.min(byItl || cap, byTtft || cap));
  const batch = meanBatch(most, quantile);
  const limitedBy = !isAttainable
    ? "Utilization"
    : byTtft < Math.min(byItl, limits.most)
      ? "TTFT"
      : byItl < limits.most
        ? "ITL"
        : limits.by;
  return {
    requestsPerSecond: loadAt(batch).requestsPerSecond,
    limitedBy,
    isAttainable,
    runningRequests: batch,
    ...(isAttainable
      ? {}
      : { unattainable: [...(byTtft >= 1 ? [] : (["ttft"] as const)), ...(byItl >= 1 ? [] : (["itl"] as const))] }),
  };
}

/** What an aggregated replica with this many running requests looks like. */
export interface AggregatedLoad {
  readonly requestsPerSecond: number;
  readonly tokenMs: number;
  /** A step that carries a chunk of a prompt. */
  readonly mixedStepMs: number;
  /** Share of the steps that do. */
  readonly mixedShare: number;
  /** Of the engine, by prefill. */
  readonly utilization: number;
  readonly services: Services;
}

export function aggregatedLoad(
  profile: PerformanceProfile,
  shape: RequestShape,
  context: number,
  batch: number,
  corrections: Corrections = NO_CORRECTION,
  alone: Services = prefillServices(profile, shape, corrections.ttft),
): AggregatedLoad {
  const prefill = alone.mean;
  const output = Math.max(1, shape.outputTokens);
  const stepMs = corrections.itl * decodeStepMs(profile, batch, context);
  const tokenMs = stepMs + (Math.max(0, batch - 1) * prefill) / output;
  const [, c1, c2] = profile.decode.fit;
  // What the decodes of the batch add to a step that computes a prompt.
  const carriedMs = corrections.itl * profile.decodeMultiplier * batch * (c1 + c2 * context);
  const newTokens = shape.inputTokens * (1 - shape.prefixHitRatio);
  const chunks = Math.max(1, Math.ceil(newTokens / profile.maxBatchedTokens));
  // A prompt that arrives waits for the step that runs.
  const services = servicesOf(alone.times.map((own) => own + chunks * carriedMs + stepMs));
  const requestsPerSecond = (1000 * batch) / (output * tokenMs);
  return {
    requestsPerSecond,
    tokenMs,
    mixedStepMs: prefill / chunks + carriedMs,
    mixedShare: Math.min(1, (requestsPerSecond * chunks * tokenMs) / 1000),
    utilization: (requestsPerSecond * (prefill + chunks * carriedMs)) / 1000 / profile.prefill.ranks,
    services,
  };
}

/** Where enough steps carry a chunk of a prompt, the quantile of the gaps between tokens is such a step. */
export function itlOf({ tokenMs, mixedStepMs, mixedShare }: AggregatedLoad, quantile: number): number {
  return mixedShare > 1 - quantile ? Math.max(tokenMs, mixedStepMs) : tokenMs;
}

function isInTime(load: AggregatedLoad, profile: PerformanceProfile, { quantile, targetMs }: LatencyGoal): boolean {
  if (load.utilization >= MAX_UTILIZATION) return false;
  return lateShare(load.services, load.utilization, targetMs - profile.ttftOverheadMs) <= 1 - quantile;
}

/**
 * Mean context of the sequences in decode. Long answers are there longer, so it is the output's second moment that counts:
 * input + E[o²] / (2 E[o]).
 */
export function contextTokens(shape: RequestShape): number {
  const { inputTokens, outputTokens, outputVariation } = shape;
  return shape.contextTokens ?? inputTokens + (outputTokens * (1 + outputVariation * outputVariation)) / 2;
}

function prefillServices(profile: PerformanceProfile, shape: RequestShape, correction: number): Services {
  const { inputTokens, inputVariation, prefixHitRatio } = shape;
  return servicesOf(
    sizes(inputTokens, inputVariation).map(
      (tokens) => correction * prefillMs(profile, tokens * (1 - prefixHitRatio), tokens * prefixHitRatio),
    ),
  );
}

function batchLimits(
  { kvTokens, maxRequests }: PerformanceProfile,
  context: number,
): { readonly most: number; readonly by: "KVCache" | "MaxRequests" } {
  const byKv = Math.floor((KV_SHARE * kvTokens) / Math.max(1, context));
  return byKv < maxRequests ? { most: Math.max(1, byKv), by: "KVCache" } : { most: maxRequests, by: "MaxRequests" };
}

/** Requests in decode that fill the KV cache of one replica, where it was measured what each of them holds. */
export function slotsByCache(kvShare: number, quantile: number): number {
  return meanBatch(KV_SHARE / kvShare, quantile);
}

/** The mean of a Poisson number whose `quantile` is `most`: m + z √m = most. */
function meanBatch(most: number, quantile: number): number {
  const z = Math.max(0, probit(quantile));
  const root = (-z + Math.sqrt(z * z + 4 * most)) / 2;
  return Math.max(1e-3, root * root);
}

/** The greatest whole number in [1, most] that fits, where what fits is a prefix; 0 when 1 does not. */
function greatest(most: number, fits: (batch: number) => boolean): number {
  if (!fits(1)) return 0;
  let low = 1;
  let high = Math.floor(most);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

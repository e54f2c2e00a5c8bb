/**
 * Dynamo's first SLA planner: predicted traffic over what the profile says, corrected by what was measured.
 *
 * Source: ai-dynamo/dynamo:docs/planner/sla_planner.md, tests/planner/test_replica_calculation.py. Prefill and decode only, as there.
 */
import { clampReplicas } from "../clamp-replicas.ts";
import { finite } from "../finite.ts";
import type { Peer, PeerContext, PeerDefinition, PeerPerformance, PeerRole } from "../peer.ts";
import { bestDecode, contextOf } from "./capacity.ts";
import { type Pair, proportionalClamp } from "./gpu-budget.ts";
import { observe, PREDICTORS, pointsOf, predict } from "./predictors.ts";
import { latencyQueries, trafficQueries } from "./traffic.ts";

export interface Demand {
  /** In one interval. */
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface Corrections {
  readonly prefill: number;
  readonly decode: number;
}

export interface SlaV1Options {
  readonly intervalSeconds: number;
  readonly itlSeconds: number;
  readonly minEndpoint: number;
  readonly performance: PeerPerformance;
}

/** Before the budget. @returns undefined: the demand has nothing to size by */
export function replicasFor(
  { requests, inputTokens, outputTokens }: Demand,
  corrections: Corrections,
  { intervalSeconds, itlSeconds, minEndpoint, performance }: SlaV1Options,
): Pair | undefined {
  const prefillPerGpu = inputTokens / performance.prefillSeconds(inputTokens) / performance.prefillGpus;
  const prefillLoad = ((requests * inputTokens) / intervalSeconds) * Math.min(1, corrections.prefill);
  const corrected = corrections.decode > 0 ? itlSeconds / corrections.decode : itlSeconds;
  const { batch, stepSeconds } = bestDecode(performance, contextOf({ inputTokens, outputTokens }), corrected);
  const decodePerGpu = batch / stepSeconds / performance.decodeGpus;
  const prefill = Math.ceil(prefillLoad / prefillPerGpu / performance.prefillGpus);
  const decode = Math.ceil((requests * outputTokens) / intervalSeconds / decodePerGpu / performance.decodeGpus);
  return Number.isFinite(prefill) && Number.isFinite(decode)
    ? { prefill: Math.max(prefill, minEndpoint), decode: Math.max(decode, minEndpoint) }
    : undefined;
}

interface Memory {
  readonly requests: readonly number[];
  readonly inputTokens: readonly number[];
  readonly outputTokens: readonly number[];
}

const SEASON_SECONDS = 86_400;
const MIN_ENDPOINT = 1;

export const DYNAMO_SLA_V1: PeerDefinition = {
  name: "dynamo-sla-v1",
  title: "Dynamo SLA planner, first version (re-implemented, AR(p) approximation of its ARIMA)",
  source: "ai-dynamo/dynamo:docs/planner/sla_planner.md",
  parameters: {
    intervalSeconds: { default: 180, min: 30, max: 600, scale: "integer", about: "adjustment interval" },
    predictor: {
      default: 1,
      min: 0,
      max: 2,
      scale: "integer",
      about: "0 constant, 1 AR(p) for ARIMA, 2 a day ago for Prophet",
    },
    usesCorrection: {
      default: 1,
      min: 0,
      max: 1,
      scale: "integer",
      about: "1: measured over expected latency corrects",
    },
    itlRatio: { default: 1, min: 0.25, max: 1.5, scale: "linear", about: "of the ITL goal that it plans for" },
  },
  create(parameters, context): Peer<Memory> {
    const intervalSeconds = Math.round(parameters["intervalSeconds"] ?? 180);
    const predictor = PREDICTORS[parameters["predictor"] ?? 1] ?? "ar";
    const corrects = parameters["usesCorrection"] !== 0;
    const options: SlaV1Options = {
      intervalSeconds,
      itlSeconds: context.slo.itlSeconds * (parameters["itlRatio"] ?? 1),
      minEndpoint: MIN_ENDPOINT,
      performance: context.performance,
    };
    const seasonPoints = Math.round(SEASON_SECONDS / intervalSeconds);
    const keep = pointsOf(predictor, seasonPoints);
    const isServed = isDisaggregated(context);
    return {
      tickMs: intervalSeconds * 1000,
      queries: isServed ? { ...trafficQueries(intervalSeconds), ...latencyQueries(intervalSeconds) } : {},
      initialMemory: { requests: [], inputTokens: [], outputTokens: [] },
      decide(input, before) {
        const prefill = input.roles.get("prefill");
        const decode = input.roles.get("decode");
        if (prefill === undefined || decode === undefined) return { replicas: new Map(), memory: before };
        const { totals } = input;
        const memory: Memory = {
          requests: observe(before.requests, totals["requests"] ?? 0, keep),
          inputTokens: observe(before.inputTokens, totals["inputTokens"] ?? 0, keep),
          outputTokens: observe(before.outputTokens, totals["outputTokens"] ?? 0, keep),
        };
        const seen = measured(totals);
        // One number that is missing and the tick is left out, in its own way: the predictors have taken it for 0.
        if (seen === undefined) return { replicas: new Map(), memory };
        const corrections = corrects ? correctionsOf(seen, decode.ready.length, options) : { prefill: 1, decode: 1 };
        const next = (history: readonly number[]): number => predict(history, predictor, seasonPoints);
        const wanted = replicasFor(
          {
            requests: next(memory.requests),
            inputTokens: next(memory.inputTokens),
            outputTokens: next(memory.outputTokens),
          },
          corrections,
          options,
        );
        if (wanted === undefined) return { replicas: new Map(), memory };
        const fitting = proportionalClamp(wanted, {
          maxGpus: input.gpuBudget,
          gpus: { prefill: prefill.gpusPerReplica, decode: decode.gpusPerReplica },
          minEndpoint: MIN_ENDPOINT,
        });
        const replicas = new Map<PeerRole, number>([
          ["prefill", clampReplicas(fitting.prefill, prefill)],
          ["decode", clampReplicas(fitting.decode, decode)],
        ]);
        return { replicas, memory };
      },
    };
  },
};

const isDisaggregated = ({ roles }: PeerContext): boolean => roles.includes("prefill") && roles.includes("decode");

export interface Measured extends Demand {
  readonly ttft: number;
  readonly itl: number;
  readonly duration: number;
}

function measured(totals: Readonly<Record<string, number>>): Measured | undefined {
  const of = (name: string): number | undefined => finite(totals[name]);
  const [requests, inputTokens, outputTokens] = [of("requests"), of("inputTokens"), of("outputTokens")];
  const [ttft, itl, duration] = [of("ttft"), of("itl"), of("duration")];
  if (requests === undefined || inputTokens === undefined || outputTokens === undefined) return undefined;
  if (ttft === undefined || itl === undefined || duration === undefined) return undefined;
  return { requests, inputTokens, outputTokens, ttft, itl, duration };
}

/** Measured over what the profile expects: of a prompt alone, and of as many decodes as there were on each engine. */
export function correctionsOf(
  { requests, inputTokens, outputTokens, ttft, itl, duration }: Measured,
  decodeReplicas: number,
  { intervalSeconds, performance }: SlaV1Options,
): Corrections {
  const context = contextOf({ inputTokens, outputTokens });
  const inFlight = ((requests / Math.max(1, decodeReplicas)) * duration) / intervalSeconds;
  // Durations of an overloaded system hold queueing: the table that it looks into ends with a full cache.
  const expectedItl = performance.decodeStepSeconds(Math.min(inFlight, performance.kvTokens / context), context);
  const ratio = (seen: number, expected: number): number => finite(seen / expected) ?? 1;
  return { prefill: ratio(ttft, performance.prefillSeconds(inputTokens)), decode: ratio(itl, expectedItl) };
}

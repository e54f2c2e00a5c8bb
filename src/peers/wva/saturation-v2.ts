/**
 * The variant autoscaler's second saturation analysis: tokens that are asked for over tokens that replicas hold.
 *
 * Source: llm-d/llm-d-workload-variant-autoscaler:internal/engines/analyzers/saturation_v2/analyzer.go, internal/engines/pipeline/cost_aware_optimizer.go. One
 * variant a role; KV tokens come from the profile instead of the labels of `vllm:cache_config_info`, lengths from the frontend.
 */
import { finite } from "../finite.ts";
import { SYNC_MS } from "../hpa/sync.ts";
import type { PeerDefinition, RoleCounts } from "../peer.ts";
import { perRole } from "../per-role.ts";
import { ACTUATOR_PARAMETERS, type ActuatorMemory, actuate, isDue } from "./actuator.ts";
import { loadsOf, type ReplicaLoad, replicaQueries } from "./queries.ts";

export interface TokenOptions {
  readonly kvTokens: number;
  readonly maxBatchedTokens: number;
  readonly maxRequests: number;
  /** Of the KV cache that may be used. */
  readonly kvThreshold: number;
  /** Waiting requests from which what a replica holds is what it can. */
  readonly queueThreshold: number;
  readonly upThreshold: number;
  readonly downBoundary: number;
}

/** Means of the requests; 0: not known. */
export interface MeanLengths {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Tokens that saturated replicas held, the youngest last, by length of answers. */
export type Observed = Readonly<Record<string, readonly number[]>>;

const HISTORY = 10;

const bucketOf = (outputTokens: number): string =>
  outputTokens < 100 ? "short" : outputTokens < 500 ? "medium" : "long";

/** @returns replicas to publish; undefined: no replica tells what it holds */
export function tokenReplicas(
  loads: readonly ReplicaLoad[],
  { specReplicas, starting, pending }: Pick<RoleCounts, "specReplicas" | "starting" | "pending">,
  lengths: MeanLengths,
  observed: Observed,
  options: TokenOptions,
): { readonly desired: number | undefined; readonly observed: Observed } {
  const bucket = bucketOf(lengths.outputTokens);
  const memoryBound = Math.trunc(options.kvTokens * options.kvThreshold);
  let history = observed[bucket] ?? [];
  let demand = 0;
  const capacities = loads.map(({ kvUsage, waiting }) => {
    const inUse = Math.trunc(kvUsage * options.kvTokens);
    demand += inUse + waiting * Math.trunc(lengths.inputTokens);
    if (waiting >= Math.trunc(options.queueThreshold) && inUse > 0) {
      history = [...history, inUse].slice(-HISTORY);
      return Math.min(memoryBound, inUse);
    }
    return Math.min(memoryBound, computeBound(history, lengths, options) ?? memoryBound);
  });
  const next = history.length === 0 ? observed : { ...observed, [bucket]: history };
  const capacity = median(capacities);
  if (capacity === undefined || capacity <= 0) return { desired: undefined, observed: next };
  const coming = Math.min(specReplicas, starting + pending);
  const required = demand / options.upThreshold - specReplicas * capacity;
  if (required > 0) return { desired: specReplicas + Math.ceil(required / capacity), observed: next };
  const spare = (specReplicas - coming) * capacity - demand / options.downBoundary;
  const removable = Math.max(0, Math.min(specReplicas - 1, Math.floor(spare / capacity)));
  return { desired: specReplicas - removable, observed: next };
}

/** From what was seen, else from what the engine's limits say; undefined: neither. */
function computeBound(
  history: readonly number[],
  { inputTokens, outputTokens }: MeanLengths,
  { maxBatchedTokens, maxRequests }: TokenOptions,
): number | undefined {
  const seen = Math.trunc(history.reduce((sum, tokens) => sum + tokens, 0) / Math.max(1, history.length));
  if (seen > 0) return seen;
  if (outputTokens <= 0) return undefined;
  const steady = Math.min((maxBatchedTokens * outputTokens) / (inputTokens + outputTokens), maxRequests);
  const derived = Math.trunc(steady * (inputTokens + outputTokens / 2));
  return derived > 0 ? derived : undefined;
}

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? sorted[middle]
    : sorted.length === 0
      ? undefined
      : Math.trunc(((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2);
}

interface Memory extends ActuatorMemory {
  readonly observed: Observed;
}

const meanLength = (direction: "input" | "output"): string => {
  const metric = `dynamo_frontend_${direction}_sequence_tokens`;
  return `sum(increase(${metric}_sum[5m])) / sum(increase(${metric}_count[5m]))`;
};

export const WVA_V2: PeerDefinition = {
  name: "wva-v2",
  title: "llm-d workload variant autoscaler V2 under its HPA (re-implemented)",
  source: "llm-d/llm-d-workload-variant-autoscaler:internal/engines/analyzers/saturation_v2/analyzer.go",
  parameters: {
    kvThreshold: { default: 0.8, min: 0.1, max: 1, scale: "linear", about: "of the KV cache that may be used" },
    queueThreshold: {
      default: 5,
      min: 1,
      max: 100,
      scale: "log",
      about: "waiting requests from which a replica is full",
    },
    upThreshold: { default: 0.85, min: 0.2, max: 1, scale: "linear", about: "demand over capacity that it adds for" },
    downBoundary: {
      default: 0.7,
      min: 0.1,
      max: 0.95,
      scale: "linear",
      about: "demand over capacity down to which it removes",
    },
    ...ACTUATOR_PARAMETERS,
  },
  create(parameters, { roles, performance }) {
    const { kvThreshold = 0.8, queueThreshold = 5, upThreshold = 0.85, downBoundary = 0.7 } = parameters;
    const { kvTokens, maxRequests, maxBatchedTokens = 8_192 } = performance;
    const options: TokenOptions = {
      kvTokens,
      maxBatchedTokens,
      maxRequests,
      kvThreshold,
      queueThreshold,
      upThreshold,
      // A boundary above the threshold would remove what it has just added.
      downBoundary: Math.min(downBoundary, upThreshold),
    };
    return perRole<Memory>(roles, {
      tickMs: SYNC_MS,
      queries: (role) => ({
        ...replicaQueries(role),
        inputTokens: { promql: meanLength("input"), per: "Total" },
        outputTokens: { promql: meanLength("output"), per: "Total" },
      }),
      decide(input, memory) {
        const { nowMs, counts } = input;
        let published: Pick<Memory, "desired" | "analysedMs" | "observed"> = memory ?? {
          desired: undefined,
          analysedMs: nowMs,
          observed: {},
        };
        if (isDue(nowMs, memory)) {
          const lengths = {
            inputTokens: finite(input.total("inputTokens")) ?? 0,
            outputTokens: finite(input.total("outputTokens")) ?? 0,
          };
          const next = tokenReplicas(loadsOf(input, counts), counts, lengths, published.observed, options);
          // Without a replica that reports it publishes what it did before, or what there is.
          const desired = next.desired ?? published.desired ?? counts.specReplicas;
          published = { desired, analysedMs: nowMs, observed: next.observed };
        }
        const acted = actuate(nowMs, counts, { ...published, hpa: memory?.hpa }, parameters);
        return {
          replicas: acted.replicas,
          memory: {
            desired: published.desired,
            analysedMs: published.analysedMs,
            observed: published.observed,
            hpa: acted.memory,
          },
        };
      },
    });
  },
};

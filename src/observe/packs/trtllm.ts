/**
 * TensorRT-LLM: trtllm-serve (`trtllm_…`, and `trtllm:…` under Dynamo 0.7) and the Triton backend, where one family holds several values told apart
 * by a label. Old releases have few of them; gauges need iteration statistics to be switched on.
 */
import { dated, firstOf, gauge, latency, minus, over, rate, type Term } from "../signal-query.ts";
import { GPU_BUSY } from "./gpu.ts";
import type { SignalPack } from "./signal-pack.ts";

const namesOf = (name: string): readonly string[] => [`trtllm_${name}`, `trtllm:${name}`];
const serveGauge = (aggregate: "sum" | "avg", name: string): Term =>
  firstOf(...namesOf(name).map((one) => gauge(aggregate, one)));
const serveRate = (name: string): Term => firstOf(...namesOf(name).map(rate));

const triton = (family: string, label: string, value: string): string => `nv_trt_llm_${family}{${label}="${value}"}`;
const block = (type: string): string => triton("kv_cache_block_metrics", "kv_cache_block_type", type);
const requests = (type: string): string => triton("request_metrics", "request_type", type);

const KV_USAGE = firstOf(
  serveGauge("avg", "kv_cache_utilization"),
  gauge("avg", block("fraction")),
  // Old backends have no fraction.
  over(gauge("sum", block("used")), gauge("sum", block("max"))),
);
const PROMPT_TOKENS = serveRate("prompt_tokens_total");
const CACHED_TOKENS = serveRate("prompt_cached_tokens_total");

export const TRTLLM = {
  requestsPerSecond: () => ({ ...serveRate("request_success_total"), perReplica: "sum" }),
  promptTokensPerSecond: () => ({ ...PROMPT_TOKENS, perReplica: "sum" }),
  computedPromptTokensPerSecond: () => ({ ...minus(PROMPT_TOKENS, CACHED_TOKENS), perReplica: "sum" }),
  prefixCacheHitRatio: () => ({
    ...firstOf(over(CACHED_TOKENS, PROMPT_TOKENS), serveGauge("avg", "kv_cache_hit_rate")),
    perReplica: "mean",
  }),
  generationTokensPerSecond: () => ({ ...serveRate("generation_tokens_total"), perReplica: "sum" }),
  runningRequests: () => ({
    ...firstOf(serveGauge("sum", "num_requests_running"), gauge("sum", requests("scheduled"))),
    perReplica: "sum",
  }),
  waitingRequests: () => ({
    ...firstOf(serveGauge("sum", "num_requests_waiting"), gauge("sum", requests("waiting"))),
    perReplica: "sum",
  }),
  kvCacheUsage: () => ({ ...KV_USAGE, perReplica: "mean" }),
  kvCacheDemand: () => ({ ...KV_USAGE, perReplica: "mean" }),
  kvCacheTokens: () => ({ ...KV_CAPACITY, perReplica: "sum" }),
  timeToFirstToken: ({ quantile }) => latency(namesOf("time_to_first_token_seconds"), quantile),
  interTokenLatency: ({ quantile }) => latency(namesOf("time_per_output_token_seconds"), quantile),
  requestDuration: ({ quantile }) => latency(namesOf("e2e_request_latency_seconds"), quantile),
  busyRatio: () => ({ ...GPU_BUSY, perReplica: "mean" }),
} satisfies SignalPack;

/** Blocks of each engine times the tokens of one of its blocks. */
const KV_CAPACITY = firstOf(
  ...["trtllm_", "trtllm:"].map((prefix) =>
    dated(
      `sum by (namespace, pod) (${prefix}kv_cache_max_blocks * ${prefix}kv_cache_tokens_per_block)`,
      `${prefix}kv_cache_max_blocks`,
    ),
  ),
  dated(
    `sum by (namespace, pod) (${block("max")} * ignoring (kv_cache_block_type) ${block("tokens_per")})`,
    block("max"),
  ),
);

/** vLLM. Ratios are 0 to 1 in spite of `perc`; 0.9 to 0.11 renamed several families. */
import {
  dated,
  firstOf,
  gauge,
  latency,
  minus,
  over,
  rate,
  type SignalQuery,
  spread,
  type Term,
} from "../signal-query.ts";
import { GPU_BUSY } from "./gpu.ts";
import type { SignalPack } from "./signal-pack.ts";

/** Of several data-parallel engines in one pod, one that is awake is enough. */
const ASLEEP = 'max by (namespace, pod) (vllm:engine_sleep_state{sleep_state="awake"}) == 0';

const awake = (term: Term, perReplica: "sum" | "mean"): SignalQuery => ({ ...term, perReplica, asleepQuery: ASLEEP });

const KV_USAGE = firstOf(gauge("avg", "vllm:kv_cache_usage_perc"), gauge("avg", "vllm:gpu_cache_usage_perc"));
/** On a decode worker the total holds requests whose KV is on its way, which more workers would not help. */
const WAITING = firstOf(
  gauge("sum", 'vllm:num_requests_waiting_by_reason{reason="capacity"}'),
  gauge("sum", "vllm:num_requests_waiting"),
);
const PROMPT_TOKENS = rate("vllm:prompt_tokens_total");

export const VLLM = {
  requestsPerSecond: () => awake(rate("vllm:request_success_total"), "sum"),
  promptTokensPerSecond: () => awake(PROMPT_TOKENS, "sum"),
  computedPromptTokensPerSecond: () =>
    awake(
      firstOf(
        rate("vllm:request_prefill_kv_computed_tokens_sum"),
        minus(PROMPT_TOKENS, rate("vllm:prompt_tokens_cached_total")),
      ),
      "sum",
    ),
  prefixCacheHitRatio: () =>
    awake(
      firstOf(
        over(rate("vllm:prefix_cache_hits_total"), rate("vllm:prefix_cache_queries_total")),
        over(rate("vllm:gpu_prefix_cache_hits_total"), rate("vllm:gpu_prefix_cache_queries_total")),
      ),
      "mean",
    ),
  promptSpread: () => ({ ...spread(["vllm:request_prompt_tokens"]), asleepQuery: ASLEEP }),
  generationTokensPerSecond: () => awake(rate("vllm:generation_tokens_total"), "sum"),
  runningRequests: () => awake(gauge("sum", "vllm:num_requests_running"), "sum"),
  waitingRequests: () => awake(WAITING, "sum"),
  kvCacheUsage: () => awake(KV_USAGE, "mean"),
  kvCacheDemand: () => awake(KV_USAGE, "mean"),
  kvCacheTokens: () => ({ ...awake(KV_CAPACITY, "sum"), labelProducts: KV_CAPACITY_LABELS }),
  timeToFirstToken: ({ quantile }) => ({
    ...latency(["vllm:time_to_first_token_seconds"], quantile),
    asleepQuery: ASLEEP,
  }),
  interTokenLatency: ({ quantile }) => ({
    ...latency(["vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"], quantile),
    asleepQuery: ASLEEP,
  }),
  requestDuration: ({ quantile }) => ({
    ...latency(["vllm:e2e_request_latency_seconds"], quantile),
    asleepQuery: ASLEEP,
  }),
  busyRatio: () => awake(GPU_BUSY, "mean"),
} satisfies SignalPack;

/** The info metric says it in labels; 1 is its value. */
const KV_CAPACITY = dated(
  'max by (namespace, pod, engine, kv_cache_size_tokens, num_gpu_blocks, block_size) (vllm:cache_config_info{num_gpu_blocks!=""})',
  'vllm:cache_config_info{num_gpu_blocks!=""}',
);
const KV_CAPACITY_LABELS = [["kv_cache_size_tokens"], ["num_gpu_blocks", "block_size"]];

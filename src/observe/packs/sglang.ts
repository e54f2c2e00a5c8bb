/**
 * SGLang (`--enable-metrics`).
 *
 * One scheduler of a tensor-parallel group reports, or all of them do with the same numbers (`--enable-metrics-for-all-schedulers`): rank 0 counts.
 * With data-parallel attention each `dp_rank` is a scheduler of its own with its own share of the load, whatever its `tp_rank`: one of each counts.
 */
import {
  BY_POD,
  dated,
  firstOf,
  gauge,
  latency,
  over,
  plus,
  rate,
  spread,
  type Term,
  WINDOW,
} from "../signal-query.ts";
import { GPU_BUSY } from "./gpu.ts";
import type { SignalPack } from "./signal-pack.ts";

const RANK_0 = 'dp_rank="",tp_rank=~"0?",pp_rank=~"0?"';
const EACH_DP_RANK = 'dp_rank!="",pp_rank=~"0?"';

/** @param matchers besides the ranks */
const select = (name: string, matchers: string, ranks: string): string =>
  `${name}{${matchers === "" ? "" : `${matchers},`}${ranks}}`;

function ranked(aggregate: "sum" | "avg", name: string, matchers = ""): Term {
  const each = select(name, matchers, EACH_DP_RANK);
  return firstOf(
    gauge(aggregate, select(name, matchers, RANK_0)),
    dated(`${aggregate} ${BY_POD} (max by (namespace, pod, dp_rank) (avg_over_time(${each}[${WINDOW}])))`, each),
  );
}

function rankedRate(name: string, matchers = ""): Term {
  const each = select(name, matchers, EACH_DP_RANK);
  return firstOf(
    rate(select(name, matchers, RANK_0)),
    dated(
      `sum ${BY_POD} (max by (namespace, pod, dp_rank) (sum by (namespace, pod, dp_rank, tp_rank, moe_ep_rank) (rate(${each}[${WINDOW}]))))`,
      each,
    ),
  );
}

/** With priority scheduling the total is under the empty priority. */
const TOTAL = 'priority=""';

const KV_USAGE = ranked("avg", "sglang:token_usage");
const QUEUE = ranked("sum", "sglang:num_queue_reqs", TOTAL);
/** Requests that wait for the hand-shake with a decode worker; the second name is that before May 2026. */
const PREFILL_QUEUE = plus(
  QUEUE,
  firstOf(
    ranked("sum", "sglang:num_prefill_bootstrap_queue_reqs"),
    ranked("sum", "sglang:num_prefill_prealloc_queue_reqs"),
  ),
);
/** Requests that wait for KV space on this worker. */
const DECODE_QUEUE = plus(QUEUE, ranked("sum", "sglang:num_decode_prealloc_queue_reqs"));

/** Counted as the scheduler works; the other counters are added to when a request finishes, so they lag and come in lumps. */
const realtime = (modes: string): Term => rankedRate("sglang:realtime_tokens_total", `mode=~"${modes}"`);
const HIT_TOKENS = realtime("prefill_cache");
const PROMPT_TOKENS = realtime("prefill_compute|prefill_cache");

export const SGLANG = {
  requestsPerSecond: () => ({ ...rankedRate("sglang:num_requests_total"), perReplica: "sum" }),
  promptTokensPerSecond: () => ({
    ...firstOf(PROMPT_TOKENS, rankedRate("sglang:prompt_tokens_total")),
    perReplica: "sum",
  }),
  computedPromptTokensPerSecond: () => ({
    ...firstOf(realtime("prefill_compute"), rankedRate("sglang:prompt_tokens_total")),
    perReplica: "sum",
  }),
  prefixCacheHitRatio: () => ({
    ...firstOf(over(HIT_TOKENS, PROMPT_TOKENS), ranked("avg", "sglang:cache_hit_rate")),
    perReplica: "mean",
  }),
  /** With `--collect-tokens-histogram`. */
  promptSpread: () => spread(["sglang:prompt_tokens_histogram"]),
  generationTokensPerSecond: () => ({
    ...firstOf(realtime("decode"), rankedRate("sglang:generation_tokens_total")),
    perReplica: "sum",
  }),
  runningRequests: () => ({ ...ranked("sum", "sglang:num_running_reqs", TOTAL), perReplica: "sum" }),
  waitingRequests: ({ role }) => ({
    ...(role === "prefill" ? PREFILL_QUEUE : role === "decode" ? DECODE_QUEUE : QUEUE),
    perReplica: "sum",
  }),
  kvCacheUsage: () => ({ ...KV_USAGE, perReplica: "mean" }),
  kvCacheDemand: ({ role }) => ({
    ...(role === "decode" ? plus(KV_USAGE, ranked("avg", "sglang:pending_prealloc_token_usage")) : KV_USAGE),
    perReplica: "mean",
  }),
  kvCacheTokens: () => ({ ...ranked("sum", "sglang:max_total_num_tokens"), perReplica: "sum" }),
  timeToFirstToken: ({ quantile }) => latency(["sglang:time_to_first_token_seconds"], quantile),
  interTokenLatency: ({ quantile }) => latency(["sglang:inter_token_latency_seconds"], quantile),
  requestDuration: ({ quantile }) => latency(["sglang:e2e_request_latency_seconds"], quantile),
  busyRatio: () => ({ ...firstOf(FORWARD_SHARE, GPU_BUSY), perReplica: "mean" }),
} satisfies SignalPack;

/** Share of time in forward passes; each data-parallel rank has its own GPUs, so the busiest speaks for the pod. */
const FORWARD = "sglang:forward_execution_seconds_total";
const FORWARD_SHARE = dated(
  `max ${BY_POD} (sum by (namespace, pod, dp_rank, tp_rank, pp_rank, moe_ep_rank) (rate(${FORWARD}[${WINDOW}])))`,
  FORWARD,
);

/** What an engine exposes, under the names, labels and units of the product it stands for. */
import { remember } from "../remember.ts";
import type { InferenceEngine } from "./inference-engine.ts";
import type { MetricWriter } from "./metric-writer.ts";

export type MetricFormat = "vllm" | "sglang" | "trtllm" | "dynamo";

/** vLLM's when the text is absent or is none of the names. */
export function metricFormatOf(text: string | undefined): MetricFormat {
  return text === "sglang" || text === "trtllm" || text === "dynamo" ? text : "vllm";
}

export function writeEngineMetrics(
  writer: MetricWriter,
  engine: InferenceEngine,
  format: MetricFormat,
  dynamoNamespace: string,
): void {
  switch (format) {
    case "vllm":
      vllm(writer, engine);
      break;
    case "sglang":
      sglang(writer, engine);
      break;
    case "trtllm":
      trtllm(writer, engine);
      break;
    case "dynamo":
      dynamoWorker(writer, engine, dynamoNamespace);
      break;
    default:
      format satisfies never;
  }
}

/** Tokens per KV block: vLLM's default. */
const BLOCK_TOKENS = 16;
const blocksOf = ({ kvCapacityTokens }: InferenceEngine): number => Math.floor(kvCapacityTokens / BLOCK_TOKENS);

/** The same objects each time: a writer that knows them need not compare what is in them. */
const vllmLabels = new WeakMap<InferenceEngine, ReturnType<typeof labelsOfVllm>>();

function labelsOfVllm(engine: InferenceEngine) {
  const labels = { model_name: engine.profile.modelName, engine: "0" };
  return {
    labels,
    cache: { ...labels, block_size: String(BLOCK_TOKENS), num_gpu_blocks: String(blocksOf(engine)) },
    stop: { ...labels, finished_reason: "stop" },
    length: { ...labels, finished_reason: "length" },
    abort: { ...labels, finished_reason: "abort" },
  };
}

/** 0.11 and later. */
function vllm(writer: MetricWriter, engine: InferenceEngine): void {
  const { labels, cache, stop, length, abort } = remember(vllmLabels, engine, labelsOfVllm);
  writer
    .gauge("vllm:kv_cache_usage_perc", labels, engine.kvCacheRatio)
    .gauge("vllm:num_requests_running", labels, engine.runningRequests)
    .gauge("vllm:num_requests_waiting", labels, engine.waitingRequests)
    .counter("vllm:prompt_tokens_total", labels, engine.promptTokens)
    .counter("vllm:generation_tokens_total", labels, engine.generationTokens)
    .counter("vllm:num_preemptions_total", labels, engine.preemptions)
    .counter("vllm:request_success_total", stop, 0)
    .counter("vllm:request_success_total", length, engine.finishedRequests)
    .counter("vllm:request_success_total", abort, 0)
    .histogram("vllm:time_to_first_token_seconds", labels, engine.timeToFirstToken)
    .histogram("vllm:inter_token_latency_seconds", labels, engine.interTokenLatency)
    .histogram("vllm:e2e_request_latency_seconds", labels, engine.endToEnd)
    .histogram("vllm:request_prompt_tokens", labels, engine.promptLengths)
    .gauge("vllm:cache_config_info", cache, 1);
  const { prefixCache } = engine;
  if (prefixCache === undefined) return;
  writer
    .counter("vllm:prefix_cache_queries_total", labels, prefixCache.queriedTokens)
    .counter("vllm:prefix_cache_hits_total", labels, prefixCache.hitTokens);
}

/** With `--enable-metrics`; the queues of disaggregation under their names of May 2026. */
function sglang(writer: MetricWriter, engine: InferenceEngine): void {
  const { role, transferringRequests, heldRequests } = engine;
  const queued = engine.waitingRequests - transferringRequests;
  const cached = engine.prefixCache?.hitTokens ?? 0;
  const type = role === "aggregated" ? "unified" : role;
  const labels = { model_name: engine.profile.modelName, engine_type: type, tp_rank: "0", pp_rank: "0" };
  writer
    .gauge("sglang:token_usage", labels, engine.kvCacheRatio)
    .gauge("sglang:max_total_num_tokens", labels, engine.kvCapacityTokens)
    .gauge("sglang:num_used_tokens", labels, engine.kvTokens)
    .gauge("sglang:num_running_reqs", labels, engine.runningRequests)
    // A decode worker's backlog waits for KV space in its own queue, not in the queue of compute admission.
    .gauge("sglang:num_queue_reqs", labels, role === "decode" ? 0 : queued)
    .gauge("sglang:num_prefill_bootstrap_queue_reqs", labels, 0)
    .gauge("sglang:num_prefill_inflight_queue_reqs", labels, heldRequests)
    .gauge("sglang:num_decode_prealloc_queue_reqs", labels, role === "decode" ? queued : 0)
    .gauge("sglang:num_decode_transfer_queue_reqs", labels, transferringRequests)
    .counter("sglang:prompt_tokens_total", labels, engine.promptTokens)
    .counter("sglang:generation_tokens_total", labels, engine.generationTokens)
    .counter("sglang:realtime_tokens_total", { ...labels, mode: "prefill_compute" }, engine.promptTokens - cached)
    .counter("sglang:realtime_tokens_total", { ...labels, mode: "prefill_cache" }, cached)
    .counter("sglang:realtime_tokens_total", { ...labels, mode: "decode" }, engine.generationTokens)
    .counter("sglang:num_requests_total", labels, engine.finishedRequests)
    .counter("sglang:num_retracted_requests_total", labels, engine.preemptions)
    .histogram("sglang:time_to_first_token_seconds", labels, engine.timeToFirstToken)
    .histogram("sglang:inter_token_latency_seconds", labels, engine.interTokenLatency)
    .histogram("sglang:e2e_request_latency_seconds", labels, engine.endToEnd);
}

/** trtllm-serve with `return_perf_metrics` and `enable_iter_perf_stats`. */
function trtllm(writer: MetricWriter, engine: InferenceEngine): void {
  const labels = { model_name: engine.profile.modelName, engine_type: "trtllm" };
  const blocks = blocksOf(engine);
  const usedBlocks = Math.ceil(engine.kvTokens / BLOCK_TOKENS);
  writer
    .gauge("trtllm_kv_cache_utilization", labels, engine.kvCacheRatio)
    .gauge("trtllm_kv_cache_max_blocks", labels, blocks)
    .gauge("trtllm_kv_cache_used_blocks", labels, usedBlocks)
    .gauge("trtllm_kv_cache_free_blocks", labels, Math.max(0, blocks - usedBlocks))
    .gauge("trtllm_kv_cache_tokens_per_block", labels, BLOCK_TOKENS)
    .gauge("trtllm_num_requests_running", labels, engine.runningRequests)
    .gauge("trtllm_num_requests_waiting", labels, engine.waitingRequests)
    .counter("trtllm_prompt_tokens_total", labels, engine.promptTokens)
    .counter("trtllm_generation_tokens_total", labels, engine.generationTokens)
    .counter("trtllm_request_success_total", { ...labels, finished_reason: "length" }, engine.finishedRequests)
    .histogram("trtllm_time_to_first_token_seconds", labels, engine.timeToFirstToken)
    .histogram("trtllm_time_per_output_token_seconds", labels, engine.interTokenLatency)
    .histogram("trtllm_e2e_request_latency_seconds", labels, engine.endToEnd);
}

/** A Dynamo worker passes the metrics of its engine (vLLM here) through and adds its own; prefill workers set no cache gauge. */
function dynamoWorker(writer: MetricWriter, engine: InferenceEngine, dynamoNamespace: string): void {
  vllm(writer, engine);
  const component = engine.role === "prefill" ? "prefill" : "backend";
  const labels = { dynamo_namespace: dynamoNamespace, dynamo_component: component };
  if (engine.role !== "prefill") {
    writer
      .gauge("dynamo_component_gpu_cache_usage_percent", { ...labels, dp_rank: "0" }, engine.kvCacheRatio)
      .gauge("dynamo_component_total_blocks", { ...labels, dp_rank: "0" }, blocksOf(engine));
  }
  const inFlight = engine.runningRequests + engine.waitingRequests;
  writer.gauge("dynamo_component_inflight_requests", { ...labels, dynamo_endpoint: "generate" }, inFlight);
}

/** What engines, frontends and dcgm-exporter expose; names and units as in the releases that the presets are made for. */
import type { Frontend } from "./frontend.ts";
import type { InferenceEngine } from "./inference-engine.ts";
import { MetricText } from "./metric-text.ts";

/** Tokens per KV block: vLLM's default. */
const BLOCK_TOKENS = 16;

/** vLLM 0.11 and later. */
export function engineMetrics(engine: InferenceEngine): string {
  const { profile } = engine;
  const labels = { model_name: profile.modelName, engine: "0" };
  return new MetricText()
    .gauge("vllm:kv_cache_usage_perc", labels, engine.kvCacheRatio)
    .gauge("vllm:num_requests_running", labels, engine.runningRequests)
    .gauge("vllm:num_requests_waiting", labels, engine.waitingRequests)
    .counter("vllm:prompt_tokens_total", labels, engine.promptTokens)
    .counter("vllm:generation_tokens_total", labels, engine.generationTokens)
    .counter("vllm:num_preemptions_total", labels, engine.preemptions)
    .counter("vllm:request_success_total", { ...labels, finished_reason: "stop" }, 0)
    .counter("vllm:request_success_total", { ...labels, finished_reason: "length" }, engine.finishedRequests)
    .counter("vllm:request_success_total", { ...labels, finished_reason: "abort" }, 0)
    .histogram("vllm:time_to_first_token_seconds", labels, engine.timeToFirstToken)
    .histogram("vllm:inter_token_latency_seconds", labels, engine.interTokenLatency)
    .histogram("vllm:e2e_request_latency_seconds", labels, engine.endToEnd)
    .gauge(
      "vllm:cache_config_info",
      {
        ...labels,
        block_size: String(BLOCK_TOKENS),
        num_gpu_blocks: String(Math.floor(profile.kvCapacityTokens / BLOCK_TOKENS)),
      },
      1,
    )
    .toString();
}

/** Dynamo's frontend. The model label of traffic metrics is lower-cased there. */
export function frontendMetrics(frontend: Frontend, model: string, dynamoNamespace: string): string {
  const labels = { model: model.toLowerCase(), dynamo_namespace: dynamoNamespace };
  const kind = { ...labels, endpoint: "chat_completions", request_type: "stream" };
  return new MetricText()
    .counter("dynamo_frontend_requests_started_total", kind, frontend.startedRequests)
    .counter("dynamo_frontend_requests_total", { ...kind, status: "success" }, frontend.succeededRequests)
    .counter("dynamo_frontend_requests_total", { ...kind, status: "error" }, frontend.failedRequests)
    .gauge("dynamo_frontend_queued_requests", labels, frontend.awaitingFirstToken)
    .gauge("dynamo_frontend_inflight_requests", labels, frontend.inFlight.size)
    .histogram("dynamo_frontend_time_to_first_token_seconds", labels, frontend.timeToFirstToken)
    .histogram("dynamo_frontend_inter_token_latency_seconds", labels, frontend.interTokenLatency)
    .histogram("dynamo_frontend_input_sequence_tokens", labels, frontend.inputTokens)
    .histogram("dynamo_frontend_output_sequence_tokens", labels, frontend.outputTokens)
    .toString();
}

export interface GpuReading {
  readonly index: number;
  readonly nodeName: string;
  /** Share of time with a kernel running, in [0, 1]. */
  readonly busyRatio: number;
  readonly memoryUsedMiB: number;
  /** The pod that holds the GPU. */
  readonly holder?: { readonly namespace: string; readonly pod: string; readonly container: string };
}

/** dcgm-exporter of one node. */
export function gpuMetrics(readings: readonly GpuReading[]): string {
  const text = new MetricText();
  const labelsOf = ({ index, nodeName, holder }: GpuReading): Record<string, string> => ({
    gpu: String(index),
    UUID: `GPU-${nodeName}-${index}`,
    device: `nvidia${index}`,
    modelName: "NVIDIA H100 80GB HBM3",
    Hostname: nodeName,
    ...holder,
  });
  for (const reading of readings) {
    text.gauge("DCGM_FI_DEV_GPU_UTIL", labelsOf(reading), Math.round(reading.busyRatio * 100));
  }
  for (const reading of readings) text.gauge("DCGM_FI_PROF_GR_ENGINE_ACTIVE", labelsOf(reading), reading.busyRatio);
  for (const reading of readings) text.gauge("DCGM_FI_DEV_FB_USED", labelsOf(reading), reading.memoryUsedMiB);
  return text.toString();
}

/** What frontends and dcgm-exporter expose; names and units as in the releases that the presets are made for. */
import type { Frontend } from "./frontend.ts";
import type { MetricWriter } from "./metric-writer.ts";

/** Dynamo's frontend. The model label of traffic metrics is lower-cased there. */
export function writeFrontendMetrics(
  writer: MetricWriter,
  frontend: Frontend,
  model: string,
  dynamoNamespace: string,
): void {
  const labels = { model: model.toLowerCase(), dynamo_namespace: dynamoNamespace };
  const kind = { ...labels, endpoint: "chat_completions", request_type: "stream" };
  writer
    .counter("dynamo_frontend_requests_started_total", kind, frontend.startedRequests)
    .counter("dynamo_frontend_requests_total", { ...kind, status: "success" }, frontend.succeededRequests)
    .counter("dynamo_frontend_requests_total", { ...kind, status: "error" }, frontend.failedRequests)
    .gauge("dynamo_frontend_queued_requests", labels, frontend.awaitingFirstToken)
    .gauge("dynamo_frontend_inflight_requests", labels, frontend.inFlight.size)
    .gauge(
      "dynamo_frontend_router_queue_pending_requests",
      { ...labels, worker_type: "prefill" },
      frontend.unrouted.length,
    )
    .histogram("dynamo_frontend_time_to_first_token_seconds", labels, frontend.timeToFirstToken)
    .histogram("dynamo_frontend_inter_token_latency_seconds", labels, frontend.interTokenLatency)
    .histogram("dynamo_frontend_request_duration_seconds", labels, frontend.requestDuration)
    .histogram("dynamo_frontend_input_sequence_tokens", labels, frontend.inputTokens)
    .histogram("dynamo_frontend_output_sequence_tokens", labels, frontend.outputTokens);
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
export function writeGpuMetrics(writer: MetricWriter, readings: readonly GpuReading[]): void {
  const labelsOf = ({ index, nodeName, holder }: GpuReading): Record<string, string> => ({
    gpu: String(index),
    UUID: `GPU-${nodeName}-${index}`,
    device: `nvidia${index}`,
    modelName: "NVIDIA H100 80GB HBM3",
    Hostname: nodeName,
    ...holder,
  });
  const labelled = readings.map((reading) => ({ ...reading, labels: labelsOf(reading) }));
  for (const { labels, busyRatio } of labelled)
    writer.gauge("DCGM_FI_DEV_GPU_UTIL", labels, Math.round(busyRatio * 100));
  for (const { labels, busyRatio } of labelled) writer.gauge("DCGM_FI_PROF_GR_ENGINE_ACTIVE", labels, busyRatio);
  for (const { labels, memoryUsedMiB } of labelled) writer.gauge("DCGM_FI_DEV_FB_USED", labels, memoryUsedMiB);
}

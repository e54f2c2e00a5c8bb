/** What frontends and dcgm-exporter expose; names and units as in the releases that the presets are made for. */

import { remember } from "../remember.ts";
import type { Frontend } from "./frontend.ts";
import type { MetricLabels, MetricWriter } from "./metric-writer.ts";

/** The same objects each time: a writer that knows them need not compare what is in them. */
const frontendLabels = new WeakMap<Frontend, ReturnType<typeof labelsOfFrontend>>();

function labelsOfFrontend(model: string, dynamoNamespace: string) {
  const labels = { model: model.toLowerCase(), dynamo_namespace: dynamoNamespace };
  const kind = { ...labels, endpoint: "chat_completions", request_type: "stream" };
  return {
    labels,
    kind,
    success: { ...kind, status: "success" },
    error: { ...kind, status: "error" },
    prefill: { ...labels, worker_type: "prefill" },
  };
}

/** Dynamo's frontend. The model label of traffic metrics is lower-cased there. */
export function writeFrontendMetrics(
  writer: MetricWriter,
  frontend: Frontend,
  model: string,
  dynamoNamespace: string,
): void {
  const { labels, kind, success, error, prefill } = remember(frontendLabels, frontend, () =>
    labelsOfFrontend(model, dynamoNamespace),
  );
  writer
    .counter("dynamo_frontend_requests_started_total", kind, frontend.startedRequests)
    .counter("dynamo_frontend_requests_total", success, frontend.succeededRequests)
    .counter("dynamo_frontend_requests_total", error, frontend.failedRequests)
    .gauge("dynamo_frontend_queued_requests", labels, frontend.awaitingFirstToken)
    .gauge("dynamo_frontend_inflight_requests", labels, frontend.inFlight.size)
    .gauge("dynamo_frontend_router_queue_pending_requests", prefill, frontend.unrouted.length)
    .histogram("dynamo_frontend_time_to_first_token_seconds", labels, frontend.timeToFirstToken)
    .histogram("dynamo_frontend_inter_token_latency_seconds", labels, frontend.interTokenLatency)
    .histogram("dynamo_frontend_request_duration_seconds", labels, frontend.requestDuration)
    .histogram("dynamo_frontend_input_sequence_tokens", labels, frontend.inputTokens)
    .histogram("dynamo_frontend_output_sequence_tokens", labels, frontend.outputTokens);
}

export interface GpuReading {
  readonly index: number;
  /** {@link gpuLabels}. */
  readonly labels: MetricLabels;
  /** Share of time with a kernel running, in [0, 1]. */
  readonly busyRatio: number;
  readonly memoryUsedMiB: number;
}

/** @param holder the container that holds the GPU */
export const gpuLabels = (
  nodeName: string,
  index: number,
  holder?: { readonly namespace: string; readonly pod: string; readonly container: string },
): MetricLabels => ({
  gpu: String(index),
  UUID: `GPU-${nodeName}-${index}`,
  device: `nvidia${index}`,
  modelName: "NVIDIA H100 80GB HBM3",
  Hostname: nodeName,
  ...holder,
});

export const GPU_FAMILIES = ["DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_DEV_FB_USED"] as const;

/** dcgm-exporter of one node. */
export function writeGpuMetrics(writer: MetricWriter, readings: readonly GpuReading[]): void {
  const [utilization, active, memory] = GPU_FAMILIES;
  for (const { labels, busyRatio } of readings) writer.gauge(utilization, labels, Math.round(busyRatio * 100));
  for (const { labels, busyRatio } of readings) writer.gauge(active, labels, busyRatio);
  for (const { labels, memoryUsedMiB } of readings) writer.gauge(memory, labels, memoryUsedMiB);
}

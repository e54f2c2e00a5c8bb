/**
 * Ready-made signals per engine. Metric names, units and traps: the engines' sources and documentation, as listed in `docs/metrics.md`.
 *
 * A preset's query has no selector: it is the same text for every policy, so that any number of policies cost one query per signal. The samples are
 * joined with the pods of a target afterwards, by `namespace` and `pod`.
 */
import type { MetricPreset } from "../api/autoscaling/scale-target.ts";
import type { ScalingPolicySpec } from "../api/autoscaling/scaling-policy.ts";

export type Engine = ScalingPolicySpec["engine"];

export interface Preset {
  /** One sample per pod. */
  readonly query: string;
  /** Time of each pod's latest sample, in seconds since the epoch. */
  readonly freshnessQuery: string;
  /** How the pods of one replica add up, where several of them have a value. */
  readonly perReplica: "sum" | "mean";
  /**
   * Requests in the window, per pod. Where it is 0 a value that is not finite means idle: a quantile over nothing is NaN, and waiting for a number
   * would never let an idle target shrink.
   */
  readonly idleQuery?: string;
}

/** At least four scrapes of 15 s, so that one that fails leaves two samples. */
const WINDOW = "1m";
const LATENCY_WINDOW = "2m";

const BY_POD = "by (namespace, pod)";

/** The first name that exists wins; `or` ignores metric names. */
const anyOf = (names: readonly string[], wrap: (name: string) => string): string => names.map(wrap).join(" or ");

function gauge(names: readonly string[], perReplica: "sum" | "mean"): Preset {
  const aggregate = perReplica === "sum" ? "sum" : "avg";
  return {
    query: anyOf(names, (name) => `${aggregate} ${BY_POD} (avg_over_time(${name}[${WINDOW}]))`),
    freshnessQuery: anyOf(names, (name) => `max ${BY_POD} (timestamp(${name}))`),
    perReplica,
  };
}

function rate(names: readonly string[]): Preset {
  return {
    query: anyOf(names, (name) => `sum ${BY_POD} (rate(${name}[${WINDOW}]))`),
    freshnessQuery: anyOf(names, (name) => `max ${BY_POD} (timestamp(${name}))`),
    perReplica: "sum",
  };
}

function latency(names: readonly string[]): Preset {
  return {
    query: anyOf(
      names,
      (name) => `histogram_quantile(0.9, sum by (namespace, pod, le) (rate(${name}_bucket[${LATENCY_WINDOW}])))`,
    ),
    freshnessQuery: anyOf(names, (name) => `max ${BY_POD} (timestamp(${name}_count))`),
    perReplica: "mean",
    idleQuery: anyOf(names, (name) => `sum ${BY_POD} (increase(${name}_count[${LATENCY_WINDOW}]))`),
  };
}

/**
 * dcgm-exporter: the pod that holds the GPU is in `exported_pod` (its own in `pod`) unless `honorLabels` is on. A duty cycle: close to the load on prefill
 * workers, and near 100 % on a decode worker from its first request on.
 */
const GPU_UTILIZATION: Preset = {
  query: [
    `avg by (exported_namespace, exported_pod) (avg_over_time(DCGM_FI_DEV_GPU_UTIL{exported_pod!=""}[${WINDOW}])) / 100`,
    `avg ${BY_POD} (avg_over_time(DCGM_FI_DEV_GPU_UTIL{exported_pod="",pod!=""}[${WINDOW}])) / 100`,
  ].join(" or "),
  freshnessQuery: [
    `max by (exported_namespace, exported_pod) (timestamp(DCGM_FI_DEV_GPU_UTIL{exported_pod!=""}))`,
    `max ${BY_POD} (timestamp(DCGM_FI_DEV_GPU_UTIL{exported_pod="",pod!=""}))`,
  ].join(" or "),
  perReplica: "mean",
};

type Pack = Readonly<Record<MetricPreset, Preset>>;

const VLLM: Pack = {
  kvCacheUsage: gauge(["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"], "mean"),
  waitingRequests: gauge(
    ['vllm:num_requests_waiting_by_reason{reason="capacity"}', "vllm:num_requests_waiting"],
    "sum",
  ),
  runningRequests: gauge(["vllm:num_requests_running"], "sum"),
  gpuUtilization: GPU_UTILIZATION,
  requestsPerSecond: rate(["vllm:request_success_total"]),
  promptTokensPerSecond: rate(["vllm:request_prefill_kv_computed_tokens_sum", "vllm:prompt_tokens_total"]),
  generationTokensPerSecond: rate(["vllm:generation_tokens_total"]),
  timeToFirstToken: latency(["vllm:time_to_first_token_seconds"]),
  interTokenLatency: latency(["vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"]),
};

/** Only rank 0 of a tensor-parallel group counts, or everything would count once a rank. */
const RANK_0 = '{tp_rank=~"0?"}';

const SGLANG: Pack = {
  kvCacheUsage: gauge([`sglang:token_usage${RANK_0}`], "mean"),
  waitingRequests: gauge([`sglang:num_queue_reqs${RANK_0}`], "sum"),
  runningRequests: gauge([`sglang:num_running_reqs${RANK_0}`], "sum"),
  gpuUtilization: GPU_UTILIZATION,
  requestsPerSecond: rate(["sglang:num_requests_total"]),
  promptTokensPerSecond: rate([
    'sglang:realtime_tokens_total{mode="prefill_compute",tp_rank=~"0?"}',
    "sglang:prompt_tokens_total",
  ]),
  generationTokensPerSecond: rate([
    'sglang:realtime_tokens_total{mode="decode",tp_rank=~"0?"}',
    "sglang:generation_tokens_total",
  ]),
  timeToFirstToken: latency(["sglang:time_to_first_token_seconds"]),
  interTokenLatency: latency(["sglang:inter_token_latency_seconds"]),
};

const TRTLLM: Pack = {
  kvCacheUsage: gauge(["trtllm_kv_cache_utilization"], "mean"),
  waitingRequests: gauge(["trtllm_num_requests_waiting"], "sum"),
  runningRequests: gauge(["trtllm_num_requests_running"], "sum"),
  gpuUtilization: GPU_UTILIZATION,
  requestsPerSecond: rate(["trtllm_request_success_total"]),
  promptTokensPerSecond: rate(["trtllm_prompt_tokens_total"]),
  generationTokensPerSecond: rate(["trtllm_generation_tokens_total"]),
  timeToFirstToken: latency(["trtllm_time_to_first_token_seconds"]),
  interTokenLatency: latency(["trtllm_time_per_output_token_seconds"]),
};

/** Dynamo workers pass their engine's metrics through; where Dynamo has a name of its own it comes first. */
const DYNAMO: Pack = {
  ...VLLM,
  kvCacheUsage: gauge(
    [
      "dynamo_component_gpu_cache_usage_percent",
      "dynamo_component_kvstats_gpu_cache_usage_percent",
      "vllm:kv_cache_usage_perc",
      `sglang:token_usage${RANK_0}`,
      "trtllm_kv_cache_utilization",
    ],
    "mean",
  ),
  waitingRequests: gauge(
    ["vllm:num_requests_waiting", `sglang:num_queue_reqs${RANK_0}`, "trtllm_num_requests_waiting"],
    "sum",
  ),
  runningRequests: gauge(
    ['dynamo_component_inflight_requests{dynamo_endpoint="generate"}', "vllm:num_requests_running"],
    "sum",
  ),
  requestsPerSecond: rate(["dynamo_frontend_requests_started_total", "dynamo_frontend_requests_total"]),
  timeToFirstToken: latency(["dynamo_frontend_time_to_first_token_seconds"]),
  interTokenLatency: latency(["dynamo_frontend_inter_token_latency_seconds"]),
};

/** `custom` engines bring their own PromQL; GPU utilization comes from the node and works for all. */
const PACKS: Readonly<Record<Engine, Pack>> = {
  vllm: VLLM,
  sglang: SGLANG,
  trtllm: TRTLLM,
  dynamo: DYNAMO,
  custom: VLLM,
};

export function presetOf(engine: Engine, name: MetricPreset): Preset {
  return PACKS[engine][name];
}

/** Every query that the presets send, for the tests that compare them with a real Prometheus. */
export function allPresetQueries(): readonly string[] {
  const queries = Object.values(PACKS).flatMap((pack) =>
    Object.values(pack).flatMap(({ query, freshnessQuery, idleQuery }) => [
      query,
      freshnessQuery,
      ...(idleQuery === undefined ? [] : [idleQuery]),
    ]),
  );
  return [...new Set(queries)];
}

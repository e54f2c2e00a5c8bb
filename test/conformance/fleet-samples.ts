/** One pod of each engine release whose metrics the signals know: what a fleet that is never all on one version looks like to Prometheus. */
import { type Random, seededRandom } from "../../src/random.ts";
import type { GeneratedSeries } from "./promql-samples.ts";

type LabelText = Readonly<Record<string, string>>;

const NAMESPACE = "fleet";
/** The replicas of one target, each of one pod. */
export const FLEET_REPLICAS = [
  "vllm-0-decode-v010",
  "vllm-0-decode-v020",
  "vllm-0-decode-asleep",
  "sglang-0-decode-tp",
  "sglang-0-prefill-dp",
  "sglang-0-prefill-v059",
  "trtllm-0-decode-serve",
  "trtllm-0-decode-dynamo07",
  "trtllm-0-decode-triton",
  "trtllm-0-decode-oldtriton",
  "dynamo-0-decode-v09",
  "nothing-0-decode-silent",
].map((pod) => ({ replica: pod, pods: [`${NAMESPACE}/${pod}`] }));
/** With the frontends of their set. */
export const FLEET_PODS = [...FLEET_REPLICAS.flatMap(({ pods }) => pods), `${NAMESPACE}/dynamo-0-frontend-a`];

const INTERVAL_MS = 5_000;
const SAMPLES = 200;
const SECONDS_BUCKETS = ["0.01", "0.05", "0.1", "0.5", "1", "5", "+Inf"];

/** Up to `lastMs`. */
export function fleetSeries(seed: number, lastMs: number): readonly GeneratedSeries[] {
  const random = seededRandom(seed);
  const times = Array.from({ length: SAMPLES }, (_, at) => lastMs - (SAMPLES - 1 - at) * INTERVAL_MS);
  const series: GeneratedSeries[] = [];
  const pod = (name: string, labels: LabelText): Writer =>
    writer(series, random, times, { namespace: NAMESPACE, pod: name, ...labels });

  vllm(pod);
  sglang(pod);
  trtllm(pod);
  dynamo(pod);
  gpus(series, random, times);
  return series;
}

type PodOf = (name: string, labels: LabelText) => Writer;

interface Writer {
  gauge(name: string, about: number, labels?: LabelText): void;
  counter(name: string, perSecond: number, labels?: LabelText): void;
  histogram(name: string, perSecond: number, labels?: LabelText): void;
}

function writer(series: GeneratedSeries[], random: Random, times: readonly number[], own: LabelText): Writer {
  const push = (name: string, labels: LabelText, values: (at: number) => number): void => {
    series.push({ name, labels: { ...own, ...labels }, points: times.map((ms, at) => [ms, values(at)] as const) });
  };
  const counting = (perSecond: number): ((at: number) => number) => {
    const totals: number[] = [];
    let total = 0;
    for (let at = 0; at < times.length; at++) {
      // A restart now and then.
      total = random.next() < 0.005 ? 0 : total + perSecond * (INTERVAL_MS / 1000) * (0.5 + random.next());
      totals.push(total);
    }
    return (at) => totals[at] ?? 0;
  };
  return {
    gauge(name, about, labels = {}) {
      push(name, labels, () => about * (0.5 + random.next()));
    },
    counter(name, perSecond, labels = {}) {
      push(name, labels, counting(perSecond));
    },
    histogram(name, perSecond, labels = {}) {
      const count = counting(perSecond);
      SECONDS_BUCKETS.forEach((le, index) => {
        push(`${name}_bucket`, { ...labels, le }, (at) => (count(at) * (index + 1)) / SECONDS_BUCKETS.length);
      });
      push(`${name}_count`, labels, count);
      push(`${name}_sum`, labels, (at) => count(at) * 0.3);
    },
  };
}

function vllm(pod: PodOf): void {
  const old = pod("vllm-0-decode-v010", { engine: "0" });
  old.gauge("vllm:gpu_cache_usage_perc", 0.4);
  old.counter("vllm:gpu_prefix_cache_hits_total", 50);
  old.counter("vllm:gpu_prefix_cache_queries_total", 100);
  old.histogram("vllm:time_per_output_token_seconds", 20);
  old.counter("vllm:prompt_tokens_total", 900);
  old.counter("vllm:prompt_tokens_cached_total", 300);
  for (const engine of ["0", "1"]) {
    const next = pod("vllm-0-decode-v020", { engine, model_name: "llama" });
    next.gauge("vllm:kv_cache_usage_perc", 0.5);
    next.gauge("vllm:num_requests_waiting", 4);
    next.gauge("vllm:num_requests_waiting_by_reason", 1, { reason: "capacity" });
    next.gauge("vllm:num_requests_waiting_by_reason", 3, { reason: "deferred" });
    next.counter("vllm:request_prefill_kv_computed_tokens_sum", 500);
    next.counter("vllm:prompt_tokens_total", 900);
    next.counter("vllm:prompt_tokens_cached_total", 400);
    next.histogram("vllm:request_prompt_tokens", 10);
    next.counter("vllm:prefix_cache_hits_total", 50);
    next.counter("vllm:prefix_cache_queries_total", 100);
    next.gauge("vllm:engine_sleep_state", 1, { sleep_state: "awake" });
    next.gauge("vllm:cache_config_info", 1, {
      num_gpu_blocks: "1000",
      block_size: "16",
      kv_cache_size_tokens: "16000",
    });
  }
  const asleep = pod("vllm-0-decode-asleep", { engine: "0" });
  asleep.gauge("vllm:engine_sleep_state", 0, { sleep_state: "awake" });
  asleep.gauge("vllm:engine_sleep_state", 1, { sleep_state: "weights_offloaded" });
  asleep.gauge("vllm:kv_cache_usage_perc", 0);
}

function sglang(pod: PodOf): void {
  // All schedulers of a tensor-parallel group report, with priorities.
  for (const rank of ["0", "1"]) {
    const tp = pod("sglang-0-decode-tp", { engine_type: "decode", tp_rank: rank, pp_rank: "0", moe_ep_rank: rank });
    tp.gauge("sglang:token_usage", 0.6);
    for (const priority of ["", "1"]) {
      tp.gauge("sglang:num_queue_reqs", 2, { priority });
      tp.gauge("sglang:num_running_reqs", 20, { priority });
    }
    tp.gauge("sglang:pending_prealloc_token_usage", 0.2);
    tp.gauge("sglang:num_decode_prealloc_queue_reqs", 5);
    tp.gauge("sglang:cache_hit_rate", 0.4);
    tp.counter("sglang:forward_execution_seconds_total", 0.3, { category: "decode" });
    tp.counter("sglang:forward_execution_seconds_total", 0.2, { category: "extend" });
  }
  // Data-parallel attention: each rank is a scheduler of its own.
  for (const rank of ["0", "1"]) {
    const dp = pod("sglang-0-prefill-dp", { engine_type: "prefill", tp_rank: rank, pp_rank: "0", dp_rank: rank });
    for (const name of ["token_usage", "cache_hit_rate", "pending_prealloc_token_usage"])
      dp.gauge(`sglang:${name}`, 0.3);
    for (const name of [
      "num_queue_reqs",
      "num_running_reqs",
      "num_prefill_bootstrap_queue_reqs",
      "num_prefill_prealloc_queue_reqs",
      "num_decode_prealloc_queue_reqs",
      "max_total_num_tokens",
    ]) {
      dp.gauge(`sglang:${name}`, 7);
    }
    for (const mode of ["prefill_compute", "prefill_cache", "decode"]) {
      dp.counter("sglang:realtime_tokens_total", 400, { mode });
    }
    for (const name of ["prompt_tokens_total", "generation_tokens_total", "num_requests_total"]) {
      dp.counter(`sglang:${name}`, 100, { is_streaming: "true" });
    }
    dp.histogram("sglang:prompt_tokens_histogram", 10);
  }
  const old = pod("sglang-0-prefill-v059", { engine_type: "prefill", tp_rank: "0", pp_rank: "0" });
  old.gauge("sglang:num_queue_reqs", 3);
  old.gauge("sglang:num_prefill_prealloc_queue_reqs", 4);
  old.gauge("sglang:max_total_num_tokens", 100_000);
}

function trtllm(pod: PodOf): void {
  for (const [name, prefix] of [
    ["trtllm-0-decode-serve", "trtllm_"],
    ["trtllm-0-decode-dynamo07", "trtllm:"],
  ] as const) {
    const serve = pod(name, { engine_type: "trtllm" });
    for (const gauge of ["kv_cache_utilization", "kv_cache_hit_rate"]) serve.gauge(`${prefix}${gauge}`, 0.5);
    for (const gauge of [
      "num_requests_running",
      "num_requests_waiting",
      "kv_cache_max_blocks",
      "kv_cache_tokens_per_block",
    ]) {
      serve.gauge(`${prefix}${gauge}`, 20);
    }
    for (const counter of ["prompt_tokens_total", "prompt_cached_tokens_total", "generation_tokens_total"]) {
      serve.counter(`${prefix}${counter}`, 200);
    }
    serve.counter(`${prefix}request_success_total`, 2, { finished_reason: "stop" });
    serve.histogram(`${prefix}time_to_first_token_seconds`, 2);
    serve.histogram(`${prefix}time_per_output_token_seconds`, 50);
  }
  const triton = pod("trtllm-0-decode-triton", { model: "tensorrt_llm", version: "1" });
  for (const type of ["fraction", "used", "free", "max", "tokens_per"]) {
    triton.gauge("nv_trt_llm_kv_cache_block_metrics", type === "fraction" ? 0.5 : 64, { kv_cache_block_type: type });
  }
  for (const type of ["waiting", "scheduled", "active", "max"]) {
    triton.gauge("nv_trt_llm_request_metrics", 6, { request_type: type });
  }
  const old = pod("trtllm-0-decode-oldtriton", { model: "tensorrt_llm", version: "1" });
  for (const type of ["used", "max"]) old.gauge("nv_trt_llm_kv_cache_block_metrics", 64, { kv_cache_block_type: type });
}

function dynamo(pod: PodOf): void {
  const worker = pod("dynamo-0-decode-v09", { dynamo_component: "backend", dp_rank: "0" });
  worker.gauge("dynamo_component_kvstats_gpu_cache_usage_percent", 0.4);
  const frontend = pod("dynamo-0-frontend-a", { dynamo_namespace: "llama", model: "llama" });
  for (const type of ["prefill", "decode"]) {
    frontend.gauge("dynamo_frontend_router_queue_pending_requests", 3, { worker_type: type });
  }
  frontend.gauge("dynamo_frontend_inflight_requests", 30);
  frontend.counter("dynamo_frontend_requests_started_total", 4, { endpoint: "chat_completions" });
  frontend.counter("dynamo_frontend_requests_total", 4, { status: "success" });
  frontend.counter("dynamo_frontend_output_tokens_total", 400);
  for (const name of ["input_sequence_tokens", "output_sequence_tokens"])
    frontend.histogram(`dynamo_frontend_${name}`, 4);
  for (const name of ["time_to_first_token_seconds", "inter_token_latency_seconds"]) {
    frontend.histogram(`dynamo_frontend_${name}`, 4);
  }
}

function gpus(series: GeneratedSeries[], random: Random, times: readonly number[]): void {
  const of = (labels: LabelText): Writer => writer(series, random, times, labels);
  const exporter = { namespace: "gpu-operator", pod: "dcgm-exporter-x" };
  const holder = { exported_namespace: NAMESPACE, exported_pod: "vllm-0-decode-v020" };
  for (const gpu of ["0", "1"]) {
    const both = of({ ...exporter, ...holder, gpu });
    both.gauge("DCGM_FI_DEV_GPU_UTIL", 60);
    both.gauge("DCGM_FI_PROF_GR_ENGINE_ACTIVE", 0.6);
  }
  of({ ...exporter, exported_namespace: NAMESPACE, exported_pod: "trtllm-0-decode-serve", gpu: "2" }).gauge(
    "DCGM_FI_DEV_GPU_UTIL",
    60,
  );
  of({ ...exporter, gpu: "3" }).gauge("DCGM_FI_DEV_GPU_UTIL", 1);
  // With honorLabels the holder is in the plain labels; a MIG instance has the profiling counter only.
  of({ namespace: NAMESPACE, pod: "vllm-0-decode-v010", gpu: "0" }).gauge("DCGM_FI_DEV_GPU_UTIL", 80);
  of({ namespace: NAMESPACE, pod: "sglang-0-prefill-v059", gpu: "0", GPU_I_ID: "1" }).gauge(
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
    0.3,
  );
}

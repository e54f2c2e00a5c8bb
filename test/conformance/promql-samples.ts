/** Generated samples with what queries stumble over: resets, gaps, late starts, NaN and infinities, histograms. */
import { type Random, seededRandom } from "../../src/random.ts";

export interface GeneratedSeries {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `[ms, value]` */
  readonly points: readonly (readonly [number, number])[];
}

export const FIRST_MS = Date.UTC(2026, 0, 15, 8, 0, 0);
export const LAST_MS = FIRST_MS + 30 * 60_000;
const INTERVAL_MS = 5_000;

export function generateSeries(seed: number): readonly GeneratedSeries[] {
  const random = seededRandom(seed);
  const series: GeneratedSeries[] = [];
  const jobs = ["api", "web", "worker"];
  for (const job of jobs) {
    for (const instance of ["a:1", "b:2", "c:3"]) {
      const labels = { job, instance };
      series.push({ name: "gauge", labels, points: walk(random, 50, 10) });
      series.push({ name: "requests_total", labels, points: counter(random, 20, 0.01) });
      series.push({ name: "errors_total", labels, points: counter(random, 0.2, 0) });
      series.push(...histogram(random, "latency_seconds", labels, [0.01, 0.1, 0.25, 0.5, 1, 2.5]));
    }
    series.push({ name: "sparse", labels: { job }, points: gappy(random, walk(random, 5, 2)) });
    if (job !== "worker") series.push({ name: "job_info", labels: { job, owner: `team-${job}` }, points: constant(1) });
  }
  const specials = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -3.5, 1e-300];
  specials.forEach((value, index) => {
    series.push({ name: "special", labels: { kind: String(index) }, points: constant(value) });
  });
  series.push(...serving(random));
  return series;
}

/** The names and labels of engines, frontends, kube-state-metrics and dcgm-exporter that the presets read. */
function serving(random: Random): GeneratedSeries[] {
  const series: GeneratedSeries[] = [];
  for (const role of ["prefill", "decode", "stuck"]) {
    const clique = `llama-0-${role}`;
    for (const index of [0, 1, 2]) {
      const pod = `${clique}-${index}`;
      const target = { namespace: "inference", pod, grove_io_podclique: clique };
      const vllm = { ...target, model_name: "llama", engine: "0" };
      const rank = { ...target, tp_rank: "0", pp_rank: "0" };
      const push = (name: string, labels: Record<string, string>, points: GeneratedSeries["points"]): void => {
        series.push({ name, labels, points });
      };
      // Versions overlap: the first pods have the new name of the gauge, the last one only the old.
      if (index < 2) push("vllm:kv_cache_usage_perc", vllm, walk(random, 0.5, 0.05));
      if (index > 0) push("vllm:gpu_cache_usage_perc", vllm, walk(random, 0.5, 0.05));
      push("vllm:num_requests_waiting", vllm, walk(random, 10, 3));
      push("vllm:num_requests_running", vllm, walk(random, 30, 3));
      push(
        "vllm:prompt_tokens_total",
        vllm,
        index === 2 || role === "stuck" ? constant(7) : counter(random, 5_000, 0.004),
      );
      push(
        "vllm:generation_tokens_total",
        vllm,
        index === 2 || role === "stuck" ? constant(9) : counter(random, 900, 0.004),
      );
      push("vllm:num_preemptions_total", vllm, counter(random, 0.05, 0));
      push("vllm:prefix_cache_hits_total", vllm, counter(random, 40, 0));
      push("vllm:prefix_cache_queries_total", vllm, counter(random, 100, 0));
      series.push(...histogram(random, "vllm:inter_token_latency_seconds", vllm, [0.01, 0.025, 0.05, 0.075, 0.1]));
      push("sglang:token_usage", rank, walk(random, 0.4, 0.05));
      push("sglang:num_queue_reqs", rank, walk(random, 4, 1));
      push("sglang:num_prefill_prealloc_queue_reqs", rank, walk(random, 2, 1));
      push("sglang:num_decode_prealloc_queue_reqs", rank, walk(random, 2, 1));
      push("sglang:realtime_tokens_total", { ...rank, mode: "prefill_compute" }, counter(random, 700, 0));
      push("dynamo_component_kvstats_gpu_cache_usage_percent", target, walk(random, 0.3, 0.05));
      push("trtllm_kv_cache_utilization", target, walk(random, 0.3, 0.05));
      const kube = { namespace: "inference", pod };
      const createdSeconds = Math.round(FIRST_MS / 1000) - 600 - index;
      push("kube_pod_labels", { ...kube, uid: `uid-${pod}`, label_grove_io_podclique: clique }, constant(1));
      push("kube_pod_status_ready", { ...kube, condition: "true" }, constant(index === 2 ? 0 : 1));
      push("kube_pod_created", kube, constant(createdSeconds));
      push("kube_pod_status_ready_time", kube, constant(createdSeconds + 60 + 10 * index));
      const gpu = { namespace: "monitoring", pod: "dcgm-x", exported_namespace: "inference", exported_pod: pod };
      push("DCGM_FI_PROF_GR_ENGINE_ACTIVE", { ...gpu, gpu: String(index) }, walk(random, 0.7, 0.05));
    }
  }
  for (const pod of ["fe-0", "fe-1"]) {
    const labels = { namespace: "inference", pod, model: "llama", dynamo_namespace: "llama" };
    series.push({ name: "dynamo_frontend_requests_total", labels, points: counter(random, 8, 0) });
    series.push({
      name: "dynamo_frontend_router_queue_pending_requests",
      labels: { ...labels, worker_type: "prefill" },
      points: walk(random, 5, 2),
    });
    const edges = [0.1, 0.22, 0.47, 1, 2.2, 4.7];
    series.push(...histogram(random, "dynamo_frontend_time_to_first_token_seconds", labels, edges));
    series.push(...histogram(random, "dynamo_frontend_input_sequence_tokens", labels, [128, 512, 2_048, 8_192]));
  }
  return series;
}

function times(): number[] {
  const all: number[] = [];
  for (let ms = FIRST_MS; ms <= LAST_MS; ms += INTERVAL_MS) all.push(ms);
  return all;
}

const constant = (value: number): GeneratedSeries["points"] => times().map((ms) => [ms, value]);

function walk(random: Random, start: number, step: number): GeneratedSeries["points"] {
  let value = start;
  return times().map((ms) => {
    value = Math.max(0, value + (random.next() - 0.5) * step);
    return [ms, value];
  });
}

function counter(random: Random, perSecond: number, resetChance: number): GeneratedSeries["points"] {
  let value = Math.floor(random.next() * 100);
  return times().map((ms) => {
    if (random.next() < resetChance) value = 0;
    value += Math.floor(random.next() * 2 * perSecond * (INTERVAL_MS / 1000));
    return [ms, value];
  });
}

/** A late start, lost scrapes, jitter of the scrape times and a hole longer than the lookback. */
function gappy(random: Random, points: GeneratedSeries["points"]): GeneratedSeries["points"] {
  return points
    .slice(40)
    .filter(([ms]) => random.next() > 0.4 && (ms < FIRST_MS + 10 * 60_000 || ms > FIRST_MS + 17 * 60_000))
    .map(([ms, value]) => [ms + Math.floor(random.next() * 900), value]);
}

function histogram(
  random: Random,
  name: string,
  labels: Readonly<Record<string, string>>,
  edges: readonly number[],
): GeneratedSeries[] {
  const bounds = [...edges, Number.POSITIVE_INFINITY];
  const totals = bounds.map(() => 0);
  const buckets = bounds.map((): [number, number][] => []);
  const sums: [number, number][] = [];
  const counts: [number, number][] = [];
  let sum = 0;
  for (const ms of times()) {
    for (let i = Math.floor(random.next() * 12); i > 0; i--) {
      const value = (edges.at(-1) as number) * 1.2 * random.next() ** 3;
      sum += value;
      bounds.forEach((bound, index) => {
        if (value <= bound) totals[index] = (totals[index] as number) + 1;
      });
    }
    totals.forEach((total, index) => {
      buckets[index]?.push([ms, total]);
    });
    sums.push([ms, sum]);
    counts.push([ms, totals.at(-1) as number]);
  }
  return [
    ...bounds.map((bound, index) => ({
      name: `${name}_bucket`,
      labels: { ...labels, le: bound === Number.POSITIVE_INFINITY ? "+Inf" : String(bound) },
      points: buckets[index] ?? [],
    })),
    { name: `${name}_sum`, labels, points: sums },
    { name: `${name}_count`, labels, points: counts },
  ];
}

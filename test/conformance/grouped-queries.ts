/** Own PromQL as policies write it, and what grouping must make of it. */
import { seededRandom } from "../../src/random.ts";
import type { GeneratedSeries } from "./promql-samples.ts";

/** Rewritten: one question for all policies. */
export const GROUPED_TEMPLATES: readonly string[] = [
  "sum(rate(app_requests_total{ {{selector}} }[1m]))",
  "sum(app_queue{ {{selector}} })",
  "max(app_queue{ {{selector}} })",
  'min(app_queue{ {{selector}}, shard!="x" })',
  "count(app_queue{ {{selector}} } > 3)",
  "avg(app_queue{ {{selector}} })",
  "avg(max_over_time(app_queue{ {{selector}} }[3m]))",
  'sum(app_queue{namespace="{{namespace}}",pod=~"{{podRegex}}"})',
  "sum by (namespace, pod) (app_queue{ {{selector}} })",
  "max without (shard) (app_queue{ {{selector}} })",
  "app_single{ {{selector}} }",
  "app_single{ {{selector}} } * 2 + 1",
  "sum(rate(app_requests_total{ {{selector}} }[1m])) / sum(app_queue{ {{selector}} })",
  "100 * avg(app_queue{ {{selector}} }) / count(app_queue{ {{selector}} })",
  "-sum(app_queue{ {{selector}} })",
  "(sum((app_queue{ {{selector}} })))",
  "sum(app_queue{ {{selector}} } * on (namespace, pod) group_left app_single{ {{selector}} })",
  "sum(sum by (namespace, pod) (app_queue{ {{selector}} }) / on (namespace, pod) app_single{ {{selector}} })",
  "sum(app_queue{ {{selector}} } or app_single{ {{selector}} })",
  "sum(app_queue{ {{selector}} } unless on (namespace, pod) app_single{ {{selector}} } > 5)",
  "sum(clamp_min(app_queue{ {{selector}} } - 4, 0))",
  "max(histogram_quantile(0.9, rate(app_seconds_bucket{ {{selector}} }[2m])))",
  "avg(quantile_over_time(0.5, app_queue{ {{selector}} }[2m]))",
  "max(max_over_time(sum by (namespace, pod) (app_queue{ {{selector}} })[5m:30s]))",
  "sum(app_queue{ {{selector}} } offset 1m)",
  'sum(label_replace(app_queue{ {{selector}} }, "shard", "$1", "pod", "(.*)-.*"))',
  "sum(topk by (namespace, pod) (1, app_queue{ {{selector}} }))",
  "sum(app_queue{ {{selector}} } > bool 5)",
];

/** Left as they are: series of different pods meet, or something other than the pods chooses them. */
export const SINGLE_TEMPLATES: readonly string[] = [
  "histogram_quantile(0.9, sum by (le) (rate(app_seconds_bucket{ {{selector}} }[2m])))",
  "sum(app_queue)",
  'sum(app_queue{namespace="{{namespace}}"})',
  'sum(app_queue{namespace="{{namespace}}",pod=~"{{podRegex}}|other"})',
  "sum by (shard) (app_queue{ {{selector}} })",
  "sum by (pod) (app_queue{ {{selector}} })",
  "quantile(0.9, app_queue{ {{selector}} })",
  "topk(1, app_queue{ {{selector}} })",
  "stddev(app_queue{ {{selector}} })",
  "sum(sum by (shard) (app_queue{ {{selector}} }))",
  "sum(app_queue{ {{selector}} } / on (shard) group_left app_scale)",
  "sum(app_queue{ {{selector}} } * ignoring (pod) group_left app_single{ {{selector}} })",
  "sum(app_queue{ {{selector}} }) or vector(0)",
  "sum(app_queue{ {{selector}} } or vector(0))",
  "absent(app_queue{ {{selector}} })",
  "scalar(app_queue{ {{selector}} })",
  "sum(app_queue{ {{selector}} } * scalar(app_single{ {{selector}} }))",
  'sum(label_replace(app_queue{ {{selector}} }, "pod", "same", "pod", ".*"))',
  "sum({ {{selector}} })",
  "max(sum(app_queue{ {{selector}} }) > 5)",
  "sum(app_queue{ {{selector}} }) > 5",
  "sum(app_queue{ {{selector}} }) ^ 2",
  "3 + 4",
  "sum(rate(app_requests_total{ {{selector}} }[1m])",
];

export const GROUPED_SCOPES = [
  { namespace: "team-a", podRegex: "llama-[0-9]+-decode-.*" },
  { namespace: "team-a", podRegex: "llama-[0-9]+-prefill-.*" },
  { namespace: "team-a", podRegex: "llama-[0-9]+-.*" },
  { namespace: "team-a", podRegex: "llama-[0-9]+-prefill-[a-z0-9]+" },
  { namespace: "team-a", podRegex: "llama-[0-9]+-decode-[0-9]+-.*" },
  { namespace: "team-b", podRegex: "llama-[0-9]+-decode-.*" },
  { namespace: "team-b", podRegex: "qwen\\.7b-[0-9]+-decode-.*" },
  { namespace: "team-c", podRegex: "nothing-[0-9]+-.*" },
];

const PODS = [
  ...[
    ...["llama-0-decode-a", "llama-0-decode-b", "llama-1-decode-a", "llama-0-prefill-a", "llama2-0-decode-a"],
    // Of other targets whose names begin alike, and of a scaling group.
    ...["llama-0-prefill-long-a", "llama-0-decode-12-worker-a", "llama-0-decode-12", "llama-0-decode-x-1-a"],
  ].map((pod) => ({ namespace: "team-a", pod })),
  ...["llama-0-decode-a", "qwen.7b-0-decode-a", "qwenx7b-0-decode-a", "qwen.7b-10-decode-b"].map((pod) => ({
    namespace: "team-b",
    pod,
  })),
];

/** Samples of these pods every 10 s up to `lastMs`: several series a pod, gaps, resets, NaN and infinities. */
export function groupedSeries(seed: number, lastMs: number): readonly GeneratedSeries[] {
  const random = seededRandom(seed);
  const times = Array.from({ length: 60 }, (_, at) => lastMs - (59 - at) * 10_000);
  const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const walk = (from: number, oddShare: number): GeneratedSeries["points"] => {
    let value = from;
    return times.flatMap((ms) => {
      value = Math.max(0, value + (random.next() - 0.5) * 4);
      if (random.next() < 0.05) return [];
      return [[ms, random.next() < oddShare ? (odd[Math.floor(random.next() * 3)] ?? 0) : value] as const];
    });
  };
  const counter = (): GeneratedSeries["points"] => {
    let value = random.next() * 100;
    return times.map((ms) => {
      value = random.next() < 0.02 ? 0 : value + random.next() * 10;
      return [ms, value] as const;
    });
  };
  return [
    ...PODS.flatMap((labels) => {
      const shards = Array.from({ length: 1 + Math.floor(random.next() * 3) }, (_, shard) => String(shard));
      return [
        ...shards.flatMap((shard) => [
          { name: "app_queue", labels: { ...labels, shard }, points: walk(5, random.next() < 0.3 ? 0.1 : 0) },
          { name: "app_requests_total", labels: { ...labels, shard }, points: counter() },
        ]),
        ...(random.next() < 0.8 ? [{ name: "app_single", labels, points: walk(5, 0) }] : []),
        ...["0.1", "1", "+Inf"].map((le, index) => ({
          name: "app_seconds_bucket",
          labels: { ...labels, le },
          points: times.map((ms, at) => [ms, at * (index + 1)] as const),
        })),
        {
          name: "app_seconds_count",
          labels,
          points: times.map((ms, at) => [ms, at * 3] as const),
        },
      ];
    }),
    ...["0", "1", "2"].map((shard) => ({ name: "app_scale", labels: { shard }, points: walk(2, 0) })),
  ];
}

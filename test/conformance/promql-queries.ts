/** Every query that the embedded Prometheus must answer as a real one does. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { ROWS } from "../../grafana/panels.ts";
import { SCALING_POLICIES } from "../../src/api/autoscaling/scaling-policy.ts";
import { GAUGE_QUERIES } from "../../src/cli/demo/run-demo.ts";
import { readOne } from "../../src/cli/manifests.ts";
import { fillQuery } from "../../src/observe/query-text.ts";
import { ENGINE_NAMESPACE } from "./engine-samples.ts";
import { loadSignalQueries, presetQueries } from "./signal-queries.ts";

const ROOT = join(import.meta.dirname, "../..");
const POLICIES = join(ROOT, "policies");

/** What the policies under `policies/` ask in their own words, with their placeholders filled for the engines of the samples. */
function policyQueries(): readonly string[] {
  const files = readdirSync(POLICIES, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith("policy.yaml"),
  );
  return files.flatMap((file) =>
    readOne("--policy", join(POLICIES, file), SCALING_POLICIES).spec.scaleTargets.flatMap(({ ref, metrics }) =>
      metrics.flatMap(({ prometheus }) =>
        prometheus === undefined
          ? []
          : [fillQuery(prometheus.query, { namespace: ENGINE_NAMESPACE, podRegex: `[a-z]+-[0-9]+-${ref}-.*` })],
      ),
    ),
  );
}

/** Every query that the product itself sends: presets of all engines, the policies that come with it, the demo. */
export const PRODUCT_QUERIES: readonly string[] = [
  ...new Set([...presetQueries(), ...loadSignalQueries(), ...policyQueries(), ...Object.values(GAUGE_QUERIES)]),
];

/** Panels of the dashboard, as Grafana fills them in. */
export const PANEL_QUERIES: readonly string[] = [
  ...new Set(
    ROWS.flatMap(({ panels }) => panels.flatMap(({ queries }) => queries.map(({ expr }) => expr))).map((expr) =>
      expr.replaceAll("$__rate_interval", "1m").replaceAll("$policy", ".*").replaceAll("$namespace", ".*"),
    ),
  ),
];

/** Panels that show failures only, of which a good day has none. */
export const PANEL_QUERIES_OF_TROUBLE: readonly string[] = PANEL_QUERIES.filter((query) =>
  /controller_runtime_reconcile_errors_total.* > 0$/.test(query),
);

/** Alerts; a result means that one fires, so on a good day most of them have none. */
export const ALERT_QUERIES: readonly string[] = (
  parse(readFileSync(join(ROOT, "deploy/monitoring/alerts.yaml"), "utf8")) as {
    readonly spec: { readonly groups: readonly { readonly rules: readonly { readonly expr: string }[] }[] };
  }
).spec.groups.flatMap(({ rules }) => rules.map(({ expr }) => expr));

/** Recommended to users in the documentation of the metrics, with their placeholders filled. */
export const PRESET_QUERIES: readonly string[] = [
  `avg by (namespace, grove_io_podclique) (
    vllm:kv_cache_usage_perc{namespace="inference", grove_io_podclique="llama-0-decode"}
    or vllm:gpu_cache_usage_perc{namespace="inference", grove_io_podclique="llama-0-decode"})`,
  `avg by (namespace, grove_io_podclique) (sglang:token_usage{tp_rank="0", pp_rank="0", grove_io_podclique="llama-0-decode"})`,
  `avg by (namespace, grove_io_podclique) (
    dynamo_component_gpu_cache_usage_percent{grove_io_podclique="llama-0-decode"}
    or dynamo_component_kvstats_gpu_cache_usage_percent{grove_io_podclique="llama-0-decode"})`,
  `avg by (namespace, grove_io_podclique) (trtllm_kv_cache_utilization{grove_io_podclique="llama-0-decode"})`,
  `sum by (namespace, grove_io_podclique) (vllm:num_requests_waiting_by_reason{reason="capacity", grove_io_podclique="llama-0-prefill"})
    or sum by (namespace, grove_io_podclique) (vllm:num_requests_waiting{grove_io_podclique="llama-0-prefill"})`,
  `sum by (namespace, grove_io_podclique) (
    sglang:num_queue_reqs{tp_rank="0", grove_io_podclique="llama-0-prefill"}
    + (sglang:num_prefill_bootstrap_queue_reqs{tp_rank="0", grove_io_podclique="llama-0-prefill"}
      or sglang:num_prefill_prealloc_queue_reqs{tp_rank="0", grove_io_podclique="llama-0-prefill"}))`,
  `sum by (namespace, grove_io_podclique) (
    sglang:num_queue_reqs{tp_rank="0", grove_io_podclique="llama-0-decode"}
    + sglang:num_decode_prealloc_queue_reqs{tp_rank="0", grove_io_podclique="llama-0-decode"})`,
  `sum by (dynamo_namespace, worker_type) (dynamo_frontend_router_queue_pending_requests{worker_type="prefill"})`,
  `avg by (namespace, grove_io_podclique) (vllm:num_requests_running{grove_io_podclique="llama-0-decode"})`,
  `sum by (namespace, grove_io_podclique) (rate(vllm:request_prefill_kv_computed_tokens_sum{grove_io_podclique="llama-0-prefill"}[1m]))
    or sum by (namespace, grove_io_podclique) (rate(vllm:prompt_tokens_total{grove_io_podclique="llama-0-prefill"}[1m]))`,
  `sum by (namespace, grove_io_podclique) (rate(sglang:realtime_tokens_total{mode="prefill_compute", tp_rank="0", grove_io_podclique="llama-0-prefill"}[1m]))`,
  `sum by (namespace, grove_io_podclique) (rate(vllm:generation_tokens_total{grove_io_podclique="llama-0-decode"}[1m]))`,
  `(sum by (model, dynamo_namespace) (rate(dynamo_frontend_requests_started_total[1m]))
    or sum by (model, dynamo_namespace) (rate(dynamo_frontend_requests_total[1m])))
   * on (model, dynamo_namespace)
   (sum by (model, dynamo_namespace) (rate(dynamo_frontend_input_sequence_tokens_sum[5m]))
    / sum by (model, dynamo_namespace) (rate(dynamo_frontend_input_sequence_tokens_count[5m])))`,
  `histogram_quantile(0.95, sum by (le) (rate(dynamo_frontend_time_to_first_token_seconds_bucket{dynamo_namespace="llama"}[2m])))`,
  `1 - (sum(rate(dynamo_frontend_time_to_first_token_seconds_bucket{dynamo_namespace="llama", le="1"}[2m]))
    / sum(rate(dynamo_frontend_time_to_first_token_seconds_count{dynamo_namespace="llama"}[2m])))`,
  `histogram_quantile(0.95, sum by (namespace, grove_io_podclique, le) (rate(vllm:inter_token_latency_seconds_bucket{grove_io_podclique="llama-0-decode"}[2m])))
    or histogram_quantile(0.95, sum by (namespace, grove_io_podclique, le) (rate(vllm:time_per_output_token_seconds_bucket{grove_io_podclique="llama-0-decode"}[2m])))`,
  `sum by (namespace, grove_io_podclique) (rate(vllm:num_preemptions_total{grove_io_podclique="llama-0-decode"}[5m]))`,
  `sum by (namespace, grove_io_podclique) (rate(vllm:prefix_cache_hits_total[5m]))
    / sum by (namespace, grove_io_podclique) (rate(vllm:prefix_cache_queries_total[5m]))`,
  `sum by (namespace, label_grove_io_podclique) (
    kube_pod_status_ready{condition="true"} * on (namespace, pod) group_left (label_grove_io_podclique)
    max by (namespace, pod, label_grove_io_podclique) (kube_pod_labels{label_grove_io_podclique!=""}))`,
  `quantile by (namespace, label_grove_io_podclique) (0.9,
    (kube_pod_status_ready_time - on (namespace, pod) kube_pod_created)
    * on (namespace, pod) group_left (label_grove_io_podclique)
    max by (namespace, pod, label_grove_io_podclique) (kube_pod_labels{label_grove_io_podclique!=""}))`,
  `(sum by (namespace, grove_io_podclique) (vllm:num_requests_waiting) > 0)
   and on (namespace, grove_io_podclique)
   (sum by (namespace, grove_io_podclique) (rate(vllm:generation_tokens_total[2m]) + rate(vllm:prompt_tokens_total[2m])) == 0)`,
  `sum by (namespace, label_grove_io_podclique) (
    vllm:num_requests_waiting{namespace="inference"} * on (namespace, pod) group_left (label_grove_io_podclique)
    max by (namespace, pod, label_grove_io_podclique) (kube_pod_labels{label_grove_io_podclique!=""}))`,
  `avg by (namespace, label_grove_io_podclique) (
    label_replace(label_replace(DCGM_FI_PROF_GR_ENGINE_ACTIVE{exported_pod!=""}, "pod", "$1", "exported_pod", "(.+)"),
      "namespace", "$1", "exported_namespace", "(.+)")
    * on (namespace, pod) group_left (label_grove_io_podclique)
    max by (namespace, pod, label_grove_io_podclique) (kube_pod_labels{label_grove_io_podclique!=""}))`,
];

const RANGE_FUNCTIONS = [
  "rate",
  "irate",
  "increase",
  "delta",
  "idelta",
  "deriv",
  "changes",
  "resets",
  "avg_over_time",
  "min_over_time",
  "max_over_time",
  "sum_over_time",
  "count_over_time",
  "last_over_time",
  "present_over_time",
  "stddev_over_time",
  "stdvar_over_time",
];
const RANGE_INPUTS = [
  "requests_total[1m]",
  "requests_total[7m]",
  "gauge[47s]",
  "sparse[10m]",
  "special[2m]",
  "gauge[3m] offset 1m",
];
const MATH = [
  "abs",
  "ceil",
  "floor",
  "exp",
  "ln",
  "log2",
  "log10",
  "sqrt",
  "sgn",
  "deg",
  "rad",
  "sin",
  "cos",
  "tan",
  "atan",
  "sinh",
  "cosh",
  "tanh",
  "asinh",
];
const AGGREGATORS = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"];
const CALENDAR = ["minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year"];

/** The language at large. */
export const LANGUAGE_QUERIES: readonly string[] = [
  ...RANGE_FUNCTIONS.flatMap((name) => RANGE_INPUTS.map((input) => `${name}(${input})`)),
  ...MATH.map((name) => `${name}(gauge)`),
  ...MATH.map((name) => `${name}(special)`),
  ...AGGREGATORS.flatMap((op) => [
    `${op}(gauge)`,
    `${op} by (job) (gauge)`,
    `${op} without (instance) (requests_total)`,
    `${op} by (absent_label) (gauge)`,
    `${op}(special)`,
    `${op} by (__name__) ({__name__=~"gauge|sparse"})`,
  ]),
  ...CALENDAR.flatMap((name) => [`${name}()`, `${name}(vector(1709210096))`, `${name}(gauge * 1e7)`]),
  "quantile(0.5, gauge)",
  "quantile by (job) (0.9, requests_total)",
  "quantile(-1, gauge)",
  "quantile(2, gauge)",
  "quantile(NaN, gauge)",
  "quantile(0.3, special)",
  "quantile_over_time(0.9, gauge[5m])",
  "quantile_over_time(1.5, gauge[5m])",
  "topk(2, gauge)",
  "topk by (job) (1, gauge)",
  "topk(0, gauge)",
  "topk(1000, gauge)",
  "topk(3, special)",
  "bottomk(2, gauge)",
  "bottomk without (instance) (1, requests_total)",
  'count_values("value", round(gauge / 20))',
  'count_values by (job) ("value", special)',
  "predict_linear(gauge[5m], 600)",
  "predict_linear(requests_total[5m] offset 1m, 60)",
  "deriv(gauge[10m])",
  "absent(gauge)",
  'absent(nothing{job="a", instance="b", zone=~"c.*"})',
  'absent(nothing{job="a", job="b"})',
  "absent(sum(nothing))",
  'absent_over_time(nothing{job="a"}[5m])',
  "absent_over_time(gauge[5m])",
  "present_over_time(sparse[3m])",
  "histogram_quantile(0.9, latency_seconds_bucket)",
  "histogram_quantile(0.5, rate(latency_seconds_bucket[5m]))",
  "histogram_quantile(0.99, sum by (le, job) (rate(latency_seconds_bucket[5m])))",
  "histogram_quantile(0, sum by (le) (latency_seconds_bucket))",
  "histogram_quantile(1, sum by (le) (latency_seconds_bucket))",
  "histogram_quantile(-1, latency_seconds_bucket)",
  "histogram_quantile(2, latency_seconds_bucket)",
  "histogram_quantile(NaN, latency_seconds_bucket)",
  "histogram_quantile(0.9, gauge)",
  'histogram_quantile(0.9, latency_seconds_bucket{le!="+Inf"})',
  'label_replace(gauge, "shard", "$1-x", "instance", "(.*):.*")',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the braces are Go's
  'label_replace(gauge, "shard", "${port}", "instance", ".*:(?P<port>.*)")',
  'label_replace(gauge, "job", "", "job", ".*")',
  'label_replace(gauge, "instance", "same", "instance", ".*")',
  'label_replace(gauge, "shard", "$0$$", "job", "nomatch")',
  'label_replace(gauge, "bad-name", "x", "job", ".*")',
  'label_join(gauge, "both", "/", "job", "instance", "missing")',
  'label_join(gauge, "job", "-", "missing")',
  "clamp(gauge, 20, 60)",
  "clamp(gauge, 60, 20)",
  "clamp_min(gauge, 50)",
  "clamp_max(special, 5)",
  "clamp(special, NaN, 1)",
  "round(gauge)",
  "round(gauge, 5)",
  "round(-gauge, 0.3)",
  "scalar(gauge)",
  'scalar(gauge{job="api",instance="a:1"})',
  "vector(time())",
  "vector(scalar(gauge))",
  "time()",
  "pi()",
  "timestamp(gauge)",
  "timestamp(sparse offset 1m)",
  "timestamp(gauge + 0)",
  "timestamp((gauge))",
  "sort(gauge)",
  "sort_desc(special)",
  "gauge",
  "gauge offset 5m",
  "gauge offset -1m",
  "gauge @ end()",
  "gauge @ start() offset 30s",
  "rate(requests_total[5m] @ end())",
  "sparse",
  '{__name__="gauge"}',
  '{__name__=~"gau.*", job!="api"}',
  '{job="api"}',
  'gauge{job=~"api|web"}',
  'gauge{job!~"a.*"}',
  'gauge{missing=""}',
  'gauge{missing!=""}',
  'gauge{instance=~".+:[12]"}',
  'gauge{instance=~"(?i)A:1"}',
  "-gauge",
  "-(-1)^2",
  "-1^2",
  "+gauge",
  "2 ^ 3 ^ 2",
  "1 + 2 * 3 - 4 / 5 % 3",
  "1 / 0",
  "0 / 0",
  "-1 % 3",
  "1 == bool 1",
  "2 > bool 3",
  "1 == 1",
  "gauge + 1",
  "1 - gauge",
  "gauge / 0",
  "gauge % 7",
  "gauge ^ 0.5",
  "2 ^ (gauge / 10)",
  // Prometheus 2 forgets to drop the metric name here and 3 drops it, so the operand has none.
  "max by (job) (gauge) atan2 2",
  "gauge > 50",
  "50 > gauge",
  "gauge > bool 50",
  "gauge != 50",
  "gauge == gauge",
  "gauge >= bool gauge",
  "special == special",
  "gauge + gauge",
  "gauge + ignoring (instance) gauge",
  "gauge * on (job, instance) requests_total",
  "gauge / on (job, instance) group_left gauge",
  "gauge * on (job) group_left (owner) job_info",
  "job_info * on (job) group_right (owner) gauge",
  "gauge * on (job) job_info",
  "gauge * ignoring (instance) group_left job_info",
  "gauge > on (job) group_left job_info",
  "gauge > bool on (job) group_left (owner) job_info",
  "job_info < on (job) group_right gauge",
  "gauge + on (job) gauge",
  "job_info + on (job) gauge",
  "gauge and gauge > 50",
  "gauge and on (job) job_info",
  "gauge unless on (job) job_info",
  "gauge unless gauge > 50",
  "gauge or sparse",
  "gauge > 50 or sparse",
  "gauge or on (job) job_info",
  "nothing or vector(0)",
  "nothing + gauge",
  "sum(nothing) or vector(0)",
  "sum(gauge) / count(gauge)",
  "sum by (job) (rate(requests_total[1m])) / ignoring (owner) group_left sum by (job) (job_info)",
  "max_over_time(rate(requests_total[1m])[5m:30s])",
  "avg_over_time(gauge[5m:])",
  "min_over_time(sum by (job) (gauge)[10m:1m] offset 1m)",
  "count_over_time(gauge[3m:7s])",
  "rate(requests_total[5m:15s])",
  "last_over_time(gauge[10m:1m])",
  "max_over_time((gauge > 50)[5m:10s])",
  "sum_over_time(vector(1)[5m:30s])",
  "absent_over_time(nothing[5m:1m])",
  'sum({__name__=~"gauge|requests_total"})',
  'rate({__name__=~"requests_total|errors_total"}[1m])',
  '-{__name__=~"gauge|requests_total"}',
  "0x1F + 1e3 + .5 + Inf",
  '"text"',
  "gauge[1m]",
];

/** Refused by the parser, each for another reason. */
export const REFUSED_QUERIES: readonly string[] = [
  "",
  "sum(",
  "gauge{",
  "gauge{a=}",
  "nosuchfunction(gauge)",
  "rate(gauge)",
  "rate(gauge[5m], 1)",
  "abs(gauge[5m])",
  "sum(gauge[5m])",
  "{}",
  '{job=""}',
  '{job=~".*"}',
  'gauge{__name__="other"}',
  "gauge offset",
  "sum(gauge) offset 5m",
  "gauge[5m",
  "gauge[0s]",
  "(gauge)[5m]",
  "sum(gauge)[5m]",
  "gauge[5m][5m:1m]",
  "1 and 2",
  "gauge and 1",
  "1 > 2",
  "gauge + bool 1",
  "gauge + on (job) 1",
  "gauge and on (job) group_left gauge",
  "gauge + on (job) group_left (job) gauge",
  '"a" + 1',
  '-"a"',
  "topk(gauge)",
  "topk(gauge, gauge)",
  "quantile(gauge)",
  "sum(1, gauge)",
  "histogram_quantile(gauge)",
  "histogram_quantile(gauge, gauge)",
  "label_replace(gauge, 1, 2, 3, 4)",
  "vector(gauge)",
  "scalar(1)",
  "time(1)",
  'gauge{job=~"("}',
  "gauge )",
  "gauge gauge",
  "1 +",
  "gauge{job=~'(?=a)'}",
];

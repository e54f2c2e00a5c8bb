/** What the dashboard shows, as data: rows of panels with their queries. `$policy`, `$namespace` and `$__rate_interval` are Grafana's. */

export interface PanelSpec {
  readonly title: string;
  readonly unit: string;
  /** For the reader who asks what he is looking at. */
  readonly about: string;
  readonly queries: readonly { readonly expr: string; readonly legend: string }[];
  /** Of 24 columns. */
  readonly span: number;
  readonly max?: number;
  /** Steps instead of slopes: replicas are whole. */
  readonly isCount?: boolean;
}

export interface RowSpec {
  readonly title: string;
  readonly panels: readonly PanelSpec[];
}

const NAMESPACE = 'namespace=~"$namespace"';
const POLICY = 'policy=~"$policy"';
const RATE = "[$__rate_interval]";

/** The engines' names for one thing; the one that is there gives the value. */
const anyOf = (...selectors: readonly string[]): string => selectors.join(" or ");
const byPolicyAndTarget = (name: string): string => `sum by (policy, target) (grove_autoscaler_${name}{${POLICY}})`;
const quantile = (ratio: number, buckets: string, by = ""): string =>
  `histogram_quantile(${ratio}, sum by (${by}le) (rate(${buckets}${RATE})))`;

const load: RowSpec = {
  title: "Load and signals",
  panels: [
    {
      title: "Finished requests",
      unit: "reqps",
      about: "Requests that the engines finished, by namespace.",
      span: 8,
      queries: [
        {
          expr: `sum by (namespace) (${anyOf(
            `rate(vllm:request_success_total{${NAMESPACE}}${RATE})`,
            `rate(sglang:num_requests_total{${NAMESPACE}}${RATE})`,
            `rate(trtllm_request_success_total{${NAMESPACE}}${RATE})`,
          )})`,
          legend: "{{namespace}}",
        },
      ],
    },
    {
      title: "KV cache in use",
      unit: "percentunit",
      about: "Mean and fullest engine of each namespace.",
      span: 8,
      max: 1,
      queries: ["avg", "max"].map((how) => ({
        expr: `${how} by (namespace) (${anyOf(
          `vllm:kv_cache_usage_perc{${NAMESPACE}}`,
          `sglang:token_usage{${NAMESPACE}}`,
          `trtllm_kv_cache_utilization{${NAMESPACE}}`,
        )})`,
        legend: `${how} {{namespace}}`,
      })),
    },
    {
      title: "Waiting requests",
      unit: "short",
      about: "In the queues of all engines.",
      span: 8,
      queries: [
        {
          expr: `sum by (namespace) (${anyOf(
            `vllm:num_requests_waiting{${NAMESPACE}}`,
            `sglang:num_queue_reqs{${NAMESPACE}}`,
            `trtllm_num_requests_waiting{${NAMESPACE}}`,
          )})`,
          legend: "{{namespace}}",
        },
      ],
    },
    {
      title: "Latency, 90th percentile",
      unit: "s",
      about: "Time to first token and between tokens, as the engines measure them.",
      span: 12,
      queries: [
        {
          expr: quantile(0.9, `vllm:time_to_first_token_seconds_bucket{${NAMESPACE}}`, "namespace, "),
          legend: "first token {{namespace}}",
        },
        {
          expr: quantile(0.9, `vllm:inter_token_latency_seconds_bucket{${NAMESPACE}}`, "namespace, "),
          legend: "between tokens {{namespace}}",
        },
      ],
    },
    {
      title: "Signals against their targets",
      unit: "percentunit",
      about:
        "What each metric of a policy reads, as a share of its target: above 100 % the target needs more replicas.",
      span: 12,
      queries: [
        {
          expr: `grove_autoscaler_metric_value{${POLICY}} / grove_autoscaler_metric_target{${POLICY}}`,
          legend: "{{target}} {{metric}}",
        },
      ],
    },
    {
      title: "Coverage of metrics",
      unit: "percentunit",
      about: "Ready replicas that report. Below the policy's minimum nothing is scaled down.",
      span: 12,
      max: 1,
      queries: [{ expr: `grove_autoscaler_metric_coverage_ratio{${POLICY}}`, legend: "{{target}} {{metric}}" }],
    },
    {
      title: "Age of metrics",
      unit: "s",
      about: "Of the oldest sample that a decision read.",
      span: 12,
      queries: [{ expr: `grove_autoscaler_metric_age_seconds{${POLICY}}`, legend: "{{target}} {{metric}}" }],
    },
  ],
};

const levels: readonly (readonly [level: string, title: string])[] = [
  ["PodClique", "Cliques"],
  ["PodCliqueScalingGroup", "Scaling groups"],
  ["PodCliqueSet", "Sets"],
];

const replicas: RowSpec = {
  title: "Replicas",
  panels: [
    ...levels.map(
      ([level, title]): PanelSpec => ({
        title,
        unit: "short",
        about: "Replicas that there are, that serve, and that the last decision wants.",
        span: 8,
        isCount: true,
        queries: ["current", "ready", "desired"].map((what) => ({
          expr: `sum by (policy, target) (grove_autoscaler_${what}_replicas{${POLICY},level="${level}"})`,
          legend: `{{target}} ${what}`,
        })),
      }),
    ),
    {
      title: "Recommendation by stage",
      unit: "short",
      about: "From the demand the metrics show, over the forecast and the joint solution, to what is written.",
      span: 16,
      queries: ["raw", "forecast", "solved", "stabilized", "ratelimited", "final"].map((stage) => ({
        expr: `sum by (policy, target) (grove_autoscaler_recommendation{${POLICY},stage="${stage}"})`,
        legend: `{{target}} ${stage}`,
      })),
    },
    {
      title: "On their way",
      unit: "short",
      about: "Starting: placed, not ready yet. Pending: without nodes, or overdue.",
      span: 8,
      isCount: true,
      queries: [
        { expr: byPolicyAndTarget("starting_replicas"), legend: "{{target}} starting" },
        { expr: byPolicyAndTarget("pending_replicas"), legend: "{{target}} pending" },
      ],
    },
    {
      title: "Time to start a replica",
      unit: "s",
      about: "From the creation of its pods to ready: what a forecast has to look ahead.",
      span: 12,
      queries: [0.5, 0.9].map((ratio) => ({
        expr: `histogram_quantile(${ratio}, sum by (le) (increase(grove_autoscaler_start_lead_time_seconds_bucket[1h])))`,
        legend: `${ratio * 100} %`,
      })),
    },
    {
      title: "Error of forecasts",
      unit: "percentunit",
      about: "Past forecasts against what came; while it is too large they are not trusted (0) and raise nothing.",
      span: 12,
      queries: [
        { expr: `grove_autoscaler_forecast_error_ratio{${POLICY}}`, legend: "{{target}} error" },
        { expr: `grove_autoscaler_forecast_trusted{${POLICY}}`, legend: "{{target}} trusted" },
      ],
    },
  ],
};

const decisions: RowSpec = {
  title: "Decisions",
  panels: [
    {
      title: "Decisions by reason",
      unit: "short",
      about: "How often each outcome and reason came in the last minutes; `grove-autoscaler explain` tells the rest.",
      span: 12,
      queries: [
        {
          expr: `sum by (outcome, reason) (increase(grove_autoscaler_decisions_total[5m])) > 0`,
          legend: "{{outcome}}: {{reason}}",
        },
      ],
    },
    {
      title: "Writes",
      unit: "short",
      about: "Changes of replicas that went through, by level and direction.",
      span: 6,
      queries: [
        {
          expr: `sum by (level, direction) (increase(grove_autoscaler_scale_actions_total{result="Written"}[5m]))`,
          legend: "{{level}} {{direction}}",
        },
      ],
    },
    {
      title: "Refused writes, flaps, foreign writes",
      unit: "short",
      about: "Refusals by reason; changes of direction within ten minutes; replicas that somebody else set.",
      span: 6,
      queries: [
        {
          expr: `sum by (result) (increase(grove_autoscaler_scale_actions_total{result!="Written"}[1h]))`,
          legend: "{{result}}",
        },
        { expr: `sum by (target) (increase(grove_autoscaler_flaps_total{${POLICY}}[1h]))`, legend: "flaps {{target}}" },
        { expr: `sum(increase(grove_autoscaler_foreign_writes_total[1h]))`, legend: "foreign writes" },
      ],
    },
  ],
};

const bounds: RowSpec = {
  title: "Ratio and GPU budget",
  panels: [
    {
      title: "Ratio of ready replicas",
      unit: "short",
      about: "First target over second; the band is in the policy.",
      span: 8,
      queries: [{ expr: `grove_autoscaler_ratio_current{${POLICY}}`, legend: "{{policy}} {{ratio}}" }],
    },
    {
      title: "Time outside the band",
      unit: "percentunit",
      about: "Share of the last ten minutes in which ready replicas were outside the band and its slack.",
      span: 8,
      max: 1,
      queries: [
        {
          expr: `sum by (policy, ratio) (rate(grove_autoscaler_ratio_violation_seconds_total{${POLICY}}[10m]))`,
          legend: "{{policy}} {{ratio}}",
        },
      ],
    },
    {
      title: "Served demand",
      unit: "percentunit",
      about: "Below 100 % the GPU budget or a maximum cuts the demand.",
      span: 8,
      max: 1,
      queries: [{ expr: `grove_autoscaler_served_demand_ratio{${POLICY}}`, legend: "{{policy}}" }],
    },
    {
      title: "GPUs",
      unit: "short",
      about: "Held or asked for, wanted by the last decision, and the policy's limit.",
      span: 24,
      isCount: true,
      queries: ["used", "requested", "max"].map((what) => ({
        expr: `sum by (policy) (grove_autoscaler_gpu_budget_${what}{${POLICY}})`,
        legend: `{{policy}} ${what}`,
      })),
    },
  ],
};

const health: RowSpec = {
  title: "Health of the service",
  panels: [
    {
      title: "Leaders",
      unit: "short",
      about: "One, always. Evaluations without Redis where it is configured are no outage, but no spreading either.",
      span: 6,
      isCount: true,
      queries: [
        { expr: "sum(grove_autoscaler_leader)", legend: "leaders" },
        { expr: "max(grove_autoscaler_evaluation_queue_degraded)", legend: "without Redis" },
      ],
    },
    {
      title: "Since the last turn",
      unit: "s",
      about: "More than a policy's interval means that the loop stands.",
      span: 6,
      queries: [
        { expr: "time() - max(grove_autoscaler_last_successful_tick_timestamp_seconds > 0)", legend: "last turn" },
      ],
    },
    {
      title: "Length of a turn",
      unit: "s",
      about: "Observe, decide, act, for one policy.",
      span: 6,
      queries: [0.5, 0.99].map((ratio) => ({
        expr: quantile(ratio, "grove_autoscaler_tick_duration_seconds_bucket"),
        legend: `${ratio * 100} %`,
      })),
    },
    {
      title: "Bad readings",
      unit: "short",
      about: "Metric readings that were not whole and fresh, by what was wrong.",
      span: 6,
      queries: [{ expr: `sum by (class) (increase(grove_autoscaler_metric_errors_total[5m]))`, legend: "{{class}}" }],
    },
    {
      title: "Reconciles",
      unit: "ops",
      about: "By controller; errors by themselves.",
      span: 8,
      queries: [
        { expr: `sum by (controller) (rate(controller_runtime_reconcile_total${RATE}))`, legend: "{{controller}}" },
        {
          expr: `sum by (controller) (rate(controller_runtime_reconcile_errors_total${RATE})) > 0`,
          legend: "{{controller}} errors",
        },
      ],
    },
    {
      title: "Length of a reconcile, 99th percentile",
      unit: "s",
      about: "By controller.",
      span: 8,
      queries: [
        {
          expr: quantile(0.99, "controller_runtime_reconcile_time_seconds_bucket", "controller, "),
          legend: "{{controller}}",
        },
      ],
    },
    {
      title: "Keys in line",
      unit: "short",
      about: "That wait to be reconciled.",
      span: 8,
      queries: [{ expr: "sum by (name) (workqueue_depth)", legend: "{{name}}" }],
    },
    {
      title: "Requests to the API server",
      unit: "reqps",
      about: "By verb and code.",
      span: 8,
      queries: [
        { expr: `sum by (method, code) (rate(rest_client_requests_total${RATE}))`, legend: "{{method}} {{code}}" },
      ],
    },
    {
      title: "Evaluations by replica",
      unit: "ops",
      about: "Where policies are evaluated when Redis is configured.",
      span: 8,
      queries: [
        {
          expr: `sum by (instance, place) (rate(grove_autoscaler_evaluations_total${RATE}))`,
          legend: "{{instance}} {{place}}",
        },
      ],
    },
    {
      title: "Memory of the process",
      unit: "bytes",
      about: "Resident.",
      span: 8,
      queries: [{ expr: 'process_resident_memory_bytes{job=~".*grove-autoscaler.*"}', legend: "{{instance}}" }],
    },
  ],
};

export const ROWS: readonly RowSpec[] = [load, replicas, decisions, bounds, health];

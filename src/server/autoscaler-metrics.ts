/** What the autoscaler decided and did, as metrics. No pod, no node and no query text ever becomes a label. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { AutoscalerMetrics } from "../autoscaler/autoscaler-metrics.ts";
import type { GateReason } from "../autoscaler/write-gate.ts";
import type { Clock } from "../clock.ts";
import type { Decision, Outcome, TargetDecision } from "../decide/decision.ts";
import type { MetricReading } from "../decide/observation.ts";
import type { ScaleWrite } from "../decide/transition.ts";
import { type Point, PolicySeries } from "./policy-series.ts";

const OUTCOMES: readonly Outcome[] = ["Scaled", "Held", "Limited", "Advisory", "Failed"];
const QUALITIES = ["Missing", "NeverSeen", "Stale", "NonFinite", "Partial", "Error"] as const;
const LEVELS: readonly ScaleWrite["level"][] = ["PodClique", "PodCliqueScalingGroup", "PodCliqueSet"];
const REFUSALS: readonly GateReason[] = [
  "LeaseLost",
  "MinimumViableSet",
  "ForeignController",
  "Conflict",
  "PermissionDenied",
  "Failed",
];
/** Two opposite writes of one target within this time are a flap. */
const FLAP_WINDOW_MS = 600_000;
/** A longer gap between two decisions is a stop, not a violation that nobody saw. */
const MAX_GAP_SECONDS = 120;

export function createAutoscalerMetrics(registry: Registry, clock: Clock): AutoscalerMetrics {
  const gauge = (name: string, help: string, labelNames: readonly string[] = []): Gauge =>
    new Gauge({ name: `grove_autoscaler_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const counter = (name: string, help: string, labelNames: readonly string[] = []): Counter =>
    new Counter({ name: `grove_autoscaler_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const target = ["policy", "target", "level"];
  const metric = ["policy", "target", "metric"];

  const current = gauge("current_replicas", "spec.replicas now, over all set replicas.", target);
  const ready = gauge("ready_replicas", "Replicas that serve.", target);
  const starting = gauge("starting_replicas", "Replicas that are placed and not ready yet.", target);
  const pending = gauge("pending_replicas", "Replicas without nodes, or not ready past the pending timeout.", target);
  const desired = gauge("desired_replicas", "What the last decision wants.", target);
  const minViable = gauge("min_viable_replicas", "Least replicas there may be.", target);
  const recommendation = gauge(
    "recommendation",
    "Replicas after a stage: raw, forecast, solved, stabilized, ratelimited, final.",
    [...target, "stage"],
  );
  const value = gauge("metric_value", "Mean of a replica, or the total.", metric);
  const goal = gauge("metric_target", "What metric_value is held against.", metric);
  const coverage = gauge("metric_coverage_ratio", "Ready replicas that report over all of them.", metric);
  const age = gauge("metric_age_seconds", "Age of the oldest sample that was read.", metric);
  const ratio = gauge("ratio_current", "Ready replicas of the first target over those of the second.", [
    "policy",
    "ratio",
  ]);
  const violation = counter(
    "ratio_violation_seconds_total",
    "Time in which ready replicas were outside their band, widened by the transient slack.",
    ["policy", "ratio"],
  );
  const gpusUsed = gauge("gpu_budget_used", "GPUs that the set's pods hold or ask for.", ["policy"]);
  const gpusRequested = gauge("gpu_budget_requested", "GPUs of the desired replicas.", ["policy"]);
  const gpusMax = gauge("gpu_budget_max", "GPUs that the policy may use; no series without a budget.", ["policy"]);
  const served = gauge("served_demand_ratio", "Share of the demand that fits the budget and the maxima.", ["policy"]);
  const forecastError = gauge("forecast_error_ratio", "Rolling error of past forecasts (WAPE).", ["policy", "target"]);
  const forecastTrusted = gauge("forecast_trusted", "1 while forecasts may raise the demand.", ["policy", "target"]);
  const attainment = gauge(
    "slo_attainment_ratio",
    "Share of the decisions in slo.window whose measured quantile met its target.",
    ["policy", "slo"],
  );
  const flaps = counter("flaps_total", "Writes against the direction of the target's last one within 10 minutes.", [
    "policy",
    "target",
  ]);
  const foreign = counter("foreign_writes_total", "Replicas that were changed by somebody else.");
  const decisions = counter("decisions_total", "Decisions by outcome and reason.", ["outcome", "reason"]);
  const actions = counter("scale_actions_total", "Writes to /scale, and why one was refused.", [
    "level",
    "direction",
    "result",
  ]);
  const errors = counter("metric_errors_total", "Metric readings that were not whole and fresh.", ["class"]);
  const lastTick = gauge("last_successful_tick_timestamp_seconds", "When a policy was last decided on.");
  const policies = gauge("policies", "Policies with series of their own.");
  const left = gauge("policies_without_series", "Policies beyond the bound of exposed policies.");
  const tick = new Histogram({
    name: "grove_autoscaler_tick_duration_seconds",
    help: "One turn of one policy: observe, decide, act.",
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15],
    registers: [registry],
  });
  const leadTime = new Histogram({
    name: "grove_autoscaler_start_lead_time_seconds",
    help: "From the creation of a replica's pods to ready.",
    buckets: [5, 10, 20, 30, 60, 90, 120, 180, 240, 300, 420, 600, 900, 1_800],
    registers: [registry],
  });

  for (const level of LEVELS) {
    for (const direction of ["up", "down"]) {
      for (const result of ["Written", ...REFUSALS]) actions.inc({ level, direction, result }, 0);
    }
  }
  for (const quality of QUALITIES) errors.inc({ class: quality }, 0);
  for (const outcome of OUTCOMES) decisions.inc({ outcome, reason: USUAL_REASON[outcome] }, 0);

  const series = new PolicySeries();
  const states = new Map<string, PolicyState>();
  const stateOf = (policy: string): PolicyState => {
    const known = states.get(policy) ?? { lastWrites: new Map(), decidedAtMs: undefined };
    states.set(policy, known);
    return known;
  };
  const count = (): void => {
    policies.set(series.counts.shown);
    left.set(series.counts.left);
  };

  return {
    observed(policy, model, observation) {
      for (const [, ms] of observation.startupsMs) leadTime.observe(ms / 1000);
      const readings = [
        ...model.targets.map((one, index) => ({ ...one, readings: observation.targets[index]?.metrics ?? [] })),
        ...(model.set === undefined ? [] : [{ ...model.set, readings: observation.set.metrics }]),
      ];
      const points = readings.flatMap(({ name, metrics, readings: read }) =>
        distinct(metrics.map(({ label }) => label)).flatMap((label, index): readonly Point[] => {
          const seconds = ageSeconds(read[index]);
          if (seconds === undefined) return [];
          return [{ gauge: age, labels: { policy, target: name, metric: label }, value: seconds }];
        }),
      );
      series.publish(policy, "observed", points);
      count();
    },

    decided(policy, decision, durationSeconds) {
      tick.observe(durationSeconds);
      lastTick.set(clock.nowMs() / 1000);
      decisions.inc({ outcome: decision.outcome, reason: decision.reason });
      for (const { demand } of decision.targets) {
        for (const { collected } of demand?.metrics ?? []) {
          if (collected.quality !== "Ok") errors.inc({ class: collected.quality });
        }
      }
      const state = stateOf(policy);
      const now = clock.monotonicMs();
      const gapSeconds = Math.min((now - (state.decidedAtMs ?? now)) / 1000, MAX_GAP_SECONDS);
      state.decidedAtMs = now;
      series.publish(policy, "decided", [
        ...decision.targets.flatMap((one) => targetPoints(policy, one)),
        ...ratioPoints(policy, decision, gapSeconds),
        { gauge: gpusUsed, labels: { policy }, value: decision.budget.gpusUsed },
        { gauge: gpusRequested, labels: { policy }, value: decision.budget.gpusRequested },
        ...(decision.budget.gpusMax === undefined
          ? []
          : [{ gauge: gpusMax, labels: { policy }, value: decision.budget.gpusMax }]),
        { gauge: served, labels: { policy }, value: decision.servedRatio },
        ...(decision.slo?.goals ?? []).flatMap(({ slo, attainmentRatio: ratioMet }): readonly Point[] =>
          ratioMet === undefined ? [] : [{ gauge: attainment, labels: { policy, slo }, value: ratioMet }],
        ),
      ]);
      count();
    },

    wrote(policy, { written, refusal }) {
      for (const write of written)
        actions.inc({ level: write.level, direction: directionOf(write), result: "Written" });
      if (refusal?.write !== undefined) {
        const { write, reason } = refusal;
        actions.inc({ level: write.level, direction: directionOf(write), result: reason });
      }
      const state = stateOf(policy);
      const now = clock.monotonicMs();
      for (const write of written) {
        const key = `${write.target}/${write.setIndex ?? ""}`;
        const last = state.lastWrites.get(key);
        const isFlap = last !== undefined && last.direction !== directionOf(write) && now - last.atMs <= FLAP_WINDOW_MS;
        state.lastWrites.set(key, { direction: directionOf(write), atMs: now });
        if (isFlap) series.publish(policy, `flap ${write.target}`, [flapPoint(policy, write.target, 1)]);
      }
    },

    foreignWrite: () => foreign.inc(),

    forget(policy) {
      series.forget(policy);
      states.delete(policy);
      count();
    },
  };

  function targetPoints(policy: string, one: TargetDecision): readonly Point[] {
    const { name, level, demand, forecast } = one;
    const labels = { policy, target: name, level };
    const stages = {
      ...(demand === undefined ? {} : { raw: demand.replicas }),
      ...(forecast === undefined ? {} : { forecast: forecast.replicas }),
      solved: one.goal,
      stabilized: one.stabilized,
      ratelimited: one.rateLimited,
      final: one.desired,
    };
    const names = distinct((demand?.metrics ?? []).map(({ label }) => label));
    const errorRatio = forecast?.errorRatio;
    return [
      { gauge: current, labels, value: one.current },
      { gauge: ready, labels, value: one.ready },
      { gauge: starting, labels, value: one.starting },
      { gauge: pending, labels, value: one.pending },
      { gauge: desired, labels, value: one.desired },
      { gauge: minViable, labels, value: one.minViable },
      flapPoint(policy, name, 0),
      ...Object.entries(stages).map(
        ([stage, replicas]): Point => ({ gauge: recommendation, labels: { ...labels, stage }, value: replicas }),
      ),
      ...(demand?.metrics ?? []).flatMap(({ value: seen, targetValue, collected }, index): readonly Point[] => {
        const of = { policy, target: name, metric: names[index] ?? "" };
        return [
          { gauge: goal, labels: of, value: targetValue },
          { gauge: coverage, labels: of, value: collected.coverageRatio },
          // No value is no series: a last value that stays would look alive.
          ...(seen === undefined ? [] : [{ gauge: value, labels: of, value: seen }]),
        ];
      }),
      ...(errorRatio === undefined
        ? []
        : [{ gauge: forecastError, labels: { policy, target: name }, value: errorRatio }]),
      ...(forecast === undefined
        ? []
        : [{ gauge: forecastTrusted, labels: { policy, target: name }, value: forecast.isTrusted ? 1 : 0 }]),
    ];
  }

  function ratioPoints(policy: string, { ratios }: Decision, gapSeconds: number): readonly Point[] {
    return ratios.flatMap(({ name, ready: text, readyWithinSlack }): readonly Point[] => {
      const [first = Number.NaN, second = Number.NaN] = text.split(":").map(Number);
      const labels = { policy, ratio: name };
      return [
        { gauge: ratio, labels, value: first / second },
        { counter: violation, labels, add: readyWithinSlack ? 0 : gapSeconds },
      ];
    });
  }

  function flapPoint(policy: string, name: string, add: number): Point {
    return { counter: flaps, labels: { policy, target: name }, add };
  }
}

interface PolicyState {
  readonly lastWrites: Map<string, { readonly direction: string; readonly atMs: number }>;
  decidedAtMs: number | undefined;
}

/** One pair per outcome, so that each counter exists before its first step. */
const USUAL_REASON: Readonly<Record<Outcome, string>> = {
  Scaled: "DemandChanged",
  Held: "DemandMet",
  Limited: "GPUBudget",
  Advisory: "DemandMet",
  Failed: "Failed",
};

const directionOf = ({ from, to }: ScaleWrite): "up" | "down" => (to > from ? "up" : "down");

/** The second metric with the same name becomes `name#2`. */
function distinct(labels: readonly string[]): readonly string[] {
  const seen = new Map<string, number>();
  return labels.map((label) => {
    const times = (seen.get(label) ?? 0) + 1;
    seen.set(label, times);
    return times === 1 ? label : `${label}#${times}`;
  });
}

function ageSeconds(reading: MetricReading | undefined): number | undefined {
  if (reading?.kind === "Total") {
    const { ageMs } = reading.sample ?? {};
    return ageMs === undefined ? undefined : ageMs / 1000;
  }
  if (reading?.kind !== "PerReplica") return undefined;
  const ages = reading.samples.map(({ ageMs }) => ageMs).filter((ms) => ms !== undefined);
  return ages.length === 0 ? undefined : Math.max(...ages) / 1000;
}

import { describe, expect, test } from "vitest";
import type { GateResult } from "../autoscaler/write-gate.ts";
import { VirtualClock } from "../clock.ts";
import type { Decision, TargetDecision } from "../decide/decision.ts";
import type { ScaleWrite } from "../decide/transition.ts";
import { createServiceMetrics } from "./metrics.ts";
import { MAX_POLICIES_WITH_SERIES } from "./policy-series.ts";

const target = (name: string, overrides: Partial<TargetDecision> = {}): TargetDecision => ({
  name,
  level: "PodCliqueScalingGroup",
  current: 2,
  ready: 2,
  starting: 0,
  pending: 0,
  goal: 3,
  stabilized: 3,
  rateLimited: 3,
  desired: 3,
  minViable: 1,
  ...overrides,
});

const decision = (overrides: Partial<Decision> = {}): Decision => ({
  id: "1",
  atMs: 0,
  outcome: "Scaled",
  reason: "DemandChanged",
  message: "",
  stages: [],
  targets: [target("decode")],
  desired: { sets: 1, perSet: [[3]] },
  ratios: [],
  budget: { gpusUsed: 4, gpusRequested: 6, gpusMax: 8, isLimited: false, isInfeasible: false, isUnknown: false },
  servedRatio: 1,
  relaxed: [],
  transition: { now: [], later: [] },
  schedules: { active: [], early: [] },
  ...overrides,
});

const write = (overrides: Partial<ScaleWrite> = {}): ScaleWrite => ({
  target: "decode",
  level: "PodCliqueScalingGroup",
  objectName: "llama-0-decode",
  resourceVersion: "1",
  setIndex: 0,
  from: 2,
  to: 3,
  gpusPerReplica: 2,
  ...overrides,
});
const written = (...writes: readonly ScaleWrite[]): GateResult => ({
  written: writes.map((one) => ({ ...one, writtenVersion: "2" })),
});

function create() {
  const clock = new VirtualClock();
  const metrics = createServiceMetrics({ clock, version: "1.2.3", process: false });
  /** Lines of the exposition that start with a metric's name, without it. */
  const lines = async (name: string): Promise<readonly string[]> =>
    (await metrics.expose())
      .split("\n")
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .map((line) => line.slice(name.length));
  return { clock, metrics, lines };
}

describe("autoscaler metrics", () => {
  test("a decision becomes one series per target and number", async () => {
    const { metrics, lines } = create();
    metrics.autoscaler.decided("serving/llama", decision(), 0.02);
    const labels = 'policy="serving/llama",target="decode",level="PodCliqueScalingGroup"';
    expect(await lines("grove_autoscaler_desired_replicas")).toEqual([`{${labels}} 3`]);
    expect(await lines("grove_autoscaler_current_replicas")).toEqual([`{${labels}} 2`]);
    expect(await lines("grove_autoscaler_gpu_budget_max")).toEqual(['{policy="serving/llama"} 8']);
    expect(await lines("grove_autoscaler_decisions_total")).toContain('{outcome="Scaled",reason="DemandChanged"} 1');
    expect(await lines("grove_autoscaler_tick_duration_seconds_count")).toEqual([" 1"]);
  });

  test("a recommendation has a series for each stage that the decision has a number of", async () => {
    const { metrics, lines } = create();
    const forecast = { replicas: 9.5, horizonMs: 60_000, method: "LastValue", isTrusted: true } as const;
    const step = { goal: 10, stabilized: 8, rateLimited: 5, desired: 4 };
    metrics.autoscaler.decided("a/p", decision({ targets: [target("decode", { forecast, ...step })] }), 0);
    const stages = (await lines("grove_autoscaler_recommendation")).map((line) => line.replace(/.*stage=/, ""));
    expect(stages).toEqual(['"forecast"} 9.5', '"solved"} 10', '"stabilized"} 8', '"ratelimited"} 5', '"final"} 4']);
  });

  test("counters are there at 0 before anything happens", async () => {
    const { lines } = create();
    expect(await lines("grove_autoscaler_scale_actions_total")).toContain(
      '{level="PodClique",direction="down",result="Conflict"} 0',
    );
    expect(await lines("grove_autoscaler_metric_errors_total")).toContain('{class="Stale"} 0');
    expect(await lines("grove_autoscaler_leader")).toEqual([" 0"]);
  });

  test("a target that is no longer there loses its series, a forgotten policy all of them", async () => {
    const { metrics, lines } = create();
    metrics.autoscaler.decided("a/one", decision({ targets: [target("decode"), target("prefill")] }), 0);
    metrics.autoscaler.decided("a/two", decision(), 0);
    metrics.autoscaler.decided("a/one", decision({ targets: [target("prefill")] }), 0);
    expect(await lines("grove_autoscaler_ready_replicas")).toHaveLength(2);
    metrics.autoscaler.forget("a/one");
    metrics.autoscaler.forget("a/two");
    expect((await metrics.expose()).split("\n").filter((line) => line.includes("policy="))).toEqual([]);
  });

  test("a metric without a value has no series that looks alive", async () => {
    const { metrics, lines } = create();
    const demand = (value: number | undefined) => ({
      replicas: 2,
      reason: "Metric" as const,
      detail: "",
      holdsDown: false,
      isHold: false,
      isUnknown: value === undefined,
      metrics: [
        {
          label: "kvCacheUsage",
          targetValue: 0.8,
          reason: "Metric" as const,
          collected: {
            quality: value === undefined ? ("Missing" as const) : ("Ok" as const),
            values: [],
            isTotal: false,
            missingReplicas: 0,
            coverageRatio: value === undefined ? 0 : 1,
            detail: "",
          },
          ...(value === undefined ? {} : { value }),
        },
      ],
    });
    const key = '{policy="a/p",target="decode",metric="kvCacheUsage"}';
    metrics.autoscaler.decided("a/p", decision({ targets: [target("decode", { demand: demand(0.5) })] }), 0);
    expect(await lines("grove_autoscaler_metric_value")).toEqual([`${key} 0.5`]);
    metrics.autoscaler.decided("a/p", decision({ targets: [target("decode", { demand: demand(undefined) })] }), 0);
    expect(await lines("grove_autoscaler_metric_value")).toEqual([]);
    expect(await lines("grove_autoscaler_metric_coverage_ratio")).toEqual([`${key} 0`]);
    expect(await lines("grove_autoscaler_metric_errors_total")).toContain('{class="Missing"} 1');
  });

  test("up and down again within ten minutes is a flap; later it is not", async () => {
    const { clock, metrics, lines } = create();
    metrics.autoscaler.decided("a/p", decision(), 0);
    metrics.autoscaler.wrote("a/p", written(write()));
    await clock.advance(300_000);
    metrics.autoscaler.wrote("a/p", written(write({ from: 3, to: 2 })));
    expect(await lines("grove_autoscaler_flaps_total")).toEqual(['{policy="a/p",target="decode"} 1']);
    await clock.advance(700_000);
    metrics.autoscaler.wrote("a/p", written(write()));
    expect(await lines("grove_autoscaler_flaps_total")).toEqual(['{policy="a/p",target="decode"} 1']);
  });

  test("a refused write is counted with its reason", async () => {
    const { metrics, lines } = create();
    metrics.autoscaler.wrote("a/p", {
      written: [],
      refusal: { write: write(), reason: "Conflict", message: "" },
    });
    expect(await lines("grove_autoscaler_scale_actions_total")).toContain(
      '{level="PodCliqueScalingGroup",direction="up",result="Conflict"} 1',
    );
  });

  test("time outside a ratio adds up between decisions, but not over a stop", async () => {
    const { clock, metrics, lines } = create();
    const outside = decision({
      ratios: [{ name: "prefill/decode", ready: "1:8", desiredWithinBand: true, readyWithinSlack: false }],
    });
    const seconds = () => lines("grove_autoscaler_ratio_violation_seconds_total");
    metrics.autoscaler.decided("a/p", outside, 0);
    expect(await seconds()).toEqual(['{policy="a/p",ratio="prefill/decode"} 0']);
    await clock.advance(15_000);
    metrics.autoscaler.decided("a/p", outside, 0);
    expect(await seconds()).toEqual(['{policy="a/p",ratio="prefill/decode"} 15']);
    await clock.advance(3_600_000);
    metrics.autoscaler.decided("a/p", outside, 0);
    expect(await seconds()).toEqual(['{policy="a/p",ratio="prefill/decode"} 135']);
    expect(await lines("grove_autoscaler_ratio_current")).toEqual(['{policy="a/p",ratio="prefill/decode"} 0.125']);
  });

  test("policies beyond the bound are counted and have no series; they get them when others go", async () => {
    const { metrics, lines } = create();
    for (let index = 0; index <= MAX_POLICIES_WITH_SERIES; index++) {
      metrics.autoscaler.decided(`a/${index}`, decision({ targets: [] }), 0);
    }
    expect(await lines("grove_autoscaler_policies")).toEqual([` ${MAX_POLICIES_WITH_SERIES}`]);
    expect(await lines("grove_autoscaler_policies_without_series")).toEqual([" 1"]);
    metrics.autoscaler.forget("a/0");
    metrics.autoscaler.decided(`a/${MAX_POLICIES_WITH_SERIES}`, decision({ targets: [] }), 0);
    expect(await lines("grove_autoscaler_policies_without_series")).toEqual([" 0"]);
  });
});

describe("runtime metrics", () => {
  test("all results of a controller exist from its first sight", async () => {
    const { metrics, lines } = create();
    metrics.runtime.queueDepth("podclique-controller", 4);
    expect(await lines("controller_runtime_reconcile_total")).toHaveLength(4);
    metrics.runtime.reconciled("podclique-controller", "error", 0.5);
    expect(await lines("controller_runtime_reconcile_total")).toContain(
      '{controller="podclique-controller",result="error"} 1',
    );
    expect(await lines("controller_runtime_reconcile_errors_total")).toEqual(['{controller="podclique-controller"} 1']);
    expect(await lines("workqueue_depth")).toEqual(['{name="podclique-controller"} 4']);
  });

  test("requests are counted by code, and a watch is no slow request", async () => {
    const { metrics, lines } = create();
    metrics.runtime.request("list", "pods", 200, 0.1);
    metrics.runtime.request("watch", "pods", 200, 300);
    metrics.runtime.request("get", "leases", "error", 1);
    expect(await lines("rest_client_requests_total")).toEqual([
      '{code="200",method="list",resource="pods"} 1',
      '{code="200",method="watch",resource="pods"} 1',
      '{code="error",method="get",resource="leases"} 1',
    ]);
    expect((await lines("rest_client_request_duration_seconds_count")).join()).not.toContain("watch");
    expect(await lines("grove_autoscaler_watch_restarts_total")).toHaveLength(3);
  });
});

test("the process is in it, and so is the version", async () => {
  const metrics = createServiceMetrics({ clock: new VirtualClock(), version: "1.2.3" });
  const text = await metrics.expose();
  expect(text).toContain("process_resident_memory_bytes");
  expect(text).toContain('grove_autoscaler_build_info{version="1.2.3"} 1');
  metrics.watchDegraded(() => "Redis does not answer");
  expect(await metrics.expose()).toContain("grove_autoscaler_evaluation_queue_degraded 1");
});

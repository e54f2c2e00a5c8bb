import { describe, expect, test } from "vitest";
import { admit } from "../admission.ts";
import type { KubeObject } from "../kubernetes/meta.ts";
import type { ScalingPolicy, ScalingPolicyInput } from "./scaling-policy.ts";

type Json = Record<string, unknown>;

const API_VERSION = "autoscaling.grove.io/v1alpha1";

/** The smallest useful policy: a target, two scale targets and a ratio. */
const SMALLEST: ScalingPolicyInput = {
  apiVersion: API_VERSION,
  kind: "ScalingPolicy",
  metadata: { name: "llama", namespace: "serving" },
  spec: {
    targetRef: { name: "llama" },
    scaleTargets: [
      { name: "prefill", level: "PodCliqueScalingGroup", ref: "prefill", maxReplicas: 16 },
      { name: "decode", level: "PodCliqueScalingGroup", ref: "decode", maxReplicas: 32 },
    ],
    ratios: [{ between: ["prefill", "decode"], min: "1:4", max: "1:1" }],
  },
};

const policy = (change: Json): KubeObject =>
  ({ ...SMALLEST, spec: { ...SMALLEST.spec, ...change } }) as unknown as KubeObject;
const targets = (...changes: readonly Json[]): Json => ({
  scaleTargets: changes.map((change, index) => ({ ...SMALLEST.spec.scaleTargets[index], ...change })),
});
const metric = (value: Json): Json => targets({ metrics: [value] }, {});
const errorsOf = (object: KubeObject): readonly string[] =>
  admit({ operation: "CREATE", object }).errors.map(({ field }) => field);

describe("defaults", () => {
  const { object, errors, warnings } = admit({ operation: "CREATE", object: SMALLEST });
  const { spec } = object as ScalingPolicy;

  test("the smallest policy is admitted without a warning", () => {
    expect([errors, warnings]).toEqual([[], []]);
  });

  test("every number is explicit", () => {
    const { scaleTargets, ...rest } = spec;
    expect(rest).toEqual({
      targetRef: { apiVersion: "grove.io/v1alpha1", kind: "PodCliqueSet", name: "llama" },
      mode: "Active",
      interval: "15s",
      engine: "vllm",
      ratios: [
        {
          name: "prefill-decode",
          between: ["prefill", "decode"],
          min: "1:4",
          max: "1:1",
          enforcement: "Hard",
          transientSlack: "25%",
        },
      ],
      coupling: [],
      gpuBudget: { priority: 0 },
      minimumViableSet: { source: "MinAvailable", overrides: {} },
      performanceModel: { source: "Online", routing: "LeastLoaded" },
      forecast: { enabled: true, method: "Auto", horizon: "auto", season: "24h", maxError: "40%", quantile: "p80" },
      coldStart: {
        leadTime: "auto",
        scaleDownWindow: "auto",
        pendingTimeout: "10m",
        changeDeadline: "30m",
      },
      schedules: [],
      scaleToZero: { enabled: false, idleWindow: "15m", set: ["prefill", "decode"] },
      metricsPolicy: { staleAfter: "60s", minCoverage: "70%", nonFinite: "Missing", onMissing: "Hold", warmUp: "2m" },
    });
    expect(scaleTargets[0]).toEqual({
      name: "prefill",
      level: "PodCliqueScalingGroup",
      ref: "prefill",
      role: "prefill",
      minReplicas: 1,
      maxReplicas: 16,
      gpusPerReplica: "auto",
      metrics: [
        {
          type: "Preset",
          preset: { name: "waitingRequests", target: { type: "AverageValue", averageValue: "5" } },
          advisoryOnly: false,
        },
        {
          type: "Preset",
          preset: { name: "gpuUtilization", target: { type: "Utilization", averageUtilization: 70 } },
          advisoryOnly: false,
        },
      ],
      behavior: {
        scaleUp: {
          stabilizationWindowSeconds: 0,
          tolerance: "0.1",
          selectPolicy: "Max",
          policies: [
            { type: "Percent", value: 100, periodSeconds: 15 },
            { type: "Pods", value: 4, periodSeconds: 15 },
          ],
        },
        scaleDown: {
          stabilizationWindowSeconds: 300,
          tolerance: "0.1",
          selectPolicy: "Max",
          policies: [{ type: "Percent", value: 100, periodSeconds: 15 }],
        },
      },
    });
    expect(scaleTargets[1]?.metrics.map((entry) => entry.preset)).toEqual([
      { name: "kvCacheUsage", target: { type: "Utilization", averageUtilization: 80 } },
    ]);
  });

  test("a second pass changes nothing", () => {
    expect(admit({ operation: "UPDATE", object, oldObject: object }).object).toEqual(object);
  });

  test.each([
    ["llama-prefill", undefined, "prefill"],
    ["big-one", "decode-workers", "decode"],
    ["predecode", undefined, "other"],
    ["frontend", undefined, "frontend"],
  ])("the role of %s (%s) is %s", (name, ref, role) => {
    const admitted = admit({
      operation: "CREATE",
      object: policy({ ...targets({ name, ref: ref ?? "x" }), ratios: [] }),
    });
    expect((admitted.object as ScalingPolicy).spec.scaleTargets[0]?.role).toBe(role);
  });

  test("metrics: [] stays empty, an empty optional block is completed", () => {
    const admitted = admit({
      operation: "CREATE",
      object: policy({
        ...targets({ metrics: [], behavior: { panic: {} } }, {}),
        fallback: {},
        slo: { ttft: { target: "500ms" } },
      }),
    });
    const complete = (admitted.object as ScalingPolicy).spec;
    expect(admitted.errors).toEqual([]);
    expect(complete.scaleTargets[0]?.metrics).toEqual([]);
    expect(complete.scaleTargets[0]?.behavior.panic).toEqual({
      thresholdPercent: 200,
      windowSeconds: 60,
      holdSeconds: 120,
    });
    expect(complete.fallback).toEqual({ failureThreshold: 4, behavior: "currentReplicasIfHigher", replicas: {} });
    expect(complete.slo).toEqual({ ttft: { quantile: "p90", target: "500ms" }, attainment: "95%", window: "10m" });
  });
});

describe("ScalingPolicy rules", () => {
  test.each<{ name: string; change: Json; want: readonly string[] }>([
    { name: "an unknown field", change: { interal: "5s" }, want: ["spec.interal"] },
    { name: "an unknown field deep inside", change: { forecast: { Season: "1h" } }, want: ["spec.forecast.Season"] },
    { name: "an unknown mode", change: { mode: "On" }, want: ["spec.mode"] },
    { name: "no scale targets", change: { scaleTargets: [], ratios: [] }, want: ["spec.scaleTargets"] },
    { name: "min above max", change: targets({ minReplicas: 17 }, {}), want: ["spec.scaleTargets[0].minReplicas"] },
    {
      name: "a repeated name",
      change: { ...targets({}, { name: "prefill" }), ratios: [] },
      want: ["spec.scaleTargets[1]"],
    },
    { name: "the same group twice", change: targets({}, { ref: "prefill" }), want: ["spec.scaleTargets[1].ref"] },
    { name: "a group without ref", change: targets({ ref: undefined }, {}), want: ["spec.scaleTargets[0].ref"] },
    {
      name: "a set with ref",
      change: { ...targets({ level: "PodCliqueSet" }), ratios: [] },
      want: ["spec.scaleTargets[0].ref"],
    },
    {
      name: "more replicas of the set than can be planned",
      change: { ...targets({ level: "PodCliqueSet", ref: undefined, maxReplicas: 2_000_000_000 }), ratios: [] },
      want: ["spec.scaleTargets[0].maxReplicas"],
    },
    {
      name: "negative GPUs",
      change: targets({ gpusPerReplica: -1 }, {}),
      want: ["spec.scaleTargets[0].gpusPerReplica"],
    },
    {
      name: "more GPUs than there are",
      change: targets({ gpusPerReplica: 100_000 }, {}),
      want: ["spec.scaleTargets[0].gpusPerReplica"],
    },
    {
      name: "GPUs without end",
      change: targets({ gpusPerReplica: "9".repeat(400) }, {}),
      want: ["spec.scaleTargets[0].gpusPerReplica"],
    },
    {
      name: "a quantile that rounds to the whole",
      change: { slo: { ttft: { quantile: "p99.99999999999999999", target: "1s" } } },
      want: ["spec.slo.ttft.quantile"],
    },
    {
      name: "a target that no number holds",
      change: metric({
        type: "Prometheus",
        prometheus: { query: "up", target: { type: "AverageValue", averageValue: "1e400" } },
      }),
      want: ["spec.scaleTargets[0].metrics[0].prometheus.target.averageValue"],
    },
    {
      name: "a target beside which every load is nothing",
      change: metric({
        type: "Prometheus",
        prometheus: { query: "up", target: { type: "AverageValue", averageValue: "1e99" } },
      }),
      want: ["spec.scaleTargets[0].metrics[0].prometheus.target.averageValue"],
    },
    {
      name: "GPUs as text",
      change: targets({ gpusPerReplica: "many" }, {}),
      want: ["spec.scaleTargets[0].gpusPerReplica"],
    },
    {
      name: "tolerance 1",
      change: targets({ behavior: { scaleUp: { tolerance: "1" } } }, {}),
      want: ["spec.scaleTargets[0].behavior.scaleUp.tolerance"],
    },
    {
      name: "overflow after itself",
      change: targets({ overflow: { after: ["prefill"] } }, {}),
      want: ["spec.scaleTargets[0].overflow.after[0]"],
    },
    {
      name: "Utilization without averageUtilization",
      change: metric({
        type: "Preset",
        preset: { name: "kvCacheUsage", target: { type: "Utilization", averageValue: "5" } },
      }),
      want: [
        "spec.scaleTargets[0].metrics[0].preset.target.averageUtilization",
        "spec.scaleTargets[0].metrics[0].preset.target.averageValue",
      ],
    },
    {
      name: "Utilization of a count",
      change: metric({
        type: "Preset",
        preset: { name: "waitingRequests", target: { type: "Utilization", averageUtilization: 80 } },
      }),
      want: ["spec.scaleTargets[0].metrics[0].preset.target.type"],
    },
    {
      name: "a cache fuller than full",
      change: metric({
        type: "Preset",
        preset: { name: "kvCacheUsage", target: { type: "Utilization", averageUtilization: 120 } },
      }),
      want: ["spec.scaleTargets[0].metrics[0].preset.target.averageUtilization"],
    },
    {
      name: "a target of 0",
      change: metric({
        type: "Prometheus",
        prometheus: { query: "up", target: { type: "AverageValue", averageValue: "0" } },
      }),
      want: ["spec.scaleTargets[0].metrics[0].prometheus.target.averageValue"],
    },
    {
      name: "type Prometheus with a preset",
      change: metric({
        type: "Prometheus",
        preset: { name: "kvCacheUsage", target: { type: "Utilization", averageUtilization: 80 } },
      }),
      want: ["spec.scaleTargets[0].metrics[0].preset", "spec.scaleTargets[0].metrics[0].prometheus"],
    },
    {
      name: "a query with target 20k",
      change: metric({
        type: "Prometheus",
        prometheus: { query: "up", target: { type: "AverageValue", averageValue: "20k" } },
      }),
      want: [],
    },
    {
      name: "a ratio with a stranger",
      change: { ratios: [{ between: ["prefill", "x"], min: "1:2" }] },
      want: ["spec.ratios[0].between[1]"],
    },
    {
      name: "a ratio with itself",
      change: { ratios: [{ between: ["decode", "decode"], min: "1:2" }] },
      want: ["spec.ratios[0].between"],
    },
    {
      name: "a ratio of three",
      change: { ratios: [{ between: ["prefill", "decode", "x"], min: "1:2" }] },
      want: ["spec.ratios[0].between"],
    },
    {
      name: "a ratio without a band",
      change: { ratios: [{ between: ["prefill", "decode"] }] },
      want: ["spec.ratios[0]"],
    },
    {
      name: "a ratio of 0:0",
      change: { ratios: [{ between: ["prefill", "decode"], min: "0:0" }] },
      want: ["spec.ratios[0].min"],
    },
    {
      name: "a band upside down",
      change: { ratios: [{ between: ["prefill", "decode"], min: "1:1", max: "1:4" }] },
      want: ["spec.ratios[0].min"],
    },
    {
      name: "a band without a whole pair inside the bounds",
      // 3:7 exactly needs 7 decode, but at most 6 are allowed.
      change: {
        ...targets({ maxReplicas: 6 }, { maxReplicas: 6 }),
        ratios: [{ between: ["prefill", "decode"], min: "3:7", max: "3:7" }],
      },
      want: ["spec.ratios[0]"],
    },
    {
      name: "3:7 fits into 3 and 7",
      change: {
        ...targets({ maxReplicas: 3 }, { maxReplicas: 7 }),
        ratios: [{ between: ["prefill", "decode"], min: "3:7", max: "3:7" }],
      },
      want: [],
    },
    {
      name: "two hard ratios that exclude one another",
      change: {
        ratios: [
          { name: "x", between: ["prefill", "decode"], max: "1:3" },
          { name: "y", between: ["prefill", "decode"], min: "1:2" },
        ],
      },
      want: ["spec.ratios"],
    },
    {
      name: "a ratio that only huge numbers of replicas satisfy",
      change: {
        ...targets({ maxReplicas: 2 ** 31 - 1 }, { maxReplicas: 2 ** 31 - 1 }),
        ratios: [{ between: ["prefill", "decode"], min: "99998:99999", max: "99999:100000" }],
      },
      want: ["spec.ratios[0]"],
    },
    {
      name: "one of six-digit sides that one state satisfies at once",
      change: {
        ...targets({ maxReplicas: 2 ** 31 - 1 }, { maxReplicas: 2 ** 31 - 1 }),
        ratios: [{ between: ["prefill", "decode"], min: "99999:100000", max: "100000:99999" }],
      },
      want: [],
    },
    {
      name: "two ratios of one name",
      change: {
        ratios: [
          { between: ["prefill", "decode"], max: "1:1" },
          { between: ["prefill", "decode"], min: "1:4" },
        ],
      },
      want: ["spec.ratios[1].name"],
    },
    {
      name: "a ratio with the set level",
      change: {
        scaleTargets: [
          ...(SMALLEST.spec.scaleTargets as readonly Json[]),
          { name: "sets", level: "PodCliqueSet", maxReplicas: 4 },
        ],
        ratios: [{ between: ["prefill", "sets"], min: "1:4" }],
      },
      want: ["spec.ratios[0].between[1]"],
    },
    { name: "a coupling of two", change: { coupling: [{ name: "unit", step: { prefill: 1, decode: 2 } }] }, want: [] },
    {
      name: "a coupling with a stranger",
      change: { coupling: [{ name: "unit", step: { prefill: 1, x: 2 } }] },
      want: ["spec.coupling[0].step.x"],
    },
    {
      name: "a hard ratio that no state above the minimum viable set satisfies",
      change: { ...targets({}, { maxReplicas: 2 }), minimumViableSet: { overrides: { prefill: 8 } } },
      want: ["spec.ratios[0]"],
    },
    {
      name: "a budget below the minimum viable set",
      change: {
        ...targets({ gpusPerReplica: 1 }, { gpusPerReplica: 1 }),
        gpuBudget: { max: 4 },
        minimumViableSet: { overrides: { prefill: 4, decode: 4 } },
      },
      want: ["spec.gpuBudget.max"],
    },
    { name: "coverage of all", change: { metricsPolicy: { minCoverage: "100%" } }, want: [] },
    {
      name: "coverage of more than all",
      change: { metricsPolicy: { minCoverage: "101%" } },
      want: ["spec.metricsPolicy.minCoverage"],
    },
    {
      name: "a coupling of nothing",
      change: { coupling: [{ name: "unit", step: {} }] },
      want: ["spec.coupling[0].step"],
    },
    {
      name: "a coupling with the set level",
      change: {
        scaleTargets: [
          ...(SMALLEST.spec.scaleTargets as readonly Json[]),
          { name: "sets", level: "PodCliqueSet", maxReplicas: 4 },
        ],
        coupling: [{ name: "unit", step: { prefill: 1, sets: 2 } }],
      },
      want: ["spec.coupling[0].step.sets"],
    },
    {
      name: "a target in two couplings",
      change: {
        coupling: [
          { name: "x", step: { prefill: 1, decode: 2 } },
          { name: "y", step: { decode: 1 } },
        ],
      },
      want: ["spec.coupling[1].step.decode"],
    },
    {
      name: "a coupling without a multiple inside the bounds",
      // 3 prefill take a second tuple, which takes 6 decode.
      change: {
        ...targets({ minReplicas: 3 }, { maxReplicas: 5 }),
        coupling: [{ name: "unit", step: { prefill: 2, decode: 3 } }],
      },
      want: ["spec.coupling[0].step"],
    },
    {
      name: "its multiple just inside the bounds",
      change: {
        ...targets({ minReplicas: 3 }, { maxReplicas: 6 }),
        coupling: [{ name: "unit", step: { prefill: 2, decode: 3 } }],
      },
      want: [],
    },
    {
      name: "a coupling that leaves a hard ratio no state",
      change: { coupling: [{ name: "unit", step: { prefill: 1, decode: 5 } }] },
      want: ["spec.coupling"],
    },
    {
      name: "a coupling outside a soft ratio",
      change: {
        ratios: [{ between: ["prefill", "decode"], min: "1:4", enforcement: "Soft" }],
        coupling: [{ name: "unit", step: { prefill: 1, decode: 5 } }],
      },
      want: [],
    },
    { name: "budget max below min", change: { gpuBudget: { max: 4, min: 8 } }, want: ["spec.gpuBudget.max"] },
    {
      name: "a budget below the minimum replicas",
      change: { ...targets({ gpusPerReplica: 8 }, { gpusPerReplica: 8 }), gpuBudget: { max: 15 } },
      want: ["spec.gpuBudget.max"],
    },
    { name: "an interval of 100ms", change: { interval: "100ms" }, want: ["spec.interval"] },
    { name: "an interval without unit", change: { interval: "15" }, want: ["spec.interval"] },
    {
      name: "zero staleness",
      change: { metricsPolicy: { staleAfter: "0s" } },
      want: ["spec.metricsPolicy.staleAfter"],
    },
    {
      name: "coverage without %",
      change: { metricsPolicy: { minCoverage: "0.7" } },
      want: ["spec.metricsPolicy.minCoverage"],
    },
    { name: "an SLO without a goal", change: { slo: {} }, want: ["spec.slo"] },
    {
      name: "profile without profileRef",
      change: { performanceModel: { source: "Profile" } },
      want: ["spec.performanceModel.profileRef"],
    },
    {
      name: "a schedule with six fields, no such zone and a stranger",
      change: {
        schedules: [
          {
            name: "x",
            schedule: "0 0 7 * * 1",
            duration: "13h",
            timeZone: "Mars/North",
            bounds: { x: { minReplicas: 1 } },
          },
        ],
      },
      want: ["spec.schedules[0].schedule", "spec.schedules[0].timeZone", "spec.schedules[0].bounds.x"],
    },
    {
      name: "a schedule above the maximum",
      change: {
        schedules: [{ name: "x", schedule: "0 7 * * 1-5", duration: "13h", bounds: { prefill: { minReplicas: 17 } } }],
      },
      want: ["spec.schedules[0].bounds.prefill.minReplicas"],
    },
    {
      name: "a good schedule",
      change: {
        schedules: [
          {
            name: "x",
            schedule: "30 7 * * mon-fri",
            duration: "13h30m",
            timeZone: "Europe/Berlin",
            bounds: { decode: { minReplicas: 4 } },
            gpuBudgetMax: 96,
          },
        ],
      },
      want: [],
    },
    {
      name: "an override of a stranger's floor",
      change: { minimumViableSet: { overrides: { x: 1 } } },
      want: ["spec.minimumViableSet.overrides.x"],
    },
    {
      name: "scale to zero without demand",
      change: { scaleToZero: { enabled: true } },
      want: ["spec.scaleToZero.demandQuery"],
    },
    { name: "scale to zero of a stranger", change: { scaleToZero: { set: ["x"] } }, want: ["spec.scaleToZero.set[0]"] },
    {
      name: "onMissing Fallback without fallback",
      change: { metricsPolicy: { onMissing: "Fallback" } },
      want: ["spec.fallback"],
    },
    {
      name: "static fallback without replicas",
      change: { fallback: { behavior: "static" } },
      want: ["spec.fallback.replicas"],
    },
    {
      name: "fallback above max",
      change: { fallback: { replicas: { prefill: 17 } } },
      want: ["spec.fallback.replicas.prefill"],
    },
  ])("$name", ({ change, want }) => {
    expect(errorsOf(policy(change))).toEqual(want);
  });

  test("acting on GPU utilisation warns where it is no load signal, looking at it does not", () => {
    const gpu = {
      type: "Preset",
      preset: { name: "gpuUtilization", target: { type: "Utilization", averageUtilization: 80 } },
    };
    const warningsOf = (prefill: Json, decode: Json): number =>
      admit({ operation: "CREATE", object: policy(targets(prefill, decode)) }).warnings.length;
    const queue = {
      type: "Preset",
      preset: { name: "waitingRequests", target: { type: "AverageValue", averageValue: "5" } },
    };
    expect(warningsOf({}, { metrics: [queue, gpu] })).toBe(1);
    expect(warningsOf({}, { metrics: [{ ...gpu, advisoryOnly: true }] })).toBe(0);
    expect(warningsOf({ metrics: [queue, gpu] }, {})).toBe(0);
  });

  test("a target that only GPU utilisation acts on could never grow, and says so", () => {
    const gpu = {
      type: "Preset",
      preset: { name: "gpuUtilization", target: { type: "Utilization", averageUtilization: 80 } },
    };
    const { errors, warnings } = admit({ operation: "CREATE", object: policy(targets({ metrics: [gpu] }, {})) });
    expect(errors).toEqual([]);
    expect(warnings).toEqual([expect.stringMatching(/^spec\.scaleTargets\[0\]\.metrics: .*never add any/)]);
  });

  test("a mistyped field names the right one", () => {
    const [error] = admit({ operation: "CREATE", object: policy({ gpubudget: { max: 8 } }) }).errors;
    expect(error).toEqual({ field: "spec.gpubudget", message: "is unknown; did you mean gpuBudget?" });
  });
});

describe("ScalingOverride", () => {
  const override = (change: Json): KubeObject =>
    ({
      apiVersion: API_VERSION,
      kind: "ScalingOverride",
      metadata: { name: "o", namespace: "serving" },
      spec: {
        policyRef: { name: "llama" },
        scaleTargets: { decode: { replicas: 8 } },
        expiresAt: "2026-01-01T12:00:00Z",
        reason: "launch",
        ...change,
      },
    }) as unknown as KubeObject;
  test.each<{ name: string; change: Json; want: readonly string[] }>([
    { name: "good", change: {}, want: [] },
    { name: "bounds", change: { scaleTargets: { decode: { minReplicas: 2, maxReplicas: 4 } } }, want: [] },
    { name: "no end", change: { expiresAt: undefined }, want: ["spec.expiresAt"] },
    { name: "no time", change: { expiresAt: "tomorrow" }, want: ["spec.expiresAt"] },
    { name: "no reason", change: { reason: undefined }, want: ["spec.reason"] },
    { name: "a blank reason", change: { reason: " " }, want: ["spec.reason"] },
    { name: "no targets", change: { scaleTargets: {} }, want: ["spec.scaleTargets"] },
    { name: "an empty target", change: { scaleTargets: { decode: {} } }, want: ["spec.scaleTargets.decode"] },
    {
      name: "replicas and bounds",
      change: { scaleTargets: { decode: { replicas: 1, minReplicas: 1 } } },
      want: ["spec.scaleTargets.decode"],
    },
    {
      name: "min above max",
      change: { scaleTargets: { decode: { minReplicas: 3, maxReplicas: 2 } } },
      want: ["spec.scaleTargets.decode.minReplicas"],
    },
  ])("$name", ({ change, want }) => {
    expect(errorsOf(override(change))).toEqual(want);
  });

  test("ended before it began: refused on create where the time is known, never on update", () => {
    const nowMs = Date.UTC(2026, 0, 1, 12);
    const object = override({});
    expect(admit({ operation: "CREATE", object }, { nowMs }).errors.map(({ field }) => field)).toEqual([
      "spec.expiresAt",
    ]);
    expect(admit({ operation: "CREATE", object }, { nowMs: nowMs - 1 }).errors).toEqual([]);
    expect(admit({ operation: "UPDATE", object, oldObject: object }, { nowMs }).errors).toEqual([]);
  });
});

describe("GPUBudget", () => {
  const budget = (spec: Json): KubeObject =>
    ({ apiVersion: API_VERSION, kind: "GPUBudget", metadata: { name: "b" }, spec }) as unknown as KubeObject;
  const member = { namespace: "serving", policy: "llama" };
  test.each<{ name: string; spec: Json; want: readonly string[] }>([
    {
      name: "good",
      spec: { capacity: 64, reserve: 8, members: [member, { ...member, namespace: "other" }] },
      want: [],
    },
    { name: "a reserve above capacity", spec: { capacity: 8, reserve: 9 }, want: ["spec.reserve"] },
    { name: "a member twice", spec: { capacity: 8, members: [member, member] }, want: ["spec.members[1]"] },
    { name: "weight 0", spec: { capacity: 8, members: [{ ...member, weight: 0 }] }, want: ["spec.members[0].weight"] },
    { name: "no capacity", spec: {}, want: ["spec.capacity"] },
  ])("$name", ({ spec, want }) => {
    expect(errorsOf(budget(spec))).toEqual(want);
  });
});

test("a schedule whose bounds no hard ratio can keep is said", () => {
  const during = (bounds: Json): readonly string[] =>
    admit({
      operation: "CREATE",
      object: policy({ schedules: [{ name: "night", schedule: "0 22 * * *", duration: "8h", bounds }] }),
    }).warnings;
  expect(during({ prefill: { minReplicas: 2 }, decode: { maxReplicas: 4 } })).toEqual([]);
  expect(during({ prefill: { minReplicas: 8 }, decode: { maxReplicas: 2 } })).toEqual([
    "spec.schedules[0].bounds: no state inside them satisfies the hard ratios (prefill:decode), which are given up while night lasts; widen them",
  ]);
});

test("fields that do not act where they stand are said: what panics and costs GPUs is inside the set", () => {
  const { scaleTargets } = SMALLEST.spec;
  const set = {
    name: "instances",
    level: "PodCliqueSet",
    maxReplicas: 3,
    behavior: { panic: { thresholdPercent: 200 } },
    gpusPerReplica: 8,
  };
  const warningsOf = (targets_: readonly Json[]): readonly string[] =>
    admit({ operation: "CREATE", object: policy({ scaleTargets: targets_ }) }).warnings;
  expect(warningsOf([...scaleTargets, set])).toEqual([
    "spec.scaleTargets[2].behavior.panic: without effect on level PodCliqueSet; set it on the targets inside, or raise scaleUp",
    "spec.scaleTargets[2].gpusPerReplica: without effect on level PodCliqueSet, whose replica has the GPUs of what is inside",
  ]);
  const { behavior, gpusPerReplica, ...plain } = set;
  expect(warningsOf([{ ...scaleTargets[0], behavior, gpusPerReplica }, ...scaleTargets.slice(1), plain])).toEqual([]);
});

test("a target named constructor is refused, and for nothing else", () => {
  const named = { name: "constructor", level: "PodClique", ref: "x", maxReplicas: 2 };
  const { errors } = admit({
    operation: "CREATE",
    object: policy({ scaleTargets: [...SMALLEST.spec.scaleTargets, named] }),
  });
  expect(errors).toEqual([
    {
      field: "spec.scaleTargets[2].name",
      message: "must not be constructor; choose another name, ref says which object it is",
    },
  ]);
});

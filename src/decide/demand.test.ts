import { describe, expect, test } from "vitest";
import { type Demand, demandOf } from "./demand.ts";
import type { FallbackPolicy, MetricPolicy, TargetPolicy } from "./policy.ts";

const rules = { stabilizationWindowMs: 0, toleranceRatio: 0.1, selectPolicy: "Max", policies: [] } as const;

const target = (metric: Partial<MetricPolicy>): TargetPolicy => ({
  name: "decode",
  level: "PodClique",
  role: "other",
  minReplicas: 1,
  maxReplicas: 100,
  minViableOverride: 0,
  metrics: [
    { label: "load", targetType: "AverageValue", targetValue: 1, isBacklog: false, advisoryOnly: false, ...metric },
  ],
  behavior: { scaleUp: rules, scaleDown: rules },
});

const demand = (metric: Partial<MetricPolicy>, values: readonly number[], currentReplicas: number) =>
  demandOf({
    target: target(metric),
    readings: [{ kind: "PerReplica", samples: values.map((value, at) => ({ replica: `${at}`, value, ageMs: 0 })) }],
    currentReplicas,
    readyReplicas: values.length,
    staleAfterMs: 60_000,
    minCoverageRatio: 0.7,
    failures: 0,
  });

describe("most replicas were lost", () => {
  test.each<{ name: string; metric: Partial<MetricPolicy>; values: readonly number[] }>([
    { name: "what is left is above its target", metric: {}, values: [1.3, 1.3] },
    { name: "what is left has a long queue", metric: { isBacklog: true }, values: [500, 500] },
    { name: "a value for the whole target is above it", metric: { targetType: "Value" }, values: [1.2, 1.2] },
  ])("$name: it does not shrink", ({ metric, values }) => {
    expect(demand(metric, values, 10)).toMatchObject({ reason: "NotReady", holdsDown: true });
  });

  test("what is left is idle: the target may shrink", () => {
    expect(demand({}, [0.2, 0.2], 10)).toMatchObject({ replicas: 0.4, reason: "Metric", holdsDown: false });
  });
});

describe("a brake", () => {
  const metric = (label: string, more: Partial<MetricPolicy> = {}): MetricPolicy => ({
    label,
    targetType: "AverageValue",
    targetValue: 1,
    isBacklog: false,
    advisoryOnly: false,
    ...more,
  });
  const BRAKE = metric("gpuUtilization", { targetType: "Utilization", targetValue: 0.5, isBrake: true });
  const of = (metrics: readonly MetricPolicy[], values: readonly (number | undefined)[], failures = 0) =>
    demandOf({
      target: { ...target({}), metrics },
      readings: values.map((value) =>
        value === undefined
          ? { kind: "Error", reason: "Unreachable", message: "down" }
          : { kind: "PerReplica", samples: [0, 1, 2, 3].map((at) => ({ replica: `${at}`, value, ageMs: 0 })) },
      ),
      currentReplicas: 4,
      readyReplicas: 4,
      staleAfterMs: 60_000,
      minCoverageRatio: 0.7,
      failures,
      fallback: { failureThreshold: 3, behavior: "static", replicas: { decode: 9 } },
    });

  test.each<{ name: string; load: number; busy: number; want: object }>([
    { name: "keeps what is busy", load: 0.2, busy: 1, want: { replicas: 4, reason: "Brake" } },
    { name: "lets go of what is idle", load: 0.2, busy: 0.1, want: { replicas: 0.8, reason: "Metric" } },
    { name: "lets go slowly of what is half busy", load: 0.2, busy: 0.3, want: { replicas: 2.4, reason: "Brake" } },
    { name: "is in nobody's way up", load: 2, busy: 1, want: { replicas: 8, reason: "Metric" } },
  ])("$name", ({ load, busy, want }) => {
    expect(of([metric("load"), BRAKE], [load, busy])).toMatchObject(want);
  });

  test("says that it adds nothing, and is no sample of a forecast", () => {
    const demand = of([metric("load"), BRAKE], [0.2, 1]);
    expect(demand.detail).toContain("keeps replicas and never adds any");
    expect(demand.isHold).toBe(true);
  });

  test("alone it holds what is there, however busy or idle", () => {
    for (const busy of [1, 0]) {
      expect(of([BRAKE], [busy])).toMatchObject({ replicas: 4, reason: "Brake", holdsDown: true, isUnknown: false });
    }
  });

  test("when nothing else is known it does not stand for a measurement: the fallback counts", () => {
    expect(of([metric("load"), BRAKE], [undefined, 0.1])).toMatchObject({ replicas: 4, isUnknown: true });
    expect(of([metric("load"), BRAKE], [undefined, 0.1], 2)).toMatchObject({ replicas: 9, reason: "Fallback" });
  });
});

describe("fallback, at the third tick without a measurement", () => {
  const unreachable = (behavior: FallbackPolicy["behavior"], replicas: number | undefined, failures = 2) =>
    demandOf({
      target: target({}),
      readings: [{ kind: "Error", reason: "Unreachable", message: "down" }],
      currentReplicas: 4,
      readyReplicas: 4,
      staleAfterMs: 60_000,
      minCoverageRatio: 0.7,
      failures,
      fallback: { failureThreshold: 3, behavior, replicas: replicas === undefined ? {} : { decode: replicas } },
    });

  test.each<{ behavior: FallbackPolicy["behavior"]; replicas: number | undefined; want: number }>([
    { behavior: "static", replicas: 2, want: 2 },
    { behavior: "static", replicas: 9, want: 9 },
    { behavior: "static", replicas: undefined, want: 4 },
    { behavior: "currentReplicas", replicas: 9, want: 4 },
    { behavior: "currentReplicasIfHigher", replicas: 2, want: 4 },
    { behavior: "currentReplicasIfHigher", replicas: 9, want: 9 },
    { behavior: "currentReplicasIfLower", replicas: 2, want: 2 },
    { behavior: "currentReplicasIfLower", replicas: 9, want: 4 },
  ])("$behavior with $replicas and 4 there is $want", ({ behavior, replicas, want }) => {
    expect(unreachable(behavior, replicas)).toMatchObject({ replicas: want, reason: "Fallback" });
  });

  test("not before", () => {
    expect(unreachable("static", 9, 1)).toMatchObject({ replicas: 4, holdsDown: true });
  });
});

describe("replicas that sleep", () => {
  const asleep = (values: readonly number[], sleeping: number) =>
    demandOf({
      target: target({}),
      readings: [
        {
          kind: "PerReplica",
          samples: [
            ...values.map((value, at) => ({ replica: `${at}`, value, ageMs: 0 })),
            ...Array.from({ length: sleeping }, (_, at) => ({ replica: `z${at}`, isAsleep: true as const })),
          ],
        },
      ],
      currentReplicas: values.length + sleeping,
      readyReplicas: values.length + sleeping,
      staleAfterMs: 60_000,
      minCoverageRatio: 0.7,
      failures: 0,
    });

  test.each<{ name: string; values: readonly number[]; sleeping: number; replicas: number }>([
    { name: "awake ones on target change nothing", values: [1, 1], sleeping: 1, replicas: 3 },
    {
      name: "the load of the awake ones grows the target as if the others were not there",
      values: [2, 2],
      sleeping: 2,
      replicas: 6,
    },
    { name: "idle ones go, sleeping ones are not mistaken for idle", values: [0.1, 0.1], sleeping: 1, replicas: 1.2 },
  ])("$name", ({ values, sleeping, replicas }) => {
    expect(asleep(values, sleeping).replicas).toBeCloseTo(replicas, 9);
  });

  test("when all sleep the demand is unknown", () => {
    expect(asleep([], 2)).toMatchObject({ replicas: 2, isUnknown: true, detail: expect.stringContaining("asleep") });
  });
});

describe("a value for the whole target", () => {
  const whole = (more: Partial<MetricPolicy>, values: readonly (number | undefined)[]) =>
    demandOf({
      target: target({ targetType: "Value", ...more }),
      readings: [
        {
          kind: "PerReplica",
          samples: values.map((value, at) => ({
            replica: `${at}`,
            ageMs: 0,
            ...(value === undefined ? {} : { value }),
          })),
        },
      ],
      currentReplicas: values.length,
      readyReplicas: values.length,
      staleAfterMs: 60_000,
      minCoverageRatio: 0.7,
      failures: 0,
    }).replicas;

  test("of a latency is the mean of its replicas, of a count their sum", () => {
    expect(whole({ isMean: true }, [0.5, 0.5, 0.5, 0.5])).toBe(2);
    expect(whole({ isMean: true }, [2, 2, 2, 2])).toBe(8);
    expect(whole({}, [0.5, 0.5, 0.5, 0.5])).toBe(8);
  });

  test("replicas that say nothing count as on target when it would shrink", () => {
    expect(whole({ isMean: true }, [0.5, 0.5, 0.5, undefined])).toBe(2.5);
    expect(whole({ isMean: true }, [0.5, undefined, undefined, undefined])).toBe(4);
    expect(whole({ targetValue: 4 }, [0.5, 0.5, 0.5, undefined])).toBe(2.5);
  });
});

describe("what comes, without what has piled up", () => {
  const metric = (label: string, more: Partial<MetricPolicy> = {}): MetricPolicy => ({
    label,
    targetType: "AverageValue",
    targetValue: 1,
    isBacklog: false,
    advisoryOnly: false,
    ...more,
  });
  const QUEUE = metric("waitingRequests", { isBacklog: true });
  const BRAKE = metric("gpuUtilization", { targetType: "Utilization", targetValue: 0.5, isBrake: true });
  const of = (metrics: readonly MetricPolicy[], totals: readonly number[]) =>
    demandOf({
      target: { ...target({}), metrics },
      readings: totals.map((value) => ({ kind: "Total", sample: { value, ageMs: 0 } })),
      currentReplicas: 4,
      readyReplicas: 4,
      staleAfterMs: 60_000,
      minCoverageRatio: 0.7,
      failures: 0,
    });

  test.each<{ name: string; demand: Demand; flow: readonly [boolean, number | undefined] }>([
    { name: "a queue asks for the most", demand: of([QUEUE, metric("rate")], [6, 3]), flow: [true, 3] },
    { name: "of the others the most", demand: of([metric("a"), QUEUE, metric("b")], [2, 6, 5]), flow: [true, 5] },
    { name: "a brake knows of no load", demand: of([QUEUE, BRAKE], [6, 9]), flow: [true, undefined] },
    { name: "a queue alone", demand: of([QUEUE], [6]), flow: [true, undefined] },
    { name: "the queue asks for less", demand: of([QUEUE, metric("rate")], [3, 6]), flow: [false, undefined] },
  ])("$name", ({ demand: { isBacklog = false, flowReplicas }, flow }) => {
    expect([isBacklog, flowReplicas]).toEqual(flow);
  });
});

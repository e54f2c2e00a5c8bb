import { describe, expect, test } from "vitest";
import { demandOf } from "./demand.ts";
import type { MetricPolicy, TargetPolicy } from "./policy.ts";

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

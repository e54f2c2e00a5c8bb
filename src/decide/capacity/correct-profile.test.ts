import { expect, test } from "vitest";
import type { PerformanceProfile } from "../../api/autoscaling/performance-profile.ts";
import { type CorrectionInput, correctFromProfile } from "./correct-profile.ts";

/** A step of 10 ms + 1 ms a request, whatever the context. */
const profile: PerformanceProfile = {
  name: "straight",
  prefill: {
    points: [
      [100, 10],
      [10_000, 1_000],
    ],
    fit: [0, 0.1, 0],
    ranks: 1,
  },
  decode: {
    rows: [
      [1, [[1, 11]]],
      [64, [[1, 74]]],
    ],
    fit: [10, 1, 0],
  },
  kvTokens: 1_000_000,
  maxRequests: 64,
  maxBatchedTokens: 8_192,
  decodeMultiplier: 1,
  ttftOverheadMs: 0,
};

const shape = { inputTokens: 1_000, outputTokens: 200, prefixHitRatio: 0, inputVariation: 0, outputVariation: 1 };

/** 20 requests on each of 2 replicas at the median: a step of 30 ms. */
function factorAfter(observedMs: number, change: Partial<CorrectionInput> = {}): number | undefined {
  const input: CorrectionInput = {
    profile,
    role: "decode",
    slo: "itl",
    goal: { quantile: 0.5, targetMs: 50 },
    load: { requestsPerSecond: 4, arrivalsPerSecond: 4, waiting: 0, running: 40, shape },
    readyReplicas: 2,
    observedMs,
    known: { itl: { factor: 1, atMs: 0 } },
    nowMs: 60_000,
    ...change,
  };
  return correctFromProfile(input)?.factor;
}

test("what lies within a histogram's buckets teaches nothing", () => {
  expect(factorAfter(30)).toBe(1);
  expect(factorAfter(47)).toBe(1);
  expect(factorAfter(20)).toBe(1);
});

test("what lies beyond does, less the bucket", () => {
  expect(factorAfter(79.9, { goal: { quantile: 0.5, targetMs: 100 } })).toBeGreaterThan(1);
  expect(factorAfter(10, { goal: { quantile: 0.5, targetMs: 50 } })).toBeLessThan(1);
});

test("on the other side of the goal the whole difference counts", () => {
  expect(factorAfter(45, { goal: { quantile: 0.5, targetMs: 40 } })).toBeCloseTo(1.5 ** (1 - Math.exp(-0.1)), 9);
});

test("far below the goal it decides nothing, and stays", () => {
  expect(factorAfter(300, { goal: { quantile: 0.5, targetMs: 5_000 } })).toBe(1);
});

test("prefill is compared with its queue: 100 ms services at ρ = 0.5 are 261 ms at p90", () => {
  const prefill = {
    role: "prefill",
    slo: "ttft",
    goal: { quantile: 0.9, targetMs: 200 },
    load: { requestsPerSecond: 10, arrivalsPerSecond: 10, waiting: 0, shape },
    known: { ttft: { factor: 1, atMs: 0 } },
  } as const;
  // Waits of 100 ms on average: 0.5 e^(−w/100) = 0.1 at w = 161 ms.
  expect(factorAfter(261, prefill)).toBeCloseTo(1, 2);
  expect(factorAfter(400, { ...prefill, goal: { quantile: 0.9, targetMs: 300 } })).toBeGreaterThan(1.02);
});

test("overload and unknown lengths say nothing about speed", () => {
  const prefill = { role: "prefill", slo: "ttft", known: { ttft: { factor: 1.3, atMs: 0 } } } as const;
  expect(
    factorAfter(9_000, { ...prefill, load: { requestsPerSecond: 50, arrivalsPerSecond: 50, waiting: 0, shape } }),
  ).toBe(1.3);
  expect(factorAfter(9_000, { ...prefill, load: { requestsPerSecond: 5, arrivalsPerSecond: 5, waiting: 0 } })).toBe(
    1.3,
  );
});

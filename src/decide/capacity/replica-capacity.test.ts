import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PerformanceProfile } from "../../api/autoscaling/performance-profile.ts";
import {
  aggregatedCapacity,
  aggregatedLoad,
  contextTokens,
  decodeCapacity,
  firstTokenFixedMs,
  itlOf,
  predictedTtftMs,
  prefillCapacity,
  type RequestShape,
} from "./replica-capacity.ts";
import { decodeStepMs, kvTransferMs, prefillMs } from "./step-times.ts";

/** Straight lines, so that everything can be worked by hand: 0.1 ms a prompt token, 10 ms + 1 ms a request + 1 µs a KV token. */
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
    rows: [1, 64].map((batch) => [
      batch,
      [1_000, 4_000].map((context) => [context, 10 + batch + (batch * context) / 1_000_000] as const),
    ]),
    fit: [10, 1, 1e-6],
  },
  kvTokens: 100_000,
  maxRequests: 64,
  maxBatchedTokens: 2_000,
  kvTransfer: { bytesPerToken: 1_000, bytesPerMs: 100_000, fixedMs: 5 },
  decodeMultiplier: 1,
  ttftOverheadMs: 25,
};

const shape: RequestShape = {
  inputTokens: 1_000,
  outputTokens: 200,
  prefixHitRatio: 0,
  inputVariation: 0,
  outputVariation: 1,
};

const p50 = (targetMs: number) => ({ quantile: 0.5, targetMs });
const p90 = (targetMs: number) => ({ quantile: 0.9, targetMs });

describe("steps", () => {
  test("prefill: between points, below the first, beyond the last, and with a cached prefix", () => {
    expect(prefillMs(profile, 1_000)).toBeCloseTo(100, 9);
    expect(prefillMs(profile, 10)).toBe(10);
    expect(prefillMs(profile, 20_000)).toBeCloseTo(2_000, 9);
    const curved = { ...profile, prefill: { ...profile.prefill, fit: [0, 0.1, 1e-6] as const } };
    // 2 · c2 · cached · new = 2e-6 · 4000 · 1000 = 8 ms of attention to what is cached.
    expect(prefillMs(curved, 1_000, 4_000)).toBeCloseTo(108, 9);
  });

  test("decode: inside the grid, beyond its batches and contexts, calibrated", () => {
    expect(decodeStepMs(profile, 8, 1_000)).toBeCloseTo(18.008, 6);
    expect(decodeStepMs(profile, 64, 8_000)).toBeCloseTo(10 + 64 + 0.512, 6);
    expect(decodeStepMs(profile, 128, 4_000)).toBeCloseTo(10 + 128 + 0.512, 6);
    expect(decodeStepMs({ ...profile, decodeMultiplier: 1.05 }, 8, 1_000)).toBeCloseTo(18.008 * 1.05, 6);
  });

  test("transfer: 5 ms and 1000 tokens of 1000 bytes at 100,000 bytes/ms are 15 ms", () => {
    expect(kvTransferMs(profile, 1_000)).toBe(15);
    expect(firstTokenFixedMs(profile, shape)).toBe(40);
  });
});

describe("prefill", () => {
  test("the rate found has the quantile at the target less what is fixed", () => {
    const { requestsPerSecond, limitedBy, isAttainable } = prefillCapacity(profile, shape, p90(500));
    expect({ limitedBy, isAttainable }).toEqual({ limitedBy: "TTFT", isAttainable: true });
    expect(predictedTtftMs(profile, shape, { requestsPerSecond, quantile: 0.9 })).toBeCloseTo(460, 1);
    // 100 ms each, so waits of 50 / (1 − ρ) ms; of the 460 ms 360 are left to wait: ρ exp(−360 (1 − ρ) / 50) = 0.1.
    const utilization = requestsPerSecond / 10;
    expect(utilization * Math.exp((-360 * (1 - utilization)) / 50)).toBeCloseTo(0.1, 4);
    expect(utilization).toBeCloseTo(0.729, 2);
  });

  test("a cached half of the prompt doubles the rate and more", () => {
    const cached = { ...shape, prefixHitRatio: 0.5 };
    expect(prefillCapacity(profile, cached, p90(500)).requestsPerSecond).toBeGreaterThan(
      2 * prefillCapacity(profile, shape, p90(500)).requestsPerSecond,
    );
  });

  test("a target below the idle latency is named, and the replica is counted at 80 %", () => {
    expect(prefillCapacity(profile, shape, p90(120))).toEqual({
      requestsPerSecond: expect.closeTo(8, 9),
      limitedBy: "Utilization",
      isAttainable: false,
    });
  });

  test("the more replicas share a queue, the more each of them serves, and one by itself as if it did not", () => {
    const varied = { ...shape, inputVariation: 2 };
    const of = (requestsPerSecond: number): number =>
      prefillCapacity(profile, varied, p90(1_000), { pool: { requestsPerSecond } }).requestsPerSecond;
    const alone = prefillCapacity(profile, varied, p90(1_000)).requestsPerSecond;
    expect(of(alone / 2)).toBeCloseTo(alone, 9);
    expect(of(20)).toBeGreaterThan(1.2 * alone);
    expect(of(200)).toBeGreaterThan(of(20));
    // The TTFT of such a pool is at its target; that of as many queues is not.
    const requestsPerSecond = of(20);
    const ttft = (poolReplicas: number) =>
      predictedTtftMs(profile, varied, { requestsPerSecond, quantile: 0.9, poolReplicas });
    expect(ttft(20 / requestsPerSecond)).toBeCloseTo(960, 0);
    expect(ttft(1)).toBeGreaterThan(1_500);
  });

  test("two ranks of a worker are two servers of the pool", () => {
    const two = { ...profile, prefill: { ...profile.prefill, ranks: 2 } };
    const varied = { ...shape, inputVariation: 2 };
    const pool = { requestsPerSecond: 40 };
    expect(prefillCapacity(two, varied, p90(1_000), { pool }).requestsPerSecond).toBeCloseTo(
      2 * prefillCapacity(profile, varied, p90(1_000), { pool }).requestsPerSecond,
      9,
    );
  });

  test("two ranks serve twice as much", () => {
    const two = { ...profile, prefill: { ...profile.prefill, ranks: 2 } };
    expect(prefillCapacity(two, shape, p90(500)).requestsPerSecond).toBeCloseTo(
      2 * prefillCapacity(profile, shape, p90(500)).requestsPerSecond,
      9,
    );
  });
});

describe("decode", () => {
  test("context is the prompt and, with answers that vary as much as their mean, the whole mean answer", () => {
    expect(contextTokens(shape)).toBe(1_200);
    expect(contextTokens({ ...shape, outputVariation: 0 })).toBe(1_100);
    expect(contextTokens({ ...shape, contextTokens: 777 })).toBe(777);
  });

  test("the batch whose step is 50 ms: 10 + b + 0.0012 b ≤ 50 at b = 39; Little's law gives the rate", () => {
    const { requestsPerSecond, runningRequests, limitedBy } = decodeCapacity(profile, shape, p50(50));
    expect(limitedBy).toBe("ITL");
    expect(runningRequests).toBeCloseTo(39, 9);
    expect(requestsPerSecond).toBeCloseTo((1_000 * 39) / (200 * (10 + 39 + 39 * 0.0012)), 3);
  });

  test("the quantile of a Poisson number of requests is within the batch: m + 1.28 √m = 39 at m = 31.8", () => {
    expect(decodeCapacity(profile, shape, p90(50)).runningRequests).toBeCloseTo(31.8, 1);
  });

  test("the cache binds first where sequences are long: 0.9 · 100,000 / 6,000 = 15", () => {
    const long = { ...shape, inputTokens: 5_800 };
    expect(decodeCapacity(profile, long, p50(50))).toMatchObject({
      limitedBy: "KVCache",
      runningRequests: expect.closeTo(15, 6),
    });
  });

  test("request slots bind where steps are fast", () => {
    expect(decodeCapacity(profile, shape, p50(500))).toMatchObject({ limitedBy: "MaxRequests" });
  });

  test("a target below one request's step is named", () => {
    expect(decodeCapacity(profile, shape, p50(5))).toMatchObject({ limitedBy: "Utilization", isAttainable: false });
  });

  test("a correction of 2 leaves half of the time: 2 (10 + b) ≤ 50 at b = 14", () => {
    expect(decodeCapacity(profile, shape, p50(50), 2).runningRequests).toBeCloseTo(14, 6);
  });
});

describe("aggregated", () => {
  test("each token pays its share of the prefills: step + (b − 1) · prefill / output", () => {
    const load = aggregatedLoad(profile, shape, 1_200, 5);
    expect(load.tokenMs).toBeCloseTo(15 + 5 * 0.0012 + (4 * 100) / 200, 6);
    expect(load.requestsPerSecond).toBeCloseTo((1_000 * 5) / (200 * load.tokenMs), 6);
    // One chunk a request: requests/s of 1000/tokenMs steps/s.
    expect(load.mixedShare).toBeCloseTo((load.requestsPerSecond * load.tokenMs) / 1_000, 9);
  });

  test("where more steps carry prompts than the quantile leaves out, such a step is the latency", () => {
    const load = { tokenMs: 20, mixedStepMs: 120, mixedShare: 0.15 } as Parameters<typeof itlOf>[0];
    expect(itlOf(load, 0.8)).toBe(20);
    expect(itlOf(load, 0.9)).toBe(120);
  });

  test("serves less than a decode replica alone, and names the goal that binds", () => {
    const both = aggregatedCapacity(profile, shape, { ttft: p90(1_000), itl: p50(50) });
    expect(both.requestsPerSecond).toBeLessThan(decodeCapacity(profile, shape, p50(50)).requestsPerSecond);
    expect(aggregatedCapacity(profile, shape, { ttft: p90(10) })).toMatchObject({
      isAttainable: false,
      unattainable: ["ttft"],
    });
  });
});

describe("laws", () => {
  const shapes = fc.record({
    inputTokens: fc.double({ min: 1, max: 200_000, noNaN: true }),
    outputTokens: fc.double({ min: 1, max: 20_000, noNaN: true }),
    prefixHitRatio: fc.double({ min: 0, max: 0.99, noNaN: true }),
    inputVariation: fc.double({ min: 0, max: 3, noNaN: true }),
    outputVariation: fc.double({ min: 0, max: 3, noNaN: true }),
  });
  const goals = fc.record({
    quantile: fc.double({ min: 0.5, max: 0.999, noNaN: true }),
    targetMs: fc.double({ min: 0.1, max: 60_000, noNaN: true }),
  });
  type Goal = { quantile: number; targetMs: number };
  const kinds = {
    prefill: (one: RequestShape, goal: Goal) => prefillCapacity(profile, one, goal),
    decode: (one: RequestShape, goal: Goal) => decodeCapacity(profile, one, goal),
    aggregated: (one: RequestShape, goal: Goal) => aggregatedCapacity(profile, one, { ttft: goal, itl: goal }),
  };

  test.each(Object.entries(kinds))("%s: above 0 and finite, whatever comes", (_, capacity) => {
    fc.assert(
      fc.property(shapes, goals, (one, goal) => {
        const { requestsPerSecond } = capacity(one, goal);
        expect(requestsPerSecond).toBeGreaterThan(0);
        expect(Number.isFinite(requestsPerSecond)).toBe(true);
      }),
    );
  });

  test.each([
    ["prefill", kinds.prefill],
    ["decode", kinds.decode],
  ] as const)("%s: longer prompts never raise it, a tighter target neither", (_, capacity) => {
    fc.assert(
      fc.property(shapes, goals, fc.double({ min: 1, max: 3, noNaN: true }), (one, goal, factor) => {
        const here = capacity(one, goal);
        const longer = capacity({ ...one, inputTokens: one.inputTokens * factor }, goal);
        const tighter = capacity(one, { ...goal, targetMs: goal.targetMs / factor });
        const slack = 1 + 1e-6;
        // A target that cannot be met is given up, not chased: only what is attainable compares.
        if (here.isAttainable && longer.isAttainable)
          expect(longer.requestsPerSecond).toBeLessThanOrEqual(here.requestsPerSecond * slack);
        if (here.isAttainable && tighter.isAttainable)
          expect(tighter.requestsPerSecond).toBeLessThanOrEqual(here.requestsPerSecond * slack);
      }),
    );
  });
});

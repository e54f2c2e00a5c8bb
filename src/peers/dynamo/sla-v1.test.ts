/** Vectors of ai-dynamo/dynamo:tests/planner/test_replica_calculation.py where a name says so: 60 s, ITL 10 ms, 40,000 prompt tokens/s and GPU. */
import { describe, expect, test } from "vitest";
import { contextOf, type Look, run } from "../peer.fixture.ts";
import type { PeerPerformance } from "../peer.ts";
import { correctionsOf, DYNAMO_SLA_V1, replicasFor } from "./sla-v1.ts";

/** The same tokens/s at every batch and length; both are of one engine. */
const steady = (prefillTokensPerSecond: number, decodeTokensPerSecond: number, gpus = [1, 1]): PeerPerformance => ({
  ...contextOf([]).performance,
  prefillSeconds: (tokens) => tokens / prefillTokensPerSecond,
  decodeStepSeconds: (batch) => batch / decodeTokensPerSecond,
  kvTokens: 10_000_000,
  prefillGpus: gpus[0] as number,
  decodeGpus: gpus[1] as number,
});

const of = (
  [requests, inputTokens, outputTokens]: readonly [number, number, number],
  performance: PeerPerformance,
  corrections = { prefill: 1, decode: 1 },
  minEndpoint = 1,
): unknown =>
  replicasFor({ requests, inputTokens, outputTokens }, corrections, {
    intervalSeconds: 60,
    itlSeconds: 0.01,
    minEndpoint,
    performance,
  });

describe("replicas for a demand", () => {
  test("low load: 10 x 3000/60/40000 = 0.0125 -> 1, 10 x 150/60/10000 -> 1", () => {
    expect(of([10, 3000, 150], steady(40_000, 10_000))).toEqual({ prefill: 1, decode: 1 });
  });

  test("high load: 500 x 3000/60/40000 = 0.625 -> 1, 500 x 150/60/1000 = 1.25 -> 2", () => {
    expect(of([500, 3000, 150], steady(40_000, 1_000))).toEqual({ prefill: 1, decode: 2 });
  });

  test("test_min_endpoint_constraint: at least 2", () => {
    expect(of([1, 100, 10], steady(40_000, 10_000), undefined, 2)).toEqual({ prefill: 2, decode: 2 });
  });

  test("engines of 2 and 4 GPUs are taken as wholes: 4800 x 3000/60/80000 = 3, 4800 x 150/60/4000 = 3", () => {
    expect(of([4800, 3000, 150], steady(80_000, 4_000, [2, 4]))).toEqual({ prefill: 3, decode: 3 });
  });

  test("a prefill correction below 1 shrinks: 4.5 x 0.5 -> 3; above 1 it is 1: 4.5 -> 5", () => {
    const demand = [3600, 3000, 1] as const; // 180,000 tokens/s
    expect(of(demand, steady(40_000, 10_000), { prefill: 0.5, decode: 1 })).toEqual({ prefill: 3, decode: 1 });
    expect(of(demand, steady(40_000, 10_000), { prefill: 2.5, decode: 1 })).toEqual({ prefill: 5, decode: 1 });
  });

  test("a decode correction of 2 plans for half the ITL: step 2 + 0.1 a request: (5 - 2)/0.1 = 30 instead of (10 - 2)/0.1 = 80", () => {
    const performance = { ...steady(40_000, 1), decodeStepSeconds: (batch: number) => 0.002 + 0.0001 * batch };
    // 80/10 ms = 8,000 tokens/s: 6000 x 150/60 = 15,000 -> 2. 30/5 ms = 6,000 tokens/s -> 3.
    expect(of([6000, 10, 150], performance)).toEqual({ prefill: 1, decode: 2 });
    expect(of([6000, 10, 150], performance, { prefill: 1, decode: 2 })).toEqual({ prefill: 1, decode: 3 });
  });

  test.each([0, -1])("test_decode_correction_factor_zero_handling: %d is none", (decode) => {
    expect(of([10, 3000, 150], steady(40_000, 10_000), { prefill: 1, decode })).toEqual({ prefill: 1, decode: 1 });
  });
});

test("corrections: 0.6 s over 3000/10000 = 0.3 s is 2; 20 requests x 12 s/60 s on 2 are 2 each, 4 ms over 2/1000 is 2", () => {
  const seen = { requests: 20, inputTokens: 3000, outputTokens: 150, ttft: 0.6, itl: 0.004, duration: 12 };
  const options = { intervalSeconds: 60, itlSeconds: 0.01, minEndpoint: 1, performance: steady(10_000, 1_000) };
  expect(correctionsOf(seen, 2, options)).toEqual({ prefill: 2, decode: 2 });
});

test("corrections: more in flight than a cache of 30,000 tokens holds expects a full one: 10 of 3,000 tokens, 10 ms", () => {
  const performance = { ...steady(10_000, 1_000), kvTokens: 30_000 };
  const seen = { requests: 200, inputTokens: 2_950, outputTokens: 100, ttft: 0.295, itl: 0.02, duration: 600 };
  const { decode } = correctionsOf(seen, 1, { intervalSeconds: 60, itlSeconds: 0.01, minEndpoint: 1, performance });
  expect(decode).toBeCloseTo(2, 9);
});

describe("dynamo-sla-v1", () => {
  // Profile: 1 ms a prompt token; step 10 + 0.1 ms a request, 50 ms, context 400 in 100,000 tokens: 250 at 35 ms = 7,143 tokens/s.
  const traffic = { requests: 5400, inputTokens: 200, outputTokens: 400, ttft: 0.2, itl: 0.0112, duration: 4 };
  const look = (totals: Look["totals"], more: Partial<Look> = {}): Look => ({
    roles: { prefill: { spec: 1, min: 0 }, decode: { spec: 10, min: 0 } },
    ...(totals && { totals }),
    ...more,
  });
  const plan = (parameters = {}): ReturnType<typeof run> =>
    run(DYNAMO_SLA_V1, ["prefill", "decode"], { predictor: 0, ...parameters });

  test("30/s x 200 tokens/1000 = 6; 30/s x 400/7143 = 1.68 -> 2", () => {
    // Expected ITL at 5400/10 x 4/180 = 12 each: 11.2 ms, so no correction.
    expect(plan().at(180, look(traffic))).toEqual({ prefill: 6, decode: 2 });
  });

  test("measured ITL at the double of the expected: 25 ms -> 150 at 25 ms = 6,000/s: 12,000/6,000 = 2; at four times 12.5 ms: 25 at 12.5 = 2,000/s: 6", () => {
    expect(plan().at(180, look({ ...traffic, itl: 0.0224 }))).toEqual({ prefill: 6, decode: 2 });
    expect(plan().at(180, look({ ...traffic, itl: 0.0448 }))).toEqual({ prefill: 6, decode: 6 });
    expect(plan({ usesCorrection: 0 }).at(180, look({ ...traffic, itl: 0.0448 }))).toEqual({ prefill: 6, decode: 2 });
  });

  test("a budget of 4: 8 wanted, floor(6 x 0.5) = 3, 1 left", () => {
    expect(plan().at(180, look(traffic, { gpuBudget: 4 }))).toEqual({ prefill: 3, decode: 1 });
  });

  test("the collapse: a budget of 1 for 1 + 1 is (0, 0), where bounds let it be", () => {
    expect(plan().at(180, look(traffic, { gpuBudget: 1 }))).toEqual({ prefill: 0, decode: 0 });
    const bounded = { prefill: { spec: 1 }, decode: { spec: 10 } };
    expect(plan().at(180, look(traffic, { gpuBudget: 1, roles: bounded }))).toEqual({ prefill: 1, decode: 1 });
  });

  test.each(Object.keys(traffic))("without %s the tick is left out", (name) => {
    expect(plan().at(180, look({ ...traffic, [name]: Number.NaN }))).toEqual({});
    expect(plan().at(180, look(Object.fromEntries(Object.entries(traffic).filter(([key]) => key !== name))))).toEqual(
      {},
    );
  });

  test("aggregated systems are not for it", () => {
    expect(run(DYNAMO_SLA_V1, ["aggregated"]).at(180, { roles: { aggregated: { spec: 3 } }, totals: traffic })).toEqual(
      {},
    );
  });
});

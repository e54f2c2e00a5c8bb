import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseProfile } from "../../api/autoscaling/performance-profile.ts";
import { clairvoyantPlan, type PlanProblem } from "./clairvoyant-plan.ts";
import { needsOf } from "./needs.ts";
import { ordersFor } from "./planned-scaler.ts";
import { reactivePlan } from "./reactive-plan.ts";

const role = { minReplicas: 1, maxReplicas: 3, gpusPerReplica: 2, startMs: 60_000 };

/** Every path there is. */
function cheapestOfAll(problem: PlanProblem): number {
  const { needs, roles, gpuBudget = Infinity, band } = problem;
  const states = roles
    .reduce<number[][]>(
      (all, { minReplicas, maxReplicas }) =>
        all.flatMap((one) =>
          Array.from({ length: maxReplicas - minReplicas + 1 }, (_, at) => [...one, minReplicas + at]),
        ),
      [[]],
    )
    .filter((one) => one.reduce((sum, count, at) => sum + count * (roles[at]?.gpusPerReplica ?? 0), 0) <= gpuBudget)
    .filter(([a = 1, b = 1]) => band === undefined || (a / b >= band.min && a / b <= band.max));
  const go = (interval: number, before: number[] | undefined): number => {
    if (interval === needs.requests.length) return 0;
    return Math.min(...states.map((one) => costOf(problem, interval, before, one) + go(interval + 1, one)));
  };
  return go(0, undefined);
}

function costOf(
  { needs, roles, penaltyGpuSeconds, drainMs }: PlanProblem,
  interval: number,
  before: readonly number[] | undefined,
  now: readonly number[],
): number {
  let cost = 0;
  let served = 1;
  for (const [at, { gpusPerReplica, startMs }] of roles.entries()) {
    const count = now[at] as number;
    const change = before === undefined ? 0 : count - (before[at] as number);
    cost += (gpusPerReplica * count * needs.intervalMs) / 1000;
    cost += change > 0 ? (change * gpusPerReplica * startMs) / 1000 : (-change * gpusPerReplica * drainMs) / 1000;
    const need = needs.replicas[at]?.[interval] as number;
    if (need > 0) served = Math.min(served, count / need);
  }
  return cost + penaltyGpuSeconds * (needs.requests[interval] as number) * (1 - served);
}

describe("the clairvoyant plan", () => {
  test("costs no more than any other path (300 random problems, every path tried)", () => {
    const problem = fc.record({
      needs: fc.array(
        fc.record({
          requests: fc.nat(50),
          a: fc.double({ min: 0, max: 4, noNaN: true }),
          b: fc.double({ min: 0, max: 4, noNaN: true }),
        }),
        { minLength: 1, maxLength: 4 },
      ),
      startMs: fc.constantFrom(0, 30_000, 90_000),
      drainMs: fc.constantFrom(0, 20_000),
      penaltyGpuSeconds: fc.constantFrom(0.5, 5, 50),
      gpuBudget: fc.constantFrom(undefined, 6, 8),
      band: fc.constantFrom(undefined, { min: 0.5, max: 1 }),
    });
    fc.assert(
      fc.property(problem, ({ needs, startMs, drainMs, penaltyGpuSeconds, gpuBudget, band }) => {
        const asked: PlanProblem = {
          needs: {
            intervalMs: 30_000,
            requests: needs.map(({ requests }) => requests),
            replicas: [needs.map(({ a }) => a), needs.map(({ b }) => b)],
          },
          roles: [
            { ...role, startMs },
            { ...role, startMs, gpusPerReplica: 1 },
          ],
          penaltyGpuSeconds,
          drainMs,
          ...(gpuBudget === undefined ? {} : { gpuBudget }),
          ...(band === undefined ? {} : { band }),
        };
        const plan = clairvoyantPlan(asked);
        const cost = plan.reduce((sum, now, interval) => sum + costOf(asked, interval, plan[interval - 1], now), 0);
        expect(cost).toBeCloseTo(cheapestOfAll(asked), 6);
      }),
      { numRuns: 300, seed: 7 },
    );
  });

  test("a bound that nothing fits is refused", () => {
    const needs = { intervalMs: 30_000, requests: [1], replicas: [[1]] };
    expect(() => clairvoyantPlan({ needs, roles: [role], penaltyGpuSeconds: 1, drainMs: 0, gpuBudget: 1 })).toThrow(
      "no replicas between minReplicas and maxReplicas fit spec.gpuBudget.max (1)",
    );
  });
});

describe("orders", () => {
  test("come a start before they are needed, and a dip shorter than a start is kept", () => {
    const ready = [[1], [1], [1], [3], [1], [3], [1], [1], [1]];
    expect(ordersFor(ready, [60_000], 30_000).flat()).toEqual([1, 3, 3, 3, 3, 3, 1, 1, 1]);
  });

  test("of the reactive oracle follow the last interval, and hold", () => {
    const needs = { intervalMs: 30_000, requests: [0, 0, 0, 0, 0], replicas: [[0.2, 2.1, 0.1, 0.1, 0.1]] };
    expect(reactivePlan({ needs, roles: [role], holdMs: 0 }).flat()).toEqual([1, 1, 3, 1, 1]);
    expect(reactivePlan({ needs, roles: [role], holdMs: 30_000 }).flat()).toEqual([1, 1, 3, 3, 1]);
    expect(reactivePlan({ needs, roles: [role], holdMs: 60_000 }).flat()).toEqual([1, 1, 3, 3, 3]);
  });
});

describe("needs", () => {
  /** 100 ms a prompt whatever its length up to 1,000; 20 ms a step; a cache for 100 requests of 1,100 tokens. */
  const parsed = parseProfile(
    JSON.stringify({
      schema: "grove-autoscaler/perf-profile/v1",
      name: "flat",
      prefill: {
        single: [
          [1, 100],
          [10_000, 100],
        ],
        fit: { c: [100, 0, 0] },
      },
      decode: {
        grid: [
          [1, 1, 20],
          [1, 10_000, 20],
          [1_000, 1, 20],
          [1_000, 10_000, 20],
        ],
        fit: { c: [20, 0, 0] },
      },
      kv_cache: { decode: { worker_tokens: 10_000_000 } },
      limits: { max_num_seqs: 100, max_num_batched_tokens: 8_192 },
    }),
  );
  const profile = parsed.ok ? parsed.profile : expect.fail(JSON.stringify(parsed.problem));
  const arrivals = Array.from({ length: 600 }, (_, at) => ({ atMs: at * 100, inputTokens: 1_000, outputTokens: 500 }));
  const goals = { ttft: { quantile: 0.9, targetMs: 1e6 }, itl: { quantile: 0.5, targetMs: 50 } };

  test("prefill is rate times service, decode is the requests in flight over the slots", () => {
    const { replicas, requests } = needsOf({
      arrivals,
      roles: ["prefill", "decode"],
      profile,
      goals,
      intervalMs: 10_000,
      endMs: 90_000,
      usedRatio: 1,
      sharesQueue: false,
    });
    expect(requests).toEqual([100, 100, 100, 100, 100, 100, 0, 0, 0]);
    // 10/s of 100 ms each at the most that a queue stays predictable, 0.95.
    expect(replicas[0]?.[2]).toBeCloseTo(1 / 0.95, 6);
    // An answer takes 500 × 20 ms = 10 s: 100 requests are in decode, a replica holds 100 of them; the first interval fills up.
    expect(replicas[1]?.[0]).toBeCloseTo(0.5, 1);
    expect(replicas[1]?.[3]).toBeCloseTo(1, 2);
    expect(replicas[1]?.[7]).toBe(0);
  });

  test("half of the capacity used is twice the need", () => {
    const options = {
      arrivals,
      roles: ["decode"] as const,
      profile,
      goals,
      intervalMs: 10_000,
      endMs: 60_000,
      sharesQueue: false,
    };
    const whole = needsOf({ ...options, usedRatio: 1 }).replicas[0]?.[3] ?? Number.NaN;
    expect(needsOf({ ...options, usedRatio: 0.5 }).replicas[0]?.[3]).toBeCloseTo(2 * whole, 9);
  });
});

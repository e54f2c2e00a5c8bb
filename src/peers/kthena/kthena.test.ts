/** Vectors of volcano-sh/kthena:pkg/autoscaler/algorithm/{disaggregated_ratio,recommendation,revision}_test.go where a name says so. */
import { describe, expect, test } from "vitest";
import { type Look, run } from "../peer.fixture.ts";
import { type BehaviorOptions, correct, NO_HISTORY } from "./correction.ts";
import { KTHENA } from "./kthena.ts";
import { enforceRatio } from "./ratio.ts";
import { type RoleState, recommend } from "./recommendation.ts";

describe("ratio, 0.25 to 1", () => {
  test.each<[string, [number, number], [number, number], [number, number]]>([
    ["already within ratio", [2, 4], [8, 16], [2, 4]],
    ["below min raises numerator first: 0.25 x 8 = 2", [1, 8], [8, 16], [2, 8]],
    ["above max raises denominator first: 6/1 = 6", [6, 2], [8, 16], [6, 6]],
    ["fallback saturates numerator before lowering denominator: 3/0.25 = 12", [2, 20], [3, 20], [3, 12]],
    ["above max with a full denominator: 1 x 4 = 4", [8, 4], [8, 4], [4, 4]],
    ["zero numerator is raised to keep both roles available", [0, 4], [8, 16], [1, 4]],
    ["zero denominator is raised before ratio repair", [4, 0], [8, 16], [4, 4]],
    ["both zero preserves coupled scale to zero", [0, 0], [8, 16], [0, 0]],
    ["bounds first", [10, 8], [8, 16], [8, 8]],
  ])("%s", (_, [a, b], [maxA, maxB], expected) => {
    const side = (replicas: number, maxReplicas: number): Parameters<typeof enforceRatio>[0] => ({
      replicas,
      maxReplicas,
      minReplicas: 0,
    });
    expect(enforceRatio(side(a, maxA), side(b, maxB), { min: 0.25, max: 1 })).toEqual(expected);
  });

  test("as shipped one pass may leave the band: 0.5 to 0.5 makes 2 of 1 against 3, which is 0.67", () => {
    const bounds = { minReplicas: 1, maxReplicas: 10 };
    expect(enforceRatio({ ...bounds, replicas: 1 }, { ...bounds, replicas: 3 }, { min: 0.5, max: 0.5 })).toEqual([
      2, 3,
    ]);
  });
});

describe("recommendation", () => {
  const state = (current: number, more: Partial<RoleState> = {}): RoleState => ({
    current,
    unready: 0,
    minReplicas: 1,
    maxReplicas: 100,
    ...more,
  });

  test.each<[string, RoleState, readonly [number | undefined, number][], number | undefined]>([
    ["fewer than min: min", state(4, { minReplicas: 5 }), [], 5],
    ["more than max: max", state(11, { maxReplicas: 10 }), [], 10],
    ["no metric: skip", state(7), [[undefined, 1]], undefined],
    [
      "the maximum of several: 18/3 = 6, 1500/5 = 300, 60/4 = 15",
      state(3, { maxReplicas: 1_000_000 }),
      [
        [18, 3],
        [1500, 5],
        [60, 4],
      ],
      300,
    ],
    ["NoReporterCounts: 105/10 = 10.5 -> 11", state(10, { minReplicas: 2, maxReplicas: 20 }), [[105, 10]], 11],
    ["below min it is min", state(10, { minReplicas: 5 }), [[2, 1]], 5],
    ["as shipped the tolerance is around one replica: 10.5 of 10 are 1.05, and 10 stay", state(10), [[10.5, 10]], 10],
    [
      "unready count as idle on the way up: 31.2/11 = 2.84 of 18, 31.2 -> 32",
      state(18, { unready: 10 }),
      [[31.2, 1]],
      32,
    ],
    ["too many unready hold: 31.2/51 = 0.61", state(58, { unready: 50 }), [[31.2, 1]], 58],
    ["on the way down they do not count: 0.6 -> 1", state(58, { unready: 50 }), [[0.6, 1]], 1],
  ])("%s", (_, role, metrics, expected) => {
    expect(
      recommend(
        role,
        metrics.map(([sum, target]) => ({ sum, target })),
        0.1,
      ),
    ).toBe(expected);
  });
});

describe("correction", () => {
  const options: BehaviorOptions = {
    upInstances: 3,
    upPercent: 100,
    panicPercent: 100,
    periodMs: 15_000,
    panicThresholdPercent: 100_000,
    panicHoldMs: 60_000,
    downWindowMs: 300_000,
  };
  const past = (atMs: number, recommended: number[], corrected: number[]): typeof NO_HISTORY => ({
    ...NO_HISTORY,
    recommendations: recommended.map((value) => ({ atMs, value })),
    corrected: corrected.map((value) => ({ atMs, value })),
  });

  test.each<[string, number, number, typeof NO_HISTORY, Partial<BehaviorOptions>, number]>([
    ["stable and recommended equals current", 7, 7, NO_HISTORY, {}, 7],
    ["stable scale up, Or: 5 + max(3, 5) = 10", 20, 5, NO_HISTORY, {}, 10],
    ["less than the limit", 8, 5, NO_HISTORY, {}, 8],
    [
      "min corrected history is smaller: 6 + max(2, 3) = 9, not below 10",
      50,
      10,
      past(990_000, [], [6]),
      { upInstances: 2, upPercent: 50 },
      10,
    ],
    ["max recommendation history is higher", 5, 10, past(900_000, [9], []), {}, 9],
    ["older than the window it is out", 5, 10, past(700_000, [9], []), {}, 5],
    ["panic: 5 + 5 = 10", 15, 5, NO_HISTORY, { panicThresholdPercent: 200 }, 10],
    ["panic at 1000 %: 5 + 50", 15, 5, NO_HISTORY, { panicThresholdPercent: 200, panicPercent: 1000 }, 15],
    [
      "panic and min corrected history is smaller: 6 + 6 = 12",
      30,
      10,
      past(990_000, [], [6]),
      { panicThresholdPercent: 200 },
      12,
    ],
    ["panic from zero", 5, 0, NO_HISTORY, { panicThresholdPercent: 200 }, 5],
    ["panic and recommended is below current", 3, 10, { ...NO_HISTORY, panicEndsMs: 1_000_000 }, {}, 10],
    ["after the hold it is over", 3, 10, { ...NO_HISTORY, panicEndsMs: 999_999 }, {}, 3],
  ])("%s", (_, recommended, current, history, more, expected) => {
    expect(correct(1_000_000, recommended, current, history, { ...options, ...more }).replicas).toBe(expected);
  });

  test("a recommendation of 200 % holds the panic for 60 s", () => {
    const { history } = correct(0, 10, 5, NO_HISTORY, { ...options, panicThresholdPercent: 200 });
    expect(history.panicEndsMs).toBe(60_000);
    expect(correct(60_000, 2, 10, history, { ...options, downWindowMs: 0 }).replicas).toBe(10);
    expect(correct(60_001, 2, 10, history, { ...options, downWindowMs: 0 }).replicas).toBe(2);
  });
});

describe("kthena", () => {
  const look = (prefill: number, decode: number, waiting: number | undefined, kv: number | undefined): Look => ({
    roles: { prefill: { spec: prefill }, decode: { spec: decode } },
    perReplica: { "prefill waiting": Array(prefill).fill(waiting), "decode kvUsage": Array(decode).fill(kv) },
  });
  const at = (seen: Look, parameters = {}): unknown => run(KTHENA, ["prefill", "decode"], parameters).at(0, seen);

  test("10 x 2/5 = 4; 0.875 x 4/0.7 = 5; 4/5 is in the band", () => {
    expect(at(look(2, 4, 10, 0.875))).toEqual({ prefill: 4, decode: 5 });
  });

  test("the ratio comes after the rate: decode 4 -> 10 by the band, though 8 is the double", () => {
    expect(at(look(2, 4, 25, 0.7), { panicThresholdPercent: 1000 })).toEqual({ prefill: 4, decode: 4 });
    expect(at(look(2, 4, 25, 0.7))).toEqual({ prefill: 10, decode: 10 }); // 50/5 = 10 in panic
  });

  test("what was there at the start holds for 300 s: 8 x 0.34/0.7 = 3.9 -> 4", () => {
    const kthena = run(KTHENA, ["prefill", "decode"]);
    for (let second = 0; second < 300; second += 15) {
      expect(kthena.at(second, look(2, 8, 5, 0.34))).toEqual({ prefill: 2, decode: 8 });
    }
    expect(kthena.at(300, look(2, 8, 5, 0.34))).toEqual({ prefill: 2, decode: 4 });
  });

  test("a role without metrics skips both", () => {
    expect(at(look(2, 4, 10, undefined))).toEqual({});
    expect(at(look(2, 4, Number.NaN, 0.875))).toEqual({});
  });

  test("aggregated: the higher of both metrics, no ratio: 10/5 = 2, 2/0.7 = 2.86 -> 3", () => {
    const perReplica = { "aggregated waiting": [5, 5], "aggregated kvUsage": [1, 1] };
    expect(run(KTHENA, ["aggregated"]).at(0, { roles: { aggregated: { spec: 2 } }, perReplica })).toEqual({
      aggregated: 3,
    });
  });
});

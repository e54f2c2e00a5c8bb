/** Vectors of llm-d/llm-d-workload-variant-autoscaler:internal/saturation/analyzer_test.go where a name says so. */
import { describe, expect, test } from "vitest";
import { countsOf, type Look, run } from "../peer.fixture.ts";
import { nextDesired, saturationStep, WVA_V1 } from "./saturation-v1.ts";
import { type Observed, type TokenOptions, tokenReplicas, WVA_V2 } from "./saturation-v2.ts";

const loads = (...pairs: readonly (readonly [number, number])[]): { kvUsage: number; waiting: number }[] =>
  pairs.map(([kvUsage, waiting]) => ({ kvUsage, waiting }));

const SHIPPED = { kvThreshold: 0.8, queueThreshold: 5, kvSpareTrigger: 0.1, queueSpareTrigger: 3 };

describe("V1: the step", () => {
  test.each<[string, readonly (readonly [number, number])[], -1 | 0 | 1]>([
    [
      "low KV spare: mean of 0.05 and 0.04 = 0.045 < 0.1",
      [
        [0.75, 2],
        [0.76, 2],
      ],
      1,
    ],
    [
      "low queue spare: 5 - 3 = 2 < 3",
      [
        [0.5, 3],
        [0.5, 3],
      ],
      1,
    ],
    [
      "healthy: 0.3 and 4 are spare, but 1.0 after would not be",
      [
        [0.5, 1],
        [0.5, 1],
      ],
      0,
    ],
    [
      "scale down safe: 0.75/2 = 0.375, 0.8 - 0.375 >= 0.1; 3/2 = 1.5, 3.5 >= 3",
      [
        [0.2, 1],
        [0.3, 1],
        [0.25, 1],
      ],
      -1,
    ],
    [
      "the queue forbids it: 5/2 = 2.5, 2.5 < 3",
      [
        [0.2, 1],
        [0.3, 2],
        [0.25, 2],
      ],
      0,
    ],
    [
      "insufficient headroom",
      [
        [0.7, 2],
        [0.75, 2],
      ],
      1,
    ],
    ["only one that is not saturated: 0.8 - 0.5 and 5 - 2 are left", [[0.5, 2]], 0],
    [
      "SaturatedReplicas: of three only the last counts: 0.2 and 3 are spare",
      [
        [0.85, 2],
        [0.5, 6],
        [0.6, 2],
      ],
      0,
    ],
    [
      "AllSaturated: nothing is spare",
      [
        [0.85, 2],
        [0.5, 6],
        [0.9, 7],
      ],
      1,
    ],
    ["EmptyMetrics", [], 0],
    [
      "exactly at the threshold is saturated",
      [
        [0.8, 0],
        [0.1, 0],
      ],
      0,
    ],
  ])("%s", (_, pairs, step) => {
    expect(saturationStep(loads(...pairs), SHIPPED)).toBe(step);
  });
});

describe("V1: what is published", () => {
  const hot = loads([0.75, 2], [0.76, 2]);
  const next = (before: number | undefined, spec: number, seen = hot): number | undefined =>
    nextDesired({ desired: before, analysedMs: 0 }, countsOf({ spec }), seen, SHIPPED);

  test("one more", () => expect(next(2, 2)).toBe(3));
  test("ModelLevelTransitionBlocking: 4 published, 2 there: 4 stays", () => expect(next(4, 2)).toBe(4));
  test("PendingReplicasBlocksScaling: 3 there, 2 report: 3; of 4 it is 4", () => {
    expect(next(undefined, 3)).toBe(3);
    expect(next(undefined, 4)).toBe(4);
  });
  test("nobody reports: what was published, else what there is", () => {
    expect(next(5, 2, [])).toBe(5);
    expect(next(undefined, 2, [])).toBe(2);
  });
});

describe("wva-v1 under its HPA", () => {
  const look = (spec: number, kv: number | undefined, ready = spec): Look => ({
    roles: { decode: { spec, ready, starting: spec - ready } },
    perReplica: { "decode kvUsage": Array(ready).fill(kv), "decode waiting": Array(ready).fill(0) },
  });

  test("up after a window of 240 s, and not again before the new one reports", () => {
    const wva = run(WVA_V1, ["decode"]);
    for (let second = 0; second < 240; second += 15) expect(wva.at(second, look(2, 0.75))).toEqual({ decode: 2 });
    expect(wva.at(240, look(2, 0.75))).toEqual({ decode: 3 });
    for (let second = 255; second < 600; second += 15) expect(wva.at(second, look(3, 0.75, 2))).toEqual({ decode: 3 });
  });

  test("as shipped 10 never become 11: 11/10 is within the tolerance of the HPA, and 11 stays published", () => {
    const wva = run(WVA_V1, ["decode"]);
    for (let second = 0; second < 1_800; second += 15) expect(wva.at(second, look(10, 0.75))).toEqual({ decode: 10 });
    const exact = run(WVA_V1, ["decode"], { hpaTolerance: 0, windowSeconds: 0 });
    expect(exact.at(0, look(10, 0.75))).toEqual({ decode: 11 });
  });

  test("between analyses the published number stays", () => {
    const wva = run(WVA_V1, ["decode"], { windowSeconds: 0 });
    expect(wva.at(0, look(4, 0.4))).toEqual({ decode: 3 }); // 1.6/3 = 0.53, 0.27 spare
    expect(wva.at(15, look(3, 0.75))).toEqual({ decode: 3 });
    expect(wva.at(30, look(3, 0.75))).toEqual({ decode: 4 });
  });
});

const TOKENS: TokenOptions = {
  kvTokens: 100_000,
  maxBatchedTokens: 8_192,
  maxRequests: 1_024,
  kvThreshold: 0.8,
  queueThreshold: 5,
  upThreshold: 0.85,
  downBoundary: 0.7,
};

describe("V2: tokens", () => {
  const unknown = { inputTokens: 0, outputTokens: 0 };
  const counts = (specReplicas: number, starting = 0): Parameters<typeof tokenReplicas>[1] => ({
    specReplicas,
    starting,
    pending: 0,
  });
  const desired = (
    pairs: readonly (readonly [number, number])[],
    spec: number,
    { starting = 0, lengths = unknown, observed = {} as Observed } = {},
  ): number | undefined => tokenReplicas(loads(...pairs), counts(spec, starting), lengths, observed, TOKENS).desired;

  test("k1 = 80,000: demand 150,000/0.85 = 176,471 - 160,000 = 16,471: one more", () => {
    expect(
      desired(
        [
          [0.75, 0],
          [0.75, 0],
        ],
        2,
      ),
    ).toBe(3);
  });

  test("a queue of 4 x 10,000 each: 230,000/0.85 = 270,588 - 160,000 = 110,588/80,000 -> two more", () => {
    // Derived: min(8192 x 10,000/20,000, 1024) = 1,024 x 15,000: more than k1.
    expect(
      desired(
        [
          [0.75, 4],
          [0.75, 4],
        ],
        2,
        { lengths: { inputTokens: 10_000, outputTokens: 10_000 } },
      ),
    ).toBe(4);
  });

  test("what starts is counted: 176,471 - 3 x 80,000 < 0; and nothing is spare", () => {
    expect(
      desired(
        [
          [0.75, 0],
          [0.75, 0],
        ],
        3,
        { starting: 1 },
      ),
    ).toBe(3);
  });

  test("spare: 4 x 80,000 - 40,000/0.7 = 262,857: floor(3.29) = 3 of 4 go; the last stays", () => {
    expect(
      desired(
        [
          [0.1, 0],
          [0.1, 0],
          [0.1, 0],
          [0.1, 0],
        ],
        4,
      ),
    ).toBe(1);
    expect(desired([[0, 0]], 1)).toBe(1);
  });

  test("between the two nothing moves: 120,000/0.85 = 141,176 < 160,000 < 171,429 = 120,000/0.7", () => {
    expect(
      desired(
        [
          [0.6, 0],
          [0.6, 0],
        ],
        2,
      ),
    ).toBe(2);
  });

  test("a full queue shows the capacity: 5 wait at 50,000 tokens: 100,000/0.85 = 117,647 - 100,000: one more", () => {
    expect(
      desired(
        [
          [0.5, 5],
          [0.5, 5],
        ],
        2,
      ),
    ).toBe(3);
  });

  test("and is remembered for answers of that length, ten of them", () => {
    const lengths = { inputTokens: 10, outputTokens: 50 };
    const after = tokenReplicas(
      loads([0.5, 5]),
      counts(1),
      lengths,
      { short: Array(10).fill(30_000) },
      TOKENS,
    ).observed;
    expect(after).toEqual({ short: [...Array(9).fill(30_000), 50_000] });
    // (9 x 30,000 + 50,000)/10 = 32,000: 60,000/0.85 = 70,588 - 64,000: one more. Long answers know nothing of it.
    expect(
      desired(
        [
          [0.3, 0],
          [0.3, 0],
        ],
        2,
        { lengths, observed: after },
      ),
    ).toBe(3);
    expect(
      desired(
        [
          [0.3, 0],
          [0.3, 0],
        ],
        2,
        { lengths: { inputTokens: 10, outputTokens: 600 }, observed: after },
      ),
    ).toBe(2);
  });

  test("derived from limits: min(8192 x 100/8292, 1024) = 98.8 x (8192 + 50) = 814,000: k1 binds; of 1 + 2 tokens: 1,024 x 2 = 2,048", () => {
    // 20,000/0.85 = 23,529 - 2,048 = 21,481/2,048 -> 11 more.
    expect(desired([[0.2, 0]], 1, { lengths: { inputTokens: 1, outputTokens: 2 } })).toBe(12);
  });

  test("nobody reports: nothing to say", () => expect(desired([], 3)).toBeUndefined());
});

test("wva-v2 under its HPA: several at once, by 10 in 150 s", () => {
  const wva = run(WVA_V2, ["decode"], { windowSeconds: 0 });
  const look: Look = {
    roles: { decode: { spec: 2 } },
    perReplica: { "decode kvUsage": [0.8, 0.8], "decode waiting": [4, 4] },
    totals: { "decode inputTokens": 200_000, "decode outputTokens": 10 },
  };
  expect(wva.at(0, look)).toEqual({ decode: 12 });
});

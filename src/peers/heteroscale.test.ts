import { describe, expect, test } from "vitest";
import { HETEROSCALE, proportional, tokensPerSecond } from "./heteroscale.ts";
import { contextOf, type Look, PERFORMANCE, run } from "./peer.fixture.ts";

// 100,000/2,048 = 48 requests at 14.8 ms: 3,243 tokens/s. At a share of 0.5 the target is 1,622.
const TARGET = 48 / 0.0148 / 2;

test("what one replica makes: 48 at 10 + 4.8 ms", () => {
  expect(tokensPerSecond(PERFORMANCE, contextOf([]).slo.itlSeconds)).toBeCloseTo(48 / 0.0148, 6);
});

test.each([
  [4, 4_400, 1_000, 4], // 1.1 is within
  [4, 4_401, 1_000, 5],
  [4, 3_600, 1_000, 4],
  [4, 2_900, 1_000, 3],
  [0, 900, 1_000, 0],
  [0, 500, 1_000, 1],
])("%d replicas with %d tokens/s of %d each: %d", (current, load, target, expected) => {
  expect(proportional(current, load, target, 0.1)).toBe(expected);
});

describe("heteroscale-style", () => {
  const look = (prefill: number, decode: number, load: number | undefined, latency: Look["totals"] = {}): Look => ({
    roles: { prefill: { spec: prefill }, decode: { spec: decode } },
    totals: { ...(load === undefined ? {} : { tokens: load * TARGET }), ...latency },
  });
  const start = (parameters = {}): ReturnType<typeof run> =>
    run(HETEROSCALE, ["prefill", "decode"], { targetShare: 0.5, ...parameters });

  test("both go together: 5.5 targets are 6 decode, 0.5 x 6 = 3 prefill", () => {
    expect(start().at(0, look(2, 4, 5.5))).toEqual({ prefill: 3, decode: 6 });
  });

  test("prefill is rounded up: 0.5 x 5 -> 3", () =>
    expect(start().at(0, look(2, 4, 4.9))).toEqual({ prefill: 3, decode: 5 }));

  test("down to the highest of 300 s", () => {
    const scaler = start();
    expect(scaler.at(0, look(4, 8, 8))).toEqual({ prefill: 4, decode: 8 });
    expect(scaler.at(15, look(4, 8, 2))).toEqual({ prefill: 4, decode: 8 });
    expect(scaler.at(285, look(4, 8, 5))).toEqual({ prefill: 4, decode: 8 });
    expect(scaler.at(300, look(4, 8, 2))).toEqual({ prefill: 3, decode: 5 });
  });

  test.each([{ ttft: 0.51 }, { itl: 0.051 }])(
    "%o is over its goal: one more of both, at most each minute, and nothing goes",
    (latency) => {
      const scaler = start({ downWindowSeconds: 0 });
      expect(scaler.at(0, look(2, 4, 1, latency))).toEqual({ prefill: 3, decode: 5 });
      expect(scaler.at(15, look(3, 5, 1, latency))).toEqual({ prefill: 3, decode: 5 });
      expect(scaler.at(60, look(3, 5, 1, latency))).toEqual({ prefill: 3, decode: 6 });
      expect(scaler.at(75, look(3, 6, 1))).toEqual({ prefill: 1, decode: 1 });
    },
  );

  test("without the guard latency is no matter; NaN is no latency", () => {
    expect(start({ guards: 0 }).at(0, look(2, 4, 4, { ttft: 9 }))).toEqual({ prefill: 2, decode: 4 });
    expect(start().at(0, look(2, 4, 4, { ttft: Number.NaN, itl: Number.NaN }))).toEqual({ prefill: 2, decode: 4 });
  });

  test("no token rate is no decision", () => {
    expect(start().at(0, look(2, 4, undefined, { ttft: 9 }))).toEqual({});
    expect(start().at(0, look(2, 4, Number.NaN))).toEqual({});
  });

  test("aggregated engines scale alone", () => {
    const scaler = run(HETEROSCALE, ["aggregated"], { targetShare: 0.5 });
    expect(scaler.at(0, { roles: { aggregated: { spec: 2 } }, totals: { tokens: 3.5 * TARGET } })).toEqual({
      aggregated: 4,
    });
  });
});

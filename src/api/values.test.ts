import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { leastState } from "./autoscaling/ratio-feasibility.ts";
import { formatDuration, parseDurationMs } from "./duration.ts";
import { equalJson } from "./json.ts";
import { withCondition } from "./kubernetes/conditions.ts";
import { parseQuantity } from "./quantity.ts";
import { compareRatios, parsePercentRatio, parseRatio } from "./ratio.ts";

describe("durations", () => {
  test.each([
    ["90s", 90_000],
    ["1h30m", 5_400_000],
    ["250ms", 250],
    ["1.5h", 5_400_000],
    ["4h0m0s", 14_400_000],
    ["0", 0],
    ["-5s", -5000],
    ["15", undefined],
    ["1 h", undefined],
    ["", undefined],
    ["1d", undefined],
  ])("%s is %s ms", (text, want) => {
    expect(parseDurationMs(text)).toBe(want);
  });

  test("what is formatted parses back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 9 }), (ms) => {
        expect(parseDurationMs(formatDuration(ms))).toBeCloseTo(ms, 6);
      }),
    );
    expect([formatDuration(14_400_000), formatDuration(90_000), formatDuration(1500)]).toEqual([
      "4h0m0s",
      "1m30s",
      "1.5s",
    ]);
  });
});

test.each([
  ["500m", 0.5],
  ["300m", 0.3],
  ["20k", 20_000],
  ["80Gi", 80 * 2 ** 30],
  ["1e3", 1000],
  [".5", 0.5],
  // As apimachinery has it: capped and rounded up, never infinity, never nothing.
  ["1e400", 2 ** 63],
  ["-1e400", -(2 ** 63)],
  ["100E", 2 ** 63],
  ["9".repeat(400), 2 ** 63],
  ["1e-400", 1e-9],
  ["0e400", 0],
  ["-2", -2],
  [7, 7],
  ["5 k", undefined],
  ["k", undefined],
  [Number.NaN, undefined],
])("quantity %s is %s", (quantity, want) => {
  expect(parseQuantity(quantity)).toBe(want);
});

test("ratios and percentages", () => {
  expect(parseRatio("1:4")).toEqual({ first: 1, second: 4 });
  expect([parseRatio("0:0"), parseRatio("1:-4"), parseRatio("1.5:2"), parseRatio("1")]).toEqual(
    Array(4).fill(undefined),
  );
  expect(compareRatios({ first: 1, second: 4 }, { first: 2, second: 8 })).toBe(0);
  expect(compareRatios({ first: 1, second: 0 }, { first: 9, second: 1 })).toBeGreaterThan(0);
  expect([parsePercentRatio("70%"), parsePercentRatio("0.5%"), parsePercentRatio("0.7")]).toEqual([
    0.7,
    0.005,
    undefined,
  ]);
});

test("leastState finds a state exactly when one exists (against enumeration)", () => {
  const side = fc.record({ first: fc.integer({ min: 0, max: 4 }), second: fc.integer({ min: 0, max: 4 }) });
  const ratio = side.filter(({ first, second }) => first + second > 0);
  const bounds = fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 6 }));
  fc.assert(
    fc.property(bounds, bounds, ratio, ratio, ([minA, moreA], [minB, moreB], min, max) => {
      const limits = new Map([
        ["a", { min: minA, max: minA + moreA }],
        ["b", { min: minB, max: minB + moreB }],
      ]);
      const found = leastState(limits, [{ a: "a", b: "b", min, max }]);
      let any = false;
      for (let a = minA; a <= minA + moreA; a++) {
        for (let b = minB; b <= minB + moreB; b++) {
          any ||= a * min.second >= min.first * b && a * max.second <= max.first * b;
        }
      }
      expect(found !== undefined).toBe(any);
    }),
  );
});

test("equalJson treats undefined as absent and respects order in lists only", () => {
  expect(equalJson({ a: 1, b: [1, { c: 2 }] }, { b: [1, { c: 2, d: undefined }], a: 1 })).toBe(true);
  expect(equalJson([1, 2], [2, 1])).toBe(false);
  expect(equalJson({ a: [] }, { a: {} })).toBe(false);
  expect(equalJson(null, {})).toBe(false);
});

test("a condition's time moves only with its status", () => {
  const base = { type: "Ready", status: "True", reason: "A", message: "m" } as const;
  const first = withCondition(undefined, base, "t1");
  expect(first).toEqual([{ ...base, lastTransitionTime: "t1" }]);
  expect(withCondition(first, base, "t2")).toBe(first);
  expect(withCondition(first, { ...base, reason: "B" }, "t2")[0]?.lastTransitionTime).toBe("t1");
  expect(withCondition(first, { ...base, status: "False" }, "t2")[0]?.lastTransitionTime).toBe("t2");
});

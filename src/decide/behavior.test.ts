import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Behavior,
  type DirectionBehavior,
  permittedInterval,
  type Recommendations,
  recordRecommendation,
  recordScaleEvent,
} from "./behavior.ts";

const direction = (overrides: Partial<DirectionBehavior> = {}): DirectionBehavior => ({
  stabilizationWindowMs: 0,
  toleranceRatio: 0.1,
  selectPolicy: "Max",
  policies: [],
  ...overrides,
});
const behavior = (up: Partial<DirectionBehavior>, down: Partial<DirectionBehavior> = {}): Behavior => ({
  scaleUp: direction(up),
  scaleDown: direction(down),
});
const pods = (value: number, periodMs = 60_000) => ({ type: "Pods" as const, value, periodMs });
const percent = (value: number, periodMs = 60_000) => ({ type: "Percent" as const, value, periodMs });

describe("rate limits, as the HPA computes them", () => {
  test.each<{
    name: string;
    current: number;
    rule: Behavior;
    events?: [number, number][];
    wish: number;
    lo: number;
    hi: number;
  }>([
    { name: "no policy, no limit", current: 4, rule: behavior({}), wish: 100, lo: 4, hi: 100 },
    {
      name: "the greater of 100 % and 4 pods",
      current: 3,
      rule: behavior({ policies: [percent(100), pods(4)] }),
      wish: 100,
      lo: 3,
      hi: 7,
    },
    {
      name: "the lesser with Min",
      current: 3,
      rule: behavior({ selectPolicy: "Min", policies: [percent(100), pods(4)] }),
      wish: 100,
      lo: 3,
      hi: 6,
    },
    {
      name: "disabled",
      current: 3,
      rule: behavior({ selectPolicy: "Disabled", policies: [pods(4)] }),
      wish: 100,
      lo: 3,
      hi: 3,
    },
    {
      name: "what was added in the period counts",
      current: 5,
      rule: behavior({ policies: [pods(4)] }),
      events: [[50_000, 2]],
      wish: 100,
      lo: 5,
      hi: 7,
    },
    {
      name: "what was added before it does not",
      current: 5,
      rule: behavior({ policies: [pods(4)] }),
      events: [[10_000, 2]],
      wish: 100,
      lo: 5,
      hi: 9,
    },
    {
      name: "percent rounds up on the way up",
      current: 3,
      rule: behavior({ policies: [percent(10)] }),
      wish: 100,
      lo: 3,
      hi: 4,
    },
    {
      name: "percent rounds down on the way down",
      current: 7,
      rule: behavior({}, { policies: [percent(50)] }),
      wish: 0,
      lo: 3,
      hi: 7,
    },
    { name: "one pod a minute down", current: 7, rule: behavior({}, { policies: [pods(1)] }), wish: 0, lo: 6, hi: 7 },
    {
      name: "one pod a minute down, and it went already",
      current: 6,
      rule: behavior({}, { policies: [pods(1)] }),
      events: [[60_000, -1]],
      wish: 0,
      lo: 6,
      hi: 6,
    },
  ])("$name", ({ current, rule, events = [], wish, lo, hi }) => {
    expect(permittedInterval(current, rule, { recommendations: [[100_000, wish]], events }, 100_000)).toMatchObject({
      lo,
      hi,
    });
  });
});

describe("stabilization windows", () => {
  const rule = behavior({ stabilizationWindowMs: 30_000 }, { stabilizationWindowMs: 300_000 });
  test("down follows the highest recommendation of its window, up the lowest of its own", () => {
    const recommendations = [
      [0, 9],
      [200_000, 6],
      [290_000, 3],
    ] as const;
    expect(permittedInterval(8, rule, { recommendations, events: [] }, 290_000)).toMatchObject({
      lo: 8,
      loReason: "ScaleDownStabilized",
    });
    expect(permittedInterval(8, rule, { recommendations, events: [] }, 310_000)).toMatchObject({ lo: 6 });
    expect(
      permittedInterval(
        2,
        rule,
        {
          recommendations: [
            [270_000, 4],
            [290_000, 7],
          ],
          events: [],
        },
        290_000,
      ),
    ).toMatchObject({ hi: 4, hiReason: "ScaleUpStabilized" });
  });

  test("the longest window holds at one decision a second, in a history of a few entries", () => {
    const long = { ...rule, scaleDown: { ...rule.scaleDown, stabilizationWindowMs: 3_600_000 } };
    let recommendations: Recommendations = [];
    for (let second = 0; second < 3_000; second++) {
      const wish = second === 0 ? 9 : 3 + (second % 3);
      recommendations = recordRecommendation(recommendations, second * 1_000, wish, long);
      expect(permittedInterval(9, long, { recommendations, events: [] }, second * 1_000).lo).toBe(9);
    }
    expect(recommendations.length).toBeLessThan(10);
  });

  test("history is dropped when no window can see it", () => {
    const kept = recordRecommendation(
      [
        [0, 9],
        [200_000, 6],
      ],
      310_000,
      3,
      rule,
    );
    expect(kept).toEqual([
      [200_000, 6],
      [310_000, 3],
    ]);
    expect(
      recordScaleEvent(
        [
          [0, 2],
          [90_000, 1],
        ],
        100_000,
        0,
        behavior({ policies: [pods(1)] }),
      ),
    ).toEqual([[90_000, 1]]);
  });
});

test("the interval always holds the current value, and limits only ever cut", () => {
  const policy = fc.oneof(
    fc
      .record({ value: fc.integer({ min: 1, max: 10 }), periodMs: fc.constant(60_000) })
      .map(({ value, periodMs }) => pods(value, periodMs)),
    fc
      .record({ value: fc.integer({ min: 1, max: 200 }), periodMs: fc.constant(60_000) })
      .map(({ value, periodMs }) => percent(value, periodMs)),
  );
  const rules = fc.record({
    stabilizationWindowMs: fc.constantFrom(0, 60_000),
    toleranceRatio: fc.constant(0.1),
    selectPolicy: fc.constantFrom("Max" as const, "Min" as const, "Disabled" as const),
    policies: fc.array(policy, { maxLength: 3 }),
  });
  const history = fc.array(fc.tuple(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 0, max: 50 })), {
    minLength: 1,
    maxLength: 8,
  });
  const events = fc.array(fc.tuple(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: -5, max: 5 })), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(
      rules,
      rules,
      history,
      events,
      fc.integer({ min: 0, max: 50 }),
      (scaleUp, scaleDown, recommendations, changes, current) => {
        const sorted = recommendations.toSorted(([a], [b]) => a - b);
        const { lo, hi } = permittedInterval(
          current,
          { scaleUp, scaleDown },
          { recommendations: sorted, events: changes },
          100_000,
        );
        const last = sorted.at(-1)?.[1] as number;
        expect(lo).toBeLessThanOrEqual(current);
        expect(hi).toBeGreaterThanOrEqual(current);
        expect(lo).toBeGreaterThanOrEqual(Math.min(current, last));
        expect(hi).toBeLessThanOrEqual(Math.max(current, last));
      },
    ),
  );
});

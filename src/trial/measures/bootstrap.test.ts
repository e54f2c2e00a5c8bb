import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../random.ts";
import { standardNormal } from "../../sim/traffic/generate.ts";
import { estimate, MIN_SEEDS, pairedDifference } from "./bootstrap.ts";

const bySeed = (values: readonly (number | undefined)[]): ReadonlyMap<number, number | undefined> =>
  new Map(values.map((value, seed) => [seed, value]));

describe("estimate", () => {
  test("values without spread have an interval without width", () => {
    expect(estimate(new Array(10).fill(0.25), seededRandom(1))).toEqual({
      mean: 0.25,
      interval: [0.25, 0.25],
      seeds: 10,
    });
  });

  test("the mean of 100 coins is known to 1.96 × 0.5 / 10", () => {
    const coins = Array.from({ length: 100 }, (_, index) => index % 2);
    const { mean, interval = [] } = estimate(coins, seededRandom(1))!;
    expect(mean).toBe(0.5);
    expect(interval[0]).toBeCloseTo(0.5 - 0.098, 1.7);
    expect(interval[1]).toBeCloseTo(0.5 + 0.098, 1.7);
  });

  test("one outlier of ten: the chance to draw it k times is binomial", () => {
    // P(k = 0) = 0.9¹⁰ = 35 % and P(k ≤ 3) = 98.7 %, P(k ≤ 2) = 93 %: the bounds are 0 and 3 tenths.
    const values = [1, ...new Array<number>(9).fill(0)];
    expect(estimate(values, seededRandom(3))).toEqual({ mean: 0.1, interval: [0, expect.closeTo(0.3)], seeds: 10 });
  });

  test("about nineteen of twenty intervals hold the true mean", () => {
    const random = seededRandom(11);
    const covers = Array.from({ length: 400 }, () => {
      const [low, high] = estimate(
        Array.from({ length: 30 }, () => 5 + standardNormal(random)),
        random,
      )!.interval!;
      return low <= 5 && 5 <= high;
    });
    const share = covers.filter(Boolean).length / covers.length;
    // A percentile interval of 30 holds it in 93.6 % of cases (Student's t of 29, without Bessel's correction): three standard deviations around that.
    expect(share).toBeGreaterThan(0.9);
    expect(share).toBeLessThan(0.972);
  });

  test("below ten seeds there is a mean and no interval, without values nothing", () => {
    expect(estimate([1, 2, undefined], seededRandom(1))).toEqual({ mean: 1.5, seeds: 2 });
    expect(estimate([undefined], seededRandom(1))).toBeUndefined();
    expect(estimate([...new Array(MIN_SEEDS - 1).fill(1), undefined], seededRandom(1))).not.toHaveProperty("interval");
  });

  test("the same seed gives the same interval, which holds the mean and stays within the values", () => {
    const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 10, maxLength: 20 });
    fc.assert(
      fc.property(values, fc.nat(), (sample, seed) => {
        const { mean, interval } = estimate(sample, seededRandom(seed))!;
        const [low, high] = interval!;
        const slack = 1e-6;
        expect(estimate(sample, seededRandom(seed))?.interval).toEqual(interval);
        expect(low).toBeGreaterThanOrEqual(Math.min(...sample) - slack);
        expect(high).toBeLessThanOrEqual(Math.max(...sample) + slack);
        expect(low).toBeLessThanOrEqual(high);
        expect(mean).toBeLessThanOrEqual(Math.max(...sample) + slack);
      }),
      { numRuns: 30 },
    );
  });
});

describe("pairedDifference", () => {
  test("what both have in common falls out", () => {
    // Seeds differ by hundreds, the autoscalers by two on each of them.
    const a = Array.from({ length: 10 }, (_, seed) => 100 * seed);
    const b = a.map((value) => value - 2);
    expect(pairedDifference(bySeed(a), bySeed(b), seededRandom(1))).toEqual({ mean: 2, interval: [2, 2], seeds: 10 });
  });

  test("a seed that one of them lacks is left out", () => {
    expect(pairedDifference(bySeed([1, 5, undefined, 9]), bySeed([0, 3, 3]), seededRandom(1))).toEqual({
      mean: 1.5,
      seeds: 2,
    });
    expect(pairedDifference(new Map([[1, 1]]), new Map([[2, 1]]), seededRandom(1))).toBeUndefined();
  });
});

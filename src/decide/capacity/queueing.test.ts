import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { greatestUtilization, lateShare, MAX_UTILIZATION, meanOf, responseQuantileMs, sizes } from "./queueing.ts";

describe("worked by hand", () => {
  test("services of 100 ms at ρ = 0.5: waits of those who wait are 100²/(2·100·0.5) = 100 ms on average", () => {
    // P(response > 200) = P(wait > 100) = 0.5 e^-1.
    expect(lateShare([100], 0.5, 200)).toBeCloseTo(0.5 * Math.exp(-1), 12);
    // The quantile that has 0.5 e^-1 above it is 200 ms.
    expect(responseQuantileMs([100], 0.5, 1 - 0.5 * Math.exp(-1))).toBeCloseTo(200, 3);
  });

  test("half of the requests take 100 ms, half 300: E[S²]/(2 E[S] (1-ρ)) = 50000/(400·0.5) = 250 ms", () => {
    const late = (0.5 * Math.exp(-300 / 250) + 0.5 * Math.exp(-100 / 250)) / 2;
    expect(lateShare([100, 300], 0.5, 400)).toBeCloseTo(late, 12);
  });

  test("a request that is too long by itself is late whatever the queue", () => {
    expect(lateShare([100, 300], 0, 200)).toBe(0.5);
    expect(greatestUtilization([100, 300], 200, 0.9)).toBeUndefined();
    expect(greatestUtilization([100, 300], 200, 0.5)).toBe(0);
  });

  test("the greatest utilization is where the quantile is the limit", () => {
    const utilization = greatestUtilization([100], 300, 0.9) as number;
    expect(utilization).toBeGreaterThan(0.4);
    expect(responseQuantileMs([100], utilization, 0.9)).toBeCloseTo(300, 2);
  });

  test("exponential services are M/M/1, whose response is exponential with mean s/(1-ρ)", () => {
    const services = Array.from({ length: 4_000 }, (_, k) => -100 * Math.log(1 - (k + 0.5) / 4_000));
    const exact = (100 / (1 - 0.8)) * Math.log(10);
    expect(Math.abs((responseQuantileMs(services, 0.8, 0.9) as number) / exact - 1)).toBeLessThan(0.02);
  });

  test("overload has no quantile", () => {
    expect(responseQuantileMs([100], 1, 0.9)).toBeUndefined();
    expect(responseQuantileMs([100], Number.NaN, 0.9)).toBeUndefined();
  });
});

test("log-normal sizes have the mean and close to the variation they are asked for", () => {
  const list = sizes(1_000, 1);
  expect(meanOf(list)).toBeCloseTo(1_000, 6);
  const square = list.reduce((sum, one) => sum + one * one, 0) / list.length;
  // 32 equal shares cut the tail.
  expect(Math.sqrt(square / 1_000 ** 2 - 1)).toBeGreaterThan(0.85);
  expect(sizes(500, 0)).toEqual([500]);
});

test("law: more room never admits less load, a higher quantile never more, and it is always a share", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 1, max: 1e4, noNaN: true }),
      fc.double({ min: 0, max: 3, noNaN: true }),
      fc.double({ min: 0, max: 1e6, noNaN: true }),
      fc.double({ min: 0.5, max: 0.999, noNaN: true }),
      (mean, variation, limitMs, quantile) => {
        const services = sizes(mean, variation);
        const at = (limit: number, q: number): number => greatestUtilization(services, limit, q) ?? -1;
        const here = at(limitMs, quantile);
        expect(here).toBeLessThanOrEqual(MAX_UTILIZATION);
        expect(at(limitMs * 1.1, quantile)).toBeGreaterThanOrEqual(here - 1e-6);
        expect(at(limitMs, (quantile + 1) / 2)).toBeLessThanOrEqual(here + 1e-6);
      },
    ),
  );
});

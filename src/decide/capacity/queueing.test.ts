import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  greatestUtilization,
  lateShare,
  MAX_UTILIZATION,
  plannedServers,
  plannedUtilization,
  responseQuantileMs,
  servicesOf,
  sizes,
} from "./queueing.ts";

describe("worked by hand", () => {
  test("services of 100 ms at ρ = 0.5: waits of those who wait are 100²/(2·100·0.5) = 100 ms on average", () => {
    // P(response > 200) = P(wait > 100) = 0.5 e^-1.
    expect(lateShare(servicesOf([100]), 0.5, 200)).toBeCloseTo(0.5 * Math.exp(-1), 12);
    // The quantile that has 0.5 e^-1 above it is 200 ms.
    expect(responseQuantileMs(servicesOf([100]), 0.5, 1 - 0.5 * Math.exp(-1))).toBeCloseTo(200, 3);
  });

  test("half of the requests take 100 ms, half 300: E[S²]/(2 E[S] (1-ρ)) = 50000/(400·0.5) = 250 ms", () => {
    const late = (0.5 * Math.exp(-300 / 250) + 0.5 * Math.exp(-100 / 250)) / 2;
    expect(lateShare(servicesOf([100, 300]), 0.5, 400)).toBeCloseTo(late, 12);
  });

  test("a request that is too long by itself is late whatever the queue", () => {
    expect(lateShare(servicesOf([100, 300]), 0, 200)).toBe(0.5);
    expect(greatestUtilization(servicesOf([100, 300]), 200, 0.9)).toBeUndefined();
    expect(greatestUtilization(servicesOf([100, 300]), 200, 0.5)).toBe(0);
  });

  test("the greatest utilization is where the quantile is the limit", () => {
    const utilization = greatestUtilization(servicesOf([100]), 300, 0.9) as number;
    expect(utilization).toBeGreaterThan(0.4);
    expect(responseQuantileMs(servicesOf([100]), utilization, 0.9)).toBeCloseTo(300, 2);
  });

  test("exponential services are M/M/1, whose response is exponential with mean s/(1-ρ)", () => {
    const services = servicesOf(Array.from({ length: 4_000 }, (_, k) => -100 * Math.log(1 - (k + 0.5) / 4_000)));
    const exact = (100 / (1 - 0.8)) * Math.log(10);
    expect(Math.abs((responseQuantileMs(services, 0.8, 0.9) as number) / exact - 1)).toBeLessThan(0.02);
  });

  test("overload has no quantile", () => {
    expect(responseQuantileMs(servicesOf([100]), 1, 0.9)).toBeUndefined();
    expect(responseQuantileMs(servicesOf([100]), Number.NaN, 0.9)).toBeUndefined();
  });
});

/** P(wait) of M/M/k, by Erlang's recursion. */
function erlangC(servers: number, offered: number): number {
  let blocked = 1;
  for (let k = 1; k <= servers; k++) blocked = (offered * blocked) / (k + offered * blocked);
  return blocked / (1 - (offered / servers) * (1 - blocked));
}

describe("several servers with one queue", () => {
  const exponential = servicesOf(Array.from({ length: 4_000 }, (_, k) => -100 * Math.log(1 - (k + 0.5) / 4_000)));

  test.each([
    [1, 0.5],
    [4, 0.6],
    [4, 0.9],
    [12, 0.8],
    [64, 0.95],
  ])("the mean wait of M/M/%d at ρ = %d is within a fifth of Erlang's", (servers, utilization) => {
    const exactMs = (erlangC(servers, servers * utilization) * 100) / (servers * (1 - utilization));
    // What is late beyond a service, added up over all limits, is the mean wait.
    const zero = servicesOf([1e-9]);
    const waits = { ...zero, mean: exponential.mean, square: exponential.square };
    let meanMs = 0;
    for (let limitMs = 0.5; limitMs < 20_000; limitMs++) meanMs += lateShare(waits, utilization, limitMs, servers);
    expect(Math.abs(meanMs / exactMs - 1)).toBeLessThan(0.2);
  });

  const plan = (offered: number, limitMs = 400): number =>
    plannedServers(exponential, offered, { limitMs, quantile: 0.95, bounds: [0.1, MAX_UTILIZATION] });

  test("as many as keep the quantile, and no more", () => {
    const servers = plan(10);
    expect(lateShare(exponential, 10 / servers, 400, servers)).toBeCloseTo(0.05, 4);
    // One queue: 10 servers' worth takes 1.4 more. Queues of their own are used half and would take 20.
    expect(servers).toBeCloseTo(11.4, 0);
    expect(10 / plannedUtilization(exponential, 400, 0.95)).toBeGreaterThan(35);
  });

  test("less than one server's worth is that of a server alone", () => {
    expect(plan(0.01)).toBeCloseTo(0.01 / plannedUtilization(exponential, 400, 0.95), 12);
  });

  test("law: more work never takes fewer servers, nor more of them in proportion, and no step is a cliff", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -6, max: 5, noNaN: true }).map(Math.exp),
        fc.double({ min: 0.5, max: 30, noNaN: true }),
        fc.double({ min: 0, max: 4, noNaN: true }),
        fc.double({ min: 0.5, max: 0.99, noNaN: true }),
        (offered, room, variation, quantile) => {
          const services = servicesOf(sizes(100, variation));
          const at = (work: number): number =>
            plannedServers(services, work, { limitMs: 100 * room, quantile, bounds: [0.1, MAX_UTILIZATION] });
          const here = at(offered);
          expect(here).toBeGreaterThanOrEqual(offered / MAX_UTILIZATION - 1e-6);
          expect(here).toBeLessThanOrEqual(offered / 0.1 + 1e-6);
          const more = at(offered * 1.05);
          expect(more).toBeGreaterThanOrEqual(here * (1 - 1e-4));
          expect(more).toBeLessThanOrEqual(here * 1.05 * (1 + 1e-3));
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("the utilization to plan with", () => {
  /** One request in 20 takes 1000 ms, the others 100. */
  const mixed = servicesOf([...Array<number>(19).fill(100), 1_000]);
  const late = (limitMs: number, quantile: number): number =>
    lateShare(mixed, plannedUtilization(mixed, limitMs, quantile), limitMs);

  test("nothing is late by itself: the whole tenth is the queue's, as of any goal", () => {
    expect(plannedUtilization(servicesOf([100]), 300, 0.9)).toBe(greatestUtilization(servicesOf([100]), 300, 0.9));
  });

  test("a twentieth is late by itself: of a tenth as much is left, of a twentieth a quarter of it is the queue's all the same", () => {
    expect(late(500, 0.9)).toBeCloseTo(0.1, 4);
    expect(late(500, 0.95)).toBeCloseTo(0.05 + 0.25 * 0.05, 4);
    // It is missed by an idle server already, and what is planned is no less sensible.
    expect(late(500, 0.96)).toBeCloseTo(0.05 + 0.25 * 0.04, 4);
  });

  test("every percent more of room, from one prompt to ten: no step of more than a twentieth", () => {
    const services = servicesOf(sizes(100, 1));
    let before = plannedUtilization(services, 100, 0.95);
    for (let limitMs = 101; limitMs <= 1_000; limitMs *= 1.01) {
      const now = plannedUtilization(services, limitMs, 0.95);
      expect(Math.abs(now - before), `at ${limitMs}`).toBeLessThan(0.05);
      before = now;
    }
  });

  test("law: it rises with the limit, falls with the quantile, and a prompt that comes to be late by itself makes no cliff", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 10, max: 1e4, noNaN: true }),
        fc.double({ min: 0.3, max: 3, noNaN: true }),
        fc.double({ min: 0.3, max: 30, noNaN: true }),
        fc.double({ min: 0.8, max: 0.99, noNaN: true }),
        (mean, variation, room, quantile) => {
          const services = servicesOf(sizes(mean, variation));
          const limitMs = room * mean;
          // Where most are late by themselves there is nothing to plan: replicas are used up to a fixed share.
          fc.pre(lateShare(services, 0, limitMs) <= 0.5);
          const at = (limit: number, q: number): number => plannedUtilization(services, limit, q);
          const here = at(limitMs, quantile);
          expect(here).toBeLessThanOrEqual(MAX_UTILIZATION);
          expect(here).toBeGreaterThanOrEqual((greatestUtilization(services, limitMs, quantile) ?? 0) - 1e-4);
          // Sizes are so many points: each that comes to be late counts a whole one.
          expect(at(limitMs * 1.1, quantile)).toBeGreaterThanOrEqual(here - 0.01);
          expect(at(limitMs, (quantile + 1) / 2)).toBeLessThanOrEqual(here + 1e-4);
          expect(at(limitMs * 1.01, quantile) - here).toBeLessThanOrEqual(0.07);
          expect(here - at(limitMs, quantile + 1e-4)).toBeLessThanOrEqual(0.01);
        },
      ),
      { numRuns: 500 },
    );
  });
});

test("log-normal sizes have the mean and close to the variation they are asked for", () => {
  const list = sizes(1_000, 1);
  const { mean, square } = servicesOf(list);
  expect(mean).toBeCloseTo(1_000, 6);
  // Equal shares cut the tail.
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
        const services = servicesOf(sizes(mean, variation));
        const at = (limit: number, q: number): number => greatestUtilization(services, limit, q) ?? -1;
        const here = at(limitMs, quantile);
        expect(here).toBeLessThanOrEqual(MAX_UTILIZATION);
        expect(at(limitMs * 1.1, quantile)).toBeGreaterThanOrEqual(here - 1e-6);
        expect(at(limitMs, (quantile + 1) / 2)).toBeLessThanOrEqual(here + 1e-6);
      },
    ),
  );
});

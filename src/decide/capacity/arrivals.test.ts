import fc from "fast-check";
import { expect, test } from "vitest";
import { arrivalsOf, type SystemHistory } from "./arrivals.ts";

const TICK_MS = 15_000;

test("what comes is what is done and what piles up, through any server: exact over whole minutes (500 random ones)", () => {
  const second = fc.record({ arrive: fc.nat(100), serve: fc.nat(100) });
  fc.assert(
    fc.property(fc.array(second, { minLength: 120, maxLength: 300 }), (seconds) => {
      let history: SystemHistory = [];
      let inSystem = 0;
      const done: number[] = [];
      for (const [at, { arrive, serve }] of seconds.entries()) {
        const served = Math.min(serve, inSystem + arrive);
        inSystem += arrive - served;
        done.push(served);
        const nowMs = (at + 1) * 1000;
        if (nowMs % TICK_MS !== 0) continue;
        const donePerSecond = done.slice(-60).reduce((sum, one) => sum + one, 0) / 60;
        const estimate = arrivalsOf(donePerSecond, inSystem, history, nowMs);
        history = estimate.history;
        if (nowMs < 75_000) continue;
        const arrived = seconds.slice(at - 59, at + 1).reduce((sum, one) => sum + one.arrive, 0);
        expect(estimate.perSecond).toBeCloseTo(arrived / 60, 9);
      }
    }),
    { numRuns: 500, seed: 3 },
  );
});

test("an engine that is full counts what it can serve: 30 a second done while 600 more pile up in a minute are 40", () => {
  expect(arrivalsOf(30, 900, [[0, 300]], 60_000).perSecond).toBe(40);
  expect(arrivalsOf(40, 300, [[0, 900]], 60_000).perSecond).toBe(30);
});

test("without a number of half a minute ago, or without one of now, what is done is taken for what comes", () => {
  expect(arrivalsOf(30, 900, [], 60_000).perSecond).toBe(30);
  expect(arrivalsOf(30, 900, [[50_000, 0]], 60_000).perSecond).toBe(30);
  expect(arrivalsOf(30, 900, [[0, 0]], 200_000).perSecond).toBe(30);
  expect(arrivalsOf(30, undefined, [[0, 0]], 60_000)).toEqual({ perSecond: 30, history: [[0, 0]] });
});

test("never below nothing, and no history without end", () => {
  expect(arrivalsOf(1, 0, [[0, 6_000]], 60_000).perSecond).toBe(0);
  let history: SystemHistory = [];
  for (let at = 1; at < 1_000; at++) history = arrivalsOf(1, 1, history, at * 1_000).history;
  expect(history.length).toBeLessThanOrEqual(32);
});

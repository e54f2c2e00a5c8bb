import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arrivalsOf, type SystemHistory } from "./arrivals.ts";

describe("worked by hand", () => {
  test("10 a second are done and 120 more than a minute ago are in the system: 12 a second came", () => {
    expect(arrivalsOf(10, 150, [[0, 30]], 60_000).perSecond).toBe(12);
  });

  test("a queue that drains is no load that comes, and nothing comes less than never", () => {
    expect(arrivalsOf(10, 30, [[0, 150]], 60_000).perSecond).toBe(8);
    expect(arrivalsOf(1, 0, [[0, 600]], 60_000).perSecond).toBe(0);
  });

  test("of several looks back the one nearest to a minute counts; under 25 s none does", () => {
    const history: SystemHistory = [
      [5_000, 0],
      [30_000, 60],
      [70_000, 100],
    ];
    // At 85 s: 80, 55 and 15 s ago. 55 s is nearest, and 110 more are there.
    expect(arrivalsOf(10, 170, history, 85_000).perSecond).toBe(12);
    expect(arrivalsOf(10, 170, [[70_000, 100]], 85_000).perSecond).toBe(10);
  });

  test("what is in the system is not known: what is done is what comes, and the history waits for the next time it is", () => {
    expect(arrivalsOf(10, undefined, [[0, 30]], 60_000)).toEqual({ perSecond: 10, history: [[0, 30]] });
    expect(arrivalsOf(10, undefined, [[0, 30]], 91_000).history).toEqual([]);
  });
});

test("law: whatever comes and however it is served, what is done and what piled up is what came", () => {
  const WINDOW_MS = 60_000;
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 300_000 }), { maxLength: 200 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 20_000 }),
      fc.constantFrom(5_000, 15_000, 30_000, 60_000),
      (times, servers, serviceMs, intervalMs) => {
        const came = times.toSorted((a, b) => a - b);
        const freeMs = Array<number>(servers).fill(0);
        const done = came.map((atMs) => {
          const server = freeMs.indexOf(Math.min(...freeMs));
          freeMs[server] = Math.max(atMs, freeMs[server] as number) + serviceMs;
          return freeMs[server] as number;
        });
        const within = (list: readonly number[], fromMs: number, toMs: number): number =>
          list.filter((atMs) => atMs > fromMs && atMs <= toMs).length;
        let history: SystemHistory = [];
        for (let nowMs = 0; nowMs <= 360_000; nowMs += intervalMs) {
          const inSystem = within(came, -1, nowMs) - within(done, -1, nowMs);
          const arrivals = arrivalsOf(within(done, nowMs - WINDOW_MS, nowMs) / 60, inSystem, history, nowMs);
          history = arrivals.history;
          expect(history.length).toBeLessThanOrEqual(32);
          if (nowMs < WINDOW_MS) continue;
          expect(arrivals.perSecond).toBeCloseTo(within(came, nowMs - WINDOW_MS, nowMs) / 60, 9);
        }
      },
    ),
  );
});

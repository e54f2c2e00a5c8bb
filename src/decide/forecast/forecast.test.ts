import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Policy } from "../policy.ts";
import { type ForecastMemory, forecastDemand, forecaster } from "./forecast.ts";
import { LeadTimes } from "./lead-time.ts";
import { METHODS } from "./methods.ts";

const DAY_MS = 24 * 3_600_000;

const options = (overrides: Partial<Policy["forecast"]> = {}): Policy["forecast"] => ({
  enabled: true,
  method: "HoltWinters",
  seasonMs: DAY_MS,
  maxErrorRatio: 0.4,
  quantile: 0.5,
  ...overrides,
});

function run(demands: readonly number[], forecast: Policy["forecast"], horizonMs = 60_000) {
  let memory: ForecastMemory | undefined;
  return demands.map((demand, tick) => {
    const result = forecastDemand(demand, tick * 15_000, horizonMs, forecast, memory);
    memory = result.memory;
    return result;
  });
}
const ramp = Array.from({ length: 20 }, (_, tick) => 2 + tick * 0.25);

describe("forecast", () => {
  test.each(["HoltWinters", "LinearTrend"] as const)(
    "%s sees a ramp coming: in four ticks it will be one replica more",
    (method) => {
      const last = run(ramp, options({ method })).at(-1);
      expect(last?.replicas).toBeGreaterThan((ramp.at(-1) as number) + 0.7);
      expect(last?.replicas).toBeLessThan((ramp.at(-1) as number) + 1.3);
    },
  );

  test("it only ever raises: a falling load is not anticipated", () => {
    for (const [tick, { replicas }] of run(ramp.toReversed(), options()).entries()) {
      expect(replicas).toBeGreaterThanOrEqual(ramp.toReversed()[tick] as number);
    }
  });

  test("steady load, the last value and a disabled forecast leave the demand alone", () => {
    expect(run(Array<number>(20).fill(3), options()).at(-1)?.replicas).toBeCloseTo(3, 6);
    expect(run(ramp, options({ method: "LastValue" })).at(-1)?.replicas).toBe(ramp.at(-1));
    expect(run(ramp, options({ enabled: false })).at(-1)?.replicas).toBe(ramp.at(-1));
  });

  test("a forecast that keeps being wrong is ignored until it is right again", () => {
    const sawtooth = Array.from({ length: 40 }, (_, tick) => (tick % 4 < 2 ? 2 : 12));
    const wrong = run(sawtooth, options({ maxErrorRatio: 0.2 }));
    expect(wrong.at(-1)).toMatchObject({ isTrusted: false, replicas: sawtooth.at(-1) });
    const calm = run([...sawtooth, ...Array<number>(100).fill(4)], options({ maxErrorRatio: 0.2 }));
    expect(calm.at(-1)?.isTrusted).toBe(true);
  });

  test("what was due in a gap is compared with nothing: nobody saw what came then", () => {
    const forecast = options({ method: "Auto", quantile: 0.8 });
    const horizonMs = 300_000;
    let memory: ForecastMemory | undefined;
    const at = (nowMs: number, demand: number) => {
      const result = forecastDemand(demand, nowMs, horizonMs, forecast, memory);
      memory = result.memory;
      return result;
    };
    let nowMs = 0;
    for (; nowMs < 3_600_000; nowMs += 15_000) at(nowMs, 10);
    const before = at(nowMs, 10);
    const after = at(nowMs + 3 * 3_600_000, 20);
    expect([after.headroomRatio, after.errorRatio]).toEqual([before.headroomRatio, before.errorRatio]);
    // One turn that came late is no gap.
    memory = before.memory;
    expect(at(nowMs + 30_000, 20).headroomRatio).toBeGreaterThan(before.headroomRatio ?? 0);
  });

  test("two decisions in a moment do not make a slope", () => {
    let memory: ForecastMemory | undefined;
    for (const [atMs, demand] of [
      [0, 2],
      [15_000, 2],
      [30_000, 2],
      [45_000, 2],
      [60_000, 2],
      [60_001, 2.4],
    ] as const) {
      const result = forecastDemand(demand, atMs, 60_000, options(), memory);
      memory = result.memory;
      expect(result.replicas).toBeLessThan(3.5);
    }
  });

  describe("headroom", () => {
    const noise = Array.from({ length: 80 }, (_, tick) => 10 + 2 * Math.sin(tick * 2.4));
    const last = (demands: readonly number[], overrides: Partial<Policy["forecast"]>) =>
      run(demands, options({ method: "LastValue", ...overrides })).at(-1);

    test("before anything is known: a tenth, one in six times; p84.13 of it is that tenth", () => {
      expect(last([10], { quantile: 0.8413447 })?.headroomRatio).toBeCloseTo(0.1, 3);
      expect(last([10], { quantile: 0.8413447 })?.replicas).toBeCloseTo(11, 3);
    });

    test("one forecast that was a fifth too low, beside the four of the prior: √(2 (0.04 + 4 · 0.005) / 5)", () => {
      const result = run([10, 10, 10, 10, 12], options({ method: "LastValue", quantile: 0.8413447 })).at(-1);
      expect(result?.headroomRatio).toBeCloseTo(Math.sqrt((2 * 0.06) / 5), 3);
      expect(result?.replicas).toBeCloseTo(12 * (1 + Math.sqrt(0.024)), 2);
    });

    test("too high was no want: it counts as one more that was not too low", () => {
      const result = run([10, 10, 10, 10, 5], options({ method: "LastValue", quantile: 0.8413447 })).at(-1);
      expect(result?.headroomRatio).toBeCloseTo(Math.sqrt((2 * 0.02) / 5), 3);
    });

    test("a step counts as half too low at most, and never is more than as much again kept", () => {
      const step = run([1, 1, 1, 1, 50], options({ method: "LastValue", quantile: 0.8413447 })).at(-1);
      expect(step?.headroomRatio).toBeCloseTo(Math.sqrt((2 * 0.27) / 5), 3);
      const wild = Array.from({ length: 400 }, (_, tick) => (tick % 8 < 4 ? 1 : 30));
      expect(last(wild, { quantile: 0.999, maxErrorRatio: 9 })?.headroomRatio).toBe(1);
    });

    test("half of what was seen is forgotten in ten horizons", () => {
      const ticks = 40;
      const later = run([10, 10, 10, 10, 12, ...Array<number>(ticks).fill(10)], options({ method: "LastValue" })).at(
        -1,
      );
      // One forecast a tick came due since then, and none was too low.
      const kept = 2 ** (-1 / ticks);
      const weights = Array.from({ length: ticks + 1 }, (_, age) => kept ** age).reduce((sum, one) => sum + one, 0);
      expect(later?.memory.shortfallWeight).toBeCloseTo(weights, 6);
      expect(later?.memory.shortfalls[METHODS.indexOf("LastValue")]).toBeCloseTo(0.02, 6);
    });

    test("a forecast that is not trusted leaves the last value, with what that one lacks on top", () => {
      const sawtooth = Array.from({ length: 40 }, (_, tick) => (tick % 4 < 2 ? 2 : 12));
      const wrong = run(sawtooth, options({ method: "HoltWinters", maxErrorRatio: 0.2, quantile: 0.8 })).at(-1);
      const alone = last(sawtooth, { maxErrorRatio: 9, quantile: 0.8 });
      expect(wrong).toMatchObject({ isTrusted: false, method: "HoltWinters", headroomRatio: alone?.headroomRatio });
      expect(wrong?.replicas).toBe(alone?.replicas);
    });

    test("law: p50 adds nothing, a higher quantile never less, and nothing lowers the demand", () => {
      fc.assert(
        fc.property(
          fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { minLength: 1, maxLength: 60 }),
          fc.double({ min: 0.5, max: 0.999, noNaN: true }),
          fc.double({ min: 0.5, max: 0.999, noNaN: true }),
          fc.constantFrom<Policy["forecast"]["method"]>("Auto", ...METHODS),
          (demands, a, b, method) => {
            const at = (quantile: number) => run(demands, options({ method, quantile }));
            const [none, low, high] = [at(0.5), at(Math.min(a, b)), at(Math.max(a, b))];
            demands.forEach((demand, tick) => {
              expect(none[tick]?.headroomRatio).toBe(0);
              expect(none[tick]?.replicas).toBeGreaterThanOrEqual(demand);
              expect(low[tick]?.replicas).toBeGreaterThanOrEqual(none[tick]?.replicas ?? Number.NaN);
              expect(high[tick]?.replicas).toBeGreaterThanOrEqual(low[tick]?.replicas ?? Number.NaN);
              expect(high[tick]?.headroomRatio).toBeLessThanOrEqual(1);
            });
          },
        ),
      );
      expect(last(noise, { quantile: 0.9 })?.replicas).toBeGreaterThan(noise.at(-1) as number);
    });
  });

  test("law: what would be forecast for another demand is what is forecast once it comes", () => {
    const replicas = fc.double({ min: 0, max: 40, noNaN: true });
    const method = fc.constantFrom("Auto" as const, ...METHODS);
    fc.assert(
      fc.property(
        fc.array(replicas, { maxLength: 120 }),
        replicas,
        replicas,
        method,
        fc.constantFrom(0.5, 0.9),
        fc.constantFrom(3_600_000, DAY_MS),
        (past, demand, scale, one, quantile, seasonMs) => {
          const forecast = options({ method: one, quantile, seasonMs });
          const memory = run(past, forecast).at(-1)?.memory;
          const nowMs = past.length * 15_000;
          const { replicas: then } = forecastDemand(demand, nowMs, 60_000, forecast, memory);
          expect(forecaster(nowMs, 60_000, forecast, memory, scale)(demand)).toBeCloseTo(then, 9);
        },
      ),
    );
  });

  test("the lead time of a target is the interpolated p90 of its own start-ups, or what was configured", () => {
    const decode = [10_000, 20_000, 30_000, 40_000, 100_000];
    const leads = new LeadTimes({ decode, frontend: [8_000, 8_000] });
    expect([leads.of("decode"), leads.of("frontend")]).toEqual([76_000, 8_000]);
    expect(new LeadTimes({ decode }, 5_000).of("decode")).toBe(5_000);
    expect(new LeadTimes({}).of("decode")).toBe(60_000);
    // One that was never seen to start is taken to be like all of them, for what it may need; nothing is known of it.
    expect(new LeadTimes({ decode }).of("prefill")).toBe(76_000);
    expect(new LeadTimes({ decode }).known("prefill")).toBeUndefined();
  });

  describe("season", () => {
    const HOUR_MS = 3_600_000;
    const seasonMs = HOUR_MS;
    /** 2 replicas, and 8 in the third quarter of every hour: a step that no trend can see coming. */
    const hourly = (atMs: number): number => (Math.floor((atMs % HOUR_MS) / (HOUR_MS / 4)) === 2 ? 8 : 2);
    const play = (untilMs: number, forecast: Policy["forecast"], load = hourly) => {
      let memory: ForecastMemory | undefined;
      const results = [];
      for (let atMs = 0; atMs <= untilMs; atMs += 15_000) {
        const result = forecastDemand(load(atMs), atMs, 5 * 60_000, forecast, memory);
        memory = result.memory;
        results.push({ atMs, ...result });
      }
      return results;
    };
    const at = (results: ReturnType<typeof play>, minutes: number) =>
      results.find(({ atMs }) => atMs === minutes * 60_000);

    test.each(["SeasonalNaive", "HoltWinters"] as const)(
      "%s orders ahead of the hourly step once it has seen one",
      (method) => {
        const results = play(3 * HOUR_MS, options({ method, seasonMs, maxErrorRatio: 1 }));
        expect(at(results, 28)?.replicas).toBeLessThan(2.5);
        expect(at(results, 2 * 60 + 28)?.replicas).toBeCloseTo(4, 0);
      },
    );

    test("Auto follows the method that was right, and names it", () => {
      const results = play(6 * HOUR_MS, options({ method: "Auto", seasonMs, maxErrorRatio: 1 }));
      expect(["SeasonalNaive", "HoltWinters"]).toContain(at(results, 5 * 60 + 28)?.method);
      expect(at(results, 5 * 60 + 28)?.replicas).toBeCloseTo(4, 0);
      const flat = play(HOUR_MS, options({ method: "Auto", seasonMs }), () => 3);
      expect(flat.at(-1)).toMatchObject({ replicas: 3, isTrusted: true, errorRatio: 0 });
    });

    test("another season in the policy starts to learn anew; the memory stays bounded", () => {
      const results = play(3 * HOUR_MS, options({ seasonMs }));
      const { memory } = results.at(-1) as (typeof results)[number];
      expect(memory.season.bins).toHaveLength(4 * 12);
      expect(forecastDemand(2, 3 * HOUR_MS, 60_000, options(), memory).memory.season.bins).toBe("");
      const week = play(10 * 24 * HOUR_MS, options({ seasonMs: 7 * 24 * HOUR_MS })).at(-1)?.memory;
      expect(week?.season.bins).toHaveLength(4 * 288);
      expect(JSON.stringify(week).length).toBeLessThan(8_000);
    });
  });
});

test("a step is no measure of what usually comes: five times the load leaves at most half of itself in stock", () => {
  const steps = [...Array<number>(40).fill(2), ...Array<number>(40).fill(10)];
  const results = run(steps, options({ method: "LastValue", quantile: 0.8, maxErrorRatio: 10 }), 60_000);
  const most = Math.max(...results.map(({ headroomRatio = 0 }) => headroomRatio));
  // z(0.8) √(2 · 0.5²) if nothing else had been seen.
  expect(most).toBeLessThan(0.6);
  expect(most).toBeGreaterThan(0.1);
});

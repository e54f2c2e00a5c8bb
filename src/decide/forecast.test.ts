import { describe, expect, test } from "vitest";
import { type ForecastMemory, forecastDemand, leadTimeMs } from "./forecast.ts";
import type { Policy } from "./policy.ts";

const options = (overrides: Partial<Policy["forecast"]> = {}): Policy["forecast"] => ({
  enabled: true,
  method: "HoltWinters",
  maxErrorRatio: 0.4,
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

  test("the lead time is the interpolated p90 of the measured start-ups, or what was configured", () => {
    expect(leadTimeMs([10_000, 20_000, 30_000, 40_000, 100_000])).toBe(76_000);
    expect(leadTimeMs([10_000], 5_000)).toBe(5_000);
    expect(leadTimeMs([])).toBe(60_000);
  });
});

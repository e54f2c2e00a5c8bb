import { describe, expect, test } from "vitest";
import type { Observation, TargetLoad } from "../observation.ts";
import { Plant, policyOf, targetPolicy } from "../plant.fixture.ts";
import type { TargetPolicy } from "../policy.ts";
import { type LoadMemory, loadOf } from "./load.ts";

type Values = Partial<Record<keyof TargetLoad, number>>;

const LEAD_MS = 60_000;
const policyFor = (...roles: readonly TargetPolicy["role"][]) =>
  policyOf({ targets: roles.map((role) => targetPolicy(role, { role })), ratios: [] });

function observe(policy: ReturnType<typeof policyFor>, nowMs: number, loads: readonly Values[]): Observation {
  const plant = new Plant({ replicas: loads.map(() => 2), loads: loads.map(() => 0), gpus: loads.map(() => 1) });
  plant.nowMs = nowMs;
  const seen = plant.observe(policy);
  const measured = (values: Values): TargetLoad =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [key, { value, ageMs: 0 }])) as TargetLoad;
  return { ...seen, targets: seen.targets.map((one, at) => ({ ...one, load: measured(loads[at] ?? {}) })) };
}

/** One target through several looks at it. */
function follow(
  role: TargetPolicy["role"],
  looks: readonly (readonly [number, Values])[],
  leadMs = LEAD_MS,
): ReturnType<typeof loadOf> {
  const policy = policyFor(role);
  let result: ReturnType<typeof loadOf> = { load: undefined, memory: {} };
  for (const [nowMs, values] of looks)
    result = loadOf({ policy, observation: observe(policy, nowMs, [values]), leadMs }, 0, result.memory);
  return result;
}

describe("what comes", () => {
  const SERVED = { requestsPerSecond: 10, promptTokensPerSecond: 10_000, runningRequests: 20 };

  test("an overload counts what is asked, not what can be served", () => {
    // 900 more wait than a minute ago: 15 a second on top of the 10 that are served, all at once for there is a queue.
    const { load } = follow("prefill", [
      [0, { ...SERVED, waitingRequests: 0 }],
      [60_000, { ...SERVED, waitingRequests: 900 }],
    ]);
    expect(load?.arrivalsPerSecond).toBe(25);
    // And what waits is to be gone within a start of a minute: 900 / 60 more.
    expect(load?.requestsPerSecond).toBe(40);
  });

  test("a queue is to be gone within a start where that takes longer than a minute", () => {
    const { load } = follow("prefill", [[0, { ...SERVED, waitingRequests: 900 }]], 300_000);
    expect(load?.requestsPerSecond).toBe(13);
  });

  test("an engine for both counts requests when their answers are done, so prompts are counted where there are more", () => {
    const { load } = follow("aggregated", [
      [0, { requestsPerSecond: 10, promptTokensPerSecond: 10_000, waitingRequests: 0, runningRequests: 0 }],
      [1_000, { requestsPerSecond: 10, promptTokensPerSecond: 20_000, waitingRequests: 0, runningRequests: 600 }],
    ]);
    // Lengths have not followed yet: 20,000 tokens are nearly 20 prompts, of which a second let through 1 − e^(−1/15).
    expect(load?.arrivalsPerSecond).toBeCloseTo(10 + (19.835 - 10) * (1 - Math.exp(-1 / 15)), 3);
  });

  test("rates that flutter around one another are no growth, however many requests run", () => {
    const looks = Array.from({ length: 60 }, (_, tick): readonly [number, Values] => [
      tick * 15_000,
      {
        requestsPerSecond: 10 * (tick % 2 === 0 ? 1.01 : 0.99),
        promptTokensPerSecond: 10_000,
        runningRequests: 300,
        waitingRequests: 0,
      },
    ]);
    const seen = looks.slice(20).map((_, at) => follow("aggregated", looks.slice(0, 20 + at)).load?.arrivalsPerSecond);
    expect(Math.min(...(seen as number[]))).toBeGreaterThan(9.8);
    expect(Math.max(...(seen as number[]))).toBeLessThan(10.2);
  });

  test("what runs in decode is no growth of prefill, where prefill says nothing for a moment", () => {
    const policy = policyFor("prefill", "decode");
    let memory: LoadMemory = {};
    const rates = Array.from({ length: 16 }, (_, tick) => {
      const prefill = { requestsPerSecond: 5, promptTokensPerSecond: 5_000, runningRequests: 4, waitingRequests: 0 };
      const decode = { requestsPerSecond: 5, generationTokensPerSecond: 500, runningRequests: 400, waitingRequests: 0 };
      const observation = observe(policy, tick * 15_000, [tick === 6 ? {} : prefill, decode]);
      const result = loadOf({ policy, observation, leadMs: LEAD_MS }, 1, memory);
      memory = result.memory;
      return result.load?.arrivalsPerSecond;
    });
    expect(rates).toEqual(rates.map(() => 5));
  });

  test("decode knows of what waits for its prompt", () => {
    const policy = policyFor("prefill", "decode");
    const loads: readonly Values[] = [
      { requestsPerSecond: 10, promptTokensPerSecond: 10_000, runningRequests: 1, waitingRequests: 120 },
      { requestsPerSecond: 10, generationTokensPerSecond: 1_000, runningRequests: 20, waitingRequests: 60 },
    ];
    const observation = observe(policy, 0, loads);
    expect(loadOf({ policy, observation, leadMs: LEAD_MS }, 1, {}).load).toMatchObject({
      arrivalsPerSecond: 10,
      requestsPerSecond: 13,
      waiting: 60,
    });
  });

  test("what is over before a replica could start moves little: a quarter of a start is the time constant", () => {
    const at = (leadMs: number): number | undefined =>
      follow(
        "prefill",
        [
          [0, { requestsPerSecond: 10 }],
          [60_000, { requestsPerSecond: 20 }],
        ],
        leadMs,
      ).load?.arrivalsPerSecond;
    expect(at(240_000)).toBeCloseTo(20 - 10 * Math.exp(-1), 9);
    // No longer than three minutes, however long a start is; and not at all where it takes no time.
    expect(at(7_200_000)).toBeCloseTo(20 - 10 * Math.exp(-1 / 3), 9);
    expect(at(0)).toBe(20);
  });

  test("with a queue of more than four a replica a rise is no noise", () => {
    const at = (waitingRequests: number): number | undefined =>
      follow(
        "prefill",
        [
          [0, { requestsPerSecond: 10, waitingRequests }],
          [60_000, { requestsPerSecond: 20, waitingRequests }],
        ],
        240_000,
      ).load?.arrivalsPerSecond;
    expect(at(8)).toBeLessThan(17);
    expect(at(9)).toBe(20);
  });
});

describe("how much prompts vary", () => {
  const SERVED = { requestsPerSecond: 10, promptTokensPerSecond: 10_000 };
  const variationOf = (looks: readonly (readonly [number, Values])[]): number | undefined =>
    follow("prefill", looks).load?.shape?.inputVariation;

  test("a p99 of ten times the median is a log-normal with σ = ln 10 / 2.326, which varies by 1.29", () => {
    expect(variationOf([[0, { ...SERVED, promptSpread: 10 }]])).toBeCloseTo(1.29, 2);
    expect(variationOf([[0, { ...SERVED, promptSpread: 1 }]])).toBe(0);
  });

  test("where the engine does not say it is that of public traces", () => {
    expect(variationOf([[0, SERVED]])).toBe(1);
  });

  test("the tail of few requests is none: they may vary more than usual and never less", () => {
    const few = { requestsPerSecond: 0.1, promptTokensPerSecond: 100 };
    expect(variationOf([[0, { ...few, promptSpread: 2 }]])).toBeCloseTo(1, 9);
    expect(variationOf([[0, { ...few, promptSpread: 100 }]])).toBeGreaterThan(2);
  });

  test("it is followed slowly, stays while it is not measured, and nothing makes it endless", () => {
    const first = variationOf([[0, { ...SERVED, promptSpread: 10 }]]) as number;
    const soon = variationOf([
      [0, { ...SERVED, promptSpread: 10 }],
      [15_000, { ...SERVED, promptSpread: 1 }],
    ]) as number;
    expect(soon).toBeLessThan(first);
    expect(soon).toBeGreaterThan(0.6 * first);
    expect(
      variationOf([
        [0, { ...SERVED, promptSpread: 10 }],
        [15_000, SERVED],
      ]),
    ).toBeCloseTo(first, 9);
    expect(variationOf([[0, { ...SERVED, promptSpread: 1e300 }]])).toBeLessThan(100);
    expect(variationOf([[0, { ...SERVED, promptSpread: Number.NaN }]])).toBe(1);
  });
});

test("numbers whose sum is none are unknown, and nothing that a checkpoint cannot hold is kept", () => {
  const huge = { requestsPerSecond: 1e308, runningRequests: 1e308, waitingRequests: 1e308 };
  expect(follow("prefill", [[0, huge]]).memory).toEqual({ inSystem: [], last: { atMs: 0, arrivalsPerSecond: 1e308 } });
  const grown = follow("prefill", [
    [0, { ...huge, runningRequests: 0, waitingRequests: 0 }],
    [60_000, { ...huge, waitingRequests: 0 }],
  ]);
  expect(Number.isFinite(grown.memory.last?.arrivalsPerSecond)).toBe(true);
});

describe("too few replicas report", () => {
  const known: LoadMemory = { last: { atMs: 0, arrivalsPerSecond: 10 } };
  const policy = policyFor("prefill");
  const at = (nowMs: number, memory = known) =>
    loadOf({ policy, observation: observe(policy, nowMs, [{ waitingRequests: 30 }]), leadMs: LEAD_MS }, 0, memory);

  test("the load is that of a moment ago, with what waits now, for 90 s and no longer", () => {
    expect(at(90_000).load).toMatchObject({ arrivalsPerSecond: 10, requestsPerSecond: 10.5, isRemembered: true });
    expect(at(90_000).memory).toEqual(known);
    expect(at(90_001)).toEqual({ load: undefined, memory: {} });
  });

  test("a clock that was set back remembers nothing", () => {
    expect(at(-1).load).toBeUndefined();
  });
});

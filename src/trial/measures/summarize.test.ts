import { describe, expect, test } from "vitest";
import { seededRandom } from "../../random.ts";
import { measureTrial, type TrialMeasures } from "./measure-trial.ts";
import { summarize } from "./summarize.ts";
import { summarizeReactions } from "./summarize-reactions.ts";
import { countsOf, lifeOf, recordOf, requestsOf, targetOf } from "./trial-record.fixture.ts";

const HOUR_MS = 3_600_000;

/** Holds `gpus` for the hour; one request of two is lost. */
const trial = (seed: number, gpus: number): TrialMeasures =>
  measureTrial(
    recordOf({
      seed,
      targets: [targetOf(), targetOf({ name: "prefill" })],
      bands: [{ name: "p-d", a: 0, b: 1, min: 1, max: 1 }],
      counts: [countsOf(0, [1, 1]), countsOf(HOUR_MS - 1_000 * seed, [2, 1])],
      lives: [lifeOf({ gpus })],
      requests: requestsOf([
        { atMs: 0, outcome: "failed" },
        { atMs: 1, ttftMs: 1, itlMs: 1 },
      ]),
    }),
  );

describe("summarize", () => {
  test("every measure becomes a mean over the seeds; what no seed measured is null", () => {
    const summary = summarize([trial(1, 2), trial(2, 4)], seededRandom(1));
    expect(summary.values).toMatchObject({
      allocatedGpuHours: { mean: 3, seeds: 2 },
      outOfBandSpecSeconds: { mean: 1.5, seeds: 2 },
      overBudgetSeconds: null,
      decisionP99Micros: null,
    });
    expect(summary.bySlo[0]).toMatchObject({
      slo: "500 ms / 50 ms",
      values: { attainmentRatio: { mean: 0.5, seeds: 2 }, goodputPerGpuHour: { mean: (1 / 2 + 1 / 4) / 2 } },
      costGpuHours: { high: { mean: 3.01, seeds: 2 } },
      regretRatio: {},
    });
    expect(summary.bands).toEqual([
      { band: "p-d", specSeconds: { mean: 1.5, seeds: 2 }, readySeconds: { mean: 1.5, seeds: 2 } },
    ]);
  });

  test("regret is taken seed by seed, where the oracle has the seed too", () => {
    const trials = [trial(1, 3), trial(2, 8), trial(3, 100)];
    const { regretRatio } = summarize(trials, seededRandom(1), [trial(2, 4), trial(1, 2)]).bySlo[0]!;
    // (3 − 2) / 2 and (8 − 4) / 4, but for the worth of one miss each.
    expect(regretRatio["low"]).toEqual({ mean: expect.closeTo(0.75, 3), seeds: 2 });
  });

  test("ten seeds have intervals", () => {
    const trials = Array.from({ length: 10 }, (_, seed) => trial(seed, 1 + (seed % 2)));
    const [low, high] = summarize(trials, seededRandom(1)).values.allocatedGpuHours!.interval!;
    expect(low).toBeGreaterThan(1);
    expect(high).toBeLessThan(2);
  });

  test("nothing cannot be summarized", () => {
    expect(() => summarize([], seededRandom(1))).toThrow(/no trial/);
  });
});

test("reactions: times in seconds, of the seeds in which it happened", () => {
  const target = (firstOrderMs: number | undefined, overshootReplicas: number) => ({
    target: "decode",
    firstOrderMs,
    specReachedMs: undefined,
    readyReachedMs: 90_000,
    overshootReplicas,
  });
  const reactions = [
    { targets: [target(10_000, 1)], sloRecoveryMs: 0 },
    { targets: [target(undefined, 2)], sloRecoveryMs: 30_000 },
    { targets: [], sloRecoveryMs: undefined },
  ];
  expect(summarizeReactions(reactions, seededRandom(1))).toEqual([
    {
      target: "decode",
      firstOrderSeconds: { mean: 10, seeds: 1 },
      specReachedSeconds: null,
      readyReachedSeconds: { mean: 90, seeds: 2 },
      overshootReplicas: { mean: 1.5, seeds: 2 },
      sloRecoverySeconds: { mean: 15, seeds: 2 },
    },
  ]);
});

/** The document of the comparison, from results of trials that are made up. */
import { describe, expect, test } from "vitest";
import { CASES, type Case } from "../../bench/compare/cases.ts";
import type { ContestantSpec, JobResult } from "../../bench/compare/job.ts";
import { type Entry, reportOf } from "../../bench/compare/report-of.ts";
import { AUTOSCALERS } from "../../bench/compare/who.ts";
import { gpuHoursPerRequest, MISS_FACTORS, missWorthsOf } from "../../bench/compare/worth.ts";
import type { ParameterSet } from "../../src/report/comparison-report.ts";
import { miniatureScenario } from "../sim/trial-scenario.ts";

const [code, peak] = ["azure-code", "reasoning-peak"].map((name) => CASES.find((one) => one.name === name)) as [
  Case,
  Case,
];

/** 10 GPU-hours, and a miss of seed 1 is worth 0.02, 0.1 and 0.5 of them, of seed 2 half as much again. */
function entry(one: Case, spec: ContestantSpec, parameters: ParameterSet, seed: number, missed: number): Entry {
  const request = seed === 1 ? 0.01 : 0.015;
  const slo = { name: "500 ms / 50 ms", ttftMs: 500, itlMs: 50 };
  const measures = {
    seed,
    values: { allocatedGpuHours: 10 },
    bySlo: [
      {
        slo,
        values: { attainmentRatio: 1 - missed / 1_000, missedRequests: missed },
        costGpuHours: Object.fromEntries(
          Object.entries(MISS_FACTORS).map(([name, factor]) => [name, 10 + factor * request * missed]),
        ),
      },
    ],
    bands: [],
  };
  const result = { measures, timeLine: { targets: [] }, reactions: [], clients: [], seconds: 1 };
  return { kind: "Plain", case: one, spec, parameters, result: result as unknown as JobResult };
}

const OURS: ContestantSpec = { name: "grove", parameters: {} };
const report = reportOf(
  [
    entry(code, OURS, "default", 1, 4),
    entry(code, OURS, "default", 2, 0),
    entry(code, { name: "hpa", parameters: {} }, "default", 2, 30),
    entry(code, { name: "grove", parameters: { upTolerance: 0.1 } }, "tuned", 1, 2),
    entry(code, { name: "static-peak", parameters: {}, replicas: { prefill: 3, decode: 2 } }, "hindsight", 1, 0),
    entry(code, { name: "clairvoyant", parameters: { usedRatio: 0.7 } }, "hindsight", 1, 2),
    entry(peak, OURS, "default", 1, 0),
  ],
  {
    cases: [code, peak],
    seeds: [1, 2],
    command: "npm run bench:compare",
    generatedAt: "2026-11-28T16:00:00Z",
    versions: {},
    machine: "",
    validation: { rows: [] },
    notes: [],
  },
);

describe("the document", () => {
  test("a miss is worth so many times an average request, in GPU-hours as the trials of each scenario priced it", () => {
    expect(report.missWorths).toEqual([
      { name: "low", timesAverageRequest: 2 },
      { name: "mid", timesAverageRequest: 10 },
      { name: "high", timesAverageRequest: 50 },
    ]);
    expect(report.scenarios.map(({ gpuHoursPerMiss }) => gpuHoursPerMiss)).toEqual([
      { low: 0.025, mid: 0.125, high: 0.625 },
      { low: null, mid: null, high: null },
    ]);
  });

  test("the factors are those by which trials price a miss", () => {
    const scenario = miniatureScenario({ durationSeconds: 600, peakRequestsPerSecond: 6 });
    const request = gpuHoursPerRequest(scenario);
    const factors = missWorthsOf(scenario).map(({ name, gpuHoursPerMiss }) => [
      name,
      Math.round((1e6 * gpuHoursPerMiss) / request) / 1e6,
    ]);
    expect(Object.fromEntries(factors)).toEqual(MISS_FACTORS);
  });

  test("scenarios that were tuned are named, and no other", () => {
    expect(report.tuning).toMatchObject({ trials: 16, scenarios: ["azure-code"] });
  });

  test("each result has its parameters, its replicas where they are fixed, and what each seed gave", () => {
    const shown = report.scenarios[0]?.results.map(({ measures: _, timeLine: __, clients: ___, ...rest }) => rest);
    const seed = (number: number, missed: number) => ({
      seed: number,
      attainmentRatio: 1 - missed / 1_000,
      allocatedGpuHours: 10,
      costGpuHours: expect.objectContaining({ mid: 10 + 10 * (number === 1 ? 0.01 : 0.015) * missed }),
    });
    expect(shown).toEqual([
      { autoscaler: "grove", parameters: "default", parameterValues: {}, bySeed: [seed(1, 4), seed(2, 0)] },
      { autoscaler: "grove", parameters: "tuned", parameterValues: { upTolerance: 0.1 }, bySeed: [seed(1, 2)] },
      { autoscaler: "hpa", parameters: "default", parameterValues: {}, bySeed: [seed(2, 30)] },
      {
        autoscaler: "static-peak",
        parameters: "hindsight",
        parameterValues: {},
        replicas: { prefill: 3, decode: 2 },
        bySeed: [seed(1, 0)],
      },
      { autoscaler: "clairvoyant", parameters: "hindsight", parameterValues: { usedRatio: 0.7 }, bySeed: [seed(1, 2)] },
    ]);
  });

  test("regret is against the clairvoyant oracle on the same seed", () => {
    const [ours] = report.scenarios[0]?.results ?? [];
    expect(ours?.measures.bySlo[0]?.regretRatio["mid"]?.mean).toBeCloseTo((10.4 - 10.2) / 10.2, 9);
  });

  test("no oracle is called a default", () => {
    const oracles = AUTOSCALERS.filter(({ kind }) => kind === "oracle").map(({ name }) => name);
    expect(oracles).toEqual(["static", "static-peak", "reactive", "clairvoyant"]);
    for (const { autoscaler, parameters } of report.scenarios.flatMap(({ results }) => results)) {
      expect(parameters === "hindsight").toBe(oracles.includes(autoscaler));
    }
  });
});

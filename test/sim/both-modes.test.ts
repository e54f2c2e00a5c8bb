/** Ours in the fast mode and in the whole system: the bounds of docs/simulate.md. */
import { expect, test } from "vitest";
import { runWholeSystem } from "../../src/cli/simulate/whole-system.ts";
import { scalerOf } from "../../src/trial/contestants.ts";
import type { TrialRecord } from "../../src/trial/record.ts";
import { runTrial } from "../../src/trial/run.ts";
import { resultOf } from "../../src/trial/try-out.ts";
import { miniatureScenario } from "./trial-scenario.ts";

const STEP_MS = 5_000;

/** `spec.replicas` of one target on a grid over the window. */
function specOf({ counts, window }: TrialRecord, target: number): readonly number[] {
  const values: number[] = [];
  for (let atMs = window.startMs; atMs < window.endMs; atMs += STEP_MS) {
    values.push(counts.findLast((one) => one.atMs <= atMs)?.spec[target] ?? Number.NaN);
  }
  return values;
}

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);

test("two hours of a day in miniature: replicas over time, GPU hours and attainment agree", async () => {
  const scenario = miniatureScenario({ durationSeconds: 7_200, peakRequestsPerSecond: 30 });
  const fast = await runTrial({
    scenario,
    autoscaler: "grove",
    seed: 1,
    stopwatch: () => 0,
    scaler: (stage) => scalerOf({ kind: "Ours", parameters: {} }, stage),
  });
  const whole = await runWholeSystem({ scenario, seed: 1 });
  expect(fast.targets).toEqual(whole.targets);
  const differences = fast.targets.map(({ name }, target) => {
    const [a, b] = [specOf(fast, target), specOf(whole, target)];
    expect(Math.max(...a), `${name} scales`).toBeGreaterThan(1);
    return [name, sum(a.map((value, at) => Math.abs(value - (b[at] as number)))) / sum(a)] as const;
  });
  const [one, other] = [resultOf(fast, scenario).measures, resultOf(whole, scenario).measures];
  for (const [name, difference] of differences) expect(difference, name).toBeLessThan(0.08);
  expect(Math.abs(other.values.allocatedGpuHours / one.values.allocatedGpuHours - 1)).toBeLessThan(0.03);
  const attainment = [one, other].map(({ bySlo }) => bySlo[0]?.values.attainmentRatio ?? Number.NaN);
  expect(Math.abs((attainment[0] as number) - (attainment[1] as number))).toBeLessThan(0.01);
}, 120_000);

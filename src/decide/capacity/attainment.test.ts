import { expect, test } from "vitest";
import { type AttainmentBuckets, attainmentRatio, MIN_SAFETY, recordAttainment, safetyFactor } from "./attainment.ts";

const TICK_MS = 15_000;
const WINDOW_MS = 600_000;

function run(outcomes: readonly (boolean | undefined)[], start: AttainmentBuckets = [], fromMs = 0): AttainmentBuckets {
  return outcomes.reduce<AttainmentBuckets>(
    (buckets, isMet, at) => recordAttainment(buckets, fromMs + at * TICK_MS, WINDOW_MS, isMet),
    start,
  );
}

test("the share of the window, once there are ten decisions", () => {
  expect(attainmentRatio(run(Array(9).fill(true)))).toBeUndefined();
  expect(attainmentRatio(run([...Array(15).fill(true), ...Array(5).fill(false)]))).toBe(0.75);
  expect(attainmentRatio(run([...Array(20).fill(true), ...Array(20).fill(undefined)]))).toBe(1);
});

test("what is older than the window is forgotten, and there are at most 60 buckets", () => {
  const bad = run(Array(40).fill(false));
  const after = run(Array(41).fill(true), bad, 40 * TICK_MS);
  expect(attainmentRatio(after)).toBe(1);
  expect(run(Array(400).fill(true)).length).toBeLessThanOrEqual(60);
  expect(recordAttainment(after, 0, WINDOW_MS, undefined).length).toBeLessThanOrEqual(1);
});

test("below its goal a replica is counted with less by what is missing, 30 % at most", () => {
  expect(safetyFactor(undefined, 0.95)).toBe(1);
  expect(safetyFactor(0.95, 0.95)).toBe(1);
  expect(safetyFactor(0.85, 0.95)).toBeCloseTo(0.9, 12);
  expect(safetyFactor(0, 0.95)).toBe(MIN_SAFETY);
});

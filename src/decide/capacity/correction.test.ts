import { expect, test } from "vitest";
import { type Correction, correct, MAX_FACTOR, MIN_FACTOR } from "./correction.ts";

const MINUTE_MS = 60_000;

/** An engine that takes `truth` times as long as its profile, watched for `minutes`. */
function watch(truth: number, minutes: number, start?: Correction): Correction | undefined {
  let known = start;
  for (let at = 0; at <= minutes; at++) known = correct(known, at * MINUTE_MS, 30 * truth, 30 * (known?.factor ?? 1));
  return known;
}

test("an engine half as slow again is found, slowly", () => {
  expect(watch(1.5, 0)?.factor).toBe(1);
  // After one time constant of 10 minutes: 1.5^(1 − 1/e) = 1.29.
  expect(watch(1.5, 10)?.factor).toBeCloseTo(1.5 ** (1 - Math.exp(-1)), 6);
  expect(watch(1.5, 120)?.factor).toBeCloseTo(1.5, 3);
});

test("it stays within a factor of 2 either way", () => {
  expect(watch(100, 600)?.factor).toBe(MAX_FACTOR);
  expect(watch(0.01, 600)?.factor).toBe(MIN_FACTOR);
});

test("one minute moves it by 14 % at most, however wild, and a gap counts as one minute", () => {
  const known = { factor: 1, atMs: 0 };
  expect(correct(known, MINUTE_MS, 1e9, 1)?.factor).toBeCloseTo(4 ** (1 - Math.exp(-0.1)), 9);
  expect(correct(known, 600 * MINUTE_MS, 1e9, 1)?.factor).toBeCloseTo(4 ** (1 - Math.exp(-0.1)), 9);
});

test("what is no latency teaches nothing, and a clock that was set back does no harm", () => {
  const known = { factor: 1.2, atMs: MINUTE_MS };
  for (const bad of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(correct(known, 2 * MINUTE_MS, bad, 1)).toBe(known);
    expect(correct(known, 2 * MINUTE_MS, 1, bad)).toBe(known);
  }
  expect(correct(known, 0, 5, 1)?.factor).toBe(1.2);
});

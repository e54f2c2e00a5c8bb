import { expect, test } from "vitest";
import { Pace } from "./pace.ts";

const delayMs = 15_000;

/** @returns what `next` says of turns that take `tookMs` and start `lateMs` after they are due */
function turns(pace: Pace, from: number, late: readonly number[], tookMs: number): readonly number[] {
  let due = from;
  return late.map((lateMs) => {
    const startedMs = due + lateMs;
    const endedMs = startedMs + tookMs;
    const wait = pace.next("serving/llama", { startedMs, endedMs, delayMs });
    due = endedMs + wait;
    return due;
  });
}

test("turns keep their pace however late each of them starts and however long it takes", () => {
  expect(turns(new Pace(), 1_000, [0, 900, 3_000, 0, 14_000], 800)).toEqual([16_000, 31_000, 46_000, 61_000, 76_000]);
});

test("turns that were missed are not made up for", () => {
  const pace = new Pace();
  expect(turns(pace, 0, [0, 40_000, 0], 100)).toEqual([15_000, 70_000, 85_000]);
});

test("a turn that took longer than its delay is followed at once, and by no two", () => {
  expect(turns(new Pace(), 0, [0, 0], 20_000)).toEqual([20_000, 40_000]);
});

test("a turn before its time starts the pace anew", () => {
  const pace = new Pace();
  pace.next("serving/llama", { startedMs: 0, endedMs: 100, delayMs });
  expect(pace.next("serving/llama", { startedMs: 5_000, endedMs: 5_100, delayMs })).toBe(14_900);
});

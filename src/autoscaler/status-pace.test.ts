import { expect, test } from "vitest";
import { StatusPace } from "./status-pace.ts";

const TURN_MS = 15_000;

/** @returns when each policy's status was written, by policy, where all turn every 15 s, spread over these */
function writesOf(policies: number, forMs: number): readonly (readonly number[])[] {
  const pace = new StatusPace();
  const written = Array.from({ length: policies }, (): number[] => []);
  for (let turnMs = 0; turnMs < forMs; turnMs += TURN_MS)
    written.forEach((times, policy) => {
      const nowMs = turnMs + (TURN_MS * policy) / policies;
      if (!pace.take(`serving/llama-${policy}`, nowMs)) return;
      pace.wrote(`serving/llama-${policy}`, nowMs);
      times.push(nowMs);
    });
  return written;
}

test("a few policies are written once a minute, also where they turn in the same moment", () => {
  for (const times of writesOf(50, 600_000))
    expect(times.map((ms) => Math.floor(ms / 60_000))).toEqual([...times.keys()]);
});

test("ten thousand are written 25 times a second, and each of them in its turn", () => {
  const written = writesOf(10_000, 1_800_000);
  const minutes = Map.groupBy(written.flat(), (ms) => Math.floor(ms / 60_000));
  expect(Math.max(...[...minutes.values()].map(({ length }) => length))).toBeLessThanOrEqual(60 * 25 + 100);
  const waits = written.flatMap((times) => [...times, 1_800_000].map((ms, at) => ms - (times[at - 1] ?? 0)));
  expect(Math.max(...waits)).toBeLessThanOrEqual(450_000);
});

test("one that was written because of what it says is not written again within a minute", () => {
  const pace = new StatusPace();
  expect(pace.take("a/b", 0)).toBe(true);
  pace.wrote("a/b", 0);
  pace.wrote("a/b", 50_000);
  expect(pace.take("a/b", 60_000)).toBe(false);
  expect(pace.take("a/b", 110_000)).toBe(true);
});

test("one that could not be written is due as before", () => {
  const pace = new StatusPace();
  expect(pace.take("a/b", 0)).toBe(true);
  expect(pace.take("a/b", 15_000)).toBe(true);
});

test("the next one comes within what is said: a minute for a few policies, minutes for a large fleet", () => {
  const written = (policies: number): number => {
    const pace = new StatusPace();
    for (let at = 0; at < policies; at++) pace.wrote(`serving/llama-${at}`, 0);
    return pace.withinMs;
  };
  expect(written(3)).toBe(60_000);
  expect(written(1_500)).toBe(60_000);
  expect(written(10_000)).toBe(740_000);
});

import { expect, test } from "vitest";
import { VirtualClock } from "../../clock.ts";
import { seededRandom } from "../../random.ts";
import { type StartUpModel, StartUps } from "./start-up.ts";

const weights = (weightsGiB: number, podGiBPerSecond = 10): StartUpModel => ({
  fixedMedianMs: 1_000,
  fixedSpreadP90: 1,
  weightsGiB,
  podGiBPerSecond,
});

function startUps(storageGiBPerSecond: number) {
  const clock = new VirtualClock();
  const starts = new StartUps({ clock, random: seededRandom(1), storageGiBPerSecond });
  const readyMs: Record<string, number> = {};
  const begin = (name: string, model: StartUpModel): (() => void) =>
    starts.begin(model, () => {
      readyMs[name] = clock.monotonicMs();
    });
  return { clock, begin, readyMs };
}

test("one pod alone: what every start takes, then its weights at its own rate", async () => {
  const { clock, begin, readyMs } = startUps(100);
  begin("a", weights(50));
  await clock.advance(60_000);
  expect(readyMs["a"]).toBeCloseTo(1_000 + 5_000, 3);
});

test("two that load at the same time have half the storage each, and what is left has all of it", async () => {
  const { clock, begin, readyMs } = startUps(10);
  begin("a", weights(20));
  begin("b", weights(40));
  await clock.advance(60_000);
  // 20 GiB each at 5 GiB/s, then 20 GiB at 10.
  expect(readyMs["a"]).toBeCloseTo(1_000 + 4_000, 3);
  expect(readyMs["b"]).toBeCloseTo(1_000 + 4_000 + 2_000, 3);
});

test("who comes later slows down who is there; what was read stays read", async () => {
  const { clock, begin, readyMs } = startUps(10);
  begin("a", weights(40));
  await clock.advance(2_000);
  begin("b", weights(40));
  await clock.advance(60_000);
  // Of a, 20 GiB alone until 3 s, then 20 at half the rate; b has 20 left by then.
  expect(readyMs["a"]).toBeCloseTo(3_000 + 4_000, 3);
  expect(readyMs["b"]).toBeCloseTo(7_000 + 2_000, 3);
});

test("a start that is given up is never ready and leaves its share to others, while loading and before", async () => {
  const { clock, begin, readyMs } = startUps(10);
  const giveUp = begin("a", weights(40));
  const early = begin("c", weights(40));
  begin("b", weights(40));
  early();
  await clock.advance(3_000);
  giveUp();
  await clock.advance(60_000);
  expect(readyMs).toEqual({ b: expect.closeTo(1_000 + 2_000 + 3_000, 3) });
});

test("what every start takes is lognormal by its median and 90th percentile", async () => {
  const { clock, begin, readyMs } = startUps(1);
  for (let at = 0; at < 4_000; at++) {
    begin(`${at}`, { fixedMedianMs: 10_000, fixedSpreadP90: 1.5, weightsGiB: 0, podGiBPerSecond: 1 });
  }
  await clock.advance(600_000);
  const sorted = Object.values(readyMs).toSorted((a, b) => a - b);
  expect(sorted).toHaveLength(4_000);
  expect(sorted[2_000]).toBeGreaterThan(9_700);
  expect(sorted[2_000]).toBeLessThan(10_300);
  expect(sorted[3_600]).toBeGreaterThan(14_500);
  expect(sorted[3_600]).toBeLessThan(15_500);
});

import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../clock.ts";
import { seededRandom } from "../../random.ts";
import { type StartUpModel, StartUps } from "./start-up.ts";

const fixed = (seconds: number, weightsGiB = 0): StartUpModel => ({
  fixedMedianMs: seconds * 1000,
  fixedSpreadP90: 1,
  weightsGiB,
  podGiBPerSecond: 2,
});

function startUps(storageGiBPerSecond = 1_000) {
  const clock = new VirtualClock();
  const starts = new StartUps({ clock, random: seededRandom(1), storageGiBPerSecond });
  const ready: [string, number][] = [];
  const begin = (name: string, model: StartUpModel): (() => void) =>
    starts.begin(model, () => void ready.push([name, clock.monotonicMs() / 1000]));
  return { clock, begin, ready };
}

describe("weights", () => {
  test("are read at the pod's own rate while the storage gives it", async () => {
    const { clock, begin, ready } = startUps();
    begin("a", fixed(10, 20));
    begin("b", fixed(10, 20));
    await clock.advance(60_000);
    expect(ready).toEqual([
      ["a", 20],
      ["b", 20],
    ]);
  });

  test("of pods that start together share the storage, and who comes later slows who is there", async () => {
    const { clock, begin, ready } = startUps(2);
    begin("a", fixed(0, 20));
    begin("b", fixed(5, 20));
    await clock.advance(60_000);
    // a reads 10 GiB alone in 5 s, then both 1 GiB/s: a ends at 15 s; b has 10 left and 2 GiB/s: 20 s.
    expect(ready.map(([name, at]) => [name, Math.round(at * 1e6) / 1e6])).toEqual([
      ["a", 15],
      ["b", 20],
    ]);
  });

  test("of a start that is given up are read no further, and the others go faster", async () => {
    const { clock, begin, ready } = startUps(2);
    begin("a", fixed(0, 20));
    const giveUp = begin("b", fixed(0, 20));
    await clock.advance(10_000);
    giveUp();
    await clock.advance(60_000);
    // 10 GiB each in 10 s, then a alone.
    expect(ready).toEqual([["a", 15]]);
  });
});

test("given up before it loads, it never comes up", async () => {
  const { clock, begin, ready } = startUps();
  begin("a", fixed(10))();
  await clock.advance(60_000);
  expect(ready).toEqual([]);
});

test("times are lognormal by their median and their 90th percentile", async () => {
  const { clock, begin, ready } = startUps();
  for (let index = 0; index < 2_000; index++) begin("x", { ...fixed(100), fixedSpreadP90: 1.5 });
  await clock.advance(10_000_000);
  const times = ready.map(([, at]) => at).sort((a, b) => a - b);
  expect(times).toHaveLength(2_000);
  expect(times[1_000]).toBeGreaterThan(96);
  expect(times[1_000]).toBeLessThan(104);
  expect(times[1_800]).toBeGreaterThan(142);
  expect(times[1_800]).toBeLessThan(158);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { emptySeason, recordInSeason, type SeasonMemory, usualDemand } from "./season.ts";

const HOUR_MS = 3_600_000;
const BIN_MS = 5 * 60_000;
const BINS = HOUR_MS / BIN_MS;

/** One sample in each bin, from the epoch on; none where it is undefined. */
function seasonOf(demands: readonly (number | undefined)[]): SeasonMemory {
  return [...demands, 0].reduce<SeasonMemory>((memory, replicas, bin) => {
    const nowMs = (bin + 0.5) * BIN_MS;
    return replicas === undefined ? memory : recordInSeason(memory, nowMs, replicas, nowMs);
  }, emptySeason(HOUR_MS));
}

/** In the middle of a bin, a season later. */
const usualIn = (memory: SeasonMemory, bin: number): number | undefined =>
  usualDemand(memory, HOUR_MS + (bin + 0.5) * BIN_MS);

test("a bin says what was seen in it to the thousandth of a replica, and nothing where nothing was seen", () => {
  const replicas = fc.option(fc.double({ min: 0, max: 16_000, noNaN: true }), { nil: undefined });
  fc.assert(
    fc.property(fc.array(replicas, { minLength: BINS, maxLength: BINS }), (demands) => {
      const memory = seasonOf(demands);
      demands.forEach((demand, bin) => {
        const isSeen = (at: number): boolean => demands[(at + BINS) % BINS] !== undefined;
        if (demand === undefined || !isSeen(bin + 1)) expect(usualIn(memory, bin)).toBeUndefined();
        else expect(usualIn(memory, bin)).toBeCloseTo(demand, 2);
      });
    }),
  );
});

test("more replicas than a bin can say are the most it can say", () => {
  const memory = seasonOf(Array<number>(BINS).fill(1e9));
  expect(usualIn(memory, 3)).toBe(16_777.214);
  expect(usualIn(seasonOf(Array<number>(BINS).fill(0)), 3)).toBe(0);
});

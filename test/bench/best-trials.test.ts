/** What a tuning writes, whole and cut off. */
import { expect, test } from "vitest";
import { type BestTrials, withBestTrials } from "../../bench/compare/best-trials.ts";
import type { Job, JobResult } from "../../bench/compare/job.ts";

const job = (name: string, parameters: Readonly<Record<string, number>>): Job => ({
  case: "code",
  part: "tuning",
  seed: 101,
  contestant: { name, parameters },
});
const costs = (mid: number | undefined): JobResult | undefined =>
  mid === undefined ? undefined : ({ measures: { bySlo: [{ costGpuHours: { mid } }] } } as unknown as JobResult);

const JOBS = [
  ...[{}, { tolerance: 0.1 }, { tolerance: 0.2 }].map((parameters) => job("hpa", parameters)),
  ...[{}, { target: 5 }].map((parameters) => job("keda", parameters)),
];
const KNOWN: BestTrials = {
  code: {
    hpa: { parameters: { tolerance: 0.3 }, cost: 1, defaultCost: 2 },
    keda: { parameters: { target: 9 }, cost: 1, defaultCost: 2 },
  },
  other: { hpa: { parameters: {}, cost: 7, defaultCost: 7 } },
};
const bestOf = (...mids: readonly (number | undefined)[]): BestTrials => withBestTrials(KNOWN, JOBS, mids.map(costs));

test("the cheapest trial of each, with what the defaults cost, takes the place of what was known", () => {
  expect(bestOf(10, 8, 9, 5, 6)).toEqual({
    code: {
      hpa: { parameters: { tolerance: 0.1 }, cost: 8, defaultCost: 10 },
      keda: { parameters: {}, cost: 5, defaultCost: 5 },
    },
    other: KNOWN["other"],
  });
});

test.each([
  { missing: "the last trial", mids: [10, 8, undefined, 5, 6] },
  { missing: "the one by defaults", mids: [undefined, 8, 9, 5, 6] },
  { missing: "all", mids: [undefined, undefined, undefined, 5, 6] },
])("cut off with $missing of one: what was known of it stays, the other is new", ({ mids }) => {
  expect(bestOf(...mids)["code"]).toEqual({
    hpa: KNOWN["code"]?.["hpa"],
    keda: { parameters: {}, cost: 5, defaultCost: 5 },
  });
});

test("nothing known and cut off: nothing is made up", () => {
  expect(withBestTrials({}, JOBS, [10, 8].map(costs))).toEqual({});
});

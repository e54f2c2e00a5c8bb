import { expect, test } from "vitest";
import { repairRatios } from "./post-hoc-ratio.ts";

const ranges = [
  { minReplicas: 1, maxReplicas: 4 },
  { minReplicas: 1, maxReplicas: 8 },
  { minReplicas: 1, maxReplicas: 16 },
];
/** Of targets 1 and 2, as of prefill and decode beside a frontend. */
const band = { name: "prefill-decode", a: 1, b: 2, min: 0.25, max: 1 };

test.each<[string, number[], number[]]>([
  ["inside the band nothing changes", [3, 2, 4], [3, 2, 4]],
  ["too few of the first: 0.25 x 8 = 2", [3, 1, 8], [3, 2, 8]],
  ["too few of the second: 6 / 1", [3, 6, 2], [3, 6, 6]],
])("%s", (_, decided, repaired) => {
  expect(repairRatios(decided, ranges, [band])).toEqual(repaired);
});

test("where the first is at its maximum the second gives way: 2 / 0.25 = 8", () => {
  const few = [ranges[0], { minReplicas: 1, maxReplicas: 2 }, ranges[2]] as typeof ranges;
  expect(repairRatios([3, 1, 16], few, [band])).toEqual([3, 2, 8]);
});

test("one pass over the bands in their order: a later one may break what an earlier one kept", () => {
  const frontends = { name: "frontend-prefill", a: 0, b: 1, min: 1, max: 1 };
  expect(repairRatios([1, 1, 8], ranges, [frontends, band])).toEqual([1, 2, 8]);
});

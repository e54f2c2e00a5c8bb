import fc from "fast-check";
import { linearRegression, linearRegressionLine } from "simple-statistics";
import { expect, test } from "vitest";
import { predict } from "./methods.ts";
import { emptySeason } from "./season.ts";

test("the linear trend is the regression of simple-statistics, to the last bit", () => {
  const samples = fc.array(
    fc.record({
      afterMs: fc.integer({ min: 5_000, max: 60_000 }),
      replicas: fc.double({ min: 0, max: 500, noNaN: true }),
    }),
    { minLength: 4, maxLength: 60 },
  );
  fc.assert(
    fc.property(samples, fc.integer({ min: 0, max: 1_000_000 }), (list, aheadMs) => {
      let atMs = 1_790_000_000_000;
      const points = list.map(({ afterMs, replicas }): [number, number] => {
        atMs += afterMs;
        return [atMs, replicas];
      });
      const relative = points.map(([ms, replicas]): [number, number] => [ms - atMs, replicas]);
      const expected = linearRegressionLine(linearRegression(relative))(aheadMs);
      expect(predict("LinearTrend", points.flat(), emptySeason(86_400_000), atMs + aheadMs)).toBe(expected);
    }),
  );
});

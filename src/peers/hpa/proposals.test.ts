/** Vectors of kubernetes/kubernetes:pkg/controller/podautoscaler/replica_calculator_test.go where a name says so; the arithmetic is ours. */
import { describe, expect, test } from "vitest";
import { countsOf, names, type Seen } from "../peer.fixture.ts";
import { externalAverageValue, podsAverageValue } from "./proposals.ts";

const pods = (
  values: readonly (number | undefined)[],
  target: number,
  seen: Seen,
  tolerance = 0.1,
): number | undefined =>
  podsAverageValue(
    new Map(names(values.length).flatMap((name, i) => (values[i] === undefined ? [] : [[name, values[i]]]))),
    target,
    countsOf(seen),
    tolerance,
  );

describe("Pods metric with AverageValue", () => {
  test.each<[string, readonly (number | undefined)[], number, Seen, number | undefined]>([
    ["TestReplicaCalcScaleUpCM: (20+10+30)/3 = 20, 20/15 x 3 = 4", [20, 10, 30], 15, { spec: 3 }, 4],
    ["TestReplicaCalcScaleDownCM: 12/20 x 5 = 3", [12, 12, 12, 12, 12], 20, { spec: 5 }, 3],
    ["TestReplicaCalcScaleUpCMExternal: 8.6/4.4 = 1.95 -> 2", [8.6], 4.4, { spec: 1 }, 2],
    [
      "ScaleUpCMUnreadyHotCpuNoLessScale: readiness is no matter for Pods metrics: 30/15 x 3 = 6",
      [50, 10, 30],
      15,
      { spec: 3 },
      6,
    ],
    [
      "ScaleUpCMUnreadyHotCpuScaleWouldScaleDown: milli-mean 31666 / 15000 x 3 = 6.33 -> 7",
      [50, 15, 30],
      15,
      { spec: 3 },
      7,
    ],
    ["1.1 is within the tolerance of 0.1", [1.1, 1.1], 1, { spec: 2 }, 2],
    ["1.11 is not: 1.11 x 2 = 2.22 -> 3", [1.11, 1.11], 1, { spec: 2 }, 3],
    ["0.9 is within", [0.9, 0.9], 1, { spec: 2 }, 2],
    ["0.89 of 4 is not, but 0.89 x 4 = 3.56 -> 4", [0.89, 0.89, 0.89, 0.89], 1, { spec: 4 }, 4],
    [
      "missing on the way down counts as full: (0.5 x 8 + 1 x 2)/10 = 0.6, x 10 = 6",
      [...Array(8).fill(0.5), undefined, undefined],
      1,
      { spec: 10 },
      6,
    ],
    [
      "missing on the way up counts as idle: 2.9 x 8 / 10 = 2.32, x 10 -> 24",
      [...Array(8).fill(2.9), undefined, undefined],
      1,
      { spec: 10 },
      24,
    ],
    ["a direction that flips holds: 2.9 x 8 / 58 = 0.4", Array(8).fill(2.9), 1, { spec: 58, ready: 58 }, 58],
    [
      "starting replicas have no sample either: (2 + 2 + 0 + 0)/4 = 1 is within, 4 stays 4",
      [2, 2],
      1,
      { spec: 4, starting: 2 },
      4,
    ],
    [
      "starting on the way down count as full: (0.2 + 0.2 + 1 + 1)/4 = 0.6, x 4 -> 3",
      [0.2, 0.2],
      1,
      { spec: 4, starting: 2 },
      3,
    ],
    ["pending count as idle on the way up: (3 + 3 + 0)/3 = 2, x 3 = 6", [3, 3], 1, { spec: 3, pending: 1 }, 6],
    [
      "so many pending that it would be a way down: (1.2 + 1.2 + 3 x 0)/5 = 0.48 holds",
      [1.2, 1.2],
      1,
      { spec: 5, pending: 3 },
      5,
    ],
    ["milli-values: 1100 and 1101, whose mean 1100.5 is 1100, and within", [1.1009, 1.1011], 1, { spec: 2 }, 2],
    ["pending do not count on the way down: 0.5 x 2 = 1", [0.5, 0.5], 1, { spec: 5, pending: 3 }, 1],
    [
      "fewer than there are, on the way up: 3/1 ready says 3, spec 5 stays",
      [3],
      1,
      { spec: 5, ready: 1, starting: 1 },
      5,
    ],
    ["no sample of any ready replica is invalid", [undefined, undefined], 1, { spec: 2 }, undefined],
    ["NaN and infinity are no samples", [Number.NaN, Number.POSITIVE_INFINITY], 1, { spec: 2 }, undefined],
    ["a sample of a replica that is not ready is none", [], 1, { spec: 2, ready: 0, starting: 2 }, undefined],
  ])("%s", (_, values, target, seen, expected) => {
    expect(pods(values, target, seen)).toBe(expected);
  });

  test("idle queues of an idle system: 0/5 x 4 = 0, the bounds come later", () => {
    expect(pods([0, 0, 0, 0], 5, { spec: 4 })).toBe(0);
  });
});

describe("External metric with AverageValue", () => {
  test.each<[string, number | undefined, number, number, number | undefined]>([
    ["TestReplicaCalcScaleUpPerPodCMExternal: 8.6/2.15 = 4", 8.6, 2.15, 3, 4],
    ["TestReplicaCalcScaleDownPerPodCMExternal: 8.6/2.867 = 2.9997 -> 3", 8.6, 2.867, 5, 3],
    ["TestReplicaCalcScaleUpCMPerPodObject: 20/5 = 4", 20, 5, 3, 4],
    ["TestReplicaCalcScaleDownPerPodCMObject: 6/2 = 3", 6, 2, 5, 3],
    ["54/(5 x 10) = 1.08 is within: 10 stays, though 54/5 -> 11", 54, 5, 10, 10],
    ["56/(5 x 10) = 1.12 is not: 56/5 = 11.2 -> 12", 56, 5, 10, 12],
    ["no value is invalid", undefined, 5, 3, undefined],
    ["NaN is invalid", Number.NaN, 5, 3, undefined],
  ])("%s", (_, total, target, spec, expected) => {
    expect(externalAverageValue(total, target, spec, 0.1)).toBe(expected);
  });
});

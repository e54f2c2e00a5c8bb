import fc from "fast-check";
import { expect, test } from "vitest";
import type { Behavior } from "./behavior.ts";
import type { Observation } from "./observation.ts";
import type { Policy, TargetPolicy } from "./policy.ts";
import { isWithinBand, type RatioBand } from "./ratio.ts";
import { planTransition } from "./transition.ts";

const direction = { stabilizationWindowMs: 0, toleranceRatio: 0.1, selectPolicy: "Max" as const, policies: [] };
const behavior: Behavior = { scaleUp: direction, scaleDown: direction };
const target = (name: string): TargetPolicy => ({
  name,
  level: "PodCliqueScalingGroup",
  role: "other",
  minReplicas: 1,
  maxReplicas: 20,
  minViableOverride: 0,
  metrics: [],
  behavior,
});
const band: RatioBand = {
  name: "prefill-decode",
  between: ["prefill", "decode"],
  min: { numerator: 1, denominator: 3 },
  max: { numerator: 1, denominator: 1 },
  enforcement: "Hard",
  transientSlackRatio: 0.25,
};
const policy: Policy = {
  mode: "Active",
  intervalMs: 15_000,
  targets: [target("prefill"), target("decode")],
  ratios: [band],
  metricsPolicy: { staleAfterMs: 60_000, minCoverageRatio: 0.7, warmUpMs: 0 },
  forecast: { enabled: false, method: "LastValue", seasonMs: 86_400_000, maxErrorRatio: 0.4, quantile: 0.5 },
  coldStart: { pendingTimeoutMs: 600_000, changeDeadlineMs: 1_800_000 },
  schedules: [],
};

function observe(current: readonly number[], ready: readonly number[] = current): Observation {
  return {
    nowMs: 0,
    monotonicMs: 0,
    set: { objectName: "x", resourceVersion: "1", replicas: 1, ready: 1, fixedGpus: 0, metrics: [] },
    targets: current.map((replicas, index) => ({
      objects: [
        {
          setIndex: 0,
          objectName: `x-0-${index}`,
          resourceVersion: "1",
          replicas,
          ready: ready[index] as number,
          starting: replicas - (ready[index] as number),
          pending: 0,
          overdue: 0,
          isChanging: false,
        },
      ],
      minAvailable: 1,
      templateReplicas: 1,
      gpusPerReplica: 1,
      metrics: [],
    })),
    gpusInUse: current.reduce((sum, replicas) => sum + replicas, 0),
    isSharing: false,
    startupsMs: [],
    foreignWriters: {},
  };
}

const plan = (from: readonly number[], to: readonly number[], gpus = Number.POSITIVE_INFINITY) =>
  planTransition(policy, observe(from), { sets: 1, perSet: [to] }, gpus);

test("one each to two each: decode goes first, since a second prefill alone would leave the band", () => {
  expect(plan([1, 1], [2, 2]).now.map((write) => write.target)).toEqual(["decode", "prefill"]);
});

test("two each to one each: prefill goes first", () => {
  expect(plan([2, 2], [1, 1]).now.map((write) => write.target)).toEqual(["prefill", "decode"]);
});

test("what does not fit the budget together does not go by halves", () => {
  expect(plan([2, 2], [4, 4], 5).now).toEqual([]);
});

test("from a state in the band to a state in the band, every prefix of the writes is in the widened band", () => {
  const state = fc
    .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 20 }))
    .filter(([a, b]) => isWithinBand(band, a, b));
  fc.assert(
    fc.property(state, state, (from, to) => {
      const at = [...from];
      // Steps of one replica may be larger than any slack between small numbers, so one of the two orders may be all there is.
      const isSmall = Math.min(...from, ...to) < 4;
      for (const write of plan(from, to).now) {
        at[write.target === "prefill" ? 0 : 1] = write.to;
        if (!isSmall) expect(isWithinBand(band, at[0] as number, at[1] as number, band.transientSlackRatio)).toBe(true);
      }
    }),
    { numRuns: 3_000 },
  );
});

test("a clique and a group of the same name are two objects: each is written once", () => {
  const seen = observe([1, 1]);
  const targets = seen.targets.map((one) => ({
    ...one,
    objects: one.objects.map((object) => ({ ...object, objectName: "x-0-worker" })),
  }));
  const { now } = planTransition(policy, { ...seen, targets }, { sets: 1, perSet: [[2, 3]] }, Number.POSITIVE_INFINITY);
  expect(now.map(({ target: name, from, to }) => `${name} ${from}→${to}`).toSorted()).toEqual([
    "decode 1→3",
    "prefill 1→2",
  ]);
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Behavior } from "./behavior.ts";
import type { Observation } from "./observation.ts";
import { Plant, policyOf } from "./plant.fixture.ts";
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

test("two each to one each: prefill goes first, and decode when that is gone: two prefill beside one decode would leave the band", () => {
  const { now, later } = plan([2, 2], [1, 1]);
  expect(now.map((write) => write.target)).toEqual(["prefill"]);
  expect(later.map(({ target: name, why }) => [name, why])).toEqual([["decode", "RatioTransient"]]);
  expect(plan([1, 2], [1, 1]).now.map((write) => write.target)).toEqual(["decode"]);
});

test("an up waits for a partner that starts as for one that grows: it goes as far as what is ready of it carries", () => {
  const seen = observe([4, 8], [4, 4]);
  const { now } = planTransition(policy, seen, { sets: 1, perSet: [[8, 8]] }, Number.POSITIVE_INFINITY);
  expect(now.map(({ target: name, to }) => [name, to])).toEqual([["prefill", 5]]);
});

test("a down goes no further than what starts of its partner allows: that may be ready before the partner goes", () => {
  const atMostTwice: RatioBand = {
    ...band,
    min: { numerator: 1, denominator: 1 },
    max: { numerator: 2, denominator: 1 },
    transientSlackRatio: 0,
  };
  const same = { numerator: 1, denominator: 1 };
  const equal: RatioBand = {
    ...atMostTwice,
    name: "decode-router",
    between: ["decode", "router"],
    min: same,
    max: same,
  };
  const tied: Policy = { ...policy, targets: [...policy.targets, target("router")], ratios: [atMostTwice, equal] };
  // No order of these writes keeps both bands, so that prefill may be the only one that goes.
  const prefillTo = (ready: readonly number[]): number | undefined =>
    planTransition(tied, observe([4, 4, 4], ready), { sets: 1, perSet: [[1, 1, 1]] }, 12).now.find(
      ({ target: name }) => name === "prefill",
    )?.to;
  expect(prefillTo([3, 2, 0])).toBe(3);
});

test("what is coupled goes by whole tuples, also where the free GPUs or the ready partner hold a part of it", () => {
  const coupled: Policy = {
    ...policy,
    targets: [...policy.targets, target("router")],
    ratios: [{ ...band, between: ["decode", "router"] }],
    couplings: [
      {
        name: "unit",
        steps: [
          { target: "prefill", replicas: 1 },
          { target: "decode", replicas: 2 },
        ],
      },
    ],
  };
  const go = (from: readonly number[], to: readonly number[], free = 100) =>
    planTransition(
      coupled,
      observe(from),
      { sets: 1, perSet: [to] },
      from.reduce((sum, one) => sum + one, free),
    ).now.map(({ target: name, to: next }) => `${name} ${next}`);
  // Two GPUs are enough for two prefill, or for two decode; for a tuple they are not.
  expect(go([1, 2, 4], [3, 6, 8], 2)).toEqual([]);
  // Ready router carry five decode: two tuples.
  expect(go([1, 2, 4], [4, 8, 8])).toEqual(["prefill 2", "decode 4", "router 7"]);
});

describe("the record", () => {
  const recorded = (ready: readonly (readonly number[])[]) => {
    const plant = new Plant({ replicas: [8, 8], loads: [8, 8] });
    plant.sets = ready.map(() => structuredClone(plant.sets[0] as Plant["sets"][number]));
    plant.change = (object, index) => ({ ...object, ready: ready[object.setIndex]?.[index] as number });
    return plant.tick(policyOf(), false).ratios.map(({ ready: text, readyWithinSlack }) => [text, readyWithinSlack]);
  };

  test.each([
    { name: "in the band", ready: [[4, 4]], want: ["4:4", true] },
    { name: "by the slack", ready: [[5, 4]], want: ["5:4", true] },
    { name: "past the slack", ready: [[6, 4]], want: ["6:4", false] },
    { name: "past it on the other side", ready: [[1, 6]], want: ["1:6", false] },
    { name: "nothing beside something", ready: [[0, 1]], want: ["0:1", false] },
    {
      name: "in the sum, but not in each set replica",
      ready: [
        [4, 4],
        [1, 8],
      ],
      want: ["5:12", false],
    },
  ])("says whether ready replicas are in the widened band of 1:4 to 1:1: $name", ({ ready, want }) => {
    expect(recorded(ready)).toEqual([want]);
  });
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

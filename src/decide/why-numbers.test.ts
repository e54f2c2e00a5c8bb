/** Why not one more, why not one less and what would change it, through whole decisions: small worlds that are worked out by hand. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseProfile } from "../api/autoscaling/performance-profile.ts";
import { decide } from "./decide.ts";
import type { Decision } from "./decision.ts";
import { emptyMemory, type Memory, recordWrites } from "./memory.ts";
import type { Neighbours } from "./neighbours.ts";
import type { MetricReading, Observation, ProfileObservation, TargetLoad } from "./observation.ts";
import { instant, Plant, policyOf, targetPolicy } from "./plant.fixture.ts";
import type { Policy, SloPolicy, TargetPolicy } from "./policy.ts";
import { changeText } from "./what-would-change.ts";

const of = (decision: Decision, name: string): Neighbours =>
  decision.targets.find((target) => target.name === name)?.neighbours as Neighbours;
const said = ({ oneMore, oneLess }: Neighbours) => ({
  more: [oneMore.constraint, oneMore.detail, oneMore.change && changeText(oneMore.change)],
  less: [oneLess.constraint, oneLess.detail, oneLess.change && changeText(oneLess.change)],
});
const alone = (overrides: Partial<TargetPolicy> = {}, more: Partial<Policy> = {}): Policy =>
  policyOf({ targets: [targetPolicy("decode", overrides)], ratios: [], ...more });
const one = (replicas: number, load: number, gpus = 1): Plant =>
  new Plant({ replicas: [replicas], loads: [load], gpus: [gpus] });

test("what is worked out when it is read is data all the same: in JSON, in a copy, and never worked out twice", () => {
  const written = JSON.parse(JSON.stringify(one(4, 3.5).tick(alone()))) as Decision;
  const decision = one(4, 3.5).tick(alone());
  expect(of(written, "decode")).toEqual(of(decision, "decode"));
  expect({ ...decision.targets[0] }.neighbours).toBe(of(decision, "decode"));
});

describe("one target by itself", () => {
  test("demand is met: the metric's value on either side", () => {
    expect(said(of(one(4, 3.5).tick(alone()), "decode"))).toEqual({
      more: [
        "NotNeeded",
        "demand asks for 3.5: decode 4→5 costs 1 GPUs and serves no more",
        "load of decode above 4.4 in all (it is 3.5)",
      ],
      less: [
        "ServedFraction",
        "demand asks for 3.5: decode 4→3 would serve 85.7 % instead of 100 %",
        "load of decode at most 3 in all (it is 3.5)",
      ],
    });
  });

  test("bounds", () => {
    const { more } = said(of(one(4, 6).tick(alone({ maxReplicas: 4 })), "decode"));
    expect(more).toEqual(["MaxReplicas", "decode is at its maximum of 4", "maxReplicas 5 or more on decode"]);
    const { less } = said(of(one(3, 1).tick(alone({ minReplicas: 3 })), "decode"));
    expect(less).toEqual(["MinReplicas", "decode is at its minimum of 3", "minReplicas 2 or less on decode"]);
  });

  test("a maximum that nothing presses against is not said to change anything", () => {
    const { more } = said(of(one(4, 4).tick(alone({ maxReplicas: 4 })), "decode"));
    expect(more[2]).toMatch(/^a higher maximum alone changes nothing: load is 4 in all/);
  });

  test("the budget, with the least that helps", () => {
    const { more } = said(of(one(3, 6, 2).tick(alone({}, { gpuBudgetMax: 7 })), "decode"));
    expect(more).toEqual(["GPUBudget", "decode 3→4 takes 8 GPUs, over the budget of 7", "gpuBudget.max 8 or more"]);
  });

  test("GPUs of a replica that are unknown", () => {
    const plant = one(2, 5);
    const policy = alone({}, { gpuBudgetMax: 8 });
    const seen = plant.observe(policy);
    const targets = seen.targets.map(({ gpusPerReplica: _, ...target }) => target);
    const { decision } = decide(policy, { ...seen, targets }, emptyMemory);
    expect(said(of(decision, "decode")).more).toEqual([
      "GPUCostUnknown",
      "nothing grows while the GPUs of a replica, or the budget, are unknown",
      "gpusPerReplica on the target, or the GPUBudget that it names",
    ]);
  });

  test("what found no node in time", () => {
    const plant = one(4, 4);
    plant.change = (object) => ({ ...object, ready: 3, pending: 1, overdue: 1, overdueUnplaced: 1 });
    expect(said(of(plant.tick(alone(), false), "decode")).more).toEqual([
      "CapacityPending",
      "more than 3 of decode found no node in time",
      "the next attempt, in 600 s",
    ]);
  });

  test("an override", () => {
    const plant = one(4, 4);
    plant.override = {
      name: "o",
      reason: "launch",
      expiresAtMs: 90_000,
      force: false,
      scaleTargets: { decode: { replicas: 6 } },
    };
    const answer = said(of(plant.tick(alone()), "decode"));
    expect(answer.more).toEqual(["Override", "launch", "the end of the override, in 90 s"]);
    expect(answer.less).toEqual(answer.more);
  });

  test("another writer", () => {
    const policy = alone();
    const seen = { ...one(4, 4).observe(policy), foreignWriters: { decode: "kubectl" } };
    expect(of(decide(policy, seen, emptyMemory).decision, "decode").oneLess.constraint).toBe("ForeignController");
  });

  test("a metric that is unknown", () => {
    const plant = one(4, 4);
    plant.reading = () => ({ kind: "Error", reason: "Unreachable", message: "no answer" });
    const { more, less } = said(of(plant.tick(alone()), "decode"));
    expect([more[0], less]).toEqual([
      "MetricUnknown",
      ["MetricUnknown", "the demand of decode is unknown: what is unknown never shrinks", "a measurement"],
    ]);
  });

  test("tolerance, on the way up and on the way down", () => {
    const up = said(of(one(10, 10.5).tick(alone()), "decode")).more;
    expect(up).toEqual([
      "Tolerance",
      "the demand of decode, 10.5, is within 10 % of what is there",
      "load of decode above 11 in all (it is 10.5)",
    ]);
    const down = said(of(one(10, 9).tick(alone()), "decode")).less;
    expect(down).toEqual([
      "Tolerance",
      "the demand of decode, 9, is within 10 % of what is there",
      "load of decode at most 8.999 in all (it is 9)",
    ]);
  });

  test("a forecast, backwards: a sixth on top of 3.5 is what one more, or one less, is measured through", () => {
    const forecast = { ...policyOf().forecast, enabled: true, quantile: 0.95 };
    // p95 of the prior: 1.645 · 0.1 on top.
    const { more, less } = said(of(one(5, 3.5).tick(alone({}, { forecast })), "decode"));
    expect(more).toEqual(["NotNeeded", expect.any(String), "load of decode above 4.724 in all (it is 3.5)"]);
    expect(less).toEqual(["ServedFraction", expect.any(String), "load of decode at most 3.435 in all (it is 3.5)"]);
  });

  test("gpuBudget.min", () => {
    const { less } = said(of(one(6, 2).tick(alone({}, { gpuBudgetMin: 6 })), "decode"));
    expect(less).toEqual(["GPUFloor", "5 GPUs would be below gpuBudget.min 6", "gpuBudget.min 5 or less"]);
  });
});

describe("the step says which window or rate, and until when", () => {
  const slow = (behavior: Partial<TargetPolicy["behavior"]>): Policy =>
    alone({ behavior: { ...instant, ...behavior } });

  test("a scale-down window", () => {
    const policy = slow({ scaleDown: { ...instant.scaleDown, stabilizationWindowMs: 300_000 } });
    const plant = one(5, 5);
    plant.tick(policy);
    plant.nowMs = 80_000;
    plant.loads = [3];
    const { oneLess } = of(plant.tick(policy), "decode");
    expect(oneLess).toEqual({
      constraint: "Step",
      detail: "no fewer than 5 of decode now (scale-down window: 5 was wanted 80 s ago; it ends in 220 s)",
      change: { kind: "Wait", ms: 220_000, what: "the window or the rate, if nothing else is wanted until then" },
    });
    plant.nowMs = 299_999;
    expect(plant.tick(policy).desired.perSet).toEqual([[5]]);
    plant.nowMs = 300_000;
    expect(plant.tick(policy).desired.perSet).toEqual([[3]]);
  });

  test("a scale-up window", () => {
    const policy = slow({ scaleUp: { ...instant.scaleUp, stabilizationWindowMs: 60_000 } });
    const plant = one(2, 2);
    plant.tick(policy);
    plant.nowMs = 20_000;
    plant.loads = [5];
    expect(of(plant.tick(policy), "decode").oneMore.detail).toBe(
      "at most 2 of decode now (scale-up window: 2 was wanted 20 s ago; it ends in 40 s)",
    );
  });

  test("a scale-up rate, which the write of this decision uses up", () => {
    const policies = [{ type: "Pods" as const, value: 2, periodMs: 60_000 }];
    const policy = slow({ scaleUp: { ...instant.scaleUp, policies } });
    const plant = one(2, 8);
    const first = plant.tick(policy);
    expect(first.desired.perSet).toEqual([[4]]);
    expect(of(first, "decode").oneMore.detail).toBe(
      "at most 4 of decode now (scale-up rate 2 in 60 s is used up; next in 60 s)",
    );
    plant.nowMs = 26_000;
    expect(of(plant.tick(policy), "decode").oneMore.detail).toBe(
      "at most 4 of decode now (scale-up rate 2 in 60 s is used up; next in 34 s)",
    );
    plant.nowMs = 59_999;
    expect(plant.tick(policy).desired.perSet).toEqual([[4]]);
    plant.nowMs = 60_000;
    expect(plant.tick(policy).desired.perSet).toEqual([[6]]);
  });

  test("a direction that is disabled ends with no time", () => {
    const policy = slow({ scaleDown: { ...instant.scaleDown, selectPolicy: "Disabled" } });
    const { oneLess } = of(one(5, 3).tick(policy), "decode");
    expect(oneLess.detail).toBe("no fewer than 5 of decode now (scale-down is disabled)");
    expect(oneLess.change?.kind).toBe("Term");
  });

  test("replicas that start", () => {
    const plant = new Plant({ replicas: [5], loads: [3], gpus: [1] });
    plant.change = (object) => ({ ...object, ready: 4, starting: 1 });
    expect(of(plant.tick(alone()), "decode").oneLess.detail).toBe(
      "decode: does not go down while replicas of it are starting",
    );
  });
});

describe("targets that are tied", () => {
  test("a partner that must grow over the budget: the band and the budget", () => {
    const plant = new Plant({ replicas: [1, 4], loads: [1, 6] });
    const { more } = said(of(plant.tick(policyOf({ gpuBudgetMax: 6 })), "decode"));
    expect(more).toEqual([
      "GPUBudget",
      "prefill 1→2 with decode 4→5, as prefill/decode asks for, takes 7 GPUs, over the budget of 6",
      "gpuBudget.max 7 or more",
    ]);
  });

  test("a partner at its bound: the band", () => {
    const targets = [targetPolicy("prefill", { maxReplicas: 1 }), targetPolicy("decode")];
    const { oneMore } = of(new Plant({ replicas: [1, 4], loads: [1, 6] }).tick(policyOf({ targets })), "decode");
    expect([oneMore.constraint, oneMore.detail]).toEqual([
      "HardRatios",
      "prefill 1, decode 5 leaves prefill/decode, and what would follow passes a maximum",
    ]);
  });

  test("a soft ratio keeps one more than the demand", () => {
    const ratios = [
      {
        name: "roomy",
        between: ["prefill", "decode"] as const,
        min: { numerator: 1, denominator: 2 },
        enforcement: "Soft" as const,
        transientSlackRatio: 0.25,
      },
    ];
    const { oneLess } = of(new Plant({ replicas: [2, 4], loads: [1, 4] }).tick(policyOf({ ratios })), "prefill");
    expect([oneLess.constraint, oneLess.detail]).toEqual(["SoftRatios", "prefill 2→1 leaves soft ratio roomy"]);
  });

  test("a ratio keeps what the target itself does not ask for: the partner's metric is what changes it", () => {
    const { oneLess } = of(new Plant({ replicas: [2, 8], loads: [1, 8] }).tick(policyOf()), "prefill");
    expect(oneLess.constraint).toBe("ServedFraction");
    expect(oneLess.change && changeText(oneLess.change)).toBe("load of decode at most 4 in all (it is 8)");
  });

  test("of several set replicas the one that comes nearest answers, by its name", () => {
    const plant = new Plant({ replicas: [4], loads: [7], gpus: [1] });
    plant.sets.push({ replicas: [3], readyAtMs: [[0, 0, 0]] });
    const { oneMore, oneLess } = of(plant.tick(alone({ maxReplicas: 4 })), "decode");
    expect(oneMore.detail).toBe("demand asks for 7: decode/1 3→4 costs 1 GPUs and serves no more");
    expect(oneLess.detail).toBe("demand asks for 7: decode/0 4→3 would serve 85.7 % instead of 100 %");
  });
});

describe("the set", () => {
  const setPolicy = (set: Partial<TargetPolicy> = {}, inner: Partial<TargetPolicy> = {}, more: Partial<Policy> = {}) =>
    alone(
      { maxReplicas: 4, ...inner },
      { set: targetPolicy("sets", { level: "PodCliqueSet", metrics: [], maxReplicas: 3, ...set }), ...more },
    );
  const twoSets = (load: number, each = 4): Plant => {
    const plant = new Plant({ replicas: [each], loads: [load], gpus: [1] });
    plant.sets.push({ replicas: [each], readyAtMs: [Array<number>(each).fill(0)] });
    return plant;
  };

  test("is not needed, and is needed", () => {
    const { oneMore, oneLess } = of(twoSets(8).tick(setPolicy()), "sets");
    expect([oneMore.constraint, oneMore.detail]).toEqual(["NotNeeded", "2→3 set replicas serve no more"]);
    expect([oneLess.constraint, oneLess.detail]).toEqual([
      "ServedFraction",
      "1 set replicas would serve 50 % instead of 100 %",
    ]);
  });

  test("is at its bounds", () => {
    const { more, less } = said(of(twoSets(12).tick(setPolicy({ maxReplicas: 2, minReplicas: 2 })), "sets"));
    expect(more).toEqual(["MaxReplicas", "the set is at its maximum of 2", "maxReplicas 3 or more on sets"]);
    expect(less.slice(0, 2)).toEqual(["MinReplicas", "the set is at its minimum of 2"]);
  });

  test("does not fit the budget", () => {
    const { more } = said(of(twoSets(12).tick(setPolicy({}, { minReplicas: 4 }, { gpuBudgetMax: 9 })), "sets"));
    expect(more).toEqual([
      "GPUBudget",
      "the least of 3 set replicas takes 12 GPUs, over the budget of 9",
      "gpuBudget.max 12 or more",
    ]);
  });

  test("goes only with headroom", () => {
    const { oneLess } = of(twoSets(3.9, 2).tick(setPolicy()), "sets");
    expect([oneLess.constraint, oneLess.detail]).toEqual([
      "Headroom",
      "with 10 % more demand 1 set replicas would serve 93.2 % of it instead of 100 %",
    ]);
  });

  test("waits for its window", () => {
    const scaleDown = { ...instant.scaleDown, stabilizationWindowMs: 600_000 };
    const policy = setPolicy({ behavior: { ...instant, scaleDown } }, { minReplicas: 2 });
    const plant = twoSets(8);
    plant.tick(policy);
    plant.nowMs = 100_000;
    plant.loads = [2];
    const { oneLess } = of(plant.tick(policy), "sets");
    expect([oneLess.constraint, oneLess.detail]).toEqual([
      "Step",
      "scale-down window: 2 was wanted 100 s ago; it ends in 500 s",
    ]);
  });

  test("grows only when the named targets are full", () => {
    const policy = setPolicy({ overflowAfter: ["decode"] });
    const { oneMore } = of(twoSets(6, 3).tick(policy), "sets");
    expect([oneMore.constraint, oneMore.detail]).toEqual([
      "Overflow",
      "it grows only when decode is at its maximum in every set replica",
    ]);
  });
});

const PROFILE: ProfileObservation = (() => {
  const file = new URL("../../policies/prefill-decode-slo/profile.yaml", import.meta.url);
  const { data } = parse(readFileSync(file, "utf8")) as { data: Record<string, string> };
  const parsed = parseProfile(data["profile.json"] ?? "");
  if (!parsed.ok) throw new Error(parsed.problem.message);
  return { kind: "Profile", profile: parsed.profile };
})();
const GOALS: SloPolicy = {
  ttft: { quantile: 0.9, targetMs: 500 },
  itl: { quantile: 0.9, targetMs: 50 },
  attainmentRatio: 0.95,
  windowMs: 600_000,
  source: "Profile",
  routing: "RoundRobin",
};
function loadOf(requestsPerSecond: number): TargetLoad {
  const values = {
    requestsPerSecond,
    promptTokensPerSecond: 1_000 * requestsPerSecond,
    generationTokensPerSecond: 300 * requestsPerSecond,
    runningRequests: requestsPerSecond,
    waitingRequests: 0,
  };
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, { value, ageMs: 0 }])) as TargetLoad;
}

/** Worlds in which any metric type, any bound and any ratio may decide. */
const WORLD = fc.record({
  replicas: fc.tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 })),
  loads: fc.tuple(fc.integer({ min: 0, max: 900 }), fc.integer({ min: 0, max: 900 })),
  second: fc.option(fc.integer({ min: 0, max: 900 }), { nil: undefined }),
  types: fc.tuple(
    fc.constantFrom<"AverageValue" | "Utilization" | "Value">("AverageValue", "Utilization", "Value"),
    fc.constantFrom<"AverageValue" | "Utilization" | "Value">("AverageValue", "Utilization", "Value"),
  ),
  isPerReplica: fc.tuple(fc.boolean(), fc.boolean()),
  targetValue: fc.constantFrom(0.6, 1, 8, 250),
  max: fc.integer({ min: 1, max: 9 }),
  min: fc.integer({ min: 1, max: 3 }),
  budget: fc.option(fc.integer({ min: 2, max: 20 }), { nil: undefined }),
  floor: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined, freq: 6 }),
  hasRatio: fc.boolean(),
  method: fc.constantFrom<"LastValue" | "LinearTrend" | undefined>("LastValue", "LinearTrend", undefined),
  quantile: fc.constantFrom(0.5, 0.8, 0.95),
  /** Whether what is measured first is a queue. */
  isBacklog: fc.constantFrom(false, false, true),
  /** Requests a second, where latency goals size the targets too. */
  rate: fc.option(fc.integer({ min: 1, max: 300 }), { nil: undefined, freq: 2 }),
  sets: fc.constantFrom(1, 1, 2),
  scalesSet: fc.boolean(),
  /** What a metric of the set itself asks for, in hundredths of a set replica. */
  setLoad: fc.option(fc.integer({ min: 0, max: 400 }), { nil: undefined, freq: 2 }),
});

describe("what is said to change a number changes it", () => {
  test("a metric's value, a budget, a maximum, a minimum, applied to the same observation with the same memory", () => {
    const kinds = new Map<string, number>();
    fc.assert(
      fc.property(WORLD, (drawn) => {
        const { min, max, types, targetValue } = drawn;
        const metric = (at: 0 | 1) =>
          ({
            label: "load",
            targetType: types[at],
            targetValue,
            isBacklog: drawn.isBacklog,
            advisoryOnly: false,
          }) as const;
        const second = { ...metric(1), label: "other", targetType: "AverageValue" as const, isBacklog: false };
        const bounds = { minReplicas: min, maxReplicas: Math.max(min, max) };
        const decodeMetrics = drawn.second === undefined ? [metric(1)] : [metric(1), second];
        const policy = policyOf({
          targets: [
            targetPolicy("prefill", { ...bounds, role: "prefill", metrics: [metric(0)] }),
            targetPolicy("decode", { ...bounds, role: "decode", metrics: decodeMetrics }),
          ],
          ...(drawn.rate === undefined ? {} : { slo: GOALS }),
          ...(drawn.hasRatio ? {} : { ratios: [] }),
          ...(drawn.scalesSet
            ? {
                set: targetPolicy("sets", {
                  level: "PodCliqueSet",
                  maxReplicas: 3,
                  ...(drawn.setLoad === undefined ? { metrics: [] } : {}),
                }),
              }
            : {}),
          ...(drawn.budget === undefined ? {} : { gpuBudgetMax: drawn.budget }),
          ...(drawn.floor === undefined ? {} : { gpuBudgetMin: drawn.floor }),
          forecast: {
            ...policyOf().forecast,
            enabled: drawn.method !== undefined,
            method: drawn.method ?? "LastValue",
            quantile: drawn.quantile,
          },
        });
        const plant = new Plant({ replicas: [...drawn.replicas], loads: [1, 1] });
        for (let set = 1; set < drawn.sets; set++)
          plant.sets.push({
            replicas: [...drawn.replicas],
            readyAtMs: drawn.replicas.map((count) => Array<number>(count).fill(0)),
          });
        const reading = (at: 0 | 1, value: number, isPerReplica: boolean): MetricReading =>
          isPerReplica
            ? {
                kind: "PerReplica",
                samples: Array.from({ length: plant.totals[at] as number }, (_, replica) => ({
                  replica: `${replica}`,
                  value,
                  ageMs: 0,
                })),
              }
            : { kind: "Total", sample: { value, ageMs: 0 } };
        const base = { ...plant.observe(policy), profile: PROFILE };
        const load = loadOf(drawn.rate ?? 0);
        const value = (at: 0 | 1): number => (drawn.loads[at] / 100) * targetValue;
        const own = (at: 0 | 1): MetricReading => reading(at, value(at), drawn.isPerReplica[at]);
        const extra = reading(1, ((drawn.second ?? 0) / 100) * targetValue, false);
        const ofSet = (of: number): readonly MetricReading[] => [{ kind: "Total", sample: { value: of, ageMs: 0 } }];
        const observation: Observation = {
          ...base,
          set: { ...base.set, metrics: drawn.setLoad === undefined ? [] : ofSet(drawn.setLoad / 100) },
          targets: base.targets.map((target, at) => ({
            ...target,
            ...(drawn.rate === undefined ? {} : { load }),
            metrics: at === 0 ? [own(0)] : [own(1), ...(drawn.second === undefined ? [] : [extra])],
          })),
        };
        let memory: Memory = emptyMemory;
        for (let tick = 0; tick < 3; tick++) {
          const before = { ...observation, nowMs: tick * 15_000, monotonicMs: tick * 15_000 };
          memory = recordWrites(decide(policy, before, memory).memory, policy, [], 0);
        }
        const now = { ...observation, nowMs: 45_000, monotonicMs: 45_000 };
        const { decision } = decide(policy, now, memory);
        for (const target of decision.targets) {
          for (const side of ["oneMore", "oneLess"] as const) {
            const change = target.neighbours?.[side].change;
            if (change === undefined || change.kind === "Term" || change.kind === "Wait") continue;
            const changed = apply(change, policy, now);
            const again = decide(changed.policy, changed.observation, memory).decision;
            const moved = again.targets.find(({ name }) => name === target.name);
            const sign = side === "oneMore" ? 1 : -1;
            const by = [sign * ((moved?.goal ?? 0) - target.goal), sign * ((moved?.desired ?? 0) - target.desired)];
            expect({ change: changeText(change), of: target.name, side, moved: Math.max(...by) > 0 }).toEqual({
              change: changeText(change),
              of: target.name,
              side,
              moved: true,
            });
            if (change.kind === "Metric") {
              const by = decision.targets.find(({ name }) => name === change.target);
              if ((by?.forecast?.replicas ?? 0) > (by?.demand?.replicas ?? 0)) kinds.set(`${side} through forecast`, 1);
              if (by?.demand?.isBacklog === true) kinds.set(`${side} of a queue`, 1);
            }
            kinds.set(`${side} ${change.kind}`, (kinds.get(`${side} ${change.kind}`) ?? 0) + 1);
            if (target.level === "PodCliqueSet") kinds.set(`set ${change.kind}`, 1);
          }
        }

        function apply(
          change: NonNullable<Neighbours["oneMore"]["change"]>,
          before: Policy,
          seen: Observation,
        ): { policy: Policy; observation: Observation } {
          const same = { policy: before, observation: seen };
          switch (change.kind) {
            case "GPUBudget":
              return { ...same, policy: { ...before, gpuBudgetMax: change.gpus } };
            case "GPUFloor":
              return { ...same, policy: { ...before, gpuBudgetMin: change.gpus } };
            case "MaxReplicas":
            case "MinReplicas": {
              const bound =
                change.kind === "MaxReplicas" ? { maxReplicas: change.replicas } : { minReplicas: change.replicas };
              if (change.target === "sets" && before.set !== undefined)
                return { ...same, policy: { ...before, set: { ...before.set, ...bound } } };
              const targets = before.targets.map((one) => (one.name === change.target ? { ...one, ...bound } : one));
              return { ...same, policy: { ...before, targets } };
            }
            case "Metric": {
              const at = before.targets.findIndex(({ name }) => name === change.target) as 0 | 1;
              const to = change.is === "Above" ? change.value * 1.00001 + 1e-9 : change.value;
              if (change.target === "sets")
                return { ...same, observation: { ...seen, set: { ...seen.set, metrics: ofSet(to) } } };
              const which = before.targets[at]?.metrics.findIndex(({ label }) => label === change.label) as number;
              const isPerReplica = which === 0 && drawn.isPerReplica[at];
              // A value for the whole target that is read from its replicas is their sum.
              const share = isPerReplica && types[at] === "Value" ? (plant.totals[at] as number) : 1;
              const targets = seen.targets.map((target, index) =>
                index === at
                  ? {
                      ...target,
                      metrics: target.metrics.map((old, place) =>
                        place === which ? reading(at, to / share, isPerReplica) : old,
                      ),
                    }
                  : target,
              );
              return { ...same, observation: { ...seen, targets } };
            }
            default:
              throw new Error(change.kind);
          }
        }
      }),
      { numRuns: Number(process.env["WHY_RUNS"] ?? 500), seed: 9 },
    );
    expect([...kinds.keys()].toSorted()).toEqual([
      "oneLess GPUFloor",
      "oneLess Metric",
      "oneLess MinReplicas",
      "oneLess of a queue",
      "oneLess through forecast",
      "oneMore GPUBudget",
      "oneMore MaxReplicas",
      "oneMore Metric",
      "oneMore of a queue",
      "oneMore through forecast",
      "set GPUBudget",
      "set MaxReplicas",
      "set Metric",
      "set MinReplicas",
    ]);
  }, 3_600_000);
});

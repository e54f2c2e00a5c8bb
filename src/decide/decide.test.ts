import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Behavior } from "./behavior.ts";
import { decide } from "./decide.ts";
import type { Decision } from "./decision.ts";
import { emptyMemory } from "./memory.ts";
import type { MetricReading, Observation } from "./observation.ts";
import { instant, Plant, policyOf, targetPolicy } from "./plant.fixture.ts";
import type { Policy, TargetPolicy } from "./policy.ts";
import { isWithinBand } from "./ratio.ts";

const LAWS_RUNS = Number(process.env["LAWS_RUNS"] ?? 30);

describe("decide", () => {
  test("follows load up and down inside the ratio and says why", () => {
    const plant = new Plant({ loads: [1.5, 7.5] });
    const up = plant.tick(policyOf());
    // Decode alone may become ready first: with one prefill it stays within the slack until the second one is there.
    expect(plant.totals).toEqual([2, 5]);
    plant.tick(policyOf());
    expect(plant.totals).toEqual([2, 8]);
    expect(up.outcome).toBe("Scaled");
    expect(up.message).toContain("decode 1→8 (load is 7.5 in all, target 1: 7.5 replicas)");
    plant.loads = [0.2, 2.5];
    // One prefill beside eight decode would leave the band: decode goes first.
    plant.tick(policyOf());
    expect(plant.totals).toEqual([2, 3]);
    plant.tick(policyOf());
    expect(plant.totals).toEqual([1, 3]);
    expect(plant.tick(policyOf())).toMatchObject({ outcome: "Held", reason: "DemandMet" });
  });

  describe("forecasts from what comes, never from a queue", () => {
    const forecast = { ...policyOf().forecast, enabled: true, method: "LinearTrend" as const, quantile: 0.8 };
    const metric = (label: string, isBacklog: boolean) =>
      ({ label, targetType: "AverageValue", targetValue: 1, isBacklog, advisoryOnly: false }) as const;
    /** The demand of the last of ten decisions after the forecast, with the sentence of it. */
    function climb(metrics: TargetPolicy["metrics"], valuesAt: (tick: number) => readonly number[], maxErrorRatio = 9) {
      const targets = [targetPolicy("decode", { metrics, maxReplicas: 100 })];
      const policy = policyOf({ targets, ratios: [], forecast: { ...forecast, maxErrorRatio } });
      const plant = new Plant({ replicas: [20], loads: [0] });
      let decision: Decision | undefined;
      for (let tick = 0; tick < 10; tick++, plant.nowMs += 15_000) {
        const seen = plant.observe(policy);
        const readings = valuesAt(tick).map((value): MetricReading => ({ kind: "Total", sample: { value, ageMs: 0 } }));
        const result = decide(
          policy,
          { ...seen, targets: seen.targets.map((one) => ({ ...one, metrics: readings })) },
          plant.memory,
        );
        plant.memory = result.memory;
        decision = result.decision;
      }
      const [target] = decision?.targets ?? [];
      const stages = decision?.stages.filter(({ stage }) => stage === "forecast") ?? [];
      return { demand: target?.demand?.replicas ?? 0, forecast: target?.forecast, stages };
    }

    test("a rate that climbs is anticipated, and the record says by what and with how much on top", () => {
      const { demand, forecast: foreseen, stages } = climb([metric("rate", false)], (tick) => [10 + tick]);
      expect(demand).toBe(19);
      // 75 s ahead of a replica a decision; five forecasts, none too low, beside the prior: 0.842 √(2 · 0.02 / 9).
      expect(foreseen?.foreseenReplicas).toBeCloseTo(24, 6);
      expect(foreseen?.headroomRatio).toBeGreaterThan(0.05);
      expect(stages).toEqual([
        {
          stage: "forecast",
          target: "decode",
          before: 19,
          after: Math.round(1000 * 24 * (1 + (foreseen?.headroomRatio ?? 0))) / 1000,
          reason: "Raised",
          detail: expect.stringMatching(
            /^24 by LinearTrend in 75 s, when a replica ordered now is ready, [\d.]+ % on top for what it does not foresee$/,
          ),
        },
      ]);
    });

    test("a queue that climbs is not, alone or beside a rate that stands", () => {
      expect(climb([metric("queue", true)], (tick) => [10 + tick])).toMatchObject({ demand: 19, stages: [] });
      const beside = climb([metric("queue", true), metric("rate", false)], (tick) => [10 + tick, 5]);
      expect(beside).toMatchObject({ demand: 19, forecast: { replicas: 19 }, stages: [] });
      expect(beside.forecast?.foreseenReplicas).toBeCloseTo(5, 6);
    });

    test("a forecast that is not trusted is said to be, also where its last value is raised", () => {
      const { stages } = climb([metric("rate", false)], (tick) => [tick % 4 < 2 ? 2 : 12], 0.1);
      expect(stages.map(({ reason, detail = "" }) => [reason, detail.replace(/[\d.]+ %/, "n %")])).toEqual([
        ["NotTrusted", "past forecasts by LinearTrend were off by n %"],
        [
          "Raised",
          "2 by LastValue in 75 s, when a replica ordered now is ready, n % on top for what it does not foresee",
        ],
      ]);
    });
  });

  test("waits for the scale-down window, also after a restart that lost its memory", () => {
    const behavior = { ...instant, scaleDown: { ...instant.scaleDown, stabilizationWindowMs: 60_000 } };
    const policy = policyOf({ targets: [targetPolicy("prefill", { behavior }), targetPolicy("decode", { behavior })] });
    const plant = new Plant({ replicas: [2, 8], loads: [1, 1] });
    for (let i = 0; i < 4; i++) expect(plant.tick(policy).reason).toBe("ScaleDownStabilized");
    plant.memory = emptyMemory;
    for (let i = 0; i < 4; i++) plant.tick(policy);
    expect(plant.totals).toEqual([2, 8]);
    // In three turns: one prefill beside eight decode would leave the band, and so would two beside one.
    for (const want of [
      [2, 2],
      [1, 2],
      [1, 1],
    ]) {
      plant.tick(policy);
      expect(plant.totals).toEqual(want);
    }
  });

  test("keeps HPA rate limits, with the ratio inside them", () => {
    const slow: Behavior = {
      ...instant,
      scaleUp: { ...instant.scaleUp, policies: [{ type: "Pods", value: 2, periodMs: 60_000 }] },
    };
    const policy = policyOf({
      targets: [targetPolicy("prefill", { behavior: slow }), targetPolicy("decode", { behavior: slow })],
    });
    const plant = new Plant({ loads: [4, 16], startMs: 0 });
    const seen: number[][] = [];
    for (let i = 0; i < 12; i++) {
      plant.tick(policy);
      seen.push(plant.totals);
    }
    expect(seen.slice(0, 5)).toEqual([
      [2, 3],
      [3, 3],
      [3, 3],
      [3, 3],
      [4, 5],
    ]);
    expect(seen[8]).toEqual([4, 7]);
  });

  describe("what the windows and then the rates let through of the goal", () => {
    const pods = (value: number) => [{ type: "Pods" as const, value, periodMs: 60_000 }];
    const gentle: Behavior = {
      scaleUp: { ...instant.scaleUp, stabilizationWindowMs: 30_000, policies: pods(2) },
      scaleDown: { ...instant.scaleDown, stabilizationWindowMs: 30_000, policies: pods(1) },
    };
    const one = (overrides: Partial<TargetPolicy> = {}) =>
      policyOf({ targets: [targetPolicy("decode", { behavior: gentle, ...overrides })], ratios: [] });
    const stagesOf = ({ targets }: Decision) =>
      targets.map(({ goal, stabilized, rateLimited, desired }) => [goal, stabilized, rateLimited, desired]);

    test("on the way up and on the way down", () => {
      const plant = new Plant({ replicas: [4], loads: [12], gpus: [1] });
      const up = [1, 2, 3].map(() => stagesOf(plant.tick(one()))[0]);
      expect(up).toEqual([
        [12, 4, 4, 4],
        [12, 4, 4, 4],
        [12, 12, 6, 6],
      ]);
      plant.loads = [2];
      const down = [1, 2].map(() => stagesOf(plant.tick(one()))[0]);
      // The two that were added within the period may go as well: 6 - 2 - 1.
      expect(down).toEqual([
        [2, 6, 6, 6],
        [2, 2, 3, 3],
      ]);
    });

    test("a panic goes up past both, and a maximum down past both", () => {
      const panic = { thresholdRatio: 2, windowMs: 30_000, holdMs: 60_000 };
      const inPanic = new Plant({ replicas: [4], loads: [12], gpus: [1] });
      expect(stagesOf(inPanic.tick(one({ panic })))).toEqual([[12, 12, 12, 12]]);
      const aboveMax = new Plant({ replicas: [4], loads: [12], gpus: [1] });
      expect(stagesOf(aboveMax.tick(one({ maxReplicas: 2 })))).toEqual([[2, 2, 2, 2]]);
    });

    test("what else holds the step comes after them", () => {
      const behavior = { ...gentle, scaleUp: { ...gentle.scaleUp, stabilizationWindowMs: 0 } };
      const plant = new Plant({ replicas: [4], loads: [12], gpus: [1], startMs: 600_000 });
      const policy = one({ behavior });
      const cautious = { ...policy, coldStart: { ...policy.coldStart, maxConcurrentStarting: 1 } };
      expect(stagesOf(plant.tick(cautious))).toEqual([[12, 12, 6, 5]]);
    });

    test("set replicas have theirs, and one that is new is not in the way of its targets", () => {
      const set = targetPolicy("llama", { level: "PodCliqueSet", behavior: gentle, metrics: [] });
      const policy = { ...one({ maxReplicas: 4 }), set };
      const plant = new Plant({ replicas: [4], loads: [16], gpus: [1] });
      const seen = [1, 2, 3].map(() => stagesOf(plant.tick(policy)));
      const held = [
        [4, 1, 1, 1],
        [16, 4, 4, 4],
      ];
      const freed = [
        [4, 4, 3, 3],
        [16, 12, 12, 12],
      ];
      expect(seen).toEqual([held, held, freed]);
    });
  });

  test.each<{ name: string; reading: (load: number, ready: number) => MetricReading }>([
    {
      name: "Prometheus down",
      reading: () => ({ kind: "Error", reason: "Unreachable", message: "connection refused" }),
    },
    { name: "an empty result", reading: () => ({ kind: "Total" }) },
    { name: "NaN", reading: () => ({ kind: "Total", sample: { value: Number.NaN, ageMs: 0 } }) },
    { name: "stale samples", reading: () => ({ kind: "Total", sample: { value: 0, ageMs: 61_000 } }) },
    {
      name: "no replica reports",
      reading: (_, ready) => ({
        kind: "PerReplica",
        samples: Array.from({ length: ready }, (__, at) => ({ replica: `${at}` })),
      }),
    },
    {
      name: "half of the replicas report, all idle",
      reading: (_, ready) => ({
        kind: "PerReplica",
        samples: Array.from({ length: ready }, (__, at) => ({
          replica: `${at}`,
          ...(at % 2 === 0 ? { value: 0, ageMs: 0 } : {}),
        })),
      }),
    },
  ])("$name never scales down", ({ reading }) => {
    const plant = new Plant({ replicas: [2, 8], loads: [0, 0] });
    plant.reading = reading;
    for (let i = 0; i < 40; i++) {
      const decision = plant.tick(policyOf());
      expect(decision.transition.now).toEqual([]);
      expect(decision.message).toMatch(/^holds/);
    }
    expect(plant.totals).toEqual([2, 8]);
  });

  test("a replica without a series counts as on target when shrinking and as idle when growing", () => {
    const partial =
      (value: number) =>
      (_: number, ready: number): MetricReading => ({
        kind: "PerReplica",
        samples: Array.from({ length: ready }, (__, at) => ({
          replica: `${at}`,
          ...(at === 0 ? {} : { value, ageMs: 0 }),
        })),
      });
    const policy = policyOf({ ratios: [], targets: [targetPolicy("decode")] });
    const plant = new Plant({ replicas: [10], loads: [1] });
    plant.reading = partial(0.5);
    plant.tick(policy);
    expect(plant.totals).toEqual([6]);
    const growing = new Plant({ replicas: [10], loads: [1] });
    growing.reading = partial(1.05);
    growing.tick(policy);
    expect(growing.totals).toEqual([10]);
  });

  test("a backlog at most doubles what serves, however long replicas take to start", () => {
    const metrics = [
      {
        label: "waitingRequests",
        targetType: "AverageValue" as const,
        targetValue: 5,
        isBacklog: true,
        advisoryOnly: false,
      },
    ];
    const policy = policyOf({ ratios: [], targets: [targetPolicy("prefill", { metrics, maxReplicas: 1_000 })] });
    const plant = new Plant({ replicas: [2], loads: [10_000], startMs: 600_000 });
    for (let i = 0; i < 20; i++) plant.tick(policy);
    expect(plant.totals).toEqual([4]);
  });

  test("adds a whole instance when the inside is full, shrinks the others only when it serves, and takes it away again", () => {
    const set = targetPolicy("instances", { level: "PodCliqueSet", maxReplicas: 3, metrics: [] });
    const policy = policyOf({
      set,
      targets: [targetPolicy("prefill", { maxReplicas: 2 }), targetPolicy("decode", { maxReplicas: 4 })],
    });
    const plant = new Plant({ loads: [1.8, 6.5], startMs: 40_000 });
    for (let i = 0; i < 10; i++) {
      plant.tick(policy);
      for (const { replicas } of plant.sets)
        expect(
          isWithinBand(policy.ratios[0] as Policy["ratios"][number], replicas[0] as number, replicas[1] as number),
        ).toBe(true);
    }
    expect(plant.sets.map(({ replicas }) => replicas)).toEqual([
      [1, 4],
      [1, 3],
    ]);
    plant.loads = [0.5, 1.5];
    for (let i = 0; i < 10; i++) plant.tick(policy);
    expect(plant.sets.map(({ replicas }) => replicas)).toEqual([[1, 2]]);
  });

  test("an override holds against the metrics, floored and inside the budget, and lets go when it is gone", () => {
    const policy = policyOf({ gpuBudgetMax: 10 });
    const plant = new Plant({ loads: [1, 2] });
    plant.override = {
      name: "incident",
      reason: "launch",
      expiresAtMs: 1,
      force: false,
      scaleTargets: { decode: { replicas: 6 } },
    };
    plant.tick(policy);
    plant.tick(policy);
    expect(plant.totals).toEqual([2, 6]);
    plant.override = { ...plant.override, scaleTargets: { decode: { replicas: 0 } } };
    for (let i = 0; i < 3; i++) plant.tick(policy);
    expect(plant.totals).toEqual([1, 1]);
    plant.override = { ...plant.override, scaleTargets: { decode: { replicas: 12 } } };
    const capped = plant.tick(policy);
    expect(plant.totals.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(10);
    expect(capped.stages).toContainEqual(expect.objectContaining({ stage: "override", reason: "GPUBudget" }));
    plant.override = { ...plant.override, force: true };
    for (let i = 0; i < 3; i++) plant.tick(policy);
    expect(plant.totals[1]).toBe(12);
    plant.override = undefined;
    for (let i = 0; i < 4; i++) plant.tick(policy);
    expect(plant.totals).toEqual([1, 2]);
  });

  test("in panic the rate limits are lifted, and nothing goes below the most that was wanted until the hold has passed", () => {
    const slow = { ...instant.scaleUp, policies: [{ type: "Pods" as const, value: 1, periodMs: 60_000 }] };
    const behavior = { ...instant, scaleUp: slow };
    const panic = { thresholdRatio: 2, windowMs: 30_000, holdMs: 60_000 };
    const calm = new Plant({ replicas: [2], loads: [9] });
    calm.tick(policyOf({ ratios: [], targets: [targetPolicy("decode", { behavior })] }));
    expect(calm.totals).toEqual([3]);
    const policy = policyOf({ ratios: [], targets: [targetPolicy("decode", { behavior, panic })] });
    const plant = new Plant({ replicas: [2], loads: [9] });
    const decision = plant.tick(policy);
    expect(plant.totals).toEqual([9]);
    expect(decision.stages).toContainEqual(expect.objectContaining({ stage: "step", reason: "Panic" }));
    plant.loads = [2];
    const totals: number[] = [];
    for (let turn = 0; turn < 6; turn++) {
      plant.tick(policy);
      totals.push(plant.totals[0] as number);
    }
    // Turns are 15 s apart: the hold of 60 s ends with the fourth.
    expect(totals).toEqual([9, 9, 9, 2, 2, 2]);
  });

  test("a busy GPU keeps replicas through forecasts and ticks, and never adds one", () => {
    const metric = { isBacklog: false, advisoryOnly: false } as const;
    const metrics = [
      { ...metric, label: "waitingRequests", targetType: "AverageValue" as const, targetValue: 5 },
      {
        ...metric,
        label: "gpuUtilization",
        targetType: "Utilization" as const,
        targetValue: 0.5,
        isBrake: true as const,
      },
    ];
    const policy = policyOf({
      ratios: [],
      targets: [targetPolicy("prefill", { metrics })],
      forecast: { ...policyOf().forecast, enabled: true, method: "LinearTrend" },
    });
    const plant = new Plant({ replicas: [4], loads: [0] });
    const busy =
      (share: number) =>
      (one: Observation): Observation => ({
        ...one,
        targets: one.targets.map((target) => ({
          ...target,
          metrics: [
            { kind: "Total", sample: { value: 1, ageMs: 0 } },
            {
              kind: "PerReplica",
              samples: Array.from({ length: target.objects[0]?.ready ?? 0 }, (_, at) => ({
                replica: `${at}`,
                value: share,
                ageMs: 0,
              })),
            },
          ],
        })),
      });
    const observe = plant.observe.bind(plant);
    plant.observe = (one) => busy(1)(observe(one));
    for (let turn = 0; turn < 40; turn++) plant.tick(policy);
    expect(plant.totals).toEqual([4]);
    plant.observe = (one) => busy(0.05)(observe(one));
    for (let turn = 0; turn < 4; turn++) plant.tick(policy);
    expect(plant.totals).toEqual([1]);
  });

  test("a hold is no sample of the demand: a metric that goes unknown starts no trend", () => {
    const behavior = { ...instant, scaleDown: { ...instant.scaleDown, stabilizationWindowMs: 600_000 } };
    const metric = { targetType: "AverageValue", targetValue: 1, isBacklog: false, advisoryOnly: false } as const;
    const metrics = [
      { ...metric, label: "load" },
      { ...metric, label: "other" },
    ];
    const policy = policyOf({
      ratios: [],
      targets: [targetPolicy("decode", { behavior, metrics })],
      forecast: { enabled: true, method: "HoltWinters", seasonMs: 86_400_000, maxErrorRatio: 0.4, quantile: 0.5 },
    });
    const plant = new Plant({ replicas: [5], loads: [2] });
    let memory = emptyMemory;
    for (let tick = 0; tick < 12; tick++) {
      const seen = plant.observe(policy);
      const known: MetricReading = { kind: "Total", sample: { value: 2, ageMs: 0 } };
      const other: MetricReading = tick < 8 ? known : { kind: "Total" };
      const targets = seen.targets.map((one) => ({ ...one, metrics: [known, other] }));
      const result = decide(policy, { ...seen, targets }, memory);
      expect(result.decision.transition.now, `tick ${tick}`).toEqual([]);
      memory = result.memory;
      plant.nowMs += 15_000;
    }
  });

  test("a budget that was lowered is kept although metrics are unknown", () => {
    const plant = new Plant({ replicas: [2, 8], loads: [2, 8] });
    plant.reading = () => ({ kind: "Error", reason: "Unreachable", message: "connection refused" });
    plant.tick(policyOf({ gpuBudgetMax: 10 }));
    expect(plant.totals).toEqual([2, 8]);
    for (let tick = 0; tick < 3; tick++) plant.tick(policyOf({ gpuBudgetMax: 6 }));
    expect(plant.totals.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(6);
  });

  test("an unknown GPU cost under a budget admits no growth, and says so", () => {
    const policy = policyOf({ gpuBudgetMax: 10 });
    const plant = new Plant({ loads: [4, 4] });
    const observation = plant.observe(policy);
    const blind = { ...observation, targets: observation.targets.map(({ gpusPerReplica: _, ...rest }) => rest) };
    const { decision } = decide(policy, blind, emptyMemory);
    expect(decision).toMatchObject({ reason: "GPUCostUnknown", transition: { now: [] } });
    const override = { name: "o", reason: "launch", expiresAtMs: 1, scaleTargets: { decode: { replicas: 4 } } };
    const asked = (force: boolean) =>
      decide(policy, { ...blind, override: { ...override, force } }, emptyMemory).decision;
    expect(asked(false).transition.now).toEqual([]);
    expect(asked(true).transition.now).not.toEqual([]);
  });

  test("an override of the set replicas goes as far as the budget has room", () => {
    const set = targetPolicy("instances", { level: "PodCliqueSet", maxReplicas: 6, metrics: [] });
    const plant = new Plant({ loads: [1, 1] });
    plant.override = {
      name: "o",
      reason: "launch",
      expiresAtMs: 1,
      force: false,
      scaleTargets: { instances: { replicas: 5 } },
    };
    plant.tick(policyOf({ set, gpuBudgetMax: 7 }));
    expect(plant.sets).toHaveLength(3);
  });

  test("no set replica is added by shrinking the present ones below their demand: a metric that saturates would take the wish back", () => {
    const set = targetPolicy("instances", { level: "PodCliqueSet", maxReplicas: 3, metrics: [] });
    const policy = policyOf({
      set,
      targets: [targetPolicy("decode", { maxReplicas: 7 })],
      ratios: [],
      gpuBudgetMax: 8,
    });
    const plant = new Plant({ replicas: [7], loads: [8.4], gpus: [1] });
    plant.templateReplicas = 3;
    plant.reading = (load, ready) => ({
      kind: "PerReplica",
      samples: Array.from({ length: ready }, (_, at) => ({
        replica: `${at}`,
        value: Math.min(1.3, load / ready),
        ageMs: 0,
      })),
    });
    for (let tick = 0; tick < 20; tick++) {
      expect(plant.tick(policy).transition.now).toEqual([]);
      expect(plant.totals).toEqual([7]);
    }
    // With room for it the present one keeps what it serves with until the new one is there.
    expect(plant.tick({ ...policy, gpuBudgetMax: 10 }).transition.now).toMatchObject([
      { level: "PodCliqueSet", to: 2 },
    ]);
    expect(plant.totals).toEqual([10]);
  });

  test("the one set replica that serves does not go while the others are stuck", () => {
    const set = targetPolicy("instances", { level: "PodCliqueSet", maxReplicas: 3, metrics: [] });
    const plant = new Plant({ loads: [0.5, 0.5] });
    plant.sets.push({ replicas: [1, 1], readyAtMs: [[0], [0]] });
    const observation = plant.observe(policyOf({ set }));
    const targets = observation.targets.map((target) => ({
      ...target,
      objects: target.objects.map((object) =>
        object.setIndex === 0
          ? { ...object, ready: 0, starting: 0, pending: 1, overdue: 1, overdueUnplaced: 1 }
          : object,
      ),
    }));
    const { transition } = decide(policyOf({ set }), { ...observation, targets }, emptyMemory).decision;
    expect(transition.now).toEqual([]);
    expect(transition.later).toMatchObject([{ level: "PodCliqueSet", why: "WaitsForReady" }]);
  });

  const world = fc.record({
    replicas: fc.tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 })),
    loads: fc.array(fc.tuple(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 200 })), {
      minLength: 1,
      maxLength: 6,
    }),
    startMs: fc.constantFrom(0, 20_000, 100_000),
    budget: fc.integer({ min: 4, max: 60 }),
    gpus: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
    maxSets: fc.integer({ min: 1, max: 3 }),
    windowMs: fc.constantFrom(0, 30_000, 120_000),
    force: fc.boolean(),
  });

  test("laws on random worlds: floor, budget, ratio, the same decision twice, no limit cycle under constant load", () => {
    fc.assert(
      fc.property(world, ({ replicas, loads, startMs, budget, gpus, maxSets, windowMs }) => {
        const behavior: Behavior = {
          scaleUp: { ...instant.scaleUp, policies: [{ type: "Pods", value: 3, periodMs: 30_000 }] },
          scaleDown: { ...instant.scaleDown, stabilizationWindowMs: windowMs },
        };
        const inside = { behavior, maxReplicas: 8 };
        const policy = policyOf({
          gpuBudgetMax: budget,
          set: targetPolicy("instances", { level: "PodCliqueSet", maxReplicas: maxSets, metrics: [], behavior }),
          targets: [targetPolicy("prefill", inside), targetPolicy("decode", inside)],
        });
        const plant = new Plant({ replicas: [...replicas], startMs, gpus: [...gpus] });
        const band = policy.ratios[0] as Policy["ratios"][number];
        const startsInBand = isWithinBand(band, replicas[0], replicas[1]);
        const used = (): number => plant.totals.reduce((sum, count, index) => sum + count * (gpus[index] as number), 0);
        const startsInBudget = used() <= budget;
        const minimum = gpus[0] + gpus[1];
        for (const load of loads) {
          plant.loads = load.map((tenths) => tenths / 10);
          for (let i = 0; i < 12; i++) {
            const observation = plant.observe(policy);
            const { memory } = plant;
            const [once, again] = [decide(policy, observation, memory), decide(policy, observation, memory)];
            expect(JSON.stringify(once)).toBe(JSON.stringify(again));
            plant.tick(policy);
            for (const set of plant.sets) {
              expect(Math.min(...set.replicas)).toBeGreaterThanOrEqual(1);
              if (startsInBand)
                expect(
                  isWithinBand(band, set.replicas[0] as number, set.replicas[1] as number, band.transientSlackRatio),
                ).toBe(true);
            }
            if (startsInBudget && minimum <= budget) expect(used()).toBeLessThanOrEqual(budget);
          }
        }
        for (let i = 0; i < 40; i++) plant.tick(policy);
        const settled = JSON.stringify(plant.sets.map((set) => set.replicas));
        for (let i = 0; i < 20; i++) {
          plant.tick(policy);
          expect(JSON.stringify(plant.sets.map((set) => set.replicas))).toBe(settled);
        }
      }),
      { numRuns: LAWS_RUNS },
    );
  }, 3_600_000);
});

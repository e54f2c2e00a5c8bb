/** Rules of time in whole decisions: schedules, deadlines, starts, flaps, warm-up, zero. */
import { describe, expect, test } from "vitest";
import type { Decision } from "./decision.ts";
import { inFlightOf, isSetStarting } from "./in-flight.ts";
import { instant, Plant, policyOf, targetPolicy } from "./plant.fixture.ts";
import type { Policy } from "./policy.ts";

const MINUTE_MS = 60_000;
const alone = (overrides: Partial<Policy> = {}): Policy =>
  policyOf({ targets: [targetPolicy("decode")], ratios: [], ...overrides });
const one = (load = 1, replicas = 1): Plant => new Plant({ replicas: [replicas], loads: [load], gpus: [1] });
const reasons = ({ stages }: Decision): readonly string[] => stages.map(({ reason }) => reason);
const ticks = (plant: Plant, policy: Policy, count: number): Decision[] =>
  Array.from({ length: count }, () => plant.tick(policy));

test("what a window keeps is said to be kept by it, also where a budget that is too small overrules what else would hold it", () => {
  const behavior = { ...instant, scaleDown: { ...instant.scaleDown, stabilizationWindowMs: 300_000 } };
  const policy = alone({ targets: [targetPolicy("decode", { behavior })] });
  const plant = one(10, 10);
  ticks(plant, policy, 3);
  plant.loads = [2];
  plant.change = (object) => ({ ...object, ready: 2, pending: object.replicas - 2 });
  const decision = plant.tick({ ...policy, gpuBudgetMax: 4 });
  expect(plant.totals).toEqual([10]);
  expect(decision).toMatchObject({ reason: "ScaleDownStabilized", budget: { gpusUsed: 10, gpusMax: 4 } });
  expect(decision.message).toContain("waits for its scale-down window");
});

test("a minimum moves a target at once, and no rate is said to hold it", () => {
  const scaleUp = { ...instant.scaleUp, policies: [{ type: "Percent" as const, value: 100, periodMs: 15_000 }] };
  const plant = one(4, 0);
  const decision = plant.tick(
    alone({ targets: [targetPolicy("decode", { minReplicas: 4, behavior: { ...instant, scaleUp } })] }),
  );
  expect(plant.totals).toEqual([4]);
  expect(reasons(decision)).not.toContain("ScaleUpLimit");
});

describe("schedules", () => {
  const window = { name: "office", cron: "0 1 * * *", timeZone: "UTC", durationMs: 30 * MINUTE_MS, bounds: {} };
  const scheduled = (bounds: Policy["schedules"][number]["bounds"], more: Partial<Policy["schedules"][number]> = {}) =>
    alone({ schedules: [{ ...window, ...more, bounds }] });
  const at = (plant: Plant, minutes: number): Plant => {
    plant.nowMs = minutes * MINUTE_MS;
    return plant;
  };

  test("a minimum acts one start-up time early, so that the replicas are ready when the window opens, and ends with it", () => {
    const policy = scheduled({ decode: { minReplicas: 4 } });
    const plant = at(one(), 58);
    expect(plant.tick(policy)).toMatchObject({ schedules: { active: [], early: [] }, nextChangeMs: 59 * MINUTE_MS });
    expect(plant.totals).toEqual([1]);
    const early = at(plant, 59).tick(policy);
    expect(early).toMatchObject({ schedules: { active: [], early: ["office"] }, nextChangeMs: 60 * MINUTE_MS });
    expect(plant.totals).toEqual([4]);
    expect(at(plant, 60).tick(policy).schedules.active).toEqual(["office"]);
    at(plant, 90).tick(policy);
    expect(plant.totals).toEqual([1]);
  });

  test("a maximum and a budget act inside the window only", () => {
    const policy = scheduled({ decode: { maxReplicas: 2 } }, { gpuBudgetMax: 3 });
    const plant = at(one(6), 59);
    expect(plant.tick(policy).budget.gpusMax).toBeUndefined();
    expect(plant.totals).toEqual([6]);
    expect(at(plant, 60).tick(policy).budget.gpusMax).toBe(3);
    expect(plant.totals).toEqual([2]);
  });

  test("a window that is about to open raises beside one that is open, and lowers nothing", () => {
    const day = { ...window, name: "day", durationMs: 60 * MINUTE_MS, bounds: { decode: { minReplicas: 4 } } };
    const evening = { ...window, name: "evening", cron: "0 2 * * *", bounds: { decode: { minReplicas: 8 } } };
    const policy = alone({ schedules: [day, evening] });
    const plant = at(one(), 90);
    plant.tick(policy);
    const early = at(plant, 119).tick(policy);
    expect(early.schedules).toEqual({ active: ["day"], early: ["evening"] });
    expect(plant.totals).toEqual([8]);
    expect(reasons(early)).not.toContain("ScheduleOverlap");
    // The other way round: what is open stays until it ends.
    const down = alone({
      schedules: [
        { ...day, bounds: { decode: { minReplicas: 8 } } },
        { ...evening, bounds: { decode: { minReplicas: 2 } } },
      ],
    });
    at(plant, 119).tick(down);
    expect(plant.totals).toEqual([8]);
    at(plant, 120).tick(down);
    expect(plant.totals).toEqual([2]);
  });

  test("two windows on one bound: the first by name is followed, and the overlap is said", () => {
    const policy = alone({
      schedules: [
        { ...window, name: "b", bounds: { decode: { minReplicas: 2 } } },
        { ...window, name: "a", bounds: { decode: { minReplicas: 5 } } },
      ],
    });
    const plant = at(one(), 60);
    expect(reasons(plant.tick(policy))).toContain("ScheduleOverlap");
    expect(plant.totals).toEqual([5]);
  });

  describe("a window whose bounds leave a hard ratio no state is named, with its end", () => {
    const of = (...schedules: Policy["schedules"]): Policy => policyOf({ schedules });
    const relaxed = (decision: Decision): string | undefined =>
      decision.stages.find(({ reason }) => reason === "HardRatiosRelaxed")?.detail;
    const few = { prefill: { maxReplicas: 1 } };
    const many = { decode: { minReplicas: 8 } };

    test("by its maximum, in the record and in the sentence", () => {
      const policy = of(
        { ...window, name: "day", durationMs: 60 * MINUTE_MS, bounds: { decode: { maxReplicas: 12 } } },
        { ...window, name: "night", bounds: { ...few, ...many } },
      );
      const decision = at(new Plant(), 60).tick(policy);
      const detail =
        "ratio prefill/decode leaves no whole numbers inside the bounds of schedule night (open until 1970-01-01T01:30:00Z): widen it, or the bounds of that schedule";
      expect(relaxed(decision)).toBe(detail);
      expect(decision).toMatchObject({ reason: expect.any(String), relaxed: ["HardRatios"] });
      expect(decision.message).toContain(detail);
      const held = at(new Plant({ replicas: [1, 8] }), 60).tick(policy);
      expect(held).toMatchObject({ reason: "RatioInfeasible", message: `holds prefill 1, decode 8; ${detail}` });
    });

    test("by two of them together, or by its GPU budget, or before it opens", () => {
      const a = { ...window, name: "a", bounds: few };
      const b = { ...window, name: "b", durationMs: 60 * MINUTE_MS, bounds: many };
      expect(relaxed(at(new Plant(), 60).tick(of(a, b)))).toContain(
        "inside the bounds of schedules a (open until 1970-01-01T01:30:00Z) and b (open until 1970-01-01T02:00:00Z) together: widen it, or the bounds of one of those",
      );
      const narrow = policyOf({
        targets: [targetPolicy("prefill", { maxReplicas: 1 }), targetPolicy("decode")],
        schedules: [{ ...window, bounds: many }],
      });
      expect(relaxed(at(new Plant(), 59.5).tick(narrow))).toContain(
        "of schedule office (about to open, until 1970-01-01T01:30:00Z)",
      );
      const frugal = policyOf({
        targets: [targetPolicy("prefill"), targetPolicy("decode", { minReplicas: 8 })],
        schedules: [{ ...window, gpuBudgetMax: 9, bounds: {} }],
      });
      expect(relaxed(at(new Plant(), 60).tick(frugal))).toContain("of schedule office (open until");
    });

    test("and is not blamed for what the policy's own bounds do", () => {
      const policy = policyOf({
        targets: [targetPolicy("prefill", { maxReplicas: 1 }), targetPolicy("decode", { minReplicas: 8 })],
        schedules: [{ ...window, bounds: { decode: { maxReplicas: 12 } } }],
      });
      expect(relaxed(at(new Plant(), 60).tick(policy))).not.toContain("schedule");
    });
  });
});

describe("deadlines of what is under way", () => {
  test("an update holds a target down until its deadline, and no longer", () => {
    const policy = alone();
    const plant = one(1, 4);
    plant.change = (object) => ({ ...object, isChanging: true });
    for (const { reason } of ticks(plant, policy, 120)) expect(reason).toBe("HeldDown");
    plant.tick(policy);
    expect(plant.totals).toEqual([1]);
  });

  test("a target may be named as anything: its update is not the start of a set replica", () => {
    const policy = policyOf({ targets: [targetPolicy("set")], ratios: [] });
    const plant = one(2, 2);
    plant.change = (object) => ({ ...object, isChanging: true });
    const { sinceMs } = inFlightOf(policy, plant.observe(policy), {});
    plant.nowMs = policy.coldStart.changeDeadlineMs;
    plant.change = (object) => ({ ...object, isChanging: true, ready: 0, starting: 2 });
    const observation = plant.observe(policy);
    const late = inFlightOf(policy, observation, sinceMs);
    expect(late.overdue.has("set/0")).toBe(true);
    expect(isSetStarting(observation, late)).toBe(true);
  });

  test("a set replica whose pods never come holds the others down until the deadline", () => {
    const policy = policyOf();
    const plant = new Plant({ replicas: [4, 4], loads: [1, 1] });
    plant.sets.push({ replicas: [1, 1], readyAtMs: [[Infinity], [Infinity]] });
    plant.change = (object) =>
      object.setIndex === 1 ? { ...object, starting: 0, pending: object.replicas, uncreated: object.replicas } : object;
    for (const { message } of ticks(plant, policy, 120)) expect(message).toContain("a set replica is starting");
    expect(plant.totals).toEqual([5, 5]);
    // Inside the band one goes down before the other.
    ticks(plant, policy, 4);
    expect(plant.totals).toEqual([2, 2]);
  });

  test("what starts is not taken back before it served", () => {
    const policy = alone();
    const plant = new Plant({ replicas: [1], loads: [5], startMs: 2 * MINUTE_MS, gpus: [1] });
    plant.tick(policy);
    expect(plant.totals).toEqual([5]);
    plant.loads = [1];
    for (const { message } of ticks(plant, policy, 7)) expect(message).toContain("replicas of it are starting");
    plant.tick(policy);
    expect(plant.totals).toEqual([1]);
  });
});

describe("what can be had", () => {
  /** At most `room` replicas of a target find a node; the others are overdue after the timeout. */
  const withRoom = (plant: Plant, room: () => number, waited: () => boolean): void => {
    plant.change = (object) => {
      const waiting = Math.max(0, object.replicas - room());
      const late = waited() ? waiting : 0;
      return {
        ...object,
        ready: object.replicas - waiting,
        starting: 0,
        pending: waiting,
        overdue: late,
        overdueUnplaced: late,
      };
    };
  };

  test("replicas that find no node are given back, the target waits, and the next attempt comes after a doubled time", () => {
    const policy = alone();
    const plant = one(6);
    let sinceMs = 0;
    withRoom(
      plant,
      () => 3,
      () => plant.nowMs - sinceMs >= 10 * MINUTE_MS,
    );
    const history: (readonly [minutes: number, replicas: number])[] = [];
    for (let tick = 0; tick < 4 * 90; tick++) {
      const before = plant.totals[0] as number;
      const minutes = plant.nowMs / MINUTE_MS;
      plant.tick(policy);
      if (plant.totals[0] !== before) {
        history.push([minutes, plant.totals[0] as number]);
        sinceMs = plant.nowMs;
      }
    }
    expect(history).toEqual([
      [0, 6],
      [10.25, 3],
      [20.25, 6],
      [30.5, 3],
      [50.5, 6],
      [60.75, 3],
    ]);
  });

  test("the others are planned for what there is, inside the ratio", () => {
    const policy = policyOf();
    const plant = new Plant({ replicas: [4, 4], loads: [4, 16] });
    plant.change = (object, target) =>
      target === 0 ? { ...object, ready: 1, starting: 0, pending: 3, overdue: 3, overdueUnplaced: 3 } : object;
    plant.tick(policy);
    const decision = plant.tick(policy);
    expect(plant.totals).toEqual([1, 4]);
    expect(decision.stages).toContainEqual(expect.objectContaining({ reason: "CapacityPending", target: "prefill" }));
  });

  test("one that has its node and does not become ready is replaced, and not given back", () => {
    const policy = alone();
    const plant = one(3, 3);
    plant.change = (object) => ({ ...object, ready: object.replicas - 1, starting: 0, pending: 1, overdue: 1 });
    expect(reasons(plant.tick(policy))).toContain("Replaced");
    expect(plant.totals).toEqual([4]);
    ticks(plant, policy, 5);
    expect(plant.totals).toEqual([4]);
  });

  test("maxConcurrentStarting: no more start at once", () => {
    const { coldStart } = alone();
    const policy = alone({ coldStart: { ...coldStart, maxConcurrentStarting: 2 } });
    const plant = new Plant({ replicas: [1], loads: [6], startMs: MINUTE_MS, gpus: [1] });
    const seen = ticks(plant, policy, 10).map(({ targets }) => targets[0]?.desired);
    expect(seen).toEqual([3, 3, 3, 3, 5, 5, 5, 5, 6, 6]);
  });
});

describe("flap budget", () => {
  test("past it the scale-down window widens, and only for a while", () => {
    const policy = alone({ flapBudget: { reversals: 3, perMs: 60 * MINUTE_MS } });
    const plant = one(1, 1);
    const changes: number[] = [];
    for (let minute = 0; minute < 60; minute++) {
      plant.loads = [minute % 2 === 0 ? 4 : 1];
      for (const { transition } of ticks(plant, policy, 4)) changes.push(...transition.now.map(() => minute));
    }
    // 4, 1, 4, 1: three reversals. From then on a doubled minute is waited for, which the load never grants.
    expect(changes).toEqual([0, 1, 2, 3, 4]);
    plant.loads = [1];
    ticks(plant, policy, 4 * 60);
    expect(plant.totals).toEqual([1]);
  });
});

describe("warm-up", () => {
  test("after a gap in the metrics nothing goes down while rates over a fresh window read low", () => {
    const policy = alone({
      metricsPolicy: { staleAfterMs: MINUTE_MS, minCoverageRatio: 0.7, warmUpMs: 2 * MINUTE_MS },
    });
    const plant = one(4, 4);
    plant.tick(policy);
    plant.reading = () => ({ kind: "Error", reason: "Unreachable", message: "connection refused" });
    ticks(plant, policy, 6);
    plant.reading = (load) => ({ kind: "Total", sample: { value: load / 4, ageMs: 0 } });
    for (const { message } of ticks(plant, policy, 8)) expect(message).toContain("warm up");
    expect(plant.totals).toEqual([4]);
    plant.tick(policy);
    expect(plant.totals).toEqual([1]);
  });

  test("one failed query is no gap", () => {
    const policy = alone({
      metricsPolicy: { staleAfterMs: MINUTE_MS, minCoverageRatio: 0.7, warmUpMs: 2 * MINUTE_MS },
    });
    const plant = one(4, 4);
    const good = plant.reading;
    plant.tick(policy);
    plant.reading = () => ({ kind: "Total" });
    plant.tick(policy);
    plant.reading = good;
    plant.loads = [2];
    plant.tick(policy);
    expect(plant.totals).toEqual([2]);
  });
});

describe("scale to zero", () => {
  const sleeper = (overrides: Partial<Policy> = {}): Policy =>
    policyOf({ scaleToZero: { targets: ["prefill", "decode"], idleWindowMs: 5 * MINUTE_MS }, ...overrides });
  const waiting = (value: number) => ({ kind: "Total", sample: { value, ageMs: 0 } }) as const;
  const asleep = (): { plant: Plant; policy: Policy } => {
    const plant = new Plant({ replicas: [1, 2], loads: [0, 0] });
    const policy = sleeper();
    plant.zeroDemand = waiting(0);
    ticks(plant, policy, 21);
    expect(plant.totals).toEqual([0, 0]);
    return { plant, policy };
  };

  test("after the idle window the whole set goes, in one turn, and the decision says why", () => {
    const plant = new Plant({ replicas: [1, 2], loads: [0, 0] });
    const policy = sleeper();
    plant.zeroDemand = waiting(0);
    ticks(plant, policy, 20);
    expect(plant.totals).toEqual([1, 1]);
    const decision = plant.tick(policy);
    expect(plant.totals).toEqual([0, 0]);
    expect(decision.zero).toMatchObject({ isAsleep: true, reason: "Idle" });
    const later = ticks(plant, policy, 40);
    expect(plant.totals).toEqual([0, 0]);
    expect(later.every(({ targets }) => targets.every(({ demand }) => demand?.isUnknown === false))).toBe(true);
  });

  test("demand brings it back to its minimum at once", () => {
    const { plant, policy } = asleep();
    plant.zeroDemand = waiting(3);
    const decision = plant.tick(policy);
    expect(plant.totals).toEqual([1, 1]);
    expect(decision.zero).toMatchObject({ isAsleep: false, reason: "Waking" });
  });

  test.each([
    ["a busy target", { loads: [0, 0.2] }],
    ["waiting requests", { zeroDemand: waiting(1) }],
    ["a query without a value", { zeroDemand: { kind: "Total" as const } }],
    ["a query that fails", { zeroDemand: { kind: "Error" as const, reason: "Unreachable" as const, message: "" } }],
    ["an unknown metric", { reading: () => ({ kind: "Total" as const }) }],
  ])("%s keeps it awake", (_, change) => {
    const plant = new Plant({ replicas: [1, 1], loads: [0, 0] });
    plant.zeroDemand = waiting(0);
    Object.assign(plant, change);
    ticks(plant, sleeper(), 40);
    expect(plant.totals).toEqual([1, 1]);
  });

  test("one that has answered at zero has a gap and no more, and one that is written anew starts anew", () => {
    const { plant, policy } = asleep();
    ticks(plant, policy, 4);
    plant.zeroDemand = { kind: "Total" };
    ticks(plant, policy, 6);
    expect(plant.totals).toEqual([1, 1]);
    plant.zeroDemand = waiting(0);
    ticks(plant, policy, 60);
    expect(plant.totals).toEqual([0, 0]);

    const disproven = asleep();
    disproven.plant.zeroDemand = { kind: "Total" };
    ticks(disproven.plant, disproven.policy, 6);
    disproven.plant.zeroDemand = waiting(0);
    const { scaleToZero } = disproven.policy;
    if (scaleToZero === undefined) throw new Error("the policy does not scale to zero");
    const corrected = { ...disproven.policy, scaleToZero: { ...scaleToZero, demandQuery: "another" } };
    ticks(disproven.plant, corrected, 60);
    expect(disproven.plant.totals).toEqual([0, 0]);
  });

  test("a query that has no value at zero wakes the set and is not trusted again", () => {
    const { plant, policy } = asleep();
    plant.zeroDemand = { kind: "Total" };
    ticks(plant, policy, 3);
    expect(plant.totals).toEqual([0, 0]);
    ticks(plant, policy, 2);
    expect(plant.totals).toEqual([1, 1]);
    plant.zeroDemand = waiting(0);
    const last = ticks(plant, policy, 60).at(-1);
    expect(plant.totals).toEqual([1, 1]);
    expect(last?.zero?.reason).toBe("DemandQueryDisproven");
  });

  test("a metrics server that is down wakes it after a few ticks, to be safe, and it may sleep again", () => {
    const { plant, policy } = asleep();
    plant.zeroDemand = { kind: "Error", reason: "Unreachable", message: "connection refused" };
    ticks(plant, policy, 4);
    expect(plant.totals).toEqual([0, 0]);
    plant.tick(policy);
    expect(plant.totals).toEqual([1, 1]);
    plant.zeroDemand = waiting(0);
    ticks(plant, policy, 30);
    expect(plant.totals).toEqual([0, 0]);
  });

  test("a schedule or an override keeps it awake", () => {
    const { plant, policy } = asleep();
    plant.override = {
      name: "o",
      reason: "load test",
      expiresAtMs: 1e12,
      force: false,
      scaleTargets: { decode: { minReplicas: 2 } },
    };
    ticks(plant, policy, 2);
    expect(plant.totals).toEqual([1, 2]);
    plant.override = undefined;
    const schedules = [
      {
        name: "day",
        cron: "* * * * *",
        timeZone: "UTC",
        durationMs: 10 * MINUTE_MS,
        bounds: { decode: { minReplicas: 1 } },
      },
    ];
    ticks(plant, sleeper({ schedules }), 60);
    expect(plant.totals).toEqual([1, 1]);
  });

  test("a PodCliqueSet goes to zero set replicas and comes back", () => {
    const set = targetPolicy("instances", { level: "PodCliqueSet", maxReplicas: 3, metrics: [], behavior: instant });
    const policy = sleeper({ set, scaleToZero: { targets: ["instances"], idleWindowMs: MINUTE_MS } });
    const plant = new Plant({ replicas: [1, 1], loads: [0, 0] });
    plant.zeroDemand = waiting(0);
    ticks(plant, policy, 6);
    expect(plant.sets.length).toBe(0);
    plant.zeroDemand = waiting(1);
    ticks(plant, policy, 1);
    expect(plant.sets.length).toBe(1);
  });
});

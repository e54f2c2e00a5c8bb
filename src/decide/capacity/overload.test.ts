/** What a set with latency goals does when more comes than it serves: order what is missing, once. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseProfile } from "../../api/autoscaling/performance-profile.ts";
import { decide } from "../decide.ts";
import type { Decision } from "../decision.ts";
import { emptyMemory, type Memory } from "../memory.ts";
import type { Observation, ProfileObservation, TargetLoad } from "../observation.ts";
import { instant, policyOf, targetPolicy } from "../plant.fixture.ts";
import type { Policy } from "../policy.ts";

const PROFILE: ProfileObservation = (() => {
  const file = new URL("../../../policies/prefill-decode-slo/profile.yaml", import.meta.url);
  const { data } = parse(readFileSync(file, "utf8")) as { data: Record<string, string> };
  const parsed = parseProfile(data["profile.json"] ?? "");
  return parsed.ok ? { kind: "Profile", profile: parsed.profile } : expect.fail(parsed.problem.message);
})();

const QUEUE = {
  label: "queue",
  targetType: "AverageValue",
  targetValue: 5,
  isBacklog: true,
  advisoryOnly: false,
} as const;
const untolerant = { ...instant, scaleUp: { ...instant.scaleUp, toleranceRatio: 0 } };
const policy = (leadMs: number, overrides: Partial<Policy> = {}): Policy =>
  policyOf({
    ratios: [],
    targets: [
      targetPolicy("prefill", { role: "prefill", metrics: [QUEUE], behavior: untolerant, maxReplicas: 100 }),
      targetPolicy("decode", { role: "decode", metrics: [], behavior: untolerant, maxReplicas: 100 }),
    ],
    slo: {
      ttft: { quantile: 0.9, targetMs: 500 },
      itl: { quantile: 0.9, targetMs: 50 },
      attainmentRatio: 0.9,
      windowMs: 600_000,
      source: "Profile",
      routing: "RoundRobin",
    },
    coldStart: { pendingTimeoutMs: 600_000, changeDeadlineMs: 1_800_000, leadTimeMs: leadMs },
    ...overrides,
  });

/** Sized by its goals alone. */
const byGoals = (leadMs: number, overrides: Partial<Policy> = {}): Policy => {
  const given = policy(leadMs, overrides);
  return { ...given, targets: given.targets.map((target) => ({ ...target, metrics: [] })) };
};

interface Moment {
  readonly done?: number;
  readonly waiting?: number;
  readonly ready?: number;
  readonly starting?: number;
  readonly decodeWaiting?: number;
  readonly decodeRunning?: number;
}

/** Prompts of 1,000 tokens, answers of 250; queue per ready prefill replica as its own metric says it. */
function observe(nowMs: number, { done, waiting = 0, ready = 2, starting = 0, ...decode }: Moment): Observation {
  const measured = (load: Partial<Record<keyof TargetLoad, number>>): TargetLoad =>
    Object.fromEntries(Object.entries(load).map(([key, value]) => [key, { value, ageMs: 0 }])) as TargetLoad;
  const object = (name: string, count: number, late: number) => ({
    setIndex: 0,
    objectName: name,
    resourceVersion: "1",
    replicas: count + late,
    ready: count,
    starting: late,
    pending: 0,
    overdue: 0,
    isChanging: false,
  });
  const rates = done === undefined ? {} : { requestsPerSecond: done, promptTokensPerSecond: done * 1_000 };
  const { decodeRunning = 100, decodeWaiting = 0 } = decode;
  return {
    nowMs,
    monotonicMs: nowMs,
    set: { objectName: "x", resourceVersion: "1", replicas: 1, ready: 1, fixedGpus: 0, metrics: [] },
    targets: [
      {
        objects: [object("p", ready, starting)],
        minAvailable: 1,
        templateReplicas: 1,
        gpusPerReplica: 1,
        metrics: [
          {
            kind: "PerReplica",
            samples: Array.from({ length: ready }, (_, at) => ({
              replica: `p${at}`,
              value: waiting / ready,
              ageMs: 0,
            })),
          },
        ],
        load: measured({ ...rates, runningRequests: 0, waitingRequests: waiting }),
      },
      {
        objects: [object("d", 3, 0)],
        minAvailable: 1,
        templateReplicas: 1,
        gpusPerReplica: 1,
        metrics: [],
        load: measured({
          ...(done === undefined ? {} : { requestsPerSecond: done, generationTokensPerSecond: done * 250 }),
          runningRequests: decodeRunning,
          waitingRequests: decodeWaiting,
        }),
      },
    ],
    gpusInUse: 5,
    isSharing: false,
    startupsMs: [],
    foreignWriters: {},
    profile: PROFILE,
  };
}

/** One moment every 15 s. */
function play(given: Policy, moments: readonly Moment[]): readonly Decision[] {
  let memory: Memory = emptyMemory;
  return moments.map((moment, tick) => {
    const result = decide(given, observe(1_000_000 + tick * 15_000, moment), memory);
    memory = result.memory;
    return result.decision;
  });
}

const demandOf = (decision: Decision | undefined, index = 0) => decision?.targets[index]?.demand;
const replicas = (decision: Decision | undefined, index = 0): number =>
  demandOf(decision, index)?.replicas ?? Number.NaN;
const calm = Array<Moment>(8).fill({ done: 40 });
const FAST = 15_000;

describe("a queue", () => {
  test("orders nothing while what it needs is on its way, and a quarter more, at least one, when it stands all the same", () => {
    const decisions = play(policy(FAST), [
      ...calm,
      { done: 40, waiting: 400, ready: 2, starting: 1 },
      { done: 40, waiting: 400, ready: 4 },
      { done: 40, waiting: 400, ready: 12 },
    ]);
    const [onItsWay, whole, many] = decisions.slice(-3);
    expect(demandOf(onItsWay)).toMatchObject({ reason: "BacklogLimited", replicas: 3 });
    expect(demandOf(onItsWay)?.detail).toContain("replicas are on their way");
    expect(demandOf(whole)).toMatchObject({ reason: "BacklogLimited", replicas: 5 });
    expect(demandOf(many)).toMatchObject({ reason: "BacklogLimited", replicas: 15 });
  });

  test("without a model of capacity it may double what serves, as before", () => {
    const { slo: _, ...rest } = policy(FAST);
    const decisions = play(rest, [{ waiting: 400, ready: 4, starting: 2 }]);
    expect(demandOf(decisions[0])).toMatchObject({ reason: "BacklogLimited", replicas: 8 });
  });

  test("is to be served within a minute, or within a start where that takes longer, by prefill and by decode", () => {
    const at = (leadMs: number): Decision | undefined =>
      play(byGoals(leadMs), [...calm, { done: 40, waiting: 6_000, ready: 100 }]).at(-1);
    const [fast, slow] = [at(FAST), at(300_000)];
    // 6,000 more in the last minute are 100 a second that came; and 6,000 over 60 s or 300 s to catch up with.
    expect(demandOf(fast)?.detail).toMatch(/^240 req\/s/);
    expect(demandOf(slow)?.detail).toMatch(/^160 req\/s/);
    // Decode has no queue of its own, so it follows: 40 + 100 (1 − e^−4) + 100, and 40 + 100 (1 − e^−0.2) + 20.
    expect(demandOf(fast, 1)?.detail).toMatch(/^238 req\/s/);
    expect(demandOf(slow, 1)?.detail).toMatch(/^78\.1 req\/s/);
  });

  test("in decode counts by how much of it is still there when a replica is ready", () => {
    const busy: Moment = { done: 1, decodeRunning: 2_000, decodeWaiting: 2_000 };
    const quick = replicas(play(policy(1_000), [busy])[0], 1);
    const slow = replicas(play(policy(600_000), [busy])[0], 1);
    expect(quick).toBeCloseTo(2 * slow, 0);
    expect(slow).toBeGreaterThan(0);
  });
});

describe("arrivals", () => {
  test("are followed by a quarter of a start, and at once where a queue says that they are no noise", () => {
    const rate = (decisions: readonly Decision[]): number =>
      Number(/^([\d.]+) req/.exec(demandOf(decisions.at(-1))?.detail ?? "")?.[1]);
    const burst: Moment = { done: 80 };
    // One tick of 15 s with a time constant of 60 s: 40 + 40 (1 − e^−0.25).
    expect(rate(play(byGoals(240_000), [...calm, burst]))).toBeCloseTo(40 + 40 * (1 - Math.exp(-0.25)), 0);
    expect(rate(play(byGoals(1_000), [...calm, burst]))).toBeCloseTo(80, 0);
    // 60 waiting on 2 replicas, 1 a second more than a minute ago, to be served within 240 s.
    expect(rate(play(byGoals(240_000), [...calm, { ...burst, waiting: 60 }]))).toBeCloseTo(80 + 1 + 0.25, 0);
  });

  test("as they were a moment ago, while too few report: nothing is taken back, and after a minute and a half they are unknown", () => {
    const silent = Array<Moment>(7).fill({ ready: 2 });
    const decisions = play(policy(FAST), [...calm, ...silent]);
    const first = demandOf(decisions[calm.length]);
    expect(first).toMatchObject({ reason: "SLO", holdsDown: true });
    expect(first?.detail).toMatch(/^40 req\/s .*as it was a moment ago/);
    expect(demandOf(decisions.at(-1))?.reason).toBe("MetricUnknown");
  });
});

describe("a forecast", () => {
  test("is made from what comes, never from what has piled up", () => {
    const forecast = {
      enabled: true,
      method: "LinearTrend",
      seasonMs: 86_400_000,
      maxErrorRatio: 10,
      quantile: 0.5,
    } as const;
    const given = byGoals(60_000, { forecast });
    const piling = Array.from({ length: 12 }, (_, tick): Moment => ({ done: 40, waiting: 60 * tick, ready: 50 }));
    const decision = play(given, [...calm, ...piling]).at(-1);
    // 4 a second more come than are done, and that does not change.
    expect(decision?.targets[0]?.forecast?.replicas).toBeCloseTo(replicas(decision), 6);
    const flow = 44 / (Number(/one replica serves ([\d.]+)/.exec(demandOf(decision)?.detail ?? "")?.[1]) || Number.NaN);
    expect(demandOf(decision)?.flowReplicas).toBeCloseTo(flow, 1);
  });
});

describe("what is missed for want of replicas", () => {
  test("says nothing against the model: nothing is kept back after an overload that was ordered for", () => {
    const late: Moment = { done: 40, waiting: 100, ready: 2, starting: 2 };
    const seen = (moment: Moment): Observation => {
      const observation = observe(1_000_000, moment);
      return observation;
    };
    let memory: Memory = emptyMemory;
    let last: Decision | undefined;
    for (let tick = 0; tick < 40; tick++) {
      const observation = seen(tick < 30 ? late : { done: 40, ready: 4 });
      const targets = observation.targets.map((target, index) =>
        index === 0
          ? { ...target, load: { ...target.load, timeToFirstToken: { value: tick < 30 ? 9 : 0.1, ageMs: 0 } } }
          : target,
      );
      const nowMs = 1_000_000 + tick * 15_000;
      const result = decide(policy(FAST), { ...observation, targets, nowMs, monotonicMs: nowMs }, memory);
      memory = result.memory;
      last = result.decision;
    }
    expect(demandOf(last)?.detail).not.toContain("kept back");
  });
});

/** Whole decisions of a set with latency goals: what sizes it, and what does not move it. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseProfile } from "../../api/autoscaling/performance-profile.ts";
import type { Behavior } from "../behavior.ts";
import { decide } from "../decide.ts";
import { emptyMemory, type Memory, resumeMemory } from "../memory.ts";
import type { Observation, ProfileObservation, TargetLoad, TargetObservation } from "../observation.ts";
import type { Policy, SloPolicy, TargetPolicy } from "../policy.ts";

const PROFILE: ProfileObservation = (() => {
  const file = new URL("../../../policies/prefill-decode-slo/profile.yaml", import.meta.url);
  const { data } = parse(readFileSync(file, "utf8")) as { data: Record<string, string> };
  const parsed = parseProfile(data["profile.json"] ?? "");
  if (!parsed.ok) throw new Error(`${parsed.problem.field} ${parsed.problem.message}`);
  return { kind: "Profile", profile: parsed.profile };
})();

const direction: Behavior["scaleUp"] = {
  stabilizationWindowMs: 0,
  toleranceRatio: 0,
  selectPolicy: "Max",
  policies: [{ type: "Percent", value: 10_000, periodMs: 15_000 }],
};
const targetOf = (role: TargetPolicy["role"], metrics: TargetPolicy["metrics"] = []): TargetPolicy => ({
  name: role,
  level: "PodClique",
  role,
  minReplicas: 1,
  maxReplicas: 100,
  minViableOverride: 0,
  metrics,
  behavior: { scaleUp: direction, scaleDown: direction },
});

const GOALS: SloPolicy = {
  ttft: { quantile: 0.9, targetMs: 500 },
  itl: { quantile: 0.9, targetMs: 50 },
  attainmentRatio: 0.95,
  windowMs: 600_000,
  source: "Profile",
  routing: "RoundRobin",
};

const policyOf = (overrides: Partial<Policy> = {}): Policy => ({
  mode: "Active",
  intervalMs: 15_000,
  targets: [targetOf("prefill"), targetOf("decode")],
  ratios: [],
  metricsPolicy: { staleAfterMs: 60_000, minCoverageRatio: 0.7, warmUpMs: 0 },
  forecast: { enabled: false, method: "LastValue", seasonMs: 86_400_000, maxErrorRatio: 0.4, quantile: 0.5 },
  coldStart: { pendingTimeoutMs: 600_000, changeDeadlineMs: 1_800_000 },
  schedules: [],
  slo: GOALS,
  ...overrides,
});

type Loads = readonly Partial<Record<keyof TargetLoad, number>>[];

interface Scene {
  readonly replicas: readonly number[];
  readonly loads: Loads;
  readonly nowMs?: number;
  readonly ageMs?: number;
  readonly starting?: number;
  readonly profile?: ProfileObservation;
  readonly metric?: number;
}

function observe({
  replicas,
  loads,
  nowMs = 0,
  ageMs = 0,
  starting = 0,
  profile = PROFILE,
  metric,
}: Scene): Observation {
  return {
    nowMs,
    monotonicMs: nowMs,
    set: { objectName: "x", resourceVersion: "1", replicas: 1, ready: 1, fixedGpus: 0, metrics: [] },
    targets: replicas.map(
      (count, index): TargetObservation => ({
        objects: [
          {
            setIndex: 0,
            objectName: `x-0-${index}`,
            resourceVersion: "1",
            replicas: count,
            ready: count - starting,
            starting,
            pending: 0,
            overdue: 0,
            isChanging: false,
          },
        ],
        minAvailable: 1,
        templateReplicas: 1,
        gpusPerReplica: 1,
        metrics: metric === undefined ? [] : [{ kind: "Total", sample: { value: metric, ageMs: 0 } }],
        load: Object.fromEntries(
          Object.entries(loads[index] ?? {}).map(([key, value]) => [key, { value, ageMs }]),
        ) as TargetLoad,
      }),
    ),
    gpusInUse: replicas.reduce((sum, one) => sum + one, 0),
    isSharing: false,
    startupsMs: [],
    foreignWriters: {},
    profile,
  };
}

const chat = (requestsPerSecond: number, input = 1_000, output = 300): Loads => [
  { requestsPerSecond, promptTokensPerSecond: requestsPerSecond * input },
  { requestsPerSecond, generationTokensPerSecond: requestsPerSecond * output },
];
const run = (scene: Scene, policy = policyOf(), memory: Memory = emptyMemory) => decide(policy, observe(scene), memory);
const desired = (scene: Scene, policy?: Policy, memory?: Memory): readonly number[] =>
  run(scene, policy, memory).decision.targets.map((target) => target.desired);

describe("too few replicas report", () => {
  const partly = (requestsPerSecond: number, isPartial: boolean): Observation => {
    const seen = observe({ replicas: [3, 3], loads: chat(requestsPerSecond) });
    const mark = (load: TargetLoad | undefined): TargetLoad =>
      Object.fromEntries(
        Object.entries(load ?? {}).map(([key, measured]) => [
          key,
          isPartial ? { ...measured, isPartial: true } : measured,
        ]),
      ) as TargetLoad;
    return { ...seen, targets: seen.targets.map((one) => ({ ...one, load: mark(one.load) })) };
  };
  const prefillOf = (rate: number, isPartial: boolean) => decide(policyOf(), partly(rate, isPartial), emptyMemory);

  test("what they say is enough to grow by, and never to shrink", () => {
    const up = prefillOf(200, true).decision.targets[0];
    expect(up?.desired).toBe(prefillOf(200, false).decision.targets[0]?.desired);
    expect(up?.desired).toBeGreaterThan(3);
    expect(up?.demand?.detail).toContain("too few replicas report");
    expect(prefillOf(1, false).decision.targets[0]?.desired).toBe(1);
    expect(prefillOf(1, true).decision.targets[0]?.desired).toBe(3);
    expect(prefillOf(0, true).decision.targets[0]?.desired).toBe(3);
  });
});

describe("sizing", () => {
  test("behind a router that looks at load prefill shares a queue: fewer replicas, and more of them where two set replicas split it", () => {
    const prefillOf = (routing: SloPolicy["routing"], sets: number): number => {
      const loads = chat(1_000, 2_000).map((one, at) => (at === 0 ? { ...one, promptSpread: 30 } : one));
      const seen = observe({ replicas: [30, 30], loads });
      const targets = seen.targets.map((one) => ({
        ...one,
        objects: Array.from({ length: sets }, (_, setIndex) => ({ ...one.objects[0], setIndex }) as never),
      }));
      const observation = { ...seen, set: { ...seen.set, replicas: sets, ready: sets }, targets };
      const { decision } = decide(policyOf({ slo: { ...GOALS, routing } }), observation, emptyMemory);
      return decision.targets[0]?.demand?.replicas ?? Number.NaN;
    };
    const [own, shared, split] = [prefillOf("RoundRobin", 1), prefillOf("LeastLoaded", 1), prefillOf("LeastLoaded", 4)];
    expect(shared).toBeLessThan(0.7 * own);
    expect(split).toBeGreaterThan(1.02 * shared);
    expect(split).toBeLessThan(own);
  });

  test("the request rate over what one replica serves, in one sentence", () => {
    const { decision } = run({ replicas: [1, 1], loads: chat(100) });
    const [prefill, decode] = decision.targets;
    expect(prefill?.demand?.detail).toMatch(
      /^100 req\/s of 1,000 in \/ 300 out tokens; one replica serves \d+(\.\d+)? req\/s at TTFT p95 500 ms: [\d.]+ replicas$/,
    );
    expect(decode?.demand?.detail).toMatch(/one replica serves [\d.]+ req\/s with a full KV cache: [\d.]+ replicas$/);
    expect(decision.targets.map((target) => target.desired)).toEqual([
      Math.ceil(prefill?.demand?.replicas ?? 0),
      Math.ceil(decode?.demand?.replicas ?? 0),
    ]);
    expect(decision.slo?.model.reason).toBe("Applied");
  });

  test("the mix moves the ratio: long prompts want prefill, long answers want decode", () => {
    const [codePrefill = 0, codeDecode = 0] = desired({ replicas: [1, 1], loads: chat(60, 4_000, 30) });
    const [thinkPrefill = 0, thinkDecode = 0] = desired({ replicas: [1, 1], loads: chat(30, 800, 2_000) });
    expect(codePrefill / codeDecode).toBeGreaterThan(4);
    expect(thinkDecode / thinkPrefill).toBeGreaterThan(4);
  });

  test("cached prompts take less prefill", () => {
    const cached: Loads = [{ ...chat(100)[0], computedPromptTokensPerSecond: 30_000 }, chat(100)[1] ?? {}];
    const before = run({ replicas: [1, 1], loads: chat(100) }).decision.targets[0]?.demand;
    const after = run({ replicas: [1, 1], loads: cached }).decision.targets[0]?.demand;
    expect(after?.detail).toContain("70 % cached");
    expect(after?.replicas).toBeLessThan(0.6 * (before?.replicas ?? 0));
  });

  test("it joins the metrics of a target by maximum", () => {
    const metrics = [
      { label: "queue", targetType: "AverageValue", targetValue: 1, isBacklog: false, advisoryOnly: false } as const,
    ];
    const policy = policyOf({ targets: [targetOf("prefill", metrics), targetOf("decode", metrics)] });
    const [prefill = 0] = desired({ replicas: [1, 1], loads: chat(100), metric: 1 }, policy);
    expect(prefill).toBeGreaterThan(1);
    expect(desired({ replicas: [1, 1], loads: chat(100), metric: 9 }, policy)).toEqual([9, 9]);
    const labels = run({ replicas: [1, 1], loads: chat(100), metric: 1 }, policy).decision.targets[0]?.demand?.metrics;
    expect(labels?.map(({ label }) => label)).toEqual(["queue", "slo"]);
  });

  test("no requests need no more than the minimum", () => {
    expect(desired({ replicas: [5, 5], loads: chat(0).map((one) => ({ ...one, runningRequests: 0 })) })).toEqual([
      1, 1,
    ]);
  });

  test("one engine for both is sized by both goals", () => {
    const policy = policyOf({ targets: [targetOf("aggregated")] });
    const load = { requestsPerSecond: 40, promptTokensPerSecond: 40_000, generationTokensPerSecond: 12_000 };
    const { decision } = run({ replicas: [1], loads: [load] }, policy);
    expect(decision.targets[0]?.desired).toBeGreaterThan(1);
    expect(decision.targets[0]?.demand?.detail).toContain("TTFT p95 500 ms and ITL p95 50 ms");
  });

  test("a goal that no replica meets is said, and buys no GPUs without end", () => {
    const slo = { ...GOALS, ttft: { quantile: 0.9, targetMs: 20 } };
    const { decision } = run({ replicas: [9, 9], loads: chat(10) }, policyOf({ slo }));
    expect(decision.slo?.goals.find(({ slo: name }) => name === "ttft")?.isUnattainable).toBe(true);
    expect(decision.targets[0]).toMatchObject({
      desired: 1,
      demand: { detail: expect.stringContaining("not even an idle one meets") },
    });
  });
});

describe("the quantile that is sized for", () => {
  const detail = (attainmentRatio: number, quantile = 0.9): string | undefined =>
    run(
      { replicas: [1, 1], loads: chat(100) },
      policyOf({ slo: { ...GOALS, ttft: { quantile, targetMs: 500 }, attainmentRatio } }),
    ).decision.targets[0]?.demand?.detail;

  test.each([
    { attainment: 0.95, goal: 0.9, sized: "p95" },
    { attainment: 0.5, goal: 0.9, sized: "p90" },
    { attainment: 0.95, goal: 0.99, sized: "p99" },
    { attainment: 1, goal: 0.9, sized: "p99.9" },
  ])("so many must be in time: $attainment of them with a goal for $goal is $sized", ({ attainment, goal, sized }) => {
    expect(detail(attainment, goal)).toContain(`at TTFT ${sized} 500 ms`);
  });
});

describe("what counts against a model", () => {
  const LATE_S = 0.9;
  const late = (waitingRequests: number): Loads => [
    { ...chat(40)[0], waitingRequests, timeToFirstToken: LATE_S },
    { ...chat(40)[1], waitingRequests, runningRequests: 200, interTokenLatency: 0.02 },
  ];
  /** What prefill has on record after looks every 15 s; 0: nothing. */
  function counted(untilMs: number, scene: (nowMs: number) => Partial<Scene> = () => ({})): number {
    let memory = emptyMemory;
    for (let nowMs = 0; nowMs <= untilMs; nowMs += 15_000)
      memory = run({ replicas: [2, 2], loads: late(0), nowMs, ...scene(nowMs) }, policyOf(), memory).memory;
    const buckets = memory.slo?.targets["prefill"]?.attainment?.ttft ?? [];
    return buckets.flat().length;
  }

  test("two minutes of the same replicas; what was late before says nothing", () => {
    expect(counted(105_000)).toBe(0);
    expect(counted(120_000)).toBeGreaterThan(0);
  });

  test("not while replicas come or go, nor while a queue drains", () => {
    expect(counted(600_000, () => ({ starting: 1 }))).toBe(0);
    expect(counted(600_000, (nowMs) => ({ replicas: [2 + ((nowMs / 60_000) % 2), 2] }))).toBe(0);
    expect(counted(600_000, () => ({ loads: late(9) }))).toBe(0);
    expect(counted(600_000, () => ({ loads: late(8) }))).toBeGreaterThan(0);
  });

  test("users' attainment counts every decision all the same", () => {
    const result = run({ replicas: [2, 2], loads: late(0), starting: 1 });
    expect(result.memory.slo?.attainment.ttft?.flat().length).toBeGreaterThan(0);
  });
});

describe("what must not shrink a target", () => {
  test.each<{ name: string; scene: Omit<Scene, "replicas"> }>([
    { name: "no load at all", scene: { loads: [{}, {}] } },
    { name: "a stale load", scene: { loads: chat(1), ageMs: 61_000 } },
    { name: "NaN", scene: { loads: [{ requestsPerSecond: Number.NaN }, { requestsPerSecond: Number.NaN }] } },
    { name: "a negative rate", scene: { loads: [{ requestsPerSecond: -1 }, { requestsPerSecond: -1 }] } },
    { name: "requests of unknown length", scene: { loads: [{ requestsPerSecond: 1 }, { requestsPerSecond: 1 }] } },
    {
      name: "no profile, and no metric besides",
      scene: { loads: chat(1), profile: { kind: "Problem", reason: "ProfileNotFound", message: "gone" } },
    },
    {
      name: "latency above its goal",
      scene: {
        loads: [
          { ...chat(1)[0], timeToFirstToken: 0.9 },
          { ...chat(1)[1], interTokenLatency: 0.2 },
        ],
      },
    },
  ])("$name", ({ scene }) => {
    expect(desired({ replicas: [4, 4], ...scene })).toEqual([4, 4]);
  });

  test("a load that is unknown holds what the metrics would take away; a fallback that is due stays", () => {
    const metrics = [
      { label: "queue", targetType: "AverageValue", targetValue: 1, isBacklog: false, advisoryOnly: false } as const,
    ];
    const policy = policyOf({ targets: [targetOf("prefill", metrics), targetOf("decode", metrics)] });
    expect(desired({ replicas: [4, 4], loads: [{}, {}], metric: 1 }, policy)).toEqual([4, 4]);
    expect(desired({ replicas: [4, 4], loads: [{}, {}], metric: 6 }, policy)).toEqual([6, 6]);
    const fallback = { failureThreshold: 1, behavior: "static", replicas: { prefill: 2, decode: 3 } } as const;
    const { decision } = run({ replicas: [4, 4], loads: [{}, {}], metric: Number.NaN }, { ...policy, fallback });
    expect(decision.targets.map(({ demand }) => [demand?.reason, demand?.replicas])).toEqual([
      ["Fallback", 2],
      ["Fallback", 3],
    ]);
  });

  test("a load that too few replicas report, for a while", () => {
    const before = run({ replicas: [1, 1], loads: chat(100) }).memory;
    const at = (nowMs: number) => run({ replicas: [30, 30], loads: [{}, {}], nowMs }, policyOf(), before).decision;
    const [needed] = run({ replicas: [1, 1], loads: chat(100) }).decision.targets;
    expect(at(90_000).targets[0]).toMatchObject({
      desired: 30,
      demand: { replicas: needed?.demand?.replicas, holdsDown: true, reason: "SLO" },
    });
    expect(at(90_000).targets[0]?.demand?.detail).toContain("as it was a moment ago, too few replicas report");
    expect(at(90_001).targets[0]).toMatchObject({ desired: 30, demand: { reason: "MetricUnknown" } });
  });

  test("and what decode is missing does not hold prefill", () => {
    const loads = [
      { ...chat(1)[0], timeToFirstToken: 0.05 },
      { ...chat(1)[1], interTokenLatency: 0.2 },
    ];
    expect(desired({ replicas: [4, 4], loads })).toEqual([1, 4]);
  });

  test("a broken profile is silent: the metrics of the target decide", () => {
    const metrics = [
      { label: "queue", targetType: "AverageValue", targetValue: 1, isBacklog: false, advisoryOnly: false } as const,
    ];
    const policy = policyOf({ targets: [targetOf("prefill", metrics), targetOf("decode", metrics)] });
    const profile = { kind: "Problem", reason: "ProfileInvalid", message: "ConfigMap p: decode.grid must be" } as const;
    const { decision } = run({ replicas: [4, 4], loads: chat(1_000), profile, metric: 2 }, policy);
    expect(decision.targets.map((target) => target.desired)).toEqual([2, 2]);
    expect(decision.slo?.model).toEqual({ reason: "ProfileInvalid", detail: profile.message });
  });
});

describe("what is learned", () => {
  const TICK_MS = 60_000;
  const online = policyOf({ slo: { ...GOALS, source: "Online" } });
  /** An engine whose ITL is 10 ms + 0.5 ms a request and whose TTFT is 50 ms · e^(tokens/s / 20,000). */
  const scene = (tick: number, running: number, tokens: number, extra: Partial<Scene> = {}): Scene => ({
    replicas: [2, 2],
    nowMs: tick * TICK_MS,
    loads: [
      {
        requestsPerSecond: (2 * tokens) / 1_000,
        promptTokensPerSecond: 2 * tokens,
        waitingRequests: 0,
        timeToFirstToken: 0.05 * Math.exp(tokens / 20_000),
      },
      {
        requestsPerSecond: (2 * tokens) / 1_000,
        generationTokensPerSecond: 2_000,
        runningRequests: 2 * running,
        waitingRequests: 0,
        interTokenLatency: 0.01 + 0.0005 * running,
      },
    ],
    ...extra,
  });

  function teach(ticks: number, extra: Partial<Scene> = {}): Memory {
    let memory = emptyMemory;
    for (let tick = 0; tick < ticks; tick++) {
      memory = run(
        scene(tick, 10 + ((tick * 7) % 50), 5_000 + ((tick * 7) % 30) * 1_000, extra),
        online,
        memory,
      ).memory;
    }
    return memory;
  }

  test("nothing is said before it is earned, and then ITL 50 ms is at 80 requests a replica", () => {
    const early = run(scene(6, 40, 20_000), online, teach(6));
    expect(early.decision.slo?.model.reason).toBe("Learning");
    const { decision } = run(scene(30, 60, 20_000), online, teach(30));
    expect(decision.slo?.model.reason).toBe("Applied");
    // 120 requests in decode over 80 a replica.
    expect(decision.targets[1]?.demand?.replicas).toBeCloseTo(1.5, 1);
    expect(decision.targets[1]?.demand?.detail).toMatch(
      /120 requests in decode; one replica carries .* \(learned, confidence \d+ %/,
    );
  });

  test("a cache that is full before the latency is, is seen too: 60 requests at 90 % leave room for 50 and their variation", () => {
    const memory = teach(30);
    const one = scene(30, 60, 20_000);
    const [prefill = {}, decode = {}] = one.loads;
    // Long enough at this usage for the smoothed share to have followed.
    let result = run(one, online, memory);
    for (let tick = 30; tick < 45; tick++) {
      const loads = [prefill, { ...decode, kvCacheUsage: 0.9 }];
      result = run({ ...one, nowMs: tick * TICK_MS, loads }, online, result.memory);
    }
    const demand = result.decision.targets[1]?.demand;
    // Sized for the 95 % that must be in time: m + 1.645 √m = 60 at m = 48.5; 120 requests over that, and nothing kept back.
    expect(demand?.detail).toMatch(/120 requests in decode; one replica carries 48\.\d with a full KV cache \(learned/);
    expect(demand?.replicas).toBeCloseTo(2.47, 1);
  });

  test("replicas that start, and queues that drain, teach nothing", () => {
    expect(teach(30, { starting: 1 }).slo?.targets["decode"]?.samples.itl ?? []).toEqual([]);
    let memory = emptyMemory;
    for (let tick = 0; tick < 30; tick++) {
      const one = scene(tick, 10 + tick, 5_000);
      const loads = one.loads.map((load) => ({ ...load, waitingRequests: 100 }));
      memory = run({ ...one, loads }, online, memory).memory;
    }
    expect(memory.slo?.targets["decode"]?.samples.itl ?? []).toEqual([]);
  });

  test("with a profile, an engine that is slower than it is corrected for", () => {
    let memory = emptyMemory;
    const busy: Loads = [
      { ...chat(40)[0], waitingRequests: 0, timeToFirstToken: 0.9 },
      { ...chat(40)[1], waitingRequests: 0, runningRequests: 200, interTokenLatency: 0.08 },
    ];
    const first = run({ replicas: [2, 2], loads: busy });
    for (let tick = 0; tick < 60; tick++) {
      memory = run({ replicas: [2, 2], nowMs: tick * 15_000, loads: busy }, policyOf(), memory).memory;
    }
    const factor = memory.slo?.targets["decode"]?.corrections.itl?.factor ?? 0;
    expect(factor).toBeGreaterThan(1.3);
    expect(factor).toBeLessThanOrEqual(2);
    const last = run({ replicas: [2, 2], nowMs: 900_000, loads: busy }, policyOf(), memory);
    expect(last.decision.targets[1]?.demand?.replicas).toBeGreaterThan(
      first.decision.targets[1]?.demand?.replicas ?? 0,
    );
    expect(last.decision.targets[1]?.demand?.detail).toMatch(/ITL measured ×1\.\d\d|ITL measured ×2\.00/);
    expect(last.decision.slo?.goals.map(({ attainmentRatio }) => attainmentRatio)).toEqual([0, 0]);
  });

  test("a restart keeps it, and a clock that was set back drops what lies ahead", () => {
    const memory = teach(30);
    const resumed = resumeMemory(JSON.parse(JSON.stringify(memory)) as Memory, 30 * TICK_MS);
    expect(resumed.slo?.targets["decode"]?.samples).toEqual(memory.slo?.targets["decode"]?.samples);
    expect(resumeMemory(memory, 0).slo?.targets["decode"]?.samples.itl?.length).toBe(0);
  });
});

describe("laws", () => {
  const signal = fc.oneof(
    fc.constantFrom(0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e300, 1e-300),
    fc.double({ min: 0, max: 1e5, noNaN: true }),
  );
  const keys: readonly (keyof TargetLoad)[] = [
    "requestsPerSecond",
    "promptTokensPerSecond",
    "computedPromptTokensPerSecond",
    "generationTokensPerSecond",
    "runningRequests",
    "waitingRequests",
    "kvCacheUsage",
    "promptSpread",
    "timeToFirstToken",
    "interTokenLatency",
  ];
  const load = fc.dictionary(fc.constantFrom(...keys), signal, { maxKeys: 10 });

  test("whatever is measured, replicas are whole numbers in their bounds, and memory is bounded JSON", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(load, load, load, fc.nat(120_000)), { minLength: 1, maxLength: 12 }),
        fc.constantFrom<SloPolicy["source"]>("Profile", "Online", "None"),
        (ticks, source) => {
          const targets = [targetOf("prefill"), targetOf("decode"), targetOf("aggregated")];
          const policy = policyOf({ targets, slo: { ...GOALS, source } });
          let memory = emptyMemory;
          let replicas: readonly number[] = [3, 3, 3];
          ticks.forEach(([first, second, third, ageMs], tick) => {
            const scene = { replicas, loads: [first, second, third], ageMs, nowMs: tick * 30_000 };
            const result = run(scene, policy, memory);
            replicas = result.decision.targets.map((target) => target.desired);
            for (const count of replicas) {
              expect(Number.isInteger(count) && count >= 1 && count <= 100, String(count)).toBe(true);
            }
            memory = JSON.parse(JSON.stringify(result.memory)) as Memory;
            expect(memory.slo).toEqual(result.memory.slo);
          });
        },
      ),
    );
  });

  test("more requests of the same kind never ask for fewer replicas", () => {
    const rate = fc.double({ min: 0.1, max: 1_000, noNaN: true });
    fc.assert(
      fc.property(
        rate,
        rate,
        fc.integer({ min: 1, max: 50_000 }),
        fc.integer({ min: 1, max: 5_000 }),
        (a, b, input, output) => {
          const [low, high] = [Math.min(a, b), Math.max(a, b)];
          const less = desired({ replicas: [1, 1], loads: chat(low, input, output) });
          const more = desired({ replicas: [1, 1], loads: chat(high, input, output) });
          less.forEach((count, index) => {
            expect(more[index]).toBeGreaterThanOrEqual(count);
          });
        },
      ),
    );
  });
});

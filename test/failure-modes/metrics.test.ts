/** Failure modes of metrics, by their number in docs/failure-modes.md. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { conditionOf } from "../../src/api/kubernetes/conditions.ts";
import type { Decision } from "../../src/decide/decision.ts";
import type { MetricReading } from "../../src/decide/observation.ts";
import { Plant, policyOf, targetPolicy } from "../../src/decide/plant.fixture.ts";
import type { Policy } from "../../src/decide/policy.ts";
import type { Sample } from "../../src/observe/metrics-source.ts";
import { parseExpression } from "../../src/observe/promql-parse.ts";
import { escapeRegex, fillQuery } from "../../src/observe/query-text.ts";
import { seededRandom } from "../../src/random.ts";
import { constant, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { simulations } from "../sim/running.ts";
import { readExample, type Simulation } from "../sim/simulation.ts";

const start = simulations();
const MINUTE_MS = 60_000;

const alone = (overrides: Partial<Policy> = {}): Policy =>
  policyOf({ targets: [targetPolicy("decode")], ratios: [], ...overrides });
const one = (load: number, replicas: number): Plant => new Plant({ replicas: [replicas], loads: [load], gpus: [1] });
const ticks = (plant: Plant, policy: Policy, count: number): Decision[] =>
  Array.from({ length: count }, () => plant.tick(policy));
const reasons = ({ stages }: Decision): readonly string[] => stages.map(({ reason }) => reason);
const perReplica = (values: readonly (number | undefined)[], ageMs = 0): MetricReading => ({
  kind: "PerReplica",
  samples: values.map((value, at) => ({ replica: `${at}`, ...(value === undefined ? {} : { value, ageMs }) })),
});
const warm = { staleAfterMs: MINUTE_MS, minCoverageRatio: 0.7, warmUpMs: 2 * MINUTE_MS };

const steady = (requestsPerSecond: number, durationSeconds: number, seed: number) =>
  generateTraffic(
    [
      {
        durationSeconds,
        requestsPerSecond: constant(requestsPerSecond),
        input: { medianTokens: 1_000, spreadP90: 2 },
        output: { medianTokens: 900, spreadP90: 1.8 },
      },
    ],
    seededRandom(seed),
  );
const statusOf = async ({ world }: Simulation) =>
  (await world.api.get(SCALING_POLICIES, { namespace: "serving", name: "llama-70b" })).status;
const replicasOf = ({ decisions }: Simulation): readonly number[] =>
  (decisions.at(-1)?.targets ?? []).map(({ current }) => current);

describe("metrics that are not there", () => {
  test("F1 Prometheus is down: holds, falls back after N decisions, never down, and says so in conditions", async () => {
    const { spec, ...rest } = readExample<ScalingPolicy>("multinode-prefill-decode/policy.yaml", "ScalingPolicy");
    const policy: ScalingPolicy = {
      ...rest,
      spec: {
        ...spec,
        metricsPolicy: { ...spec.metricsPolicy, onMissing: "Fallback" },
        fallback: { failureThreshold: 8, behavior: "currentReplicasIfHigher", replicas: { frontend: 2 } },
      },
    };
    const simulation = await start({ seed: 201, policy });
    simulation.attach(steady(8, 1_800, 201));
    await simulation.clock.advance(300_000);
    simulation.world.dataPlane.stopScraping(true);
    // The last samples are good for as long as they are not stale.
    await simulation.clock.advance(90_000);
    const before = replicasOf(simulation);
    expect(conditionOf((await statusOf(simulation))?.conditions, "Degraded")).toMatchObject({ reason: "Hold" });
    await simulation.clock.advance(300_000);
    const status = await statusOf(simulation);
    expect(conditionOf(status?.conditions, "MetricsAvailable")?.status).toBe("False");
    expect(conditionOf(status?.conditions, "Degraded")).toMatchObject({ status: "True", reason: "Fallback" });
    const after = replicasOf(simulation);
    expect(after.every((replicas, index) => replicas >= (before[index] as number))).toBe(true);
    expect(
      simulation.decisions.at(-1)?.targets.find(({ name }) => name === "frontend")?.current,
    ).toBeGreaterThanOrEqual(2);
  });

  test("F2 a query that returns nothing is missing and not 0, and one that never returned anything says so", () => {
    const policy = alone();
    const plant = one(4, 4);
    plant.reading = () => ({ kind: "Total" });
    const first = plant.tick(policy);
    expect(reasons(first)).toContain("NeverSeen");
    expect(first.stages.find(({ reason }) => reason === "NeverSeen")?.detail).toContain("check the query");
    plant.reading = (load) => ({ kind: "Total", sample: { value: load, ageMs: 0 } });
    plant.tick(policy);
    plant.reading = () => ({ kind: "Total" });
    for (const decision of ticks(plant, policy, 20)) {
      expect(reasons(decision)).toContain("Missing");
      expect(reasons(decision)).not.toContain("NeverSeen");
    }
    expect(plant.totals).toEqual([4]);
  });

  test("F3 half of the replicas report: below the coverage nothing goes down; above it the silent ones count as on target", () => {
    const policy = alone();
    const plant = one(0, 4);
    plant.reading = () => perReplica([0.1, 0.1, undefined, undefined]);
    ticks(plant, policy, 5);
    expect(plant.totals).toEqual([4]);
    plant.reading = () => perReplica([0.1, 0.1, 0.1, undefined]);
    plant.tick(policy);
    expect(plant.totals).toEqual([2]);
  });

  test("F4 NaN and infinity are missing, not zero and not endless", () => {
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      const policy = alone();
      const plant = one(3, 3);
      plant.reading = () => perReplica([value, value, value]);
      for (const decision of ticks(plant, policy, 5)) expect(reasons(decision)).toContain("NonFinite");
      expect(plant.totals).toEqual([3]);
    }
  });

  test("F5 after a gap, and after a demand that fell by more than half at once, nothing goes down for the warm-up; a drop that stays is followed", () => {
    const policy = alone({ metricsPolicy: warm });
    const plant = one(8, 8);
    plant.tick(policy);
    // The server restarted: no gap that anybody saw, and windows that have just begun.
    plant.loads = [1];
    const held = ticks(plant, policy, 8);
    for (const { message } of held) expect(message).toContain("fell by more than half at once");
    expect(plant.totals).toEqual([8]);
    plant.tick(policy);
    expect(plant.totals).toEqual([1]);
    const gone = one(4, 4);
    gone.tick(policy);
    gone.reading = () => ({ kind: "Error", reason: "Unreachable", message: "" });
    ticks(gone, policy, 6);
    gone.reading = () => ({ kind: "Total", sample: { value: 1, ageMs: 0 } });
    for (const { message } of ticks(gone, policy, 8)) expect(message).toContain("back after a gap");
    gone.tick(policy);
    expect(gone.totals).toEqual([1]);
  });

  test("F6 samples from the future are not used, and a wall clock that jumps moves nothing", () => {
    const policy = alone();
    const plant = one(4, 4);
    plant.reading = () => perReplica([0.1, 0.1, 0.1, 0.1], -MINUTE_MS);
    for (const decision of ticks(plant, policy, 3)) expect(reasons(decision)).toContain("Stale");
    expect(plant.totals).toEqual([4]);
    const windowed = alone({
      targets: [
        targetPolicy("decode", {
          behavior: {
            ...targetPolicy("decode").behavior,
            scaleDown: { ...targetPolicy("decode").behavior.scaleDown, stabilizationWindowMs: 5 * MINUTE_MS },
          },
        }),
      ],
    });
    const skewed = one(4, 4);
    const { observe } = skewed;
    skewed.tick(windowed);
    skewed.loads = [1];
    skewed.observe = function (of) {
      return { ...observe.call(this, of), nowMs: this.nowMs + 86_400_000 };
    };
    ticks(skewed, windowed, 10);
    expect(skewed.totals).toEqual([4]);
  });

  test("F7 samples older than staleAfter are missing: nothing goes down on them", () => {
    const policy = alone();
    const plant = one(0, 4);
    plant.reading = () => perReplica([0, 0, 0, 0], 90_000);
    for (const decision of ticks(plant, policy, 5)) expect(reasons(decision)).toContain("Stale");
    expect(plant.totals).toEqual([4]);
  });

  test("F8 a metric that flaps across its target moves nothing within the tolerance, and ever less beyond it", () => {
    const policy = alone({ flapBudget: { reversals: 2, perMs: 60 * MINUTE_MS } });
    const plant = one(10, 10);
    for (let tick = 0; tick < 40; tick++) {
      plant.loads = [tick % 2 === 0 ? 9.5 : 10.5];
      plant.tick(policy);
    }
    expect(plant.totals).toEqual([10]);
    let writes = 0;
    for (let minute = 0; minute < 40; minute++) {
      plant.loads = [minute % 2 === 0 ? 16 : 9];
      for (const { transition } of ticks(plant, policy, 4)) writes += transition.now.length;
    }
    expect(writes).toBeLessThanOrEqual(4);
  });

  test("F29 a forecast that is wrong raises at most to twice the demand, is ignored once its error is large, and never lowers", () => {
    const policy = alone({
      forecast: {
        enabled: true,
        method: "LinearTrend",
        seasonMs: 86_400_000,
        horizonMs: 2 * MINUTE_MS,
        maxErrorRatio: 0.2,
        quantile: 0.5,
      },
    });
    const plant = one(1, 1);
    let isDistrusted = false;
    for (let tick = 0; tick < 160; tick++) {
      // A saw: every trend that it shows is over when its forecast is due.
      plant.loads = [1 + (tick % 8)];
      const { targets } = plant.tick(policy);
      const { demand, forecast } = targets[0] ?? {};
      expect(forecast?.replicas).toBeGreaterThanOrEqual(demand?.replicas ?? Infinity);
      expect(forecast?.replicas).toBeLessThanOrEqual(2 * (demand?.replicas ?? 0));
      if (forecast?.isTrusted === false) {
        isDistrusted = true;
        expect(forecast.replicas).toBe(demand?.replicas);
      }
    }
    expect(isDistrusted).toBe(true);
  });

  test("F31 no name can end a string of a query and smuggle in a matcher, whatever it is made of", () => {
    const signs = [
      '"',
      "'",
      "`",
      "\\",
      "\n",
      "\r",
      "}",
      "{",
      ",",
      "#",
      " or ",
      "vector(1e9)",
      "\u0000",
      "é",
      "$1",
      "$&",
    ];
    const hostile = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...signs) }));
    fc.assert(
      fc.property(hostile, hostile, (namespace, pod) => {
        const podRegex = escapeRegex(pod);
        const whole = parseExpression(fillQuery("sum(load{{{selector}}})", { namespace, podRegex }));
        const byPart = parseExpression(
          fillQuery('sum(load{namespace="{{namespace}}",pod=~"{{podRegex}}"})', { namespace, podRegex }),
        );
        for (const query of [whole, byPart])
          expect(query).toMatchObject({
            kind: "aggregate",
            expr: {
              kind: "vector",
              selector: {
                matchers: [
                  { label: "__name__", op: "=", value: "load" },
                  { label: "namespace", op: "=", value: namespace },
                  { label: "pod", op: "=~", value: podRegex },
                ],
              },
            },
          });
      }),
    );
  });

  test("F31 what strangers export under our names changes no decision", async () => {
    const decided = async (isPoisoned: boolean): Promise<readonly string[]> => {
      let strangers = 0;
      const poisoned = (promql: string, samples: readonly Sample[]): readonly Sample[] =>
        samples.flatMap((sample) => {
          const { pod } = sample.labels;
          if (pod === undefined) return [sample];
          // A sum of a policy's own is over whatever matches its selector, as in Prometheus; the presets know the live pods.
          const alike = promql.includes("requests_started_total") ? [] : [`${pod}0`, `${pod}"} or vector(1e9) #`];
          const others = [`miner-${pod}`, pod.slice(1), ...alike];
          strangers += others.length;
          return [
            ...others.map((name) => ({ ...sample, labels: { ...sample.labels, pod: name }, value: 1e12 })),
            { ...sample, labels: { ...sample.labels, namespace: "strangers" }, value: 1e12 },
            sample,
          ];
        });
      const simulation = await start({
        seed: 231,
        metricsSource: (source) => ({
          ...source,
          query: async (promql, options) => {
            const samples = await source.query(promql, options);
            return isPoisoned ? poisoned(promql, [...samples]) : samples;
          },
        }),
      });
      simulation.attach(steady(8, 600, 231));
      await simulation.clock.advance(240_000);
      if (isPoisoned) expect(strangers).toBeGreaterThan(100);
      return simulation.decisions.map(({ atMs, desired }) => JSON.stringify([atMs, desired]));
    };
    expect(await decided(true)).toEqual(await decided(false));
  });

  test("F31 values beyond all reason move a target at its rate and to its bounds only, and no longer than they last", async () => {
    let factor = 1;
    const simulation: Simulation = await start({
      seed: 232,
      metricsSource: (source) => ({
        ...source,
        query: async (promql, options) =>
          [...(await source.query(promql, options))].map((sample) => ({ ...sample, value: sample.value * factor })),
      }),
    });
    const { spec } = simulation.policy;
    simulation.attach(steady(4, 3_600, 232));
    await simulation.clock.advance(300_000);
    const before = replicasOf(simulation);
    for (const poison of [1e300, -1e300, Number.NaN, Number.POSITIVE_INFINITY]) {
      factor = poison;
      const from = simulation.decisions.length;
      await simulation.clock.advance(120_000);
      for (const { message, desired, budget, transition } of simulation.decisions.slice(from)) {
        expect(message).not.toMatch(/NaN|Infinity|e\+\d/);
        expect(budget.gpusMax).toBeLessThanOrEqual(spec.gpuBudget.max ?? 0);
        const max = spec.scaleTargets.map(({ maxReplicas }) => maxReplicas);
        for (const vector of desired.perSet)
          expect(vector.every((replicas, index) => replicas <= (max[index] ?? 0))).toBe(true);
        for (const { from: had, to } of transition.now) expect(to - had).toBeLessThanOrEqual(Math.max(2, had));
      }
    }
    factor = 1;
    await simulation.clock.advance(1_500_000);
    expect(replicasOf(simulation)).toEqual(before);
  });
});

/** Failure modes of the API server, of controllers and of people, by their number in docs/failure-modes.md. */
import { describe, expect, test } from "vitest";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { POD_CLIQUE_SCALING_GROUPS } from "../../src/api/grove/pod-clique-scaling-group.ts";
import { POD_CLIQUE_SETS } from "../../src/api/grove/pod-clique-set.ts";
import { conditionOf } from "../../src/api/kubernetes/conditions.ts";
import { LEASES } from "../../src/api/kubernetes/core.ts";
import { startAutoscaler } from "../../src/autoscaler/controller.ts";
import type { Decision } from "../../src/decide/decision.ts";
import { settleIntent, withIntent } from "../../src/decide/intent.ts";
import { resumeMemory } from "../../src/decide/memory.ts";
import { Plant, policyOf, targetPolicy } from "../../src/decide/plant.fixture.ts";
import { memoryCheckpoints } from "../../src/jobs/checkpoint-store.ts";
import { inProcessQueue } from "../../src/jobs/evaluation-queue.ts";
import { ApiError } from "../../src/kube/api-error.ts";
import type { KubeApi } from "../../src/kube/kube-api.ts";
import { type Leadership, startLeaderElection } from "../../src/kube/lease.ts";
import { seededRandom } from "../../src/random.ts";
import { constant, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { simulations } from "../sim/running.ts";
import type { Simulation } from "../sim/simulation.ts";

const start = simulations();
const key = { namespace: "serving", name: "llama-70b" };
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
const policyIn = ({ world }: Simulation): Promise<ScalingPolicy> => world.api.get(SCALING_POLICIES, key);
const current = ({ decisions }: Simulation, name: string): number =>
  decisions.at(-1)?.targets.find((one) => one.name === name)?.current ?? 0;

describe("the API server", () => {
  test("F10 the API server takes no writes for a while: nothing is kept back, and what is written after is decided after", async () => {
    let isDown = false;
    const written: { readonly replicas: number; readonly atMs: number }[] = [];
    const simulation: Simulation = await start({
      seed: 301,
      autoscalerApi: (api) => ({
        ...api,
        async setScale(resource, name, replicas, options) {
          if (isDown) throw new ApiError(503, "ServiceUnavailable", "the server is starting");
          written.push({ replicas, atMs: simulation.clock.nowMs() });
          return api.setScale(resource, name, replicas, options);
        },
      }),
    });
    simulation.attach(steady(16, 1_800, 301));
    isDown = true;
    await simulation.clock.advance(240_000);
    expect(written).toEqual([]);
    expect(simulation.decisions.at(-1)?.outcome).toBe("Failed");
    expect(conditionOf((await policyIn(simulation)).status?.conditions, "AbleToScale")).toMatchObject({
      status: "False",
      reason: "Failed",
    });
    isDown = false;
    await simulation.clock.advance(60_000);
    expect(written.length).toBeGreaterThan(0);
    for (const { replicas, atMs } of written) {
      const decision = simulation.decisions.findLast((one) => one.atMs <= atMs);
      expect(decision?.transition.now.map(({ to }) => to)).toContain(replicas);
      expect(atMs - (decision?.atMs ?? 0)).toBeLessThan(15_000);
    }
  });

  test("F10 statuses that cannot be written take nothing from the pace of decisions, nor a scale action", async () => {
    let isRefused = false;
    const written: number[] = [];
    const simulation: Simulation = await start({
      seed: 303,
      autoscalerApi: (api) => ({
        ...api,
        async patch(resource, ...rest) {
          if (isRefused && resource.plural === SCALING_POLICIES.plural)
            throw new ApiError(403, "Forbidden", "scalingpolicies/status may not be patched");
          return api.patch(resource, ...rest);
        },
        async setScale(...all) {
          written.push(simulation.clock.nowMs());
          return api.setScale(...all);
        },
      }),
    });
    simulation.attach(
      generateTraffic(
        [2, 24].map((rate) => ({
          durationSeconds: 900,
          requestsPerSecond: constant(rate),
          input: { medianTokens: 1_000, spreadP90: 2 },
          output: { medianTokens: 900, spreadP90: 1.8 },
        })),
        seededRandom(303),
      ),
    );
    await simulation.clock.advance(300_000);
    isRefused = true;
    const before = simulation.decisions.length;
    await simulation.clock.advance(600_000);
    expect(simulation.decisions.length - before).toBeGreaterThanOrEqual(38);
    const roseAtMs = simulation.clock.nowMs();
    await simulation.clock.advance(90_000);
    expect(written.some((atMs) => atMs > roseAtMs)).toBe(true);
    const refusedUntil = Number(simulation.decisions.at(-1)?.id);
    isRefused = false;
    await simulation.clock.advance(30_000);
    expect(Number((await policyIn(simulation)).status?.lastDecision?.id)).toBeGreaterThan(refusedUntil);
  });

  test("F10 the API server answers after 20 s: no leg goes out once the next decision is due, and replicas follow the load all the same", async () => {
    let isSlow = false;
    const sent: { readonly replicas: number; readonly atMs: number }[] = [];
    /** Also those of turns that were given up. */
    const decided: Decision[] = [];
    const local = inProcessQueue();
    const simulation: Simulation = await start({
      seed: 309,
      evaluations: {
        ...local,
        async evaluate(evaluation) {
          const result = await local.evaluate(evaluation);
          decided.push(result.decision);
          return result;
        },
      },
      autoscalerApi: (api) => {
        const late = async <T>(request: () => Promise<T>): Promise<T> => {
          if (!isSlow) return request();
          await simulation.clock.sleep(10_000);
          const answer = await request();
          await simulation.clock.sleep(10_000);
          return answer;
        };
        return {
          ...api,
          get: (...all) => late(() => api.get(...all)),
          patch: (...all) => late(() => api.patch(...all)),
          setScale(resource, name, replicas, options) {
            if (isSlow) sent.push({ replicas, atMs: simulation.clock.nowMs() });
            return late(() => api.setScale(resource, name, replicas, options));
          },
        };
      },
    });
    isSlow = true;
    simulation.attach(steady(16, 1_800, 309));
    await simulation.clock.advance(600_000);
    expect(current(simulation, "decode")).toBeGreaterThan(1);
    expect(sent.length).toBeGreaterThan(5);
    for (const { replicas, atMs } of sent) {
      const decision = decided.findLast((one) => one.atMs <= atMs);
      expect(decision?.transition.now.map(({ to }) => to)).toContain(replicas);
      expect(atMs - (decision?.atMs ?? 0)).toBeLessThan(15_000);
    }
    expect(simulation.monitor.report()).toMatchObject({ ratioViolationSeconds: 0, budgetViolationSeconds: 0 });
  });

  test("F22 one leg of a pair is refused: the other is re-planned from what there is, the ratio holds throughout, and both arrive in the end", async () => {
    let refusesDecode = true;
    const simulation = await start({
      seed: 302,
      autoscalerApi: (api) => ({
        ...api,
        async setScale(resource, name, replicas, options) {
          if (refusesDecode && name.name.endsWith("decode"))
            throw new ApiError(409, "Conflict", "the object has been modified");
          return api.setScale(resource, name, replicas, options);
        },
      }),
    });
    simulation.attach(steady(16, 1_800, 302));
    await simulation.clock.advance(300_000);
    expect(current(simulation, "decode")).toBe(1);
    expect(simulation.decisions.some(({ stages }) => stages.some(({ reason }) => reason === "Conflict"))).toBe(true);
    expect(simulation.monitor.report()).toMatchObject({ ratioViolationSeconds: 0, budgetViolationSeconds: 0 });
    refusesDecode = false;
    await simulation.clock.advance(300_000);
    expect(current(simulation, "decode")).toBeGreaterThan(1);
    expect(simulation.monitor.report()).toMatchObject({ ratioViolationSeconds: 0, budgetViolationSeconds: 0 });
  });
});

describe("controllers", () => {
  test("F11 killed between the intent and the answer: the write that is found done counts, the one that is not does not, and nothing goes down for one window", () => {
    const policy = policyOf({
      ratios: [],
      targets: ["prefill", "decode"].map((name) =>
        targetPolicy(name, {
          behavior: {
            scaleUp: {
              ...targetPolicy(name).behavior.scaleUp,
              policies: [{ type: "Pods", value: 2, periodMs: 600_000 }],
            },
            scaleDown: { ...targetPolicy(name).behavior.scaleDown, stabilizationWindowMs: 300_000 },
          },
        }),
      ),
    });
    const plant = new Plant({ replicas: [1, 1], loads: [3, 3] });
    const decision = plant.tick(policy, false);
    expect(decision.transition.now.map(({ to }) => to)).toEqual([3, 3]);
    const checkpoint = withIntent(plant.memory, { id: decision.id, atMs: 0, writes: decision.transition.now });
    // The process died after the first leg.
    plant.sets[0]?.replicas.splice(0, 1, 3);
    plant.sets[0]?.readyAtMs[0]?.push(0, 0);
    const stored = JSON.parse(JSON.stringify(checkpoint)) as typeof checkpoint;
    plant.memory = settleIntent(resumeMemory(stored, plant.nowMs), policy, plant.observe(policy));
    plant.loads = [8, 8];
    plant.tick(policy);
    // Two replicas in ten minutes: prefill has had its two, decode has not.
    expect(plant.totals).toEqual([3, 3]);
    expect(plant.memory.intent).toBeUndefined();
    plant.memory = resumeMemory(JSON.parse(JSON.stringify(plant.memory)) as typeof checkpoint, plant.nowMs);
    plant.loads = [1, 1];
    for (let tick = 0; tick < 20; tick++) {
      plant.tick(policy);
      expect(plant.totals).toEqual([3, 3]);
    }
    plant.tick(policy);
    plant.tick(policy);
    expect(plant.totals).toEqual([1, 1]);
  });

  test("F11 the intent is in the checkpoint before the write goes out, also where the checkpoint is in the status", async () => {
    const seen: boolean[] = [];
    const simulation: Simulation = await start({
      seed: 303,
      checkpoints: "status",
      autoscalerApi: (api) => ({
        ...api,
        async setScale(resource, name, replicas, options) {
          const { status } = await api.get(SCALING_POLICIES, key);
          seen.push(status?.checkpoint?.includes(`"objectName":"${name.name}"`) === true);
          return api.setScale(resource, name, replicas, options);
        },
      }),
    });
    simulation.attach(steady(16, 900, 303));
    await simulation.clock.advance(240_000);
    expect(seen.length).toBeGreaterThan(0);
    expect(seen).not.toContain(false);
  });

  test("F12 two controllers: only the one with the lease writes; one that loses it while it decides is refused at the gate, and the other goes on", async () => {
    const leases: Partial<Record<"a" | "b", Leadership>> = {};
    const written: { readonly by: string; readonly holder: string | undefined }[] = [];
    let isCut = false;
    let losesLease = false;
    const local = inProcessQueue();
    const lease = { namespace: "serving", name: "grove-autoscaler" };
    const noting =
      (by: "a" | "b") =>
      (api: KubeApi): KubeApi => ({
        ...api,
        async setScale(resource, name, replicas, options) {
          written.push({ by, holder: (await api.get(LEASES, lease)).spec?.holderIdentity });
          return api.setScale(resource, name, replicas, options);
        },
      });
    const simulation: Simulation = await start({
      seed: 307,
      isLeader: () => leases.a?.isLeader() ?? false,
      autoscalerApi: noting("a"),
      evaluations: {
        ...local,
        async evaluate(evaluation) {
          const result = await local.evaluate(evaluation);
          if (!losesLease || result.decision.transition.now.length === 0) return result;
          // It decides for longer than its lease lasts, and cannot renew it meanwhile.
          isCut = true;
          await simulation.clock.sleep(12_000);
          return result;
        },
      },
    });
    const { world, clock } = simulation;
    const life = new AbortController();
    const elect = (identity: "a" | "b", api: KubeApi): void => {
      leases[identity] = startLeaderElection({
        ...lease,
        api,
        identity,
        clock,
        random: seededRandom(307),
        signal: life.signal,
      });
    };
    try {
      elect("a", {
        ...world.api,
        get: (...request) => (isCut ? Promise.reject(new Error("connection timed out")) : world.api.get(...request)),
      });
      await clock.advance(1_000);
      elect("b", world.api);
      const second = startAutoscaler({
        api: noting("b")(world.api),
        metricsSource: world.metricsSource,
        evaluations: inProcessQueue(),
        checkpoints: memoryCheckpoints(),
        clock,
        random: seededRandom(308),
        signal: life.signal,
        isLeader: () => leases.b?.isLeader() ?? false,
      });
      await clock.settle();
      await second.ready;
      simulation.attach(steady(16, 400, 307));
      await clock.advance(390_000);
      expect(new Set(written.map(({ by }) => by))).toEqual(new Set(["a"]));
      losesLease = true;
      const before = written.length;
      simulation.attach(steady(40, 900, 308));
      await clock.advance(300_000);
      const refused = simulation.decisions.filter(({ stages }) => stages.some(({ reason }) => reason === "LeaseLost"));
      expect(refused.map(({ outcome }) => outcome)).toEqual(["Failed"]);
      const after = written.slice(before);
      expect(after.length).toBeGreaterThan(0);
      expect(new Set(after.map(({ by }) => by))).toEqual(new Set(["b"]));
      expect(written.filter(({ by, holder }) => by !== holder)).toEqual([]);
    } finally {
      life.abort();
    }
  });

  test("F32 a policy whose metrics never answer is decided in its time and starves no other", async () => {
    const simulation = await start({
      seed: 304,
      metricsSource: (source) => ({
        ...source,
        query: (promql, options) =>
          promql.includes("hangs") ? new Promise(() => undefined) : source.query(promql, options),
      }),
    });
    const { spec } = simulation.policy;
    const hung = spec.scaleTargets.map((target) => ({
      ...target,
      metrics: [
        {
          type: "Prometheus" as const,
          prometheus: { query: "sum(hangs)", target: { type: "AverageValue" as const, averageValue: "1" } },
          advisoryOnly: false,
        },
      ],
    }));
    for (let index = 0; index < 12; index++) {
      const metadata = { namespace: "serving", name: `hung-${index}` };
      const set = { ...simulation.workload, metadata };
      await simulation.world.api.create(POD_CLIQUE_SETS, set);
      await simulation.world.api.create(SCALING_POLICIES, {
        ...simulation.policy,
        metadata,
        spec: { ...spec, targetRef: { ...spec.targetRef, name: metadata.name }, scaleTargets: hung },
      });
    }
    simulation.attach(steady(8, 900, 304));
    const isGood = (): number =>
      simulation.decisions.filter(({ targets }) => targets.some(({ demand }) => demand?.isUnknown === false)).length;
    const before = isGood();
    await simulation.clock.advance(300_000);
    expect(isGood() - before).toBeGreaterThanOrEqual(10);
    const status = (await simulation.world.api.get(SCALING_POLICIES, { namespace: "serving", name: "hung-0" })).status;
    expect(conditionOf(status?.conditions, "Degraded")).toMatchObject({ status: "True", reason: "Hold" });
  });
});

describe("turns that fail", () => {
  test("F32 a policy whose turns fail for long is decided within a minute of their end, and no other waits for it", async () => {
    const local = inProcessQueue();
    let isBroken = false;
    const turns: string[] = [];
    const simulation: Simulation = await start({
      seed: 311,
      onDecision: (policy) => turns.push(policy),
      evaluations: {
        ...local,
        evaluate: (evaluation) =>
          isBroken && evaluation.policy.mode === "Active"
            ? Promise.reject(new Error("the queue is gone"))
            : local.evaluate(evaluation),
      },
    });
    await simulation.world.api.create(SCALING_POLICIES, {
      ...simulation.policy,
      metadata: { namespace: "serving", name: "other" },
      spec: { ...simulation.policy.spec, mode: "Shadow" },
    });
    await simulation.clock.advance(1_000);
    const decided = (policy: string): number => turns.filter((one) => one === `serving/${policy}`).length;
    isBroken = true;
    const [before, othersBefore] = [decided("llama-70b"), decided("other")];
    await simulation.clock.advance(1_200_000);
    expect(decided("llama-70b")).toBe(before);
    expect(decided("other") - othersBefore).toBeGreaterThanOrEqual(75);
    isBroken = false;
    await simulation.clock.advance(60_000);
    expect(decided("llama-70b")).toBeGreaterThan(before);
  });
});

describe("many policies", () => {
  test("F24 policies that started together do not turn together for ever", async () => {
    const turns: { readonly policy: string; readonly atMs: number }[] = [];
    const simulation: Simulation = await start({
      seed: 310,
      onDecision: (policy) => turns.push({ policy, atMs: simulation.clock.nowMs() }),
    });
    const count = 16;
    for (let index = 0; index < count; index++)
      await simulation.world.api.create(SCALING_POLICIES, {
        ...simulation.policy,
        metadata: { namespace: "serving", name: `shadow-${index}` },
        spec: { ...simulation.policy.spec, mode: "Shadow" },
      });
    /** Of the last turn of each shadow: how many were in the same second. */
    const together = (): number => {
      const last = new Map(turns.map(({ policy, atMs }) => [policy, atMs]));
      last.delete("serving/llama-70b");
      expect(last.size).toBe(count);
      const perSecond = Map.groupBy(last.values(), (atMs) => Math.floor(atMs / 1_000));
      return Math.max(...[...perSecond.values()].map((one) => one.length));
    };
    await simulation.clock.advance(10_000);
    expect(together()).toBe(count);
    await simulation.clock.advance(600_000);
    expect(together()).toBeLessThanOrEqual(count / 3);
  });
});

describe("people", () => {
  test("F15 a spec that stops being valid: the last good one goes on deciding, Ready=False names the field, and Paused still pauses", async () => {
    const simulation = await start({ seed: 305 });
    simulation.attach(steady(16, 1_800, 305));
    const query = { query: "sum(rate(x[1m])", target: { type: "AverageValue", averageValue: "1" } };
    const { scaleTargets } = simulation.policy.spec;
    const broken = scaleTargets.map((target, at) =>
      at === 0 ? { ...target, metrics: [{ type: "Prometheus", prometheus: query, advisoryOnly: false }] } : target,
    );
    await simulation.world.api.patch(SCALING_POLICIES, key, { spec: { scaleTargets: broken } }, { type: "merge" });
    await simulation.clock.advance(400_000);
    const ready = conditionOf((await policyIn(simulation)).status?.conditions, "Ready");
    expect(ready).toMatchObject({ status: "False", reason: "InvalidQuery" });
    expect(ready?.message).toMatch(/spec\.scaleTargets\[0\].*generation 1 is decided with/);
    expect(current(simulation, "decode")).toBeGreaterThan(1);
    await simulation.world.api.patch(SCALING_POLICIES, key, { spec: { mode: "Paused" } }, { type: "merge" });
    await simulation.clock.advance(60_000);
    const decode = { namespace: "serving", name: "llama-70b-0-decode" };
    const { spec } = await simulation.world.api.get(POD_CLIQUE_SCALING_GROUPS, decode);
    await simulation.clock.advance(400_000);
    expect((await simulation.world.api.get(POD_CLIQUE_SCALING_GROUPS, decode)).spec.replicas).toBe(spec.replicas);
    expect(conditionOf((await policyIn(simulation)).status?.conditions, "ScalingActive")?.reason).toBe("Paused");
  });
});

/** Failure modes of capacity, starting and budgets, by their number in docs/failure-modes.md. */
import { describe, expect, test } from "vitest";
import { admit } from "../../src/api/admission.ts";
import { SCALING_POLICIES } from "../../src/api/autoscaling/scaling-policy.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../../src/api/grove/pod-clique-set.ts";
import { conditionOf } from "../../src/api/kubernetes/conditions.ts";
import { EVENTS } from "../../src/api/kubernetes/core.ts";
import type { Decision } from "../../src/decide/decision.ts";
import { instant, Plant, policyOf, targetPolicy } from "../../src/decide/plant.fixture.ts";
import type { Policy } from "../../src/decide/policy.ts";
import { seededRandom } from "../../src/random.ts";
import { constant, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { simulations } from "../sim/running.ts";
import { readExample } from "../sim/simulation.ts";

const start = simulations();

const MINUTE_MS = 60_000;
const alone = (overrides: Partial<Policy> = {}): Policy =>
  policyOf({ targets: [targetPolicy("decode")], ratios: [], ...overrides });
const one = (load: number, replicas: number, startMs = 0): Plant =>
  new Plant({ replicas: [replicas], loads: [load], gpus: [1], startMs });
const ticks = (plant: Plant, policy: Policy, count: number): Decision[] =>
  Array.from({ length: count }, () => plant.tick(policy));
const reasons = ({ stages }: Decision): readonly string[] => stages.map(({ reason }) => reason);

describe("capacity", () => {
  test("F16 pods that find no node: given back after the timeout, partners follow inside the ratio, and tried again after a time that doubles", () => {
    const { coldStart } = policyOf();
    const policy = policyOf({ coldStart: { ...coldStart, pendingTimeoutMs: 5 * MINUTE_MS } });
    const plant = new Plant({ replicas: [1, 1], loads: [4, 8] });
    let sinceMs = 0;
    plant.change = (object, target) => {
      if (target !== 0) return object;
      const waiting = Math.max(0, object.replicas - 1);
      const late = plant.nowMs - sinceMs > 5 * MINUTE_MS ? waiting : 0;
      return { ...object, ready: 1, starting: 0, pending: waiting, overdue: late, overdueUnplaced: late };
    };
    const attemptsMinutes: number[] = [];
    let isPendingSaid = false;
    for (let tick = 0; tick < 600; tick++) {
      const [before = 0] = plant.totals;
      const decision = plant.tick(policy);
      const [after = 0] = plant.totals;
      if (before === 1 && after > before) {
        sinceMs = plant.nowMs;
        attemptsMinutes.push(plant.nowMs / MINUTE_MS);
      }
      if (after < before) {
        isPendingSaid = reasons(decision).includes("CapacityPending");
        // One prefill carries four of decode.
        expect(plant.totals).toEqual([1, 4]);
      }
      expect(decision.ratios[0]?.desiredWithinBand).toBe(true);
    }
    expect(isPendingSaid).toBe(true);
    const [, second = 0, third = 0, fourth = 0, fifth = 0] = attemptsMinutes;
    expect(attemptsMinutes.length).toBe(5);
    // Between attempts: the timeout, and a pause of 5, 10, 20, 40 minutes.
    expect([third - second, fourth - third, fifth - fourth].map((minutes) => 5 * Math.round(minutes / 5))).toEqual([
      15, 25, 45,
    ]);
  });

  test("F18 a budget below the minimum: the minimum viable set stays, and the decision says BudgetInfeasible", () => {
    const policy = policyOf({ gpuBudgetMax: 1 });
    const plant = new Plant({ replicas: [1, 1], loads: [3, 3] });
    for (const { budget } of ticks(plant, policy, 10)) expect(budget.isInfeasible).toBe(true);
    expect(plant.totals).toEqual([1, 1]);
  });

  test("F19 unknown GPU cost under a budget: nothing grows, and downs are still made", () => {
    const policy = alone({ gpuBudgetMax: 8 });
    const plant = new Plant({ replicas: [3], loads: [8], gpus: [undefined as unknown as number] });
    const { observe } = plant;
    plant.observe = function (of) {
      const seen = observe.call(this, of);
      return { ...seen, gpusInUse: 3, targets: seen.targets.map(({ gpusPerReplica: _, ...rest }) => rest) };
    };
    for (const decision of ticks(plant, policy, 5)) expect(decision.budget.isUnknown).toBe(true);
    expect(plant.totals).toEqual([3]);
    plant.loads = [1];
    plant.tick(policy);
    expect(plant.totals).toEqual([1]);
  });

  test.each([
    ["pods of its own", { gpusUnknown: "pod llm-0-decode-1" }, "the GPUs of pod llm-0-decode-1 are unknown"],
    [
      "pods of another member of a shared budget",
      { sharedGpusUnknown: "ScalingPolicy serving/chat (pod chat-0-decode-1)", gpusGranted: 3 },
      "what the shared GPUBudget has left is unknown, because of ScalingPolicy serving/chat (pod chat-0-decode-1)",
    ],
  ])("F19 %s whose GPUs are unknown: nothing grows under a budget, and downs are still made", (_, unknown, why) => {
    const policy = alone({ gpuBudgetMax: 8 });
    const plant = new Plant({ replicas: [3], loads: [8], gpus: [1] });
    const { observe } = plant;
    plant.observe = function (of) {
      return { ...observe.call(this, of), ...unknown };
    };
    for (const decision of ticks(plant, policy, 5)) {
      expect(decision).toMatchObject({ outcome: "Limited", reason: "GPUCostUnknown" });
      expect(decision.stages.find(({ stage }) => stage === "arbitrate")?.detail).toContain(why);
    }
    expect(plant.totals).toEqual([3]);
    plant.loads = [1];
    plant.tick(policy);
    expect(plant.totals).toEqual([1]);
  });

  test("F20 most of a target is lost: downs of all its partners freeze, ups go on, the floor is kept, and after recovery there is a cooldown", () => {
    const policy = policyOf({
      ratios: [],
      metricsPolicy: { staleAfterMs: MINUTE_MS, minCoverageRatio: 0.7, warmUpMs: 2 * MINUTE_MS },
    });
    const plant = new Plant({ replicas: [4, 4], loads: [4, 4] });
    plant.tick(policy);
    let isLost = true;
    plant.change = (object, target) =>
      isLost && target === 1 ? { ...object, ready: 1, starting: 0, pending: object.replicas - 1, overdue: 0 } : object;
    // Prefill sees only what decode still lets through.
    plant.loads = [2.5, 2.5];
    for (const { message } of ticks(plant, policy, 8)) expect(message).toContain("most of decode is not ready");
    expect(plant.totals).toEqual([4, 4]);
    plant.loads = [2.5, 6];
    plant.tick(policy);
    expect(plant.totals).toEqual([4, 6]);
    isLost = false;
    plant.loads = [2.5, 3.5];
    const after = ticks(plant, policy, 8);
    expect(after[0]?.message).toContain("decode was lost and is back");
    expect(plant.totals).toEqual([4, 6]);
    ticks(plant, policy, 3);
    expect(plant.totals).toEqual([3, 4]);
  });

  test("F21 the gang floor: no decision is below minAvailable, whatever the policy's minimum or the load", () => {
    const policy = alone({ targets: [targetPolicy("decode", { minReplicas: 0 })] });
    const plant = one(0, 5);
    plant.minAvailable = 3;
    const [first] = ticks(plant, policy, 10);
    expect(reasons(first as Decision)).toContain("MinimumViableSet");
    expect(plant.totals).toEqual([3]);
  });

  test("F25 replicas that start together: no more than maxConcurrentStarting at once", () => {
    const { coldStart } = alone();
    const policy = alone({ coldStart: { ...coldStart, maxConcurrentStarting: 2 } });
    const plant = one(9, 1, MINUTE_MS);
    for (let tick = 0; tick < 40; tick++) {
      plant.tick(policy);
      const object = plant.observe(policy).targets[0]?.objects[0];
      expect(object?.starting).toBeLessThanOrEqual(2);
    }
    expect(plant.totals).toEqual([9]);
  });

  test("F26 overshoot while starting: what starts counts as capacity, and a queue at most doubles what serves", () => {
    const policy = alone({
      targets: [
        targetPolicy("decode", {
          metrics: [
            { label: "waiting", targetType: "AverageValue", targetValue: 1, isBacklog: true, advisoryOnly: false },
          ],
        }),
      ],
    });
    const plant = one(0, 2, 5 * MINUTE_MS);
    let queue = 50;
    plant.reading = () => ({ kind: "Total", sample: { value: queue, ageMs: 0 } });
    for (let tick = 0; tick < 18; tick++) {
      queue += 50;
      plant.tick(policy);
      expect(plant.totals[0]).toBeLessThanOrEqual(4);
    }
    expect(plant.totals).toEqual([4]);
  });

  test("F27 scale to zero without a wake signal: refused without a demandQuery, and one that has no value at zero wakes the set for good", () => {
    const example = readExample<never>("multinode-prefill-decode/policy.yaml", "ScalingPolicy") as { spec: object };
    const { errors } = admit({
      operation: "CREATE",
      object: { ...example, spec: { ...example.spec, scaleToZero: { enabled: true } } } as never,
    });
    expect(errors.map(({ field }) => field)).toContain("spec.scaleToZero.demandQuery");
    const policy = policyOf({ scaleToZero: { targets: ["prefill", "decode"], idleWindowMs: 5 * MINUTE_MS } });
    const plant = new Plant({ replicas: [1, 1], loads: [0, 0] });
    plant.zeroDemand = { kind: "Total", sample: { value: 0, ageMs: 0 } };
    ticks(plant, policy, 21);
    expect(plant.totals).toEqual([0, 0]);
    plant.zeroDemand = { kind: "Total" };
    ticks(plant, policy, 5);
    expect(plant.totals).toEqual([1, 1]);
    plant.zeroDemand = { kind: "Total", sample: { value: 0, ageMs: 0 } };
    expect(ticks(plant, policy, 60).at(-1)?.zero?.reason).toBe("DemandQueryDisproven");
    expect(plant.totals).toEqual([1, 1]);
  });

  test.each(["prefill-decode-slo", "prefill-decode"])(
    "F28 requests lost on scale-in: a grace period below the p99 of the requests is said with the way out, until it is raised (%s)",
    async (exampleName) => {
      const example = readExample<PodCliqueSet>(`${exampleName}/workload.yaml`, "PodCliqueSet");
      const withGrace = (seconds: number, { spec, ...rest }: PodCliqueSet = example): PodCliqueSet => {
        const cliques = spec.template.cliques.map((clique) => {
          const podSpec = { ...clique.spec.podSpec, terminationGracePeriodSeconds: seconds };
          return ["decode", "frontend"].includes(clique.name)
            ? { ...clique, spec: { ...clique.spec, podSpec } }
            : clique;
        });
        return { ...rest, spec: { ...spec, template: { ...spec.template, cliques } } };
      };
      const simulation = await start({ seed: 228, example: exampleName, workload: withGrace(5) });
      const { namespace, name } = { namespace: "serving", name: example.metadata.name };
      const said = async () => {
        const { status } = await simulation.world.api.get(SCALING_POLICIES, { namespace, name });
        const { reason, message } = conditionOf(status?.conditions, "GracePeriodSufficient") ?? {};
        return { reason, message };
      };
      await simulation.clock.advance(MINUTE_MS);
      expect(await said()).toMatchObject({ reason: "NotMeasured" });
      const lengths = { input: { medianTokens: 1_000, spreadP90: 2 }, output: { medianTokens: 900, spreadP90: 1.8 } };
      const phases = [{ durationSeconds: 3_600, requestsPerSecond: constant(4), ...lengths }];
      simulation.attach(generateTraffic(phases, seededRandom(228)));
      await simulation.clock.advance(4 * MINUTE_MS);
      const short = await said();
      expect(short.reason).toBe("RequestsTakeLonger");
      expect(short.message).toMatch(
        /^frontend: p99 of its requests is \d+ s, and a pod that goes has 5 s: .*; decode: p99 .*raise terminationGracePeriodSeconds of its cliques above \d+$/,
      );
      const { items } = await simulation.world.api.list(EVENTS, { namespace });
      expect(items.filter(({ reason }) => reason === "GracePeriodTooShort").map(({ type }) => type)).toEqual([
        "Warning",
      ]);

      const live = await simulation.world.api.get(POD_CLIQUE_SETS, { namespace, name });
      await simulation.world.api.update(POD_CLIQUE_SETS, withGrace(120, live));
      await simulation.clock.advance(4 * MINUTE_MS);
      expect(await said()).toMatchObject({ reason: "RequestsFinish" });
    },
  );

  test("F23 a rollout: nothing goes down while it lasts, ups go on, and it has a deadline", () => {
    const policy = alone({ targets: [targetPolicy("decode", { behavior: instant })] });
    const plant = one(1, 4);
    plant.change = (object) => ({ ...object, isChanging: true });
    for (const { reason } of ticks(plant, policy, 60)) expect(reason).toBe("HeldDown");
    plant.loads = [6];
    plant.tick(policy);
    expect(plant.totals).toEqual([6]);
    plant.loads = [4];
    ticks(plant, policy, 60);
    expect(plant.totals).toEqual([4]);
  });
});

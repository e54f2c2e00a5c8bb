/** The whole system on virtual time: load in, decisions, gangs and pods out. Each seed repeats exactly. */
import { describe, expect, test } from "vitest";
import { GPU_BUDGETS, type GPUBudget } from "../../src/api/autoscaling/gpu-budget.ts";
import { SCALING_OVERRIDES } from "../../src/api/autoscaling/scaling-override.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { POD_CLIQUE_SCALING_GROUPS } from "../../src/api/grove/pod-clique-scaling-group.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../../src/api/grove/pod-clique-set.ts";
import { conditionOf } from "../../src/api/kubernetes/conditions.ts";
import { EVENTS, PODS } from "../../src/api/kubernetes/core.ts";
import { formatTime } from "../../src/api/kubernetes/time.ts";
import { reviewChanges } from "../../src/autoscaler/policy-admission.ts";
import { LEVELS } from "../../src/cli/demo/monitor.ts";
import { seededRandom } from "../../src/random.ts";
import { constant, dayInMiniature, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { simulations } from "./running.ts";
import { readExample, type Simulation } from "./simulation.ts";

const start = simulations();

const LENGTHS = { input: { medianTokens: 1_000, spreadP90: 2 }, output: { medianTokens: 900, spreadP90: 1.8 } };
const day = (durationSeconds: number, seed: number, peakRequestsPerSecond = 24) =>
  generateTraffic(
    dayInMiniature({ durationSeconds, baseRequestsPerSecond: 2.9, peakRequestsPerSecond, ...LENGTHS }),
    seededRandom(seed),
  );
const steady = (requestsPerSecond: number, durationSeconds: number, seed: number) =>
  generateTraffic(
    [{ durationSeconds, requestsPerSecond: constant(requestsPerSecond), ...LENGTHS }],
    seededRandom(seed),
  );

const key = { namespace: "serving", name: "llama-70b" };
const policyOf = (simulation: Simulation): Promise<ScalingPolicy> => simulation.world.api.get(SCALING_POLICIES, key);
const totals = (simulation: Simulation): Record<string, number> =>
  Object.fromEntries((simulation.decisions.at(-1)?.targets ?? []).map(({ name, current }) => [name, current]));

describe("the circle turns", () => {
  test.each([1, 2, 3])("seed %i: every level scales up and down again, and no invariant breaks", async (seed) => {
    const simulation = await start({ seed });
    simulation.attach(day(1_300, seed));
    await simulation.clock.advance(1_400_000);
    const report = simulation.monitor.report();
    for (const level of LEVELS) {
      expect(report.scaleActions[level].up, `${level} up`).toBeGreaterThan(0);
      expect(report.scaleActions[level].down, `${level} down`).toBeGreaterThan(0);
    }
    expect(report).toMatchObject({ ratioViolationSeconds: 0, floorViolationSeconds: 0, budgetViolationSeconds: 0 });
    const { arrived, completed, failed, inFlight } = simulation.traffic();
    expect(completed + failed + inFlight).toBe(arrived);
    expect(failed).toBe(0);
    expect(totals(simulation)).toEqual({ instances: 1, frontend: 1, prefill: 1, decode: 1 });
  });

  test("the same seed gives the same decisions, word for word", async () => {
    const messages: string[][] = [];
    for (let run = 0; run < 2; run++) {
      const simulation = await start({ seed: 7 });
      simulation.attach(day(400, 7));
      await simulation.clock.advance(500_000);
      messages.push(simulation.decisions.map(({ atMs, message }) => `${atMs} ${message}`));
    }
    expect(messages[0]).toEqual(messages[1]);
    expect(messages[0]?.length).toBeGreaterThan(20);
  });

  test("constant load settles: no limit cycle", async () => {
    const simulation = await start({ seed: 11 });
    simulation.attach(steady(6, 2_400, 11));
    await simulation.clock.advance(1_200_000);
    const before = simulation.monitor.report().scaleActions;
    const settled = JSON.stringify(before);
    // Four windows of a scale-down.
    await simulation.clock.advance(1_200_000);
    expect(JSON.stringify(simulation.monitor.report().scaleActions)).toBe(settled);
  });
});

describe("faults", () => {
  test("Prometheus stops scraping at the peak: holds with a condition, and never scales down", async () => {
    const simulation = await start({ seed: 21 });
    simulation.attach(steady(16, 3_600, 21));
    await simulation.clock.advance(600_000);
    // What the last decision wrote is not yet in what it saw.
    const before = Object.fromEntries(
      (simulation.decisions.at(-1)?.targets ?? []).map(({ name, desired }) => [name, desired]),
    );
    simulation.world.dataPlane.stopScraping(true);
    const downsBefore = LEVELS.map((level) => simulation.monitor.report().scaleActions[level].down);
    // Two windows of a scale-down.
    await simulation.clock.advance(600_000);
    expect(LEVELS.map((level) => simulation.monitor.report().scaleActions[level].down)).toEqual(downsBefore);
    expect(totals(simulation)).toEqual(before);
    const { status } = await policyOf(simulation);
    expect(conditionOf(status?.conditions, "MetricsAvailable")).toMatchObject({ status: "False", reason: "Missing" });
    expect(conditionOf(status?.conditions, "Degraded")).toMatchObject({ status: "True", reason: "Hold" });
    simulation.world.dataPlane.stopScraping(false);
    await simulation.clock.advance(120_000);
    expect(conditionOf((await policyOf(simulation)).status?.conditions, "MetricsAvailable")?.status).toBe("True");
  });

  test("killed in the middle of scaling up and started again, it ends where it would have", async () => {
    const simulation = await start({ seed: 31 });
    simulation.attach(steady(16, 3_600, 31));
    const isScaling = (): boolean => simulation.decisions.at(-1)?.outcome === "Scaled";
    expect(await simulation.clock.advanceUntil(isScaling, 600_000)).toBe(true);
    await simulation.restart();
    await simulation.clock.advance(600_000);
    // The cache of a decode replica fills much faster than the load grows, so near its target it goes up and down again now and then.
    const isWhole = (): boolean =>
      simulation.decisions.at(-1)?.targets.every((one) => one.current === one.ready) === true;
    expect(await simulation.clock.advanceUntil(isWhole, 180_000)).toBe(true);
    expect(totals(simulation)["decode"]).toBeGreaterThan(1);
    expect(simulation.monitor.report()).toMatchObject({
      ratioViolationSeconds: 0,
      floorViolationSeconds: 0,
      budgetViolationSeconds: 0,
    });
  });

  test("lost watches and forgotten history do not lose a thing", async () => {
    const simulation = await start({ seed: 41 });
    simulation.attach(day(900, 41));
    for (let i = 0; i < 12; i++) {
      await simulation.clock.advance(80_000);
      simulation.world.apiServer.disconnectWatches();
      simulation.world.apiServer.compact();
    }
    await simulation.clock.advance(300_000);
    expect(totals(simulation)).toEqual({ instances: 1, frontend: 1, prefill: 1, decode: 1 });
    expect(simulation.monitor.report()).toMatchObject({
      ratioViolationSeconds: 0,
      floorViolationSeconds: 0,
      budgetViolationSeconds: 0,
    });
  });
});

describe("bounds that people set", () => {
  test("a budget holds through the peak, and the policy says that it limits", async () => {
    const policy = readExample<ScalingPolicy>("multinode-prefill-decode/policy.yaml", "ScalingPolicy");
    const simulation = await start({
      seed: 51,
      policy: { ...policy, spec: { ...policy.spec, gpuBudget: { ...policy.spec.gpuBudget, max: 20 } } },
    });
    simulation.attach(day(900, 51));
    const limited = (): boolean => simulation.decisions.at(-1)?.budget.isLimited === true;
    expect(await simulation.clock.advanceUntil(limited, 600_000)).toBe(true);
    await simulation.clock.advance(1_000);
    const { status } = await policyOf(simulation);
    expect(conditionOf(status?.conditions, "ScalingLimited")).toMatchObject({ status: "True", reason: "GPUBudget" });
    await simulation.clock.advance(900_000);
    expect(simulation.monitor.report()).toMatchObject({
      budgetViolationSeconds: 0,
      ratioViolationSeconds: 0,
      floorViolationSeconds: 0,
    });
    expect(simulation.monitor.report().peakGpus).toBeLessThanOrEqual(20);
  });

  test("a shared budget that is not there takes nothing away and lets nothing grow", async () => {
    const simulation = await start({ seed: 52 });
    simulation.attach(steady(16, 3_600, 52));
    await simulation.clock.advance(600_000);
    const before = totals(simulation);
    expect(before["decode"]).toBeGreaterThan(1);
    await simulation.world.api.patch(
      SCALING_POLICIES,
      key,
      { spec: { gpuBudget: { sharedBudgetRef: { name: "missing" } } } },
      { type: "merge" },
    );
    await simulation.clock.advance(600_000);
    // Metrics may still give back what they do not need.
    const after = totals(simulation);
    expect(after).toMatchObject({ instances: before["instances"], prefill: before["prefill"] });
    expect(after["decode"]).toBeGreaterThan(1);
    expect(conditionOf((await policyOf(simulation)).status?.conditions, "ScalingLimited")).toMatchObject({
      status: "True",
      message: expect.stringContaining("the shared GPUBudget does not exist"),
    });

    const { api } = simulation.world;
    const budget = {
      apiVersion: "autoscaling.grove.io/v1alpha1",
      kind: "GPUBudget",
      metadata: { name: "missing" },
      spec: { capacity: 40, reserve: 0, members: [] },
    };
    await api.create(GPU_BUDGETS, budget as GPUBudget);
    // Two statuses of two turns: while replicas come or go they differ.
    let shared: GPUBudget | undefined;
    let used: number | undefined;
    for (let turn = 0; turn < 20 && (used === undefined || shared?.status?.used !== used); turn++) {
      await simulation.clock.advance(15_000);
      [shared] = (await api.list(GPU_BUDGETS)).items;
      used = (await policyOf(simulation)).status?.budget?.gpusUsed;
    }
    expect(shared?.status).toMatchObject({
      observedGeneration: 1,
      used,
      members: [{ namespace: "serving", policy: "llama-70b" }],
    });
    await api.patch(GPU_BUDGETS, { name: "missing" }, { spec: { capacity: 44 } }, { type: "merge" });
    await simulation.clock.advance(20_000);
    expect((await api.get(GPU_BUDGETS, { name: "missing" })).status?.observedGeneration).toBe(2);
  });

  test("a window takes the set below its own minimum, and back when it ends", async () => {
    const simulation = await start({ seed: 57 });
    const { spec } = await policyOf(simulation);
    const scaleTargets = spec.scaleTargets.map((one) => (one.name === "instances" ? { ...one, minReplicas: 2 } : one));
    const change = async (schedules: readonly object[]): Promise<void> => {
      const changed = { spec: { scaleTargets, schedules } };
      await simulation.world.api.patch(SCALING_POLICIES, key, changed, { type: "merge" });
      await simulation.clock.advance(600_000);
    };
    await change([]);
    expect(totals(simulation)["instances"]).toBe(2);
    await change([{ name: "quiet", schedule: "* * * * *", duration: "1h", bounds: { instances: { maxReplicas: 1 } } }]);
    expect(totals(simulation)["instances"]).toBe(1);
    expect(conditionOf((await policyOf(simulation)).status?.conditions, "AbleToScale")).toMatchObject({
      status: "True",
    });
    await change([]);
    expect(totals(simulation)["instances"]).toBe(2);
  });

  test("an override holds until it expires, then metrics decide again", async () => {
    const simulation = await start({ seed: 61 });
    simulation.attach(steady(3, 3_600, 61));
    await simulation.clock.advance(120_000);
    await simulation.world.api.create(SCALING_OVERRIDES, {
      apiVersion: "autoscaling.grove.io/v1alpha1",
      kind: "ScalingOverride",
      metadata: { namespace: "serving", name: "launch" },
      spec: {
        policyRef: { name: "llama-70b" },
        scaleTargets: { decode: { replicas: 3 } },
        expiresAt: formatTime(simulation.clock.nowMs() + 600_000),
        reason: "product launch",
        force: false,
      },
    });
    await simulation.clock.advance(300_000);
    expect(totals(simulation)["decode"]).toBe(3);
    expect((await policyOf(simulation)).status?.override).toMatchObject({ name: "launch", reason: "product launch" });
    await simulation.clock.advance(700_000);
    expect(totals(simulation)["decode"]).toBe(1);
    const override = await simulation.world.api.get(SCALING_OVERRIDES, { namespace: "serving", name: "launch" });
    expect(override.status?.phase).toBe("Expired");
    expect((await policyOf(simulation)).status?.override).toBeUndefined();
    const { items } = await simulation.world.api.list(EVENTS, { namespace: "serving" });
    expect(items.filter(({ reason }) => reason === "OverrideExpired")).toMatchObject([
      { message: "launch is over: metrics decide again", involvedObject: { kind: "ScalingPolicy", name: "llama-70b" } },
    ]);
    expect(items.filter(({ reason }) => reason === "OverrideCleared")).toEqual([]);
  });

  test("Advisory and Paused never write", async () => {
    for (const mode of ["Advisory", "Paused"] as const) {
      const policy = readExample<ScalingPolicy>("multinode-prefill-decode/policy.yaml", "ScalingPolicy");
      const simulation = await start({ seed: 71, policy: { ...policy, spec: { ...policy.spec, mode } } });
      simulation.attach(day(600, 71));
      await simulation.clock.advance(600_000);
      for (const level of LEVELS) expect(simulation.monitor.report().scaleActions[level]).toEqual({ up: 0, down: 0 });
      expect(simulation.decisions.some(({ transition }) => transition.now.length > 0)).toBe(true);
    }
  });

  test("somebody else's replicas are respected for ten minutes, said in a condition, and then taken over", async () => {
    const simulation = await start({ seed: 81 });
    simulation.attach(steady(3, 3_600, 81));
    await simulation.clock.advance(300_000);
    await simulation.world.api.setScale(
      POD_CLIQUE_SCALING_GROUPS,
      { namespace: "serving", name: "llama-70b-0-decode" },
      3,
    );
    await simulation.clock.advance(400_000);
    expect(totals(simulation)["decode"]).toBe(3);
    expect(conditionOf((await policyOf(simulation)).status?.conditions, "ScalingActive")).toMatchObject({
      status: "False",
      reason: "ForeignController",
    });
    await simulation.clock.advance(600_000);
    expect(totals(simulation)["decode"]).toBe(1);
  });

  test("set replicas that somebody else asked for are respected for ten minutes as well", async () => {
    const simulation = await start({ seed: 82 });
    simulation.attach(steady(3, 3_600, 82));
    await simulation.clock.advance(300_000);
    await simulation.world.api.setScale(POD_CLIQUE_SETS, key, 2);
    await simulation.clock.advance(500_000);
    expect(totals(simulation)["instances"]).toBe(2);
    expect(conditionOf((await policyOf(simulation)).status?.conditions, "ScalingActive")).toMatchObject({
      status: "False",
      reason: "ForeignController",
    });
    await simulation.clock.advance(700_000);
    expect(totals(simulation)["instances"]).toBe(1);
  });

  test.each<{
    name: string;
    change: (spec: ScalingPolicy["spec"]) => ScalingPolicy["spec"];
    reason: string;
    message: RegExp;
  }>([
    {
      name: "unknown PodCliqueSet",
      change: (spec) => ({ ...spec, targetRef: { ...spec.targetRef, name: "llama" } }),
      reason: "TargetNotFound",
      message: /spec\.targetRef\.name.*"llama"/,
    },
    {
      name: "unknown clique",
      change: (spec) => ({
        ...spec,
        scaleTargets: spec.scaleTargets.map((target, at) => (at === 0 ? { ...target, ref: "router" } : target)),
      }),
      reason: "UnknownTarget",
      message: /spec\.scaleTargets\[0\]\.ref "router".*it has: frontend/,
    },
    {
      name: "a member of a scaling group",
      change: (spec) => ({
        ...spec,
        scaleTargets: spec.scaleTargets.map((target, at) => (at === 0 ? { ...target, ref: "decode-leader" } : target)),
      }),
      reason: "MemberClique",
      message: /use level PodCliqueScalingGroup and ref decode/,
    },
    {
      name: "PromQL that does not parse",
      change: (spec) => ({
        ...spec,
        scaleTargets: spec.scaleTargets.map((target, at) =>
          at === 0
            ? {
                ...target,
                metrics: [
                  {
                    type: "Prometheus",
                    prometheus: { query: "sum(rate(x[1m])", target: { type: "AverageValue", averageValue: "1" } },
                    advisoryOnly: false,
                  },
                ],
              }
            : target,
        ),
      }),
      reason: "InvalidQuery",
      message: /spec\.scaleTargets\[0\]\.metrics\[0\]\.prometheus\.query: not valid PromQL/,
    },
    {
      name: "budget below the minimum viable set",
      change: (spec) => ({ ...spec, gpuBudget: { ...spec.gpuBudget, max: 4 } }),
      reason: "BudgetInfeasible",
      message: /spec\.gpuBudget\.max is 4.*needs 8 GPUs/,
    },
  ])("$name: Ready=False names the field and the way out, and nothing moves", async ({ change, reason, message }) => {
    const policy = readExample<ScalingPolicy>("multinode-prefill-decode/policy.yaml", "ScalingPolicy");
    const simulation = await start({ seed: 91, policy: { ...policy, spec: change(policy.spec) } });
    await simulation.clock.advance(120_000);
    const ready = conditionOf((await policyOf(simulation)).status?.conditions, "Ready");
    expect(ready).toMatchObject({ status: "False", reason });
    expect(ready?.message).toMatch(message);
    for (const level of LEVELS) expect(simulation.monitor.report().scaleActions[level]).toEqual({ up: 0, down: 0 });
  });

  test("a group that an HPA scales is left to it: Ready=False says how to hand it over", async () => {
    const workload = readExample<PodCliqueSet>("multinode-prefill-decode/workload.yaml", "PodCliqueSet");
    const { template } = workload.spec;
    const simulation = await start({
      seed: 93,
      workload: {
        ...workload,
        spec: {
          ...workload.spec,
          template: {
            ...template,
            podCliqueScalingGroups: (template.podCliqueScalingGroups ?? []).map((group) =>
              group.name === "decode" ? { ...group, scaleConfig: { minReplicas: 1, maxReplicas: 4 } } : group,
            ),
          },
        },
      },
    });
    await simulation.clock.advance(60_000);
    const ready = conditionOf((await policyOf(simulation)).status?.conditions, "Ready");
    expect(ready).toMatchObject({ status: "False", reason: "ForeignController" });
    expect(ready?.message).toMatch(/spec\.scaleTargets\[2\]\.ref "decode".*remove scaleConfig/);
  });

  test("a second policy on the same set waits, and names the first", async () => {
    const simulation = await start({ seed: 94 });
    await simulation.clock.advance(5_000);
    await simulation.world.api.create(SCALING_POLICIES, {
      ...simulation.policy,
      metadata: { namespace: "serving", name: "rival" },
    });
    await simulation.clock.advance(60_000);
    const rival = await simulation.world.api.get(SCALING_POLICIES, { namespace: "serving", name: "rival" });
    expect(conditionOf(rival.status?.conditions, "Ready")).toMatchObject({
      status: "False",
      reason: "ForeignController",
    });
    expect(conditionOf(rival.status?.conditions, "Ready")?.message).toMatch(/ScalingPolicy llama-70b is older/);
  });

  test("two policies that are created at once both pass admission: the older one scales, the other says so and takes over", async () => {
    const simulation = await start({ seed: 96 });
    const { clock, policy } = simulation;
    const { api } = simulation.world;
    await api.delete(SCALING_POLICIES, key);
    await clock.advance(1_000);
    const named = (name: string) => ({ ...policy, metadata: { namespace: "serving", name } });
    const review = reviewChanges({ api, nowMs: () => clock.nowMs() });
    const both = [named("b"), named("a"), named("c")];
    const admitted = await Promise.all(
      both.map((object) => review({ operation: "CREATE", object, namespace: "serving" })),
    );
    expect(admitted.map(({ errors }) => errors)).toEqual([[], [], []]);
    await Promise.all(both.map((object) => api.create(SCALING_POLICIES, object)));
    const createdMs = clock.nowMs();
    simulation.attach(steady(16, 3_600, 96));
    await clock.advance(300_000);
    const statusOf = async (name: string) => (await api.get(SCALING_POLICIES, { namespace: "serving", name })).status;
    expect((await statusOf("a"))?.history?.some(({ outcome }) => outcome === "Scaled")).toBe(true);
    for (const name of ["b", "c"]) {
      const status = await statusOf(name);
      // One that was seen a moment before the others may have decided by then.
      expect(status?.history?.some(({ outcome }) => outcome === "Scaled") ?? false).toBe(false);
      expect(Date.parse(status?.lastDecision?.time ?? "")).not.toBeGreaterThan(createdMs);
      for (const type of ["Ready", "TargetResolved", "ScalingActive"])
        expect(conditionOf(status?.conditions, type)).toMatchObject({
          status: "False",
          reason: "ForeignController",
          message:
            "spec.targetRef.name: ScalingPolicy a is as old and first by name, and already scales PodCliqueSet llama-70b: delete one of them",
        });
    }
    await api.delete(SCALING_POLICIES, { namespace: "serving", name: "a" });
    await clock.advance(60_000);
    expect(conditionOf((await statusOf("b"))?.conditions, "Ready")?.status).toBe("True");
    expect(Date.parse((await statusOf("b"))?.lastDecision?.time ?? "")).toBeGreaterThan(createdMs + 300_000);
    expect(conditionOf((await statusOf("c"))?.conditions, "Ready")?.message).toContain("ScalingPolicy b is as old");
  });

  test("deleting the set takes everything with it", async () => {
    const simulation = await start({ seed: 95 });
    await simulation.world.api.delete(
      { ...POD_CLIQUE_SCALING_GROUPS, kind: "PodCliqueSet", plural: "podcliquesets" },
      key,
    );
    await simulation.clock.advance(120_000);
    expect((await simulation.world.api.list(PODS, { namespace: "serving" })).items).toEqual([]);
    expect(conditionOf((await policyOf(simulation)).status?.conditions, "Ready")).toMatchObject({
      status: "False",
      reason: "TargetNotFound",
    });
  });
});

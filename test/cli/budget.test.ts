/** Who holds which GPUs, who wants more and is held back: `budget` against a running system. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { GPU_BUDGETS, type GPUBudget } from "../../src/api/autoscaling/gpu-budget.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../../src/api/grove/pod-clique-set.ts";
import { seededRandom } from "../../src/random.ts";
import { constant, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { readExample } from "../sim/simulation.ts";
import { type BareCluster, startBareCluster } from "./bare-cluster.ts";
import { type LiveWorld, startLiveWorld } from "./live-world.ts";

const EXAMPLE = "multinode-prefill-decode";
let world: LiveWorld;
beforeAll(async () => {
  const policy = readExample<ScalingPolicy>(`${EXAMPLE}/policy.yaml`, "ScalingPolicy");
  const workload = readExample<PodCliqueSet>(`${EXAMPLE}/workload.yaml`, "PodCliqueSet");
  const sharing = (name: string, gpuBudget: ScalingPolicy["spec"]["gpuBudget"]): ScalingPolicy => ({
    ...policy,
    metadata: { name, namespace: "serving" },
    spec: { ...policy.spec, targetRef: { ...policy.spec.targetRef, name }, gpuBudget },
  });
  world = await startLiveWorld({
    seed: 5,
    policy: sharing("llama-70b", { sharedBudgetRef: { name: "team" }, priority: 0 }),
  });
  const { api } = world.simulation.world;
  await api.create(GPU_BUDGETS, team);
  // The second one has the same shape and less of a say; the third shares nothing, the fourth shares what is not there.
  for (const name of ["qwen", "alone", "lost"])
    await api.create(POD_CLIQUE_SETS, { ...workload, metadata: { name, namespace: "serving" } });
  await api.create(SCALING_POLICIES, sharing("qwen", { sharedBudgetRef: { name: "team" }, priority: -5 }));
  await api.create(SCALING_POLICIES, sharing("alone", { max: 48, priority: 0 }));
  await api.create(SCALING_POLICIES, sharing("lost", { sharedBudgetRef: { name: "nobody" }, priority: 0 }));
  const lengths = { input: { medianTokens: 1_000, spreadP90: 2 }, output: { medianTokens: 900, spreadP90: 1.8 } };
  world.simulation.attach(
    generateTraffic([{ durationSeconds: 3_600, requestsPerSecond: constant(30), ...lengths }], seededRandom(5)),
  );
  await world.simulation.clock.advance(600_000);
});
afterAll(() => world.stop());

const team: GPUBudget = {
  apiVersion: "autoscaling.grove.io/v1alpha1",
  kind: "GPUBudget",
  metadata: { name: "team" },
  spec: {
    capacity: 22,
    reserve: 2,
    members: [
      { namespace: "serving", policy: "llama-70b", priority: 10, weight: 3 },
      { namespace: "serving", policy: "planned", weight: 1 },
    ],
  },
};

test("a GPUBudget, its members by priority, and who is held back", async () => {
  const { out, err, code } = await world.run(["budget", "team"]);
  expect({ err, code }).toEqual({ err: "", code: 0 });
  const { used = 0, requested = 0, members = [] } = (await budget()).status ?? {};
  const of = (name: string) => members.find(({ policy }) => policy === name);
  const llama = of("llama-70b");
  const qwen = of("qwen");
  // The demand of the first does not fit beside the floor of the second.
  expect(llama?.granted).toBeLessThan(llama?.requested ?? 0);
  const { status } = await policy("llama-70b");
  expect(status?.budget?.limited).toBe(true);
  const why = status?.conditions?.find(({ type }) => type === "ScalingLimited")?.message;
  const lines = out.split("\n").map((line) => line.replace(/ {2,}/g, "  "));
  // The reason may go on in further lines.
  expect(lines.slice(0, 7)).toEqual([
    "BUDGET  MAX  RESERVE  USED  REQUESTED  FREE",
    `team  22  2  ${used}  ${requested}  ${20 - used}`,
    "  POLICY  MODE  PRIORITY  WEIGHT  USED  WANTED  GRANTED  DECIDED",
    expect.stringMatching(
      `^  serving/llama-70b  Active  10  3  ${llama?.used}  ${llama?.requested}  ${llama?.granted}  \\d+s$`,
    ),
    "  serving/planned  no part  ?  1  -  -  -  -",
    expect.stringMatching(
      `^  serving/qwen  Active  -5  1  ${qwen?.used}  ${qwen?.requested}  ${qwen?.granted}  \\d+s$`,
    ),
    expect.stringMatching(/^ {2}serving\/llama-70b is held back: wants \d+ GPUs, is granted \d+;/),
  ]);
  expect(out.replace(/\s+/g, " ")).toContain(
    `serving/llama-70b is held back: wants ${llama?.requested} GPUs, is granted ${llama?.granted}; ${why}`,
  );
  expect(out).not.toContain("qwen is held back");
});

test("without a name: all budgets, missing ones too, and limits of the namespace's own policies", async () => {
  const { out, code } = await world.run(["budget"]);
  expect(code).toBe(0);
  expect(out).toMatch(/^nobody +\? +\? +\? +\? +\?$/m);
  expect(out).toContain("serving/lost is held back: there is no GPUBudget nobody: nothing grows");
  expect(out).toMatch(/^serving\/alone +Active +gpuBudget.max 48 +\d+ +\d+ +48 +\d+s$/m);
  expect(out).not.toMatch(/^serving\/(llama-70b|qwen)/m);

  const elsewhere = (await world.run(["budget", "-n", "default"])).out;
  expect(elsewhere).toMatch(/^team /m);
  expect(elsewhere).not.toContain("serving/alone");
  expect((await world.run(["budget", "-A"])).out).toContain("serving/alone");
});

test("-o json and yaml say the same in numbers, and leave out what is unknown", async () => {
  const all = JSON.parse((await world.run(["budget", "-o", "json"])).out);
  expect(parse((await world.run(["budget", "-o", "yaml"])).out)).toEqual(all);
  expect(Object.keys(all)).toEqual(["budgets", "policies"]);
  const [nobody, first] = all.budgets;
  expect(nobody).toEqual({
    name: "nobody",
    members: [
      {
        policy: "serving/lost",
        mode: "Active",
        priority: 0,
        weight: 1,
        heldBack: "there is no GPUBudget nobody: nothing grows",
        decidedAt: expect.any(String),
      },
    ],
  });
  expect(first).toMatchObject({ name: "team", max: 22, reserve: 2, used: (await budget()).status?.used });
  expect(first.members[1]).toEqual({ policy: "serving/planned", takesNoPart: true, weight: 1 });
  expect(JSON.parse((await world.run(["budget", "team", "-o", "json"])).out)).toEqual(first);
  expect(all.policies).toEqual([
    expect.objectContaining({ policy: "serving/alone", limitedBy: [{ kind: "gpuBudget.max", gpus: 48 }], limit: 48 }),
  ]);
});

test("mistakes of the command line", async () => {
  expect(await world.run(["budget", "teem"])).toEqual({
    code: 2,
    out: "",
    err: 'error: there is no GPUBudget "teem"; there are: team',
  });
  expect(await world.run(["budget", "team", "-n", "serving"])).toMatchObject({
    code: 2,
    err: "error: --namespace goes without a name: a GPUBudget belongs to the whole cluster",
  });
});

describe("what nobody reports", () => {
  let cluster: BareCluster;
  afterEach(() => cluster.stop());

  const anyPolicy = (name: string, namespace: string, gpuBudget: object): ScalingPolicy => {
    const example = readExample<ScalingPolicy>(`${EXAMPLE}/policy.yaml`, "ScalingPolicy");
    return { ...example, metadata: { name, namespace }, spec: { ...example.spec, gpuBudget } as ScalingPolicy["spec"] };
  };

  test("is ? and not 0: no autoscaler has looked at the budget, the policy or the queue", async () => {
    cluster = await startBareCluster();
    expect(await cluster.run(["budget"])).toEqual({
      code: 0,
      out: "",
      err: "no GPUBudget, and no policy with gpuBudget.max or gpuBudget.queueRef in namespace default (-A looks in all)",
    });
    await cluster.api.create(GPU_BUDGETS, team);
    await cluster.api.create(SCALING_POLICIES, anyPolicy("a", "default", { sharedBudgetRef: { name: "team" } }));
    await cluster.api.create(
      SCALING_POLICIES,
      anyPolicy("b", "default", { queueRef: { kind: "Queue", name: "gold" } }),
    );
    await cluster.api.create(GPU_BUDGETS, { ...team, metadata: { name: "idle" }, spec: { ...team.spec, members: [] } });
    const { out } = await cluster.run(["budget"]);
    expect(out).toMatch(/^idle +22 +2 +\? +\? +\?\n {2}no policy refers to it$/m);
    expect(out).toMatch(/^team +22 +2 +\? +\? +\?$/m);
    expect(out).toMatch(/^ {2}default\/a +Active +0 +1 +\? +\? +\? +-$/m);
    expect(out).toMatch(/^default\/b +Active +queue gold +\? +\? +\? +-$/m);
  });

  test("makes the sum unknown: a member that shares the budget and has made no offer", async () => {
    cluster = await startBareCluster();
    await cluster.api.create(GPU_BUDGETS, { ...team, spec: { ...team.spec, members: [] } });
    for (const name of ["a", "b"])
      await cluster.api.create(SCALING_POLICIES, anyPolicy(name, "default", { sharedBudgetRef: { name: "team" } }));
    // One that writes nothing takes nothing.
    const shadow = anyPolicy("shadow", "default", { sharedBudgetRef: { name: "team" } });
    await cluster.api.create(SCALING_POLICIES, { ...shadow, spec: { ...shadow.spec, mode: "Shadow" } });
    const members = [{ namespace: "default", policy: "a", used: 8, requested: 9, granted: 9 }];
    const patch = (status: object) =>
      cluster.api.patch(GPU_BUDGETS, { name: "team" }, { status }, { type: "merge", subresource: "status" });
    await patch({ used: 8, requested: 9, members });
    const { out } = await cluster.run(["budget"]);
    expect(out).toMatch(/^team +22 +2 +\? +\? +\?$/m);
    expect(out).toMatch(/^ {2}default\/a +Active +0 +1 +8 +9 +9 +-$/m);
    expect(out).toMatch(/^ {2}default\/b +Active +0 +1 +\? +\? +\? +-$/m);

    expect(out).not.toContain("shadow");

    // More is used than there is.
    await patch({ members: [...members, { ...members[0], policy: "b", used: 20, requested: 20, granted: 20 }] });
    expect((await cluster.run(["budget"])).out).toMatch(/^team +22 +2 +28 +29 +-8$/m);
  });

  test("is what GPUs that cannot be counted are, whatever the status sums up", async () => {
    cluster = await startBareCluster();
    await cluster.api.create(SCALING_POLICIES, anyPolicy("a", "default", { max: 48 }));
    const detail = "the GPUs of a replica are unknown, set gpusPerReplica on the target: nothing grows";
    const status = {
      budget: { gpusUsed: 0, gpusRequested: 0, gpusMax: 48, limited: false },
      lastDecision: {
        id: "1",
        time: "2026-01-01T00:00:00Z",
        outcome: "Held",
        reason: "x",
        chain: [{ stage: "arbitrate", reason: "GPUCostUnknown", detail }],
      },
    };
    const key = { namespace: "default", name: "a" };
    await cluster.api.patch(SCALING_POLICIES, key, { status }, { type: "merge", subresource: "status" });
    const { out } = await cluster.run(["budget"]);
    expect(out).toMatch(/^default\/a +Active +gpuBudget.max 48 +\? +\? +\? /m);
    expect(out.replace(/\s+/g, " ")).toContain(`default/a is held back: ${detail}`);
  });

  test("is what may not be read: policies of other namespaces, and it is said", async () => {
    cluster = await startBareCluster({
      authorize: (_, verb, { plural }, namespace) =>
        plural !== "scalingpolicies" || verb !== "list" || namespace === "default",
    });
    await cluster.api.create(GPU_BUDGETS, team);
    await cluster.api.create(SCALING_POLICIES, anyPolicy("a", "default", { sharedBudgetRef: { name: "team" } }));
    const members = [{ namespace: "default", policy: "a", used: 8, requested: 8, granted: 8 }];
    await cluster.api.patch(
      GPU_BUDGETS,
      { name: "team" },
      { status: { members } },
      { type: "merge", subresource: "status" },
    );
    const { out, err, code } = await cluster.run(["budget"]);
    expect(code).toBe(0);
    expect(err).toMatch(/^note: policies of other namespaces than default cannot be read: /);
    expect(out).toMatch(/^ {2}serving\/planned +\? +\? +1 +\? +\? +\? +-$/m);
    // They may hold GPUs.
    expect(out).toMatch(/^team +22 +2 +\? /m);
    expect(await cluster.run(["budget", "-A"])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error: not allowed: /),
    });
  });
});

const budget = (): Promise<GPUBudget> => world.simulation.world.api.get(GPU_BUDGETS, { name: "team" });
const policy = (name: string): Promise<ScalingPolicy> =>
  world.simulation.world.api.get(SCALING_POLICIES, { namespace: "serving", name });

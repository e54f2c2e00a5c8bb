/** Defects of upstream that this operator does not have (grove.md 12.1), where only a running operator can show it; the others are shown by tests of the plans. */
import { afterEach, describe, expect, test } from "vitest";
import { POD_CLIQUES, type PodClique } from "../../src/api/grove/pod-clique.ts";
import { POD_CLIQUE_SETS } from "../../src/api/grove/pod-clique-set.ts";
import { conditionOf } from "../../src/api/kubernetes/conditions.ts";
import { PODS } from "../../src/api/kubernetes/core.ts";
import { formatTime } from "../../src/api/kubernetes/time.ts";
import { POD_GANGS } from "../../src/api/scheduler/pod-gang.ts";
import { startTestWorld, type TestWorld, type TestWorldOptions } from "./test-world.ts";
import { clique, workload, workload2 } from "./workloads.ts";

let world: TestWorld;
afterEach(() => world.stop());

const ns = "default";
const set = (name = "workload2") => world.api.get(POD_CLIQUE_SETS, { namespace: ns, name });
const cliqueNamed = (name: string): Promise<PodClique> => world.api.get(POD_CLIQUES, { namespace: ns, name });
const uids = async (): Promise<readonly string[]> =>
  (await world.list(PODS)).map(({ metadata }) => metadata.uid ?? "").sort();

async function running(object = workload2(), options: TestWorldOptions = {}): Promise<void> {
  world = await startTestWorld(options);
  await world.createSet(object);
  await world.settle();
}

test("1: cliques whose names end alike keep their own templates, also in an update", async () => {
  const cliques = [clique("worker", 1, 1), clique("prefill-worker", 2, 2)];
  await running(workload("w", { cliques }));
  const hashOf = async (name: string) => (await cliqueNamed(name)).metadata.labels?.["grove.io/pod-template-hash"];
  const before = [await hashOf("w-0-worker"), await hashOf("w-0-prefill-worker")];
  const changed = clique("prefill-worker", 2, 2, { podSpec: { containers: [{ name: "main", image: "x:2" }] } });
  const patch = { spec: { template: { cliques: [cliques[0], changed] } } };
  await world.api.patch(POD_CLIQUE_SETS, { namespace: ns, name: "w" }, patch, { type: "merge" });
  await world.settle(120_000);
  expect(await hashOf("w-0-worker")).toBe(before[0]);
  expect(await hashOf("w-0-prefill-worker")).not.toBe(before[1]);
  const images = (await world.list(PODS)).map(({ spec }) => `${spec.hostname} ${spec.containers[0]?.image}`).sort();
  expect(images).toEqual(["w-0-prefill-worker-0 x:2", "w-0-prefill-worker-1 x:2", "w-0-worker-0 x:1"]);
  expect((await set("w")).status).toMatchObject({
    updatedReplicas: 1,
    updateProgress: { updateEndedAt: expect.any(String) },
  });
});

test("4: errors are in the status as long as they last, and no longer", async () => {
  let fails = true;
  let writes = 0;
  world = await startTestWorld({ failsWrite: () => fails && ++writes % 2 === 1 });
  await world.createSet(workload2());
  const codes = new Set<string>();
  for (let step = 0; step < 200; step++) {
    await world.settle(100);
    const objects = [await set(), ...(await world.list(POD_CLIQUES))];
    for (const { status } of objects) for (const { code } of status?.lastErrors ?? []) codes.add(code);
  }
  expect(codes.size).toBeGreaterThan(0);
  fails = false;
  await world.settle(400_000);
  for (const { status } of [await set(), ...(await world.list(POD_CLIQUES))]) expect(status?.lastErrors).toEqual([]);
});

test("5: the set lists its gangs with their phases, and gangs say when they are scheduled and ready", async () => {
  await running();
  expect((await set()).status?.podGangStatuses).toEqual([
    { name: "workload2-0", phase: "Running" },
    { name: "workload2-0-sg-x-0", phase: "Running" },
  ]);
  for (const { status } of await world.list(POD_GANGS)) {
    expect(status?.phase).toBe("Running");
    for (const type of ["Initialized", "Scheduled", "Ready"]) {
      expect(conditionOf(status?.conditions, type)?.status).toBe("True");
    }
  }
});

test("6: the set's priority class is on its gangs; pods keep that of their own template", async () => {
  const object = workload2();
  await running({
    ...object,
    spec: { ...object.spec, template: { ...object.spec.template, priorityClassName: "high" } },
  });
  for (const { spec } of await world.list(POD_GANGS)) expect(spec.priorityClassName).toBe("high");
  for (const { spec } of await world.list(PODS)) expect(spec["priorityClassName"]).toBeUndefined();
});

test("8: conditions that a scheduler writes on a gang stay, those of our names with its reasons too", async () => {
  world = await startTestWorld();
  world.setCapacity(0);
  await world.createSet(workload2());
  await world.settle();
  const [gang] = await world.list(POD_GANGS);
  const condition = (type: string, status: string) => ({
    type,
    status,
    reason: "Scheduler",
    message: "",
    lastTransitionTime: formatTime(world.clock.nowMs()),
  });
  const foreign = [condition("Unhealthy", "True"), condition("Scheduled", "False")];
  await world.api.patch(
    POD_GANGS,
    { namespace: ns, name: gang?.metadata.name ?? "" },
    { status: { conditions: [...(gang?.status?.conditions ?? []), ...foreign] } },
    { type: "merge", subresource: "status" },
  );
  world.setCapacity(100);
  await world.settle();
  const after = await world.api.get(POD_GANGS, { namespace: ns, name: gang?.metadata.name ?? "" });
  expect(after.status?.phase).toBe("Running");
  expect(after.status?.conditions).toEqual(expect.arrayContaining(foreign));
  expect(conditionOf(after.status?.conditions, "Ready")?.status).toBe("True");
});

test("11, 12: a clique that was scaled keeps its replicas through changes of the template, below the minimum too", async () => {
  await running();
  const scale = (replicas: number) =>
    world.api.setScale(POD_CLIQUES, { namespace: ns, name: "workload2-0-pc-a" }, replicas);
  for (const replicas of [4, 0]) {
    await scale(replicas);
    await world.settle();
    const patch = { spec: { template: { terminationDelay: `${replicas + 1}h` } } };
    await world.api.patch(POD_CLIQUE_SETS, { namespace: ns, name: "workload2" }, patch, { type: "merge" });
    await world.settle();
    expect((await cliqueNamed("workload2-0-pc-a")).spec.replicas).toBe(replicas);
  }
});

describe("19: a breach that a lost event has left behind", () => {
  test("is corrected before its delay is over, and nothing is terminated", async () => {
    const object = workload2();
    const spec = { ...object.spec, template: { ...object.spec.template, terminationDelay: "10s" } };
    await running({ ...object, spec });
    const before = await uids();
    const { status } = await cliqueNamed("workload2-0-pc-a");
    const stale = status?.conditions?.map((one) =>
      one.type === "MinAvailableBreached"
        ? {
            ...one,
            status: "True",
            reason: "InsufficientReadyPods",
            lastTransitionTime: formatTime(world.clock.nowMs()),
          }
        : one,
    );
    const key = { namespace: ns, name: "workload2-0-pc-a" };
    await world.api.patch(
      POD_CLIQUES,
      key,
      { status: { conditions: stale } },
      { type: "merge", subresource: "status" },
    );
    await world.settle(60_000);
    expect(conditionOf((await cliqueNamed(key.name)).status?.conditions, "MinAvailableBreached")?.status).toBe("False");
    expect(await uids()).toEqual(before);
  });
});

test("21: pods that are bound and not ready are counted at once, and open the gates of scaled gangs", async () => {
  world = await startTestWorld();
  world.setCapacity(0);
  await world.createSet(workload2());
  await world.settle();
  expect((await cliqueNamed("workload2-0-pc-a")).status?.scheduledReplicas).toBe(0);
  // Bound by a scheduler to a node whose kubelet says nothing.
  const base = (await world.list(PODS)).filter(({ metadata }) => !metadata.labels?.["grove.io/base-podgang"]);
  const conditions = [{ type: "PodScheduled", status: "True", lastTransitionTime: formatTime(world.clock.nowMs()) }];
  for (const { metadata } of base) {
    const key = { namespace: ns, name: metadata.name };
    await world.api.patch(PODS, key, { status: { conditions } }, { type: "merge", subresource: "status" });
  }
  await world.settle(1_000);
  const scaled = (await world.list(PODS)).filter(({ metadata }) => metadata.labels?.["grove.io/base-podgang"]);
  expect(scaled.map(({ spec }) => spec.schedulingGates ?? [])).toEqual(scaled.map(() => []));
  await world.settle(5_000);
  expect((await cliqueNamed("workload2-0-pc-a")).status?.scheduledReplicas).toBe(2);
});

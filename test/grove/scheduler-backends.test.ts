/** The operator with other schedulers in the embedded API server: their objects come, heal and go; their kinds may be missing. */
import { afterEach, describe, expect, test } from "vitest";
import { CLUSTER_TOPOLOGY_BINDINGS } from "../../src/api/grove/cluster-topology-binding.ts";
import { POD_CLIQUE_SCALING_GROUPS } from "../../src/api/grove/pod-clique-scaling-group.ts";
import { POD_CLIQUE_SETS } from "../../src/api/grove/pod-clique-set.ts";
import { conditionOf } from "../../src/api/kubernetes/conditions.ts";
import { CUSTOM_RESOURCE_DEFINITIONS, EVENTS, PODS } from "../../src/api/kubernetes/core.ts";
import { KAI_POD_GROUPS, KAI_TOPOLOGIES, type KaiPodGroup } from "../../src/api/scheduler/kai.ts";
import { POD_GANGS } from "../../src/api/scheduler/pod-gang.ts";
import { VOLCANO_POD_GROUPS } from "../../src/api/scheduler/volcano.ts";
import { checkBackends } from "../../src/grove/backends/check-cluster.ts";
import { DEFAULT_SETTINGS, type OperatorSettings } from "../../src/grove/settings.ts";
import { createEventRecorder } from "../../src/kube/events.ts";
import { seededRandom } from "../../src/random.ts";
import { KAI_DEFINITIONS, OLD_VOLCANO_POD_GROUP, VOLCANO_DEFINITIONS } from "./fixtures/scheduler-crds.ts";
import { startTestWorld, type TestWorld, type TestWorldOptions } from "./test-world.ts";
import { ALL_LEVELS, binding, RACK, ZONE } from "./topology-workloads.ts";
import { clique, workload, workload2 } from "./workloads.ts";

const KAI: Partial<OperatorSettings> = {
  schedulerProfiles: ["default-scheduler", "kai-scheduler"],
  defaultSchedulerName: "kai-scheduler",
  topologyAwareScheduling: true,
};
const VOLCANO: OperatorSettings = {
  ...DEFAULT_SETTINGS,
  schedulerProfiles: ["default-scheduler", "volcano"],
  defaultSchedulerName: "volcano",
};

let world: TestWorld;
afterEach(() => world.stop());

const start = async (options: TestWorldOptions): Promise<void> => {
  world = await startTestWorld(options);
};
const withKai = () => start({ settings: KAI, definitions: KAI_DEFINITIONS });

const podGroup = (name: string): Promise<KaiPodGroup> => world.api.get(KAI_POD_GROUPS, { namespace: "default", name });
const reasons = async (component: string): Promise<readonly string[]> =>
  (await world.list(EVENTS))
    .filter(({ source }) => source?.component === component)
    .map(({ reason }) => reason)
    .sort();

describe("KAI", () => {
  test("every gang has its PodGroup, and pods name theirs", async () => {
    await withKai();
    await world.createSet(workload2());
    await world.settle();
    expect(await world.names(KAI_POD_GROUPS)).toEqual(["workload2-0", "workload2-0-sg-x-0"]);
    const pods = await world.list(PODS);
    expect(pods).toHaveLength(10);
    for (const { metadata, spec } of pods) {
      expect(spec.schedulerName).toBe("kai-scheduler");
      expect(metadata.annotations).toEqual({
        "kai.scheduler/skip-podgrouper": "true",
        "pod-group-name": metadata.labels?.["grove.io/podgang"],
      });
      expect(metadata.labels?.["kai.scheduler/subgroup-name"]).toBe(metadata.labels?.["grove.io/podclique"]);
    }
    expect(world.problems).toEqual([]);
  });

  test("a settled set costs one write for each PodGroup, and nothing any more", async () => {
    await withKai();
    await world.createSet(workload2());
    await world.settle();
    const writes = world.takeWrites().filter(({ plural }) => plural === "podgroups");
    expect(writes.map(({ verb }) => verb)).toEqual(["create", "create"]);
    await world.settle(400_000);
    expect(world.takeWrites()).toEqual([]);
  });

  test("PodGroups follow the scale of their groups and go with their set", async () => {
    await withKai();
    await world.createSet(workload2());
    await world.settle();
    const scale = (replicas: number) =>
      world.api.setScale(POD_CLIQUE_SCALING_GROUPS, { namespace: "default", name: "workload2-0-sg-x" }, replicas);
    await scale(3);
    await world.settle();
    expect(await world.names(KAI_POD_GROUPS)).toHaveLength(3);
    await scale(1);
    await world.settle();
    expect(await world.names(KAI_POD_GROUPS)).toEqual(["workload2-0"]);
    await world.api.delete(POD_CLIQUE_SETS, { namespace: "default", name: "workload2" });
    await world.settle();
    expect(await world.names(KAI_POD_GROUPS)).toEqual([]);
    expect(world.problems).toEqual([]);
  });

  test("a PodGroup that somebody deletes or edits is put right; what KAI keeps in it stays", async () => {
    await withKai();
    await world.createSet(workload2());
    await world.settle();
    const made = await podGroup("workload2-0");
    await world.api.delete(KAI_POD_GROUPS, { namespace: "default", name: "workload2-0" });
    await world.settle();
    expect((await podGroup("workload2-0")).spec).toEqual(made.spec);

    const edit = {
      metadata: { labels: { "grove.io/scheduler-name": "x", "kai.scheduler/node-pool": "pool" } },
      spec: { minMember: 1, priorityClassName: "x", queue: "moved", markUnschedulable: true, schedulingBackoff: -1 },
    };
    await world.api.patch(KAI_POD_GROUPS, { namespace: "default", name: "workload2-0" }, edit, { type: "merge" });
    await world.settle();
    const healed = await podGroup("workload2-0");
    expect(healed.spec).toEqual({ ...made.spec, queue: "moved", markUnschedulable: true, schedulingBackoff: -1 });
    expect(healed.metadata.labels).toEqual({ ...made.metadata.labels, "kai.scheduler/node-pool": "pool" });

    world.takeWrites();
    const status = { status: { phase: "Running" } };
    const key = { namespace: "default", name: "workload2-0" };
    await world.api.patch(KAI_POD_GROUPS, key, status, { type: "merge", subresource: "status" });
    await world.settle();
    expect(world.takeWrites()).toEqual([]);
  });

  test("the gang keeps KAI's annotations through changes of the set's own", async () => {
    await withKai();
    await world.createSet(workload2());
    await world.settle();
    const annotations = { team: "a" };
    const key = { namespace: "default", name: "workload2" };
    await world.api.patch(POD_CLIQUE_SETS, key, { metadata: { annotations } }, { type: "merge" });
    await world.settle();
    const [gang] = await world.list(POD_GANGS);
    const both = { team: "a", "kai.scheduler/skip-podgrouper": "true" };
    expect(gang?.metadata.annotations).toEqual(both);
    expect((await podGroup("workload2-0")).metadata.annotations).toEqual(both);
  });

  test("a set without a queue has gangs and pods, no PodGroup, and an event; a queue put on it mends that", async () => {
    await withKai();
    const { labels: _, ...unlabelled } = clique("a", 1, 1);
    await world.createSet(workload("bare", { cliques: [unlabelled] }));
    await world.settle();
    expect(await world.names(KAI_POD_GROUPS)).toEqual([]);
    expect(await reasons("scheduler-backend")).toContain("KAIBackendMappingFailed");
    const labels = { "kai.scheduler/queue": "late" };
    const key = { namespace: "default", name: "bare" };
    await world.api.patch(POD_CLIQUE_SETS, key, { metadata: { labels } }, { type: "merge" });
    await world.settle();
    expect((await podGroup("bare-0")).spec.queue).toBe("late");
  });

  test("without its kinds the operator runs and says so; when they come, every gang and binding gets its object", async () => {
    await start({ settings: KAI });
    await world.api.create(CLUSTER_TOPOLOGY_BINDINGS, binding("topo", ALL_LEVELS));
    await world.createSet(workload2());
    await world.settle(120_000);
    expect(await world.list(PODS)).toHaveLength(10);
    const [waiting] = await world.list(CLUSTER_TOPOLOGY_BINDINGS);
    expect(waiting?.status?.schedulerTopologyStatuses).toMatchObject([
      { inSync: false, message: expect.stringContaining("is its CRD installed?") },
    ]);
    expect(world.problems).toEqual([]);
    world.takeWrites();
    await world.settle(120_000);
    expect(world.takeWrites()).toEqual([]);

    await world.install(KAI_DEFINITIONS);
    await world.settle(60_000);
    expect(await world.names(KAI_POD_GROUPS)).toEqual(["workload2-0", "workload2-0-sg-x-0"]);
    expect(await world.names(KAI_TOPOLOGIES)).toEqual(["topo"]);
    const [synced] = await world.list(CLUSTER_TOPOLOGY_BINDINGS);
    expect(conditionOf(synced?.status?.conditions, "SchedulerTopologyDrift")).toMatchObject({ status: "False" });
  });
});

describe("bindings", () => {
  const drift = async () => {
    const [found] = await world.list(CLUSTER_TOPOLOGY_BINDINGS);
    return conditionOf(found?.status?.conditions, "SchedulerTopologyDrift");
  };

  test("events tell of transitions only", async () => {
    await withKai();
    await world.api.create(CLUSTER_TOPOLOGY_BINDINGS, binding("topo", ALL_LEVELS));
    await world.settle();
    const levels = [{ domain: "zone", key: ZONE }];
    await world.api.patch(CLUSTER_TOPOLOGY_BINDINGS, { name: "topo" }, { spec: { levels } }, { type: "merge" });
    await world.settle(400_000);
    expect(await reasons("clustertopology-controller")).toEqual(["TopologyInSync"]);
    const references = [{ schedulerName: "kai-scheduler", topologyReference: "theirs" }];
    const spec = { schedulerTopologyBindings: references };
    await world.api.patch(CLUSTER_TOPOLOGY_BINDINGS, { name: "topo" }, { spec }, { type: "merge" });
    await world.settle(400_000);
    expect(await reasons("clustertopology-controller")).toEqual(["TopologyDriftDetected", "TopologyInSync"]);
  });

  test("a referenced topology is only compared: it may come, differ and be put right", async () => {
    await withKai();
    const references = [{ schedulerName: "kai-scheduler", topologyReference: "theirs" }];
    const levels = [
      { domain: "zone", key: ZONE },
      { domain: "rack", key: RACK },
    ];
    await world.api.create(CLUSTER_TOPOLOGY_BINDINGS, binding("topo", levels, references));
    await world.settle();
    expect(await drift()).toMatchObject({ status: "True", reason: "Drift" });
    const theirs = (keys: readonly string[]) => ({
      apiVersion: "kai.scheduler/v1alpha1",
      kind: "Topology",
      metadata: { name: "theirs" },
      spec: { levels: keys.map((nodeLabel) => ({ nodeLabel })) },
    });
    await world.api.create(KAI_TOPOLOGIES, theirs([ZONE]));
    await world.settle();
    expect(await drift()).toMatchObject({ status: "True", reason: "Drift" });
    await world.api.delete(KAI_TOPOLOGIES, { name: "theirs" });
    await world.api.create(KAI_TOPOLOGIES, theirs([ZONE, RACK]));
    await world.settle();
    expect(await drift()).toMatchObject({ status: "False", reason: "InSync" });
    expect(world.takeWrites().filter(({ plural }) => plural === "topologies")).toEqual([]);
  });

  test("a foreign topology of the name is never touched; when it goes, ours comes", async () => {
    await withKai();
    await world.api.create(KAI_TOPOLOGIES, {
      apiVersion: "kai.scheduler/v1alpha1",
      kind: "Topology",
      metadata: { name: "topo" },
      spec: { levels: [{ nodeLabel: "x" }] },
    });
    await world.api.create(CLUSTER_TOPOLOGY_BINDINGS, binding("topo", ALL_LEVELS));
    await world.settle();
    expect(await drift()).toMatchObject({ status: "True", reason: "Drift" });
    expect(world.takeWrites().filter(({ plural }) => plural === "topologies")).toEqual([]);
    await world.api.delete(KAI_TOPOLOGIES, { name: "topo" });
    await world.settle();
    expect(await drift()).toMatchObject({ status: "False", reason: "InSync" });
    const [ours] = await world.list(KAI_TOPOLOGIES);
    expect(ours?.metadata.ownerReferences).toMatchObject([{ kind: "ClusterTopologyBinding", name: "topo" }]);
  });

  test("our topology heals, and goes with its binding", async () => {
    await withKai();
    await world.api.create(CLUSTER_TOPOLOGY_BINDINGS, binding("topo", ALL_LEVELS));
    await world.settle();
    await world.api.delete(KAI_TOPOLOGIES, { name: "topo" });
    await world.settle();
    expect(await world.names(KAI_TOPOLOGIES)).toEqual(["topo"]);
    await world.api.delete(CLUSTER_TOPOLOGY_BINDINGS, { name: "topo" });
    await world.settle();
    expect(await world.names(KAI_TOPOLOGIES)).toEqual([]);
  });
});

describe("Volcano", () => {
  test("every gang has its PodGroup in the queue that a clique names", async () => {
    await start({ settings: VOLCANO, definitions: VOLCANO_DEFINITIONS });
    const annotations = { "scheduling.grove.io/volcano-queue": "gold" };
    await world.createSet(workload("v", { cliques: [{ ...clique("a", 2, 1), annotations }, clique("b", 1, 1)] }));
    await world.settle();
    const [made] = await world.list(VOLCANO_POD_GROUPS);
    expect(made?.spec).toMatchObject({ minMember: 2, queue: "gold" });
    expect(made?.spec.subGroupPolicy?.map(({ name }) => name)).toEqual(["v-0-a", "v-0-b"]);
    const [pod] = await world.list(PODS);
    expect(pod?.metadata.annotations?.["scheduling.volcano.sh/group-name"]).toBe("v-0");
    expect(world.problems).toEqual([]);
  });

  test("at start-up its PodGroup must have subgroup policies: else an event about the CRD, and no start", async () => {
    const [newEnough] = VOLCANO_DEFINITIONS;
    if (newEnough === undefined) throw new TypeError("no definition");
    await start({});
    const { api, clock } = world;
    const recorder = createEventRecorder({ api, clock, random: seededRandom(1), component: "scheduler-backend" });
    await expect(checkBackends(api, VOLCANO, recorder)).rejects.toThrow("is not installed");
    await api.create(CUSTOM_RESOURCE_DEFINITIONS, OLD_VOLCANO_POD_GROUP);
    await expect(checkBackends(api, VOLCANO, recorder)).rejects.toThrow("Volcano 1.14 or newer");
    await world.settle();
    const events = (await world.list(EVENTS)).filter(({ reason }) => reason === "VolcanoCapabilityUnavailable");
    expect(events.map(({ involvedObject }) => [involvedObject.kind, involvedObject.name])).toEqual([
      ["CustomResourceDefinition", "podgroups.scheduling.volcano.sh"],
      ["CustomResourceDefinition", "podgroups.scheduling.volcano.sh"],
    ]);
    const { metadata } = OLD_VOLCANO_POD_GROUP;
    await api.patch(CUSTOM_RESOURCE_DEFINITIONS, { name: metadata.name }, { spec: newEnough.spec }, { type: "merge" });
    await expect(checkBackends(api, VOLCANO, recorder)).resolves.toBeUndefined();
    await expect(checkBackends(api, { ...DEFAULT_SETTINGS }, recorder)).resolves.toBeUndefined();
  });
});

test("with kube's scheduler alone nothing of others is asked for, and pods say its name", async () => {
  await start({});
  await world.createSet(workload2());
  await world.settle();
  expect(new Set((await world.list(PODS)).map(({ spec }) => spec.schedulerName))).toEqual(
    new Set(["default-scheduler"]),
  );
});

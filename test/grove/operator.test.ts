import { afterEach, describe, expect, test } from "vitest";
import { POD_CLIQUES } from "../../src/api/grove/pod-clique.ts";
import { POD_CLIQUE_SCALING_GROUPS } from "../../src/api/grove/pod-clique-scaling-group.ts";
import { POD_CLIQUE_SETS } from "../../src/api/grove/pod-clique-set.ts";
import { conditionOf } from "../../src/api/kubernetes/conditions.ts";
import {
  EVENTS,
  HORIZONTAL_POD_AUTOSCALERS,
  isPodReady,
  NAMESPACES,
  PODS,
  type Pod,
  ROLE_BINDINGS,
  ROLES,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from "../../src/api/kubernetes/core.ts";
import { POD_GANGS } from "../../src/api/scheduler/pod-gang.ts";
import { seededRandom } from "../../src/random.ts";
import { startTestWorld, type TestWorld } from "./test-world.ts";
import { clique, workload, workload1, workload2 } from "./workloads.ts";

let world: TestWorld;
afterEach(() => world.stop());

const ns = "default";
const hostnames = async (): Promise<readonly string[]> =>
  (await world.list(PODS)).map(({ spec }) => spec.hostname ?? "").sort();

async function running(set = workload2()): Promise<void> {
  world = await startTestWorld();
  await world.createSet(set);
  await world.settle();
}

/** Nothing is left to do: neither a resync nor a forced look writes anything. */
async function expectQuiet(): Promise<void> {
  expect(world.problems).toEqual([]);
  world.takeWrites();
  await world.settle(400_000);
  expect(world.takeWrites()).toEqual([]);
}

describe("a fresh set", () => {
  test("makes exactly the objects of the worked example, and then nothing more", async () => {
    await running();
    expect(await world.names(POD_CLIQUES)).toEqual([
      "workload2-0-pc-a",
      "workload2-0-sg-x-0-pc-b",
      "workload2-0-sg-x-0-pc-c",
      "workload2-0-sg-x-1-pc-b",
      "workload2-0-sg-x-1-pc-c",
    ]);
    expect(await world.names(POD_CLIQUE_SCALING_GROUPS)).toEqual(["workload2-0-sg-x"]);
    expect(await world.names(SERVICES)).toContain("workload2-0");
    expect(await world.names(SERVICE_ACCOUNTS)).toContain("workload2");
    expect(await world.names(ROLES)).toEqual(["grove.io:pcs:workload2"]);
    expect(await world.names(ROLE_BINDINGS)).toEqual(["grove.io:pcs:workload2"]);
    expect(await world.names(SECRETS)).toContain("workload2-ic-sat");
    expect(await hostnames()).toEqual([
      "workload2-0-pc-a-0",
      "workload2-0-pc-a-1",
      "workload2-0-sg-x-0-pc-b-0",
      "workload2-0-sg-x-0-pc-c-0",
      "workload2-0-sg-x-0-pc-c-1",
      "workload2-0-sg-x-0-pc-c-2",
      "workload2-0-sg-x-1-pc-b-0",
      "workload2-0-sg-x-1-pc-c-0",
      "workload2-0-sg-x-1-pc-c-1",
      "workload2-0-sg-x-1-pc-c-2",
    ]);
    const gangs = (await world.list(POD_GANGS)).map(({ metadata, spec }) => [
      metadata.name,
      spec.podgroups.map(({ name, minReplicas, podReferences }) => [name, minReplicas, podReferences.length]),
    ]);
    expect(Object.fromEntries(gangs)).toEqual({
      "workload2-0": [
        ["workload2-0-pc-a", 1, 2],
        ["workload2-0-sg-x-0-pc-b", 1, 1],
        ["workload2-0-sg-x-0-pc-c", 1, 3],
      ],
      // The name counts from the first replica above the minimum: this is replica 1 of the group.
      "workload2-0-sg-x-0": [
        ["workload2-0-sg-x-1-pc-b", 1, 1],
        ["workload2-0-sg-x-1-pc-c", 1, 3],
      ],
    });
    await expectQuiet();
  });

  test("is available, observed and ready, and says so at every level", async () => {
    await running();
    expect((await world.list(PODS)).every(isPodReady)).toBe(true);
    const set = await world.api.get(POD_CLIQUE_SETS, { namespace: ns, name: "workload2" });
    expect(set.status).toMatchObject({
      observedGeneration: set.metadata.generation,
      replicas: 1,
      availableReplicas: 1,
      updatedReplicas: 1,
      hpaPodSelector: "app.kubernetes.io/managed-by=grove-operator,app.kubernetes.io/part-of=workload2",
      lastErrors: [],
    });
    const group = await world.api.get(POD_CLIQUE_SCALING_GROUPS, { namespace: ns, name: "workload2-0-sg-x" });
    expect(group.status).toMatchObject({
      replicas: 2,
      scheduledReplicas: 2,
      availableReplicas: 2,
      updatedReplicas: 2,
      selector: `${set.status?.hpaPodSelector},grove.io/podcliquescalinggroup=workload2-0-sg-x`,
      currentPodCliqueSetGenerationHash: set.status?.currentGenerationHash,
    });
    expect(conditionOf(group.status?.conditions, "MinAvailableBreached")?.status).toBe("False");
    const member = await world.api.get(POD_CLIQUES, { namespace: ns, name: "workload2-0-sg-x-1-pc-c" });
    expect(member.status).toMatchObject({
      replicas: 3,
      readyReplicas: 3,
      scheduledReplicas: 3,
      scheduleGatedReplicas: 0,
    });
    expect(member.status?.hpaPodSelector).toBeUndefined();
    expect(conditionOf(member.status?.conditions, "PodCliqueScheduled")?.reason).toBe("SufficientScheduledPods");
  });

  test("gives pods what they address one another with", async () => {
    await running();
    const pod = (await world.list(PODS)).find(({ spec }) => spec.hostname === "workload2-0-sg-x-1-pc-c-2");
    expect(pod?.metadata.labels).toEqual({
      "kai.scheduler/queue": "test",
      "app.kubernetes.io/managed-by": "grove-operator",
      "app.kubernetes.io/part-of": "workload2",
      "app.kubernetes.io/name": "workload2-0-sg-x-1-pc-c",
      "app.kubernetes.io/component": "pcsg-podclique",
      "grove.io/podcliqueset-replica-index": "0",
      "grove.io/podclique": "workload2-0-sg-x-1-pc-c",
      "grove.io/podclique-pod-index": "2",
      "grove.io/podcliquescalinggroup": "workload2-0-sg-x",
      "grove.io/podcliquescalinggroup-replica-index": "1",
      "grove.io/podgang": "workload2-0-sg-x-0",
      "grove.io/base-podgang": "workload2-0",
      "grove.io/pod-template-hash": expect.stringMatching(/^[a-z0-9]+$/u),
    });
    expect(pod?.spec.subdomain).toBe("workload2-0");
    expect(pod?.spec.containers[0]?.env?.map(({ name, value }) => [name, value])).toEqual([
      ["GROVE_PCS_NAME", "workload2"],
      ["GROVE_PCS_INDEX", "0"],
      ["GROVE_PCLQ_NAME", "workload2-0-sg-x-1-pc-c"],
      ["GROVE_HEADLESS_SERVICE", "workload2-0.default.svc.cluster.local"],
      ["GROVE_PCLQ_POD_INDEX", undefined],
      ["GROVE_PCSG_NAME", undefined],
      ["GROVE_PCSG_INDEX", undefined],
      ["GROVE_PCSG_TEMPLATE_NUM_PODS", "4"],
    ]);
  });

  test("costs few writes for each pod", async () => {
    await running(workload1());
    const writes = world.takeWrites();
    expect(writes.filter(({ plural, verb }) => plural === "pods" && verb === "create").length).toBe(10);
    expect(writes.filter(({ plural, verb }) => plural === "pods" && verb === "patch").length).toBe(10);
    expect(
      new Set(writes.filter(({ verb }) => verb === "create").map(({ plural, name }) => `${plural}/${name}`)).size,
    ).toBe(
      // One set of names: pods share the generateName of their clique (5), and nothing else is created twice.
      5 + 5 + 1 + 1 + 1 + 4,
    );
    expect(writes.length).toBeLessThan(110);
  });

  test("reports what it did, once", async () => {
    await running();
    const reasons = Map.groupBy(await world.list(EVENTS), ({ reason }) => reason);
    // One for each clique, however many pods it has.
    expect(reasons.get("PodCreateSuccessful")?.length).toBe(5);
    expect(reasons.get("PodCreateSuccessful")?.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/^Created 3 Pods: default\/workload2-0-sg-x-0-pc-c-\w+, default/u),
    );
    expect(reasons.get("PodCliqueScalingGroupCreateSuccessful")?.length).toBe(1);
    const before = (await world.list(EVENTS)).length;
    await world.settle(400_000);
    expect((await world.list(EVENTS)).length).toBe(before);
  });

  test("keeps pods of a scaled gang gated until the base gang is scheduled", async () => {
    world = await startTestWorld();
    world.setCapacity(0);
    await world.createSet(workload2());
    await world.settle();
    const gated = async (): Promise<readonly string[]> =>
      (await world.list(PODS))
        .filter(({ spec }) => (spec.schedulingGates ?? []).length > 0)
        .map(({ spec }) => spec.hostname ?? "");
    expect((await gated()).every((name) => name.startsWith("workload2-0-sg-x-1"))).toBe(true);
    expect((await gated()).length).toBe(4);
    const waiting = await world.api.get(POD_CLIQUES, { namespace: ns, name: "workload2-0-sg-x-1-pc-b" });
    expect(waiting.status?.observedGeneration).toBeUndefined();
    expect(waiting.status?.conditions).toBeUndefined();
    // Two of the three pods that the base gang needs: still closed.
    world.setCapacity(2);
    await world.settle();
    expect((await gated()).length).toBe(4);
    world.setCapacity(6);
    await world.settle();
    expect(await gated()).toEqual([]);
  });
});

describe("scaling", () => {
  const scale = async (
    resource: typeof POD_CLIQUES | typeof POD_CLIQUE_SCALING_GROUPS | typeof POD_CLIQUE_SETS,
    name: string,
    replicas: number,
  ) => {
    await world.api.setScale(resource as typeof POD_CLIQUES, { namespace: ns, name }, replicas);
    await world.settle();
  };

  test("a group out and in", async () => {
    await running();
    const before = await hostnames();
    await scale(POD_CLIQUE_SCALING_GROUPS, "workload2-0-sg-x", 3);
    expect(await world.names(POD_GANGS)).toEqual(["workload2-0", "workload2-0-sg-x-0", "workload2-0-sg-x-1"]);
    expect((await hostnames()).filter((name) => !before.includes(name))).toEqual([
      "workload2-0-sg-x-2-pc-b-0",
      "workload2-0-sg-x-2-pc-c-0",
      "workload2-0-sg-x-2-pc-c-1",
      "workload2-0-sg-x-2-pc-c-2",
    ]);
    expect((await world.list(PODS)).every(isPodReady)).toBe(true);
    await expectQuiet();
    await scale(POD_CLIQUE_SCALING_GROUPS, "workload2-0-sg-x", 2);
    expect(await hostnames()).toEqual(before);
    expect(await world.names(POD_GANGS)).toEqual(["workload2-0", "workload2-0-sg-x-0"]);
    await expectQuiet();
  });

  test("a clique out and in: pods join the base gang, the newest go first", async () => {
    await running();
    const before = (await world.list(PODS)).map(({ metadata }) => metadata.uid);
    await scale(POD_CLIQUES, "workload2-0-pc-a", 4);
    const gang = await world.api.get(POD_GANGS, { namespace: ns, name: "workload2-0" });
    expect(gang.spec.podgroups[0]).toMatchObject({ name: "workload2-0-pc-a", minReplicas: 1 });
    expect(gang.spec.podgroups[0]?.podReferences.length).toBe(4);
    expect((await world.list(PODS)).filter(isPodReady).length).toBe(12);
    await scale(POD_CLIQUES, "workload2-0-pc-a", 3);
    await scale(POD_CLIQUES, "workload2-0-pc-a", 2);
    expect((await world.list(PODS)).map(({ metadata }) => metadata.uid).sort()).toEqual(before.sort());
    const shrunk = await world.api.get(POD_GANGS, { namespace: ns, name: "workload2-0" });
    expect(shrunk.spec.podgroups[0]?.podReferences.length).toBe(2);
    await expectQuiet();
  });

  test("a set out and in, with its Service", async () => {
    await running();
    await scale(POD_CLIQUE_SETS, "workload2", 2);
    expect((await world.list(PODS)).filter(isPodReady).length).toBe(20);
    expect((await world.names(SERVICES)).filter((name) => name.startsWith("workload2"))).toEqual([
      "workload2-0",
      "workload2-1",
    ]);
    const set = await world.api.get(POD_CLIQUE_SETS, { namespace: ns, name: "workload2" });
    expect(set.status).toMatchObject({
      availableReplicas: 2,
      updatedReplicas: 2,
      observedGeneration: set.metadata.generation,
    });
    await expectQuiet();
    await scale(POD_CLIQUE_SETS, "workload2", 1);
    expect((await hostnames()).every((name) => name.startsWith("workload2-0-"))).toBe(true);
    expect((await world.names(SERVICES)).filter((name) => name.startsWith("workload2"))).toEqual(["workload2-0"]);
    expect(await world.names(POD_GANGS)).toEqual(["workload2-0", "workload2-0-sg-x-0"]);
    await scale(POD_CLIQUE_SETS, "workload2", 0);
    expect([await world.names(PODS), await world.names(POD_CLIQUES), await world.names(POD_GANGS)]).toEqual([
      [],
      [],
      [],
    ]);
    await expectQuiet();
  });

  test("template replicas count only for what is new", async () => {
    await running();
    const set = await world.api.get(POD_CLIQUE_SETS, { namespace: ns, name: "workload2" });
    const cliques = set.spec.template.cliques.map((entry) =>
      entry.name === "pc-a" ? { ...entry, spec: { ...entry.spec, replicas: 5 } } : entry,
    );
    await world.api.update(POD_CLIQUE_SETS, {
      ...set,
      spec: { replicas: 2, template: { ...set.spec.template, cliques } },
    });
    await world.settle();
    const replicasOf = async (name: string) =>
      (await world.api.get(POD_CLIQUES, { namespace: ns, name })).spec.replicas;
    expect([await replicasOf("workload2-0-pc-a"), await replicasOf("workload2-1-pc-a")]).toEqual([2, 5]);
  });

  test("a group below its minimum is honoured and reported", async () => {
    await running(workload1());
    await scale(POD_CLIQUE_SCALING_GROUPS, "workload1-0-sg-x", 1);
    expect((await world.list(PODS)).length).toBe(6);
    const group = await world.api.get(POD_CLIQUE_SCALING_GROUPS, { namespace: ns, name: "workload1-0-sg-x" });
    expect(conditionOf(group.status?.conditions, "MinAvailableBreached")?.status).toBe("True");
    const gang = await world.api.get(POD_GANGS, { namespace: ns, name: "workload1-0" });
    expect(gang.spec.podgroups.map(({ podReferences }) => podReferences.length)).toEqual([2, 1, 3, 0, 0]);
    expect(conditionOf(gang.status?.conditions, "Initialized")?.status).toBe("True");
  });
});

describe("healing and deletion", () => {
  test("a lost pod comes back under its index, the others stay", async () => {
    await running();
    const pods = await world.list(PODS);
    const lost = pods.find(({ spec }) => spec.hostname === "workload2-0-sg-x-0-pc-c-1");
    await world.api.delete(PODS, { namespace: ns, name: lost?.metadata.name ?? "" });
    await world.settle();
    const after = await world.list(PODS);
    expect(after.map(({ spec }) => spec.hostname).sort()).toEqual(pods.map(({ spec }) => spec.hostname).sort());
    expect(after.filter(({ metadata }) => !pods.some((pod) => pod.metadata.uid === metadata.uid)).length).toBe(1);
    expect(after.every(isPodReady)).toBe(true);
    await expectQuiet();
  });

  test("what is deleted by hand is made again", async () => {
    await running();
    await world.api.delete(SERVICES, { namespace: ns, name: "workload2-0" });
    await world.api.delete(POD_CLIQUES, { namespace: ns, name: "workload2-0-sg-x-1-pc-b" });
    await world.api.delete(POD_GANGS, { namespace: ns, name: "workload2-0-sg-x-0" });
    await world.settle();
    expect(await world.names(SERVICES)).toContain("workload2-0");
    expect(await world.names(POD_GANGS)).toEqual(["workload2-0", "workload2-0-sg-x-0"]);
    expect((await world.list(PODS)).filter(isPodReady).length).toBe(10);
    await expectQuiet();
  });

  test("deleting the set leaves nothing behind", async () => {
    await running();
    await world.api.delete(POD_CLIQUE_SETS, { namespace: ns, name: "workload2" });
    await world.settle();
    for (const resource of [
      POD_CLIQUE_SETS,
      POD_CLIQUES,
      POD_CLIQUE_SCALING_GROUPS,
      POD_GANGS,
      PODS,
      ROLES,
      ROLE_BINDINGS,
    ]) {
      expect([resource.plural, await world.names(resource)]).toEqual([resource.plural, []]);
    }
    expect(await world.names(SERVICES)).not.toContain("workload2-0");
    expect(world.problems).toEqual([]);
  });
});

test("under OnDelete a replacement is counted as updated before it runs", async () => {
  const object = workload2();
  await running({ ...object, spec: { ...object.spec, updateStrategy: { type: "OnDelete" } } });
  const key = { namespace: ns, name: "workload2" };
  const { template } = (await world.api.get(POD_CLIQUE_SETS, key)).spec;
  const cliques = template.cliques.map((one) => ({ ...one, labels: { ...one.labels, changed: "yes" } }));
  await world.api.patch(POD_CLIQUE_SETS, key, { spec: { template: { cliques } } }, { type: "merge" });
  await world.settle();
  const pods = (await world.list(PODS)).filter(({ metadata }) => metadata.name.startsWith("workload2-0-pc-a-"));
  await world.api.delete(PODS, { namespace: ns, name: pods[0]?.metadata.name ?? "" });
  const isNew = ({ metadata }: Pod): boolean => metadata.labels?.["changed"] === "yes";
  for (let step = 0; !(await world.list(PODS)).some((pod) => isNew(pod) && isPodReady(pod)); step++) {
    expect(step).toBeLessThan(100);
    await world.settle(50);
  }
  const clique = await world.api.get(POD_CLIQUES, { namespace: ns, name: "workload2-0-pc-a" });
  expect(clique.status).toMatchObject({ updatedReplicas: 1, replicas: 2 });
});

test("autoscalers follow their configuration and go with their replica", async () => {
  const metrics = [
    { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } } },
  ];
  await running(
    workload(
      "auto",
      {
        cliques: [clique("a", 2, 1, { autoScalingConfig: { maxReplicas: 4, metrics } }), clique("b", 1, 1)],
        podCliqueScalingGroups: [{ name: "g", cliqueNames: ["b"], scaleConfig: { minReplicas: 1, maxReplicas: 3 } }],
      },
      { replicas: 2 },
    ),
  );
  expect(await world.names(HORIZONTAL_POD_AUTOSCALERS)).toEqual(["auto-0-a", "auto-0-g", "auto-1-a", "auto-1-g"]);
  const [hpa] = await world.list(HORIZONTAL_POD_AUTOSCALERS);
  expect(hpa?.spec).toMatchObject({
    scaleTargetRef: { apiVersion: "grove.io/v1alpha1", kind: "PodClique", name: "auto-0-a" },
    minReplicas: 2,
    maxReplicas: 4,
    metrics,
  });
  await expectQuiet();
  await world.api.setScale(POD_CLIQUE_SETS, { namespace: ns, name: "auto" }, 1);
  await world.settle();
  expect(await world.names(HORIZONTAL_POD_AUTOSCALERS)).toEqual(["auto-0-a", "auto-0-g"]);
});

test("a hundred replicas cost at most seven writes for each pod", async () => {
  world = await startTestWorld();
  await world.createSet(workload("expert", { cliques: [clique("worker", 2, 2)] }, { replicas: 100 }));
  await world.settle(60_000);
  const set = await world.api.get(POD_CLIQUE_SETS, { namespace: ns, name: "expert" });
  expect(set.status).toMatchObject({ availableReplicas: 100, observedGeneration: set.metadata.generation });
  expect((await world.list(PODS)).length).toBe(200);
  expect(world.takeWrites().length).toBeLessThanOrEqual(7 * 200);
});

describe("faults", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "one write in five fails and watches break: the end is the same (seed %i)",
    async (seed) => {
      const random = seededRandom(seed);
      let faulty = true;
      world = await startTestWorld({ seed, failsWrite: () => faulty && random.next() < 0.2 });
      await world.createSet(workload2());
      for (let step = 0; step < 6; step++) {
        await world.settle(random.next() * 3000);
        world.breakWatches();
        if (step === 2) await world.api.setScale(POD_CLIQUE_SETS, { namespace: ns, name: "workload2" }, 2);
        if (step === 4) await world.api.setScale(POD_CLIQUE_SETS, { namespace: ns, name: "workload2" }, 1);
      }
      faulty = false;
      await world.settle(600_000);
      expect((await hostnames()).length).toBe(10);
      expect((await hostnames()).every((name) => name.startsWith("workload2-0-"))).toBe(true);
      expect((await world.list(PODS)).every(isPodReady)).toBe(true);
      expect(await world.names(POD_GANGS)).toEqual(["workload2-0", "workload2-0-sg-x-0"]);
      const set = await world.api.get(POD_CLIQUE_SETS, { namespace: ns, name: "workload2" });
      expect(set.status).toMatchObject({
        availableReplicas: 1,
        observedGeneration: set.metadata.generation,
        lastErrors: [],
      });
      for (const { metadata, status } of await world.list(POD_CLIQUES)) {
        expect([metadata.name, status?.lastErrors, status?.observedGeneration]).toEqual([
          metadata.name,
          [],
          metadata.generation,
        ]);
      }
      world.problems.length = 0;
      await expectQuiet();
    },
  );
});

test("two sets of one template do not disturb one another, nor do names that end alike", async () => {
  world = await startTestWorld();
  const template = {
    cliques: [clique("worker", 1, 1), clique("prefill-worker", 2, 2), clique("decode", 1, 1)],
    podCliqueScalingGroups: [{ name: "g", cliqueNames: ["prefill-worker", "decode"] }],
  };
  await world.createSet(workload("a", template));
  await world.createSet(workload("a-0", template));
  await world.settle();
  expect(await hostnames()).toEqual([
    "a-0-0-g-0-decode-0",
    "a-0-0-g-0-prefill-worker-0",
    "a-0-0-g-0-prefill-worker-1",
    "a-0-0-worker-0",
    "a-0-g-0-decode-0",
    "a-0-g-0-prefill-worker-0",
    "a-0-g-0-prefill-worker-1",
    "a-0-worker-0",
  ]);
  await expectQuiet();
});

test("with a start-up order and no init container configured no pod starts early, and the clique says why", async () => {
  world = await startTestWorld();
  await world.createSet(
    workload("ordered", {
      cliqueStartupType: "CliqueStartupTypeInOrder",
      cliques: [clique("a", 1, 1), clique("b", 1, 1)],
    }),
  );
  await world.settle();
  const b = await world.api.get(POD_CLIQUES, { namespace: ns, name: "ordered-0-b" });
  expect(b.spec.startsAfter).toEqual(["ordered-0-a"]);
  expect(b.status?.lastErrors?.map(({ code }) => code)).toEqual(["ERR_INITCONTAINER_ENVIRONMENT_VARIABLE_MISSING"]);
  expect((await world.list(PODS)).map(({ metadata }) => metadata.labels?.["grove.io/podclique"])).toEqual([
    "ordered-0-a",
  ]);
});

test("an operator for some namespaces leaves the others alone", async () => {
  world = await startTestWorld({ namespaces: ["default", "team"] });
  for (const name of ["team", "other"]) {
    await world.api.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  }
  const template = { cliques: [clique("a", 1, 1)] };
  for (const namespace of ["default", "team", "other"]) await world.createSet(workload("s", template, { namespace }));
  await world.settle();
  expect((await world.list(PODS)).map(({ metadata }) => metadata.namespace).sort()).toEqual(["default", "team"]);
  await expectQuiet();
});

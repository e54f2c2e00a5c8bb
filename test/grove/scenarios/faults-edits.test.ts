/** What people and other programs do to a set's objects behind the operator's back. */

import { afterEach, describe, expect, test } from "vitest";
import { POD_CLIQUES } from "../../../src/api/grove/pod-clique.ts";
import { POD_CLIQUE_SCALING_GROUPS } from "../../../src/api/grove/pod-clique-scaling-group.ts";
import { POD_CLIQUE_SETS, type PodCliqueSetInput } from "../../../src/api/grove/pod-clique-set.ts";
import {
  HORIZONTAL_POD_AUTOSCALERS,
  NAMESPACES,
  PODS,
  ROLE_BINDINGS,
  ROLES,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from "../../../src/api/kubernetes/core.ts";
import type { KubeObject, Resource } from "../../../src/api/kubernetes/meta.ts";
import { COMPUTE_DOMAINS } from "../../../src/api/nvidia/compute-domain.ts";
import { KAI_POD_GROUPS } from "../../../src/api/scheduler/kai.ts";
import { POD_GANGS } from "../../../src/api/scheduler/pod-gang.ts";
import { ApiError } from "../../../src/kube/api-error.ts";
import { onAgents, workload2, workload3 } from "../workloads.ts";
import { notConverged, withoutIndexHoles } from "./converged.ts";
import { type EmbeddedWorld, type EmbeddedWorldOptions, startEmbeddedWorld } from "./embedded-world.ts";
import { objectSet } from "./object-set.ts";
import { uidsOf, untilReady } from "./steps.ts";
import { MANAGED_KINDS } from "./world-actions.ts";

const worlds: EmbeddedWorld[] = [];
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.stop()));
});

async function openWorld(options?: EmbeddedWorldOptions): Promise<EmbeddedWorld> {
  const world = await startEmbeddedWorld(options);
  worlds.push(world);
  await world.prepare(30);
  return world;
}

/** Workload 2 with an autoscaler of each kind. */
function scaled(): PodCliqueSetInput {
  const set = onAgents(workload2());
  const { template } = set.spec;
  const [first, ...rest] = template.cliques;
  const [group] = template.podCliqueScalingGroups ?? [];
  if (first === undefined || group === undefined) throw new Error("workload 2 has changed");
  const cliques = [{ ...first, spec: { ...first.spec, autoScalingConfig: { maxReplicas: 4 } } }, ...rest];
  const groups = [{ ...group, scaleConfig: { maxReplicas: 4 } }];
  return { ...set, spec: { ...set.spec, template: { ...template, cliques, podCliqueScalingGroups: groups } } };
}

/** The operator looks at everything again at least this often. */
const RESYNC_MS = 180_000;

/** Before and after something that has to be put right, and what is not as it should be then. */
async function healed(world: EmbeddedWorld, disturb: () => Promise<unknown>) {
  await world.deploy(scaled());
  await untilReady(world, 10);
  await world.settle();
  const before = withoutIndexHoles(await objectSet(world));
  await disturb();
  await world.settle();
  await world.pass(RESYNC_MS + 10_000);
  await world.settle();
  return { before, after: withoutIndexHoles(await objectSet(world)), problems: await notConverged(world, "workload2") };
}

const DELETED: readonly (readonly [Resource, string])[] = [
  [POD_CLIQUES, "workload2-0-pc-a"],
  [POD_CLIQUES, "workload2-0-sg-x-0-pc-b"],
  [POD_CLIQUES, "workload2-0-sg-x-1-pc-c"],
  [POD_CLIQUE_SCALING_GROUPS, "workload2-0-sg-x"],
  [POD_GANGS, "workload2-0"],
  [POD_GANGS, "workload2-0-sg-x-0"],
  [KAI_POD_GROUPS, "workload2-0"],
  [SERVICES, "workload2-0"],
  [SERVICE_ACCOUNTS, "workload2"],
  [ROLES, "grove.io:pcs:workload2"],
  [ROLE_BINDINGS, "grove.io:pcs:workload2"],
  [SECRETS, ""],
  [HORIZONTAL_POD_AUTOSCALERS, "workload2-0-pc-a"],
  [HORIZONTAL_POD_AUTOSCALERS, "workload2-0-sg-x"],
];

describe("an object that a person deletes is made again", () => {
  test.each(DELETED.map(([kind, name]) => ({ kind, name, of: kind.kind })))("$of $name", async ({ kind, name }) => {
    const world = await openWorld();
    const { before, after, problems } = await healed(world, async () => {
      const { items } = await world.api.list(kind, { namespace: world.namespace });
      const found = items.find(({ metadata }) =>
        name === "" ? metadata.labels !== undefined : metadata.name === name,
      );
      if (found === undefined)
        throw new Error(`there is none: ${items.map(({ metadata }) => metadata.name).join(" ")}`);
      await world.api.delete(kind, { namespace: world.namespace, name: found.metadata.name });
    });
    expect(problems).toEqual([]);
    expect(after).toEqual(before);
  });

  test("all of them at once", async () => {
    const world = await openWorld();
    const { before, after, problems } = await healed(world, async () => {
      for (const kind of [...new Set(DELETED.map(([each]) => each)), PODS]) {
        for (const { metadata } of (await world.api.list(kind, { namespace: world.namespace })).items as KubeObject[]) {
          if (metadata.labels?.["app.kubernetes.io/managed-by"] !== "grove-operator") continue;
          await world.api.delete(kind, { namespace: world.namespace, name: metadata.name }).catch(() => undefined);
        }
      }
    });
    expect(problems).toEqual([]);
    expect(after).toEqual(before);
  });
});

type Edit = readonly [what: string, kind: Resource, name: string, patch: object];

const PUT_RIGHT: readonly Edit[] = [
  ["labels of a PodClique", POD_CLIQUES, "workload2-0-pc-a", { metadata: { labels: { "grove.io/podgang": "other" } } }],
  [
    "part-of of a PodClique",
    POD_CLIQUES,
    "workload2-0-pc-a",
    { metadata: { labels: { "app.kubernetes.io/part-of": null } } },
  ],
  ["a label more on a PodClique", POD_CLIQUES, "workload2-0-pc-a", { metadata: { labels: { mine: "x" } } }],
  [
    "the hash of a PodClique",
    POD_CLIQUES,
    "workload2-0-pc-a",
    { metadata: { labels: { "grove.io/pod-template-hash": "x" } } },
  ],
  ["minAvailable of a PodClique", POD_CLIQUES, "workload2-0-pc-a", { spec: { minAvailable: 2 } }],
  [
    "the pod spec of a PodClique",
    POD_CLIQUES,
    "workload2-0-pc-a",
    { spec: { podSpec: { containers: [{ name: "pc-a", image: "evil" }] } } },
  ],
  ["minAvailable of a group", POD_CLIQUE_SCALING_GROUPS, "workload2-0-sg-x", { spec: { minAvailable: 2 } }],
  ["the members of a group", POD_CLIQUE_SCALING_GROUPS, "workload2-0-sg-x", { spec: { cliqueNames: ["pc-b"] } }],
  [
    "labels of a group",
    POD_CLIQUE_SCALING_GROUPS,
    "workload2-0-sg-x",
    { metadata: { labels: { "app.kubernetes.io/component": "x" } } },
  ],
  [
    "part-of of a group",
    POD_CLIQUE_SCALING_GROUPS,
    "workload2-0-sg-x",
    { metadata: { labels: { "app.kubernetes.io/part-of": null } } },
  ],
  ["the pod groups of a PodGang", POD_GANGS, "workload2-0", { spec: { podgroups: [] } }],
  ["labels of a PodGang", POD_GANGS, "workload2-0", { metadata: { labels: { "grove.io/scheduler-name": "x" } } }],
  ["part-of of a PodGang", POD_GANGS, "workload2-0", { metadata: { labels: { "app.kubernetes.io/part-of": null } } }],
  ["the spec of a KAI PodGroup", KAI_POD_GROUPS, "workload2-0", { spec: { minMember: 99 } }],
  [
    "the selector of a Service",
    SERVICES,
    "workload2-0",
    { spec: { selector: { "grove.io/podcliqueset-replica-index": "7" } } },
  ],
  ["publishNotReadyAddresses of a Service", SERVICES, "workload2-0", { spec: { publishNotReadyAddresses: false } }],
  [
    "managed-by of a Service",
    SERVICES,
    "workload2-0",
    { metadata: { labels: { "app.kubernetes.io/managed-by": null } } },
  ],
  [
    "managed-by of a Role",
    ROLES,
    "grove.io:pcs:workload2",
    { metadata: { labels: { "app.kubernetes.io/managed-by": null } } },
  ],
  ["bounds of an HPA", HORIZONTAL_POD_AUTOSCALERS, "workload2-0-pc-a", { spec: { maxReplicas: 9 } }],
  [
    "managed-by of an HPA",
    HORIZONTAL_POD_AUTOSCALERS,
    "workload2-0-pc-a",
    { metadata: { labels: { "app.kubernetes.io/managed-by": null } } },
  ],
];

describe("an edit is put right", () => {
  test.each(PUT_RIGHT)("%s", async (_, kind, name, patch) => {
    const world = await openWorld();
    const { before, after, problems } = await healed(world, () =>
      world.api.patch(kind, { namespace: world.namespace, name }, patch, { type: "merge" }),
    );
    expect(problems).toEqual([]);
    expect(after).toEqual(before);
  });
});

describe("an edit is left alone", () => {
  test.each<Edit>([
    ["the rules of the Role", ROLES, "grove.io:pcs:workload2", { rules: [] }],
    ["the subjects of the RoleBinding", ROLE_BINDINGS, "grove.io:pcs:workload2", { subjects: [] }],
    ["replicas of a group", POD_CLIQUE_SCALING_GROUPS, "workload2-0-sg-x", { spec: { replicas: 3 } }],
    ["replicas of a PodClique", POD_CLIQUES, "workload2-0-pc-a", { spec: { replicas: 3 } }],
    ["replicas of a member", POD_CLIQUES, "workload2-0-sg-x-0-pc-b", { spec: { replicas: 2 } }],
  ])("%s", async (_, kind, name, patch) => {
    const world = await openWorld();
    const key = { namespace: world.namespace, name };
    const { problems } = await healed(world, () => world.api.patch(kind, key, patch, { type: "merge" }));
    expect(problems).toEqual([]);
    expect(await world.api.get(kind, key)).toMatchObject(patch);
  });
});

test("a set that is deleted and created again at once under its name starts over with objects of its own", async () => {
  const world = await openWorld();
  const { before, after, problems } = await healed(world, async () => {
    const old = uidsOf(world.view.pods());
    await world.api.delete(POD_CLIQUE_SETS, { namespace: world.namespace, name: "workload2" });
    while (world.view.set("workload2") !== undefined) await world.clock.advance(10);
    await world.deploy(scaled());
    await world.until(
      "ten new pods",
      () => world.view.pods().length === 10 && [...uidsOf(world.view.pods())].every((uid) => !old.has(uid)),
    );
  });
  expect(problems).toEqual([]);
  expect(after).toEqual(before);
});

test("a pod that never ends does not hold up its replacement, and goes with the set", async () => {
  const world = await openWorld();
  await world.deploy(scaled());
  await untilReady(world, 10);
  const name = world.view.pods()[0]?.metadata.name ?? "";
  const key = { namespace: world.namespace, name };
  await world.api.patch(PODS, key, { metadata: { finalizers: ["example.com/stuck"] } }, { type: "merge" });
  await world.deletePod(name);
  await world.settle();
  const others = world.view.pods().filter(({ metadata }) => metadata.name !== name);
  expect(others).toHaveLength(10);
  expect(world.view.set("workload2")?.status).toMatchObject({ availableReplicas: 1, lastErrors: [] });
  await world.api.patch(PODS, key, { metadata: { finalizers: null } }, { type: "merge" });
  await world.settle();
  expect(await notConverged(world, "workload2")).toEqual([]);
  await world.cleanUp();
});

test("a namespace that goes while its set comes up goes wholly, and the operator falls silent", async () => {
  const world = await openWorld();
  await world.deploy(scaled());
  await world.pass(250);
  expect(world.view.cliques().length).toBeGreaterThan(0);
  await world.api.delete(NAMESPACES, { name: world.namespace });
  await world.settle();
  // Kinds that only some clusters have are not served here.
  const kinds = [POD_CLIQUE_SETS, ...MANAGED_KINDS].filter(({ group }) => group !== COMPUTE_DOMAINS.group);
  const lists = await Promise.all(kinds.map((kind: Resource) => world.api.list(kind, { namespace: world.namespace })));
  expect(lists.flatMap(({ items }) => items.map(({ metadata }) => metadata.name))).toEqual([]);
  const before = world.faults.writeCount();
  await world.pass(600_000);
  expect(world.faults.writeCount()).toBe(before);
});

test("a token that comes late holds back what needs it, and nothing is half made", async () => {
  const world = await openWorld({ tokenDelayMs: 90_000 });
  await world.deploy(onAgents(workload3()));
  await world.pass(60_000);
  expect([world.view.cliques().length, world.view.gangs().length, world.view.pods().length]).toEqual([0, 0, 0]);
  expect(world.view.set("workload3")?.status?.observedGeneration).toBeUndefined();
  await untilReady(world, 10);
  await world.settle();
  expect(await notConverged(world, "workload3")).toEqual([]);
});

test("a status that was stored although its answer was lost does not stay when it is over", async () => {
  const world = await openWorld();
  await world.deploy(scaled());
  await untilReady(world, 10);
  await world.settle();
  const { faults } = world;
  // The cache says what was before the lost status until long after the trouble is over.
  faults.delayEvents(3_000);
  let trouble = 1;
  const refusal = new ApiError(500, "InternalError", "injected");
  faults.refuse(({ verb, plural }) => verb === "create" && plural === "services" && trouble-- > 0, refusal);
  let lost = 1;
  faults.loseAnswers(({ plural, subresource }) => plural === "podcliquesets" && subresource === "status" && lost-- > 0);
  const service = { namespace: world.namespace, name: "workload2-0" };
  const { uid } = (await world.api.get(SERVICES, service)).metadata;
  await world.api.delete(SERVICES, service);
  await world.pass(5_000);
  expect(world.view.set("workload2")?.status?.lastErrors?.map(({ code }) => code)).toEqual(["ERR_SYNC_SERVICE"]);
  await world.pass(15_000);
  expect((await world.api.get(SERVICES, service)).metadata.uid).not.toBe(uid);
  expect(world.view.set("workload2")?.status?.lastErrors).toEqual([]);
});

test("a condition that a scheduler writes in the very moment of our own status write stays", async () => {
  const world = await openWorld();
  const key = { namespace: world.namespace, name: "workload2-0" };
  const condition = {
    type: "Unhealthy",
    status: "False",
    reason: "AllGood",
    message: "",
    lastTransitionTime: "2026-01-01T00:00:00Z",
  };
  let written = false;
  world.faults.refuse(({ plural, subresource }) => {
    if (plural !== "podgangs" || subresource !== "status" || written) return false;
    written = true;
    const conditions = world.view.gangs().find(({ metadata }) => metadata.name === key.name)?.status?.conditions ?? [];
    const patch = { status: { phase: "Pending", conditions: [...conditions, condition] } };
    // Carried out before the write that is under way.
    void world.api.patch(POD_GANGS, key, patch, { type: "merge", subresource: "status" });
    return false;
  });
  await world.deploy(scaled());
  await untilReady(world, 10);
  await world.settle();
  expect(written).toBe(true);
  const conditions = (await world.api.get(POD_GANGS, key)).status?.conditions ?? [];
  expect(conditions.map(({ type }) => type).toSorted()).toEqual(["Initialized", "Ready", "Scheduled", "Unhealthy"]);
});

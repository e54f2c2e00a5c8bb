import { describe, expect, test } from "vitest";
import type { ClusterTopologyBinding } from "../../api/grove/cluster-topology-binding.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import type { KaiPodGroup } from "../../api/scheduler/kai.ts";
import type { PodGang } from "../../api/scheduler/pod-gang.ts";
import type { VolcanoPodGroup, VolcanoQueue } from "../../api/scheduler/volcano.ts";
import type { Action } from "../actions.ts";
import { podObject } from "../pod-clique/pod-object.ts";
import { expectedPodGangs } from "../pod-gang/compose.ts";
import { planPodGangs } from "../pod-gang/plan.ts";
import { type GangBackendSnapshot, planGangBackend } from "../pod-gang-backend/plan.ts";
import { DEFAULT_SETTINGS, type OperatorSettings, type SchedulerProfileName } from "../settings.ts";
import { cliqueTemplate, storedClique, storedSet } from "../test-objects.ts";
import { backendOf, topologyAwareSchedulerNames } from "./registry.ts";
import { validateBackends } from "./validate.ts";

const ALL: OperatorSettings = {
  ...DEFAULT_SETTINGS,
  schedulerProfiles: ["default-scheduler", "kai-scheduler", "lpx-scheduler", "volcano"],
  defaultSchedulerName: "kai-scheduler",
  topologyAwareScheduling: true,
};
const withDefault = (defaultSchedulerName: SchedulerProfileName): OperatorSettings => ({
  ...ALL,
  defaultSchedulerName,
});

const BINDING: ClusterTopologyBinding = {
  apiVersion: "grove.io/v1alpha1",
  kind: "ClusterTopologyBinding",
  metadata: { name: "topo", uid: "topo-uid" },
  spec: {
    levels: [
      { domain: "block", key: "k/block" },
      { domain: "rack", key: "k/rack" },
      { domain: "host", key: "k/host" },
    ],
  },
};

const QUEUED = { labels: { "kai.scheduler/queue": "q" } };

/** Two base replicas and one scaled one of a constrained group, and a clique of its own. */
const SET = storedSet({
  topologyConstraint: { topologyName: "topo", pack: { required: "block" } },
  cliques: [
    { ...cliqueTemplate("alone", 2, 1), ...QUEUED },
    { ...cliqueTemplate("m", 3, 2), topologyConstraint: { pack: { preferred: "host" } } },
    cliqueTemplate("n"),
  ],
  podCliqueScalingGroups: [
    {
      name: "g",
      cliqueNames: ["m", "n"],
      replicas: 2,
      minAvailable: 1,
      topologyConstraint: { pack: { required: "rack" } },
    },
  ],
  priorityClassName: "high",
});

/** As the set's plan makes them. */
function gangsOf(set: PodCliqueSet, settings = ALL): readonly PodGang[] {
  const plan = planPodGangs({
    set,
    expected: expectedPodGangs(set, new Map()),
    gangs: new Map(),
    cliques: new Map(),
    podsByClique: new Map(),
    binding: BINDING,
    settings,
    now: "t1",
  });
  return plan.creates.flatMap((action) =>
    action.kind === "create" && action.of === "gang"
      ? [{ ...action.object, metadata: { ...action.object.metadata, uid: `uid-${action.object.metadata.name}` } }]
      : [],
  );
}

const [BASE, SCALED] = gangsOf(SET) as readonly [PodGang, PodGang];

function snapshot(gang: PodGang, more: Partial<GangBackendSnapshot> = {}): GangBackendSnapshot {
  return {
    gang,
    set: SET,
    binding: BINDING,
    live: [
      { of: "kaiPodGroup", isKnown: true, object: undefined },
      { of: "volcanoPodGroup", isKnown: true, object: undefined },
    ],
    ...more,
  };
}

const actionsOf = (plan: ReturnType<typeof planGangBackend>): readonly Action[] =>
  plan.stages.flatMap(({ actions }) => actions);

function createdFor<T>(gang: PodGang, settings = ALL, more: Partial<GangBackendSnapshot> = {}): T {
  const [action] = actionsOf(planGangBackend(snapshot(gang, more), settings));
  if (action?.kind !== "create") throw new TypeError(`not created: ${JSON.stringify(action)}`);
  return action.object as unknown as T;
}

const kai = (object: KaiPodGroup | undefined, isKnown = true): Partial<GangBackendSnapshot> => ({
  live: [{ of: "kaiPodGroup", isKnown, object }],
});

describe("KAI PodGroups", () => {
  const topologyConstraint = (requiredTopologyLevel: string) => ({ topology: "topo", requiredTopologyLevel });

  test("of a base gang: parents for constrained group replicas, without minMember; leaves with the minimum of the clique", () => {
    const podGroup = createdFor<KaiPodGroup>(BASE);
    expect(podGroup.metadata).toMatchObject({
      name: "w-0",
      namespace: "ns",
      labels: { "app.kubernetes.io/part-of": "w", "grove.io/scheduler-name": "kai-scheduler" },
      annotations: { "grove.io/topology-name": "topo", "kai.scheduler/skip-podgrouper": "true" },
      ownerReferences: [{ kind: "PodGang", name: "w-0", uid: "uid-w-0", controller: true }],
    });
    expect(podGroup.spec).toEqual({
      minMember: 4,
      queue: "q",
      priorityClassName: "high",
      topologyConstraint: topologyConstraint("k/block"),
      subGroups: [
        { name: "w-0-g-0", minSubGroup: 2, topologyConstraint: topologyConstraint("k/rack") },
        { name: "w-0-alone", minMember: 1 },
        {
          name: "w-0-g-0-m",
          minMember: 2,
          parent: "w-0-g-0",
          topologyConstraint: { topology: "topo", preferredTopologyLevel: "k/host" },
        },
        { name: "w-0-g-0-n", minMember: 1, parent: "w-0-g-0" },
      ],
    });
  });

  test("of a scaled gang: everything at the root", () => {
    const { spec } = createdFor<KaiPodGroup>(SCALED);
    expect(spec.topologyConstraint).toEqual(topologyConstraint("k/rack"));
    expect(spec.subGroups?.map(({ name, parent, minSubGroup }) => [name, parent, minSubGroup])).toEqual([
      ["w-0-g-1-m", undefined, undefined],
      ["w-0-g-1-n", undefined, undefined],
    ]);
  });

  test("have no parents for groups without a constraint", () => {
    const [group] = SET.spec.template.podCliqueScalingGroups ?? [];
    const { topologyConstraint: _, ...free } = group ?? { name: "", cliqueNames: [], replicas: 1, minAvailable: 1 };
    const set = {
      ...SET,
      spec: { ...SET.spec, template: { ...SET.spec.template, podCliqueScalingGroups: [free] } },
    } as PodCliqueSet;
    const [base] = gangsOf(set) as readonly [PodGang];
    const { spec } = createdFor<KaiPodGroup>(base, ALL, { set });
    expect(spec.subGroups?.every(({ parent, minMember }) => parent === undefined && (minMember ?? 0) > 0)).toBe(true);
  });

  test("name the topology that the binding refers to", () => {
    const schedulerTopologyBindings = [{ schedulerName: "kai-scheduler", topologyReference: "theirs" }];
    const binding = { ...BINDING, spec: { ...BINDING.spec, schedulerTopologyBindings } };
    expect(createdFor<KaiPodGroup>(BASE, ALL, { binding }).spec.topologyConstraint?.topology).toBe("theirs");
  });

  test("fall back to KAI's own annotation, and cannot be made of constraints without any name", () => {
    const { "grove.io/topology-name": _, ...rest } = BASE.metadata.annotations ?? {};
    const nameless = { ...BASE, metadata: { ...BASE.metadata, annotations: rest } };
    expect(planGangBackend(snapshot(nameless, { binding: undefined }), ALL)).toMatchObject({
      stages: [{ actions: [] }],
      mappingProblem: expect.stringContaining("names no topology"),
    });
    const annotations = { ...rest, "kai.scheduler/topology": "old" };
    const kaiNamed = { ...BASE, metadata: { ...BASE.metadata, annotations } };
    expect(createdFor<KaiPodGroup>(kaiNamed, ALL, { binding: undefined }).spec.topologyConstraint?.topology).toBe(
      "old",
    );
  });

  const live = (change: (podGroup: KaiPodGroup) => KaiPodGroup = (same) => same): KaiPodGroup =>
    change(createdFor<KaiPodGroup>(BASE));

  test("are left alone as long as nothing differs, whatever KAI adds", () => {
    const touched = live((podGroup) => ({
      ...podGroup,
      metadata: {
        ...podGroup.metadata,
        labels: { ...podGroup.metadata.labels, "kai.scheduler/node-pool": "pool", "kai.scheduler/queue": "moved" },
        annotations: { ...podGroup.metadata.annotations, "kai.scheduler/note": "1" },
      },
      spec: {
        ...podGroup.spec,
        queue: "moved",
        markUnschedulable: true,
        schedulingBackoff: 1,
        // As KAI's typed clients write what is absent.
        subGroups: (podGroup.spec.subGroups ?? []).map((each) => ({ topologyConstraint: {}, ...each })),
      },
    }));
    expect(actionsOf(planGangBackend(snapshot(BASE, kai(touched)), ALL))).toEqual([]);
  });

  test("are put right after a foreign edit, without what KAI keeps", () => {
    const edited = live((podGroup) => ({
      ...podGroup,
      metadata: { ...podGroup.metadata, labels: { ...podGroup.metadata.labels, "app.kubernetes.io/part-of": "x" } },
      spec: { ...podGroup.spec, minMember: 1, queue: "moved", subGroups: [], markUnschedulable: true },
    }));
    expect(actionsOf(planGangBackend(snapshot(BASE, kai(edited)), ALL))).toEqual([
      {
        kind: "patch",
        of: "kaiPodGroup",
        object: edited,
        errorCode: "ERR_SYNC_PODGROUP",
        patch: {
          metadata: { labels: { "app.kubernetes.io/part-of": "w" } },
          spec: { minMember: 4, subGroups: live().spec.subGroups },
        },
      },
    ]);
  });

  test("lose the name of the topology with the constraints", () => {
    const { "grove.io/topology-name": _, ...annotations } = BASE.metadata.annotations ?? {};
    const { topologyConstraint: __, topologyConstraintGroupConfigs: ___, ...spec } = BASE.spec;
    const podgroups = spec.podgroups.map(({ topologyConstraint: ____, ...group }) => group);
    const bare = { ...BASE, metadata: { ...BASE.metadata, annotations }, spec: { ...spec, podgroups } };
    const [action] = actionsOf(planGangBackend(snapshot(bare, { ...kai(live()), binding: undefined }), ALL));
    expect(action).toMatchObject({
      patch: {
        metadata: { annotations: { "grove.io/topology-name": null } },
        spec: { topologyConstraint: null },
      },
    });
  });

  const ownedByOther = (kind: string, name: string): KaiPodGroup =>
    live((podGroup) => ({
      ...podGroup,
      metadata: {
        ...podGroup.metadata,
        ownerReferences: [{ apiVersion: "v1", kind, name, uid: "other", controller: true }],
      },
    }));

  test("of an earlier gang are waited for, of others never taken over, of nobody adopted", () => {
    expect(planGangBackend(snapshot(BASE, kai(ownedByOther("PodGang", "w-0"))), ALL).waitingFor).toBe(
      "PodGroup w-0 of an earlier PodGang to go",
    );
    const theirs = planGangBackend(snapshot(BASE, kai(ownedByOther("Job", "j"))), ALL);
    expect([actionsOf(theirs), theirs.mappingProblem]).toEqual([[], "PodGroup w-0 belongs to Job j"]);
    const { ownerReferences: _, ...metadata } = live().metadata;
    expect(actionsOf(planGangBackend(snapshot(BASE, kai({ ...live(), metadata })), ALL))).toMatchObject([
      { kind: "patch", patch: { metadata: { ownerReferences: [{ uid: "uid-w-0" }] } } },
    ]);
  });

  test("are not made before the kind could be listed, nor of a set that goes or is gone", () => {
    const terminating = { ...SET, metadata: { ...SET.metadata, deletionTimestamp: "t" } };
    for (const more of [kai(undefined, false), { set: undefined }, { set: terminating }]) {
      expect(actionsOf(planGangBackend(snapshot(BASE, more), ALL))).toEqual([]);
    }
  });

  test("go when the gang is another scheduler's", () => {
    const labels = { ...BASE.metadata.labels, "grove.io/scheduler-name": "default-scheduler" };
    const moved = { ...BASE, metadata: { ...BASE.metadata, labels } };
    expect(actionsOf(planGangBackend(snapshot(moved, kai(live())), ALL))).toMatchObject([
      { kind: "delete", of: "kaiPodGroup" },
    ]);
    expect(actionsOf(planGangBackend(snapshot(moved, kai(ownedByOther("Job", "j"))), ALL))).toEqual([]);
  });
});

describe("Volcano PodGroups", () => {
  const settings = withDefault("volcano");
  const set = storedSet({
    cliques: [
      { ...cliqueTemplate("a", 2, 2), annotations: { "scheduling.grove.io/volcano-queue": "gold" } },
      cliqueTemplate("b", 3, 1),
    ],
  });
  const [gang] = gangsOf(set, settings) as readonly [PodGang];
  const volcano = (object: VolcanoPodGroup): Partial<GangBackendSnapshot> => ({
    set,
    live: [{ of: "volcanoPodGroup", isKnown: true, object }],
  });

  test("have one subgroup for each clique, and the queue that only a clique names", () => {
    const policy = (name: string, subGroupSize: number) => ({
      name,
      labelSelector: { matchLabels: { "grove.io/podclique": name } },
      matchLabelKeys: ["grove.io/podclique"],
      subGroupSize,
      minSubGroups: 1,
    });
    expect(createdFor<VolcanoPodGroup>(gang, settings, { set }).spec).toEqual({
      minMember: 3,
      subGroupPolicy: [policy("w-0-a", 2), policy("w-0-b", 1)],
      queue: "gold",
    });
  });

  test("are in the default queue when none is named", () => {
    const { annotations: _, ...metadata } = gang.metadata;
    expect(createdFor<VolcanoPodGroup>({ ...gang, metadata }, settings, { set }).spec.queue).toBe("default");
  });

  test("keep what Volcano adds, and their gang fields when the gang lets go of its minima", () => {
    const made = createdFor<VolcanoPodGroup>(gang, settings, { set });
    const live = { ...made, spec: { ...made.spec, minResources: { cpu: "1" } } };
    expect(actionsOf(planGangBackend(snapshot(gang, volcano(live)), settings))).toEqual([]);
    const podgroups = gang.spec.podgroups.map((group) => ({ ...group, minReplicas: 0 }));
    const released = { ...gang, spec: { podgroups } };
    expect(actionsOf(planGangBackend(snapshot(released, volcano(live)), settings))).toEqual([]);
    expect(createdFor<VolcanoPodGroup>(released, settings, { set }).spec.minMember).toBe(1);
    const edited = { ...live, spec: { ...live.spec, queue: "x", minMember: 1 } };
    expect(actionsOf(planGangBackend(snapshot(gang, volcano(edited)), settings))).toMatchObject([
      { patch: { spec: { queue: "gold", minMember: 3 } } },
    ]);
  });
});

describe("pods", () => {
  const clique = storedClique(SET);
  const podWith = (schedulerName: string | undefined, settings: OperatorSettings) => {
    const podSpec = { ...clique.spec.podSpec, ...(schedulerName !== undefined && { schedulerName }) };
    const named = { ...clique, spec: { ...clique.spec, podSpec } };
    return podObject({ clique: named, set: SET, settings, podIndex: 0 });
  };

  test("for KAI name their group and subgroup, and keep KAI's grouper away", () => {
    const { metadata, spec } = podWith(undefined, ALL);
    expect(spec.schedulerName).toBe("kai-scheduler");
    expect(metadata.labels?.["kai.scheduler/subgroup-name"]).toBe("w-0-alone");
    expect(metadata.annotations).toEqual({ "kai.scheduler/skip-podgrouper": "true", "pod-group-name": "w-0" });
  });

  test("for Volcano name their group twice", () => {
    expect(podWith("volcano", ALL)).toMatchObject({
      metadata: { annotations: { "scheduling.k8s.io/group-name": "w-0", "scheduling.volcano.sh/group-name": "w-0" } },
      spec: { schedulerName: "volcano" },
    });
  });

  test.each([
    [undefined, DEFAULT_SETTINGS, "default-scheduler"],
    ["", withDefault("lpx-scheduler"), "lpx-scheduler"],
    ["default-scheduler", ALL, "default-scheduler"],
    ["my-own", ALL, "my-own"],
    // A profile that is not enabled prepares nothing.
    ["kai-scheduler", DEFAULT_SETTINGS, "kai-scheduler"],
  ])("that say %j are for %s", (name, settings, expected) => {
    const { metadata, spec } = podWith(name, settings as OperatorSettings);
    expect([spec.schedulerName, metadata.annotations]).toEqual([expected, undefined]);
  });
});

describe("admission", () => {
  const { template } = SET.spec;
  const labelled = (labels?: Readonly<Record<string, string>>, cliqueQueues: readonly string[] = []): PodCliqueSet => ({
    ...SET,
    metadata: { ...SET.metadata, ...(labels && { labels }) },
    spec: {
      ...SET.spec,
      template: {
        ...template,
        cliques: template.cliques.map(({ labels: _, ...clique }, index) => {
          const queue = cliqueQueues[index];
          return { ...clique, ...(queue !== undefined && { labels: { "kai.scheduler/queue": queue } }) };
        }),
      },
    },
  });
  const fieldsOf = (set: PodCliqueSet, name: SchedulerProfileName, queues?: readonly VolcanoQueue[]) =>
    validateBackends({
      set,
      settings: withDefault(name),
      facts:
        queues === undefined ? {} : { volcanoQueues: new Map(queues.map((queue) => [queue.metadata.name, queue])) },
    }).map(({ field }) => field);

  test.each([
    ["on a clique", labelled(undefined, ["q"]), []],
    ["on the set", labelled({ "kai.scheduler/queue": "q" }), []],
    ["on both, the same", labelled({ "kai.scheduler/queue": "q" }, ["q"]), []],
    ["nowhere", labelled(), ["metadata.labels[kai.scheduler/queue]"]],
    [
      "contradicted",
      labelled({ "kai.scheduler/queue": "q" }, ["q", "r"]),
      ["spec.template.cliques[1].labels[kai.scheduler/queue]"],
    ],
    ["two on cliques", labelled(undefined, ["q", "r"]), ["spec.template.cliques[1].labels[kai.scheduler/queue]"]],
  ])("KAI wants one queue: %s", (_, set, fields) => {
    expect(fieldsOf(set, "kai-scheduler")).toEqual(fields);
  });

  const CONSTRAINED = [
    "spec.template.topologyConstraint",
    "spec.template.podCliqueScalingGroups[0].topologyConstraint",
    "spec.template.cliques[1].topologyConstraint",
  ];

  test("LPX and Volcano refuse every constraint, kube's scheduler none", () => {
    expect(fieldsOf(SET, "lpx-scheduler")).toEqual(CONSTRAINED);
    expect(fieldsOf(SET, "volcano")).toEqual(CONSTRAINED);
    expect(fieldsOf(SET, "default-scheduler")).toEqual([]);
  });

  const annotated = (...queues: readonly (string | undefined)[]): PodCliqueSet => {
    const annotations = (queue: string | undefined) =>
      queue && { annotations: { "scheduling.grove.io/volcano-queue": queue } };
    const plain = storedSet({
      cliques: [
        { ...cliqueTemplate("a"), ...annotations(queues[1]) },
        { ...cliqueTemplate("b"), ...annotations(queues[2]) },
      ],
    });
    return { ...plain, metadata: { ...plain.metadata, ...annotations(queues[0]) } };
  };
  const queue = (name: string, state: string): VolcanoQueue => ({
    apiVersion: "scheduling.volcano.sh/v1beta1",
    kind: "Queue",
    metadata: { name },
    status: { state },
  });
  const ON_SET = "metadata.annotations[scheduling.grove.io/volcano-queue]";
  const ON_CLIQUE = "spec.template.cliques[1].annotations[scheduling.grove.io/volcano-queue]";

  test.each<readonly [string, PodCliqueSet, readonly VolcanoQueue[] | undefined, readonly string[]]>([
    ["the default one, open", annotated(), [queue("default", "Open")], []],
    ["the default one, missing", annotated(), [], [ON_SET]],
    ["not known here", annotated("gold"), undefined, []],
    ["closed", annotated("gold"), [queue("gold", "Closed")], [ON_SET]],
    ["missing, of a clique", annotated(undefined, undefined, "gold"), [queue("default", "Open")], [ON_CLIQUE]],
    ["two", annotated("gold", "gold", "iron"), [queue("gold", "Open"), queue("iron", "Open")], [ON_CLIQUE]],
    ["no name at all", annotated("Not A Name"), undefined, [ON_SET]],
  ])("Volcano's queue has to be open: %s", (_, set, queues, fields) => {
    expect(fieldsOf(set, "volcano", queues)).toEqual(fields);
  });

  test("an update that says nothing new passes: a closed queue does not keep a set from being deleted", () => {
    const set = annotated("gold");
    const facts = { volcanoQueues: new Map() };
    const settings = withDefault("volcano");
    const finalized = { ...set, metadata: { ...set.metadata, finalizers: ["x"] } };
    const scaled = { ...set, spec: { ...set.spec, replicas: 2 } };
    const going = { ...scaled, metadata: { ...set.metadata, deletionTimestamp: "t" } };
    const errors = [finalized, scaled, going].map((next) => validateBackends({ set: next, old: set, settings, facts }));
    expect(errors.map(({ length }) => length)).toEqual([0, 1, 0]);
  });
});

test("profiles: kube's own is always there, and only KAI knows topologies", () => {
  const only: OperatorSettings = { ...DEFAULT_SETTINGS, schedulerProfiles: ["volcano"] };
  expect(backendOf(only, "default-scheduler")?.name).toBe("default-scheduler");
  expect(backendOf(only, "kai-scheduler")).toBeUndefined();
  expect(topologyAwareSchedulerNames(ALL)).toEqual(["kai-scheduler"]);
});

import { describe, expect, test } from "vitest";
import type { ClusterTopologyBinding } from "../../api/grove/cluster-topology-binding.ts";
import { CLUSTER_TOPOLOGY_BINDINGS } from "../../api/grove/cluster-topology-binding.ts";
import { KAI_TOPOLOGIES, type KaiTopology } from "../../api/scheduler/kai.ts";
import { ApiError } from "../../kube/api-error.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import { KAI } from "../backends/kai.ts";
import type { PassOutcome } from "../pass-outcome.ts";
import { DEFAULT_SETTINGS, type OperatorSettings } from "../settings.ts";
import { type BindingSnapshot, type LiveTopology, planBinding } from "./plan.ts";
import { bindingStatus } from "./status.ts";
import { syncTopologiesOnce } from "./sync-once.ts";

const KEYS = ["k/zone", "k/rack"];

const bindingWith = (
  keys: readonly string[],
  references: Readonly<Record<string, string>> = {},
): ClusterTopologyBinding => ({
  apiVersion: "grove.io/v1alpha1",
  kind: "ClusterTopologyBinding",
  metadata: { name: "topo", uid: "topo-uid", generation: 2 },
  spec: {
    levels: keys.map((key) => ({ domain: key.slice(2), key })),
    ...(Object.keys(references).length > 0 && {
      schedulerTopologyBindings: Object.entries(references).map(([schedulerName, topologyReference]) => ({
        schedulerName,
        topologyReference,
      })),
    }),
  },
});

const BINDING = bindingWith(KEYS);
const OWNED = [
  { apiVersion: "grove.io/v1alpha1", kind: "ClusterTopologyBinding", name: "topo", uid: "topo-uid", controller: true },
];

const topology = (keys: readonly string[], metadata: Partial<KaiTopology["metadata"]> = {}): KaiTopology => ({
  apiVersion: "kai.scheduler/v1alpha1",
  kind: "Topology",
  metadata: { name: "topo", uid: "kai-uid", generation: 5, ownerReferences: OWNED, ...metadata },
  spec: { levels: keys.map((nodeLabel) => ({ nodeLabel })) },
});

function snapshot(
  live: KaiTopology | undefined,
  { binding = BINDING, isKnown = true }: { readonly binding?: ClusterTopologyBinding; readonly isKnown?: boolean } = {},
): BindingSnapshot {
  const { topologyObject } = KAI;
  if (topologyObject === undefined) throw new TypeError("KAI has no topologies");
  const reference = binding.spec.schedulerTopologyBindings?.find(
    ({ schedulerName }) => schedulerName === KAI.name,
  )?.topologyReference;
  const entry: LiveTopology = {
    schedulerName: KAI.name,
    topologyObject,
    isKnown,
    live,
    ...(reference !== undefined && { reference }),
  };
  return { binding, topologies: [entry] };
}

const kindsOf = (input: BindingSnapshot): readonly string[] =>
  planBinding(input).stages.flatMap(({ actions }) => actions.map(({ kind }) => kind));

describe("plan", () => {
  test("makes a topology like the binding, owned by it", () => {
    const [action] = planBinding(snapshot(undefined)).stages.flatMap(({ actions }) => actions);
    expect(action).toMatchObject({
      kind: "create",
      of: "kaiTopology",
      object: {
        apiVersion: "kai.scheduler/v1alpha1",
        kind: "Topology",
        metadata: { name: "topo", ownerReferences: [{ ...OWNED[0], blockOwnerDeletion: true }] },
        spec: { levels: [{ nodeLabel: "k/zone" }, { nodeLabel: "k/rack" }] },
      },
    });
  });

  test("leaves an equal one alone, and makes one with other levels anew, in two stages", () => {
    expect(kindsOf(snapshot(topology(KEYS)))).toEqual([]);
    const plan = planBinding(snapshot(topology(["k/rack", "k/zone"])));
    expect(plan.stages.map(({ actions }) => actions.map(({ kind }) => kind))).toEqual([["delete"], ["create"]]);
  });

  test("never takes over a foreign one, not even with equal levels", () => {
    for (const foreign of [topology(KEYS, { ownerReferences: [] }), topology(["k/other"], { ownerReferences: [] })]) {
      const plan = planBinding(snapshot(foreign));
      expect(plan.stages.flatMap(({ actions }) => actions)).toEqual([]);
      expect(plan.waitingFor).toContain("is not owned by the ClusterTopologyBinding");
    }
  });

  test("writes nothing that is referred to, that is unknown, or that goes", () => {
    const referring = bindingWith(KEYS, { "kai-scheduler": "theirs" });
    expect(kindsOf(snapshot(undefined, { binding: referring }))).toEqual([]);
    expect(kindsOf(snapshot(topology(["k/other"]), { binding: referring }))).toEqual([]);
    expect(kindsOf(snapshot(undefined, { isKnown: false }))).toEqual([]);
    expect(kindsOf(snapshot(topology(["k/other"], { deletionTimestamp: "t" })))).toEqual([]);
    const going = { ...BINDING, metadata: { ...BINDING.metadata, deletionTimestamp: "t" } };
    expect(kindsOf(snapshot(undefined, { binding: going }))).toEqual([]);
  });
});

describe("status", () => {
  const DONE: PassOutcome = { complete: true, lastErrors: [] };
  const BEHIND: PassOutcome = { complete: false, lastErrors: [] };
  const status = (input: BindingSnapshot, outcome = DONE) => bindingStatus({ ...input, outcome, now: "t1" });
  const drift = (value: string, reason: string) => [
    { type: "SchedulerTopologyDrift", status: value, reason, observedGeneration: 2, lastTransitionTime: "t1" },
  ];

  test("of our own topology: in sync when the pass went through", () => {
    expect(status(snapshot(topology(KEYS)))).toMatchObject({
      observedGeneration: 2,
      conditions: drift("False", "InSync"),
      schedulerTopologyStatuses: [{ schedulerName: "kai-scheduler", topologyReference: "topo", inSync: true }],
    });
  });

  test("of a referenced topology: what the comparison says", () => {
    const binding = bindingWith(KEYS, { "kai-scheduler": "theirs" });
    const entry = { schedulerName: "kai-scheduler", topologyReference: "theirs" };
    expect(status(snapshot(topology(KEYS), { binding }))).toMatchObject({
      conditions: drift("False", "InSync"),
      schedulerTopologyStatuses: [{ ...entry, inSync: true, schedulerBackendTopologyObservedGeneration: 5 }],
    });
    expect(status(snapshot(topology(["k/zone"]), { binding }))).toMatchObject({
      conditions: drift("True", "Drift"),
      schedulerTopologyStatuses: [{ ...entry, inSync: false, schedulerBackendTopologyObservedGeneration: 5 }],
    });
    const missing = status(snapshot(undefined, { binding }));
    expect(missing.conditions).toMatchObject(drift("True", "Drift"));
    expect(missing.schedulerTopologyStatuses).toEqual([
      { ...entry, inSync: false, message: 'KAI Topology "theirs" not found' },
    ]);
  });

  test("of a scheduler that is not there: unknown, with an entry that says so", () => {
    const binding = bindingWith(KEYS, { volcano: "x" });
    const { conditions, schedulerTopologyStatuses } = status(snapshot(topology(KEYS), { binding }));
    expect(conditions).toMatchObject(drift("Unknown", "TopologyNotFound"));
    expect(schedulerTopologyStatuses).toMatchObject([
      { schedulerName: "kai-scheduler", inSync: true },
      { schedulerName: "volcano", topologyReference: "x", inSync: false },
    ]);
  });

  test("of a foreign topology: drift, and the generation stays behind", () => {
    const foreign = status(snapshot(topology(KEYS, { ownerReferences: [] })), BEHIND);
    expect(foreign).toMatchObject({ conditions: drift("True", "Drift") });
    expect(foreign.observedGeneration).toBeUndefined();
  });

  test("of a failed write: drift with what the server said", () => {
    const failed = { complete: false, lastErrors: [{ code: "ERR", description: "no room", observedAt: "t1" }] };
    expect(status(snapshot(undefined), failed).schedulerTopologyStatuses).toMatchObject([
      { inSync: false, message: "no room" },
    ]);
  });

  test("says nothing new while the cache is behind our own writes", () => {
    const old = { observedGeneration: 1, conditions: [] };
    const binding = { ...BINDING, status: old };
    expect(status(snapshot(undefined, { binding }), BEHIND)).toBe(old);
  });

  test("has no condition without a topology-aware scheduler", () => {
    const conditions = [
      {
        type: "SchedulerTopologyDrift",
        status: "False" as const,
        reason: "InSync",
        message: "",
        lastTransitionTime: "t0",
      },
    ];
    const binding = { ...BINDING, status: { conditions } };
    expect(status({ binding, topologies: [] })).toEqual({ observedGeneration: 2, conditions: [] });
  });
});

describe("at start-up", () => {
  const ON: OperatorSettings = {
    ...DEFAULT_SETTINGS,
    schedulerProfiles: ["default-scheduler", "kai-scheduler"],
    topologyAwareScheduling: true,
  };

  /** An API server that knows these bindings and topologies, and notes what is written. */
  function server(bindings: readonly ClusterTopologyBinding[], topologies: readonly KaiTopology[]) {
    const writes: string[] = [];
    const api = {
      list: (resource: unknown) => {
        if (resource !== CLUSTER_TOPOLOGY_BINDINGS) throw new TypeError("only bindings are listed");
        return Promise.resolve({ items: bindings, resourceVersion: "1" });
      },
      get: (resource: unknown, { name }: { readonly name: string }) => {
        const found = topologies.find(({ metadata }) => resource === KAI_TOPOLOGIES && metadata.name === name);
        return found === undefined ? Promise.reject(new ApiError(404, "NotFound", name)) : Promise.resolve(found);
      },
      create: (_: unknown, object: KaiTopology) => {
        writes.push(`create ${object.metadata.name}`);
        return Promise.resolve(object);
      },
      delete: (_: unknown, { name }: { readonly name: string }) => {
        writes.push(`delete ${name}`);
        return Promise.resolve();
      },
    };
    return { api: api as unknown as KubeApi, writes };
  }

  test.each<readonly [string, readonly KaiTopology[], readonly string[]]>([
    ["missing", [], ["create topo"]],
    ["equal", [topology(KEYS)], []],
    ["outdated", [topology(["k/zone"])], ["delete topo", "create topo"]],
  ])("a topology that is %s", async (_, topologies, expected) => {
    const { api, writes } = server([BINDING], topologies);
    await syncTopologiesOnce(api, ON);
    expect(writes).toEqual(expected);
  });

  test("a foreign one of the name ends it, with a sentence", async () => {
    const { api, writes } = server([BINDING], [topology(KEYS, { ownerReferences: [] })]);
    await expect(syncTopologiesOnce(api, ON)).rejects.toThrow(
      /ClusterTopologyBinding topo, scheduler kai-scheduler: .*is not owned/u,
    );
    expect(writes).toEqual([]);
  });

  test("references are not touched, and nothing happens while topologies are off", async () => {
    const referring = server([bindingWith(KEYS, { "kai-scheduler": "theirs" })], []);
    await syncTopologiesOnce(referring.api, ON);
    const off = server([BINDING], []);
    await syncTopologiesOnce(off.api, { ...ON, topologyAwareScheduling: false });
    expect([referring.writes, off.writes]).toEqual([[], []]);
  });
});

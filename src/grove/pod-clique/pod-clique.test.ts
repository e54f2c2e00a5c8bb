import { describe, expect, test } from "vitest";
import { conditionOf } from "../../api/kubernetes/conditions.ts";
import type { Pod } from "../../api/kubernetes/core.ts";
import type { PodGang } from "../../api/scheduler/pod-gang.ts";
import type { Action } from "../actions.ts";
import { BASE_POD_GANG, POD_GANG_GATE, POD_TEMPLATE_HASH, SCALING_GROUP } from "../labels.ts";
import { DEFAULT_SETTINGS } from "../settings.ts";
import { cliqueTemplate, type PodState, storedClique, storedPod, storedSet } from "../test-objects.ts";
import { gateRemovalPatch, openableGates } from "./gates.ts";
import { type PodCliqueSnapshot, planPodClique } from "./plan.ts";
import { podIndexOf, podObject } from "./pod-object.ts";
import { podCliqueStatus } from "./status.ts";
import { inVictimOrder } from "./victims.ts";

const set = storedSet({ cliques: [cliqueTemplate("a", 3, 2)] });
const clique = storedClique(set);
const hash = clique.metadata.labels?.[POD_TEMPLATE_HASH] ?? "";

const snapshot = (pods: readonly Pod[], change: Partial<PodCliqueSnapshot> = {}): PodCliqueSnapshot => ({
  clique,
  set,
  pods,
  gang: undefined,
  baseGang: undefined,
  baseScheduled: new Map(),
  ...change,
});
const actionsOf = (pods: readonly Pod[], change?: Partial<PodCliqueSnapshot>): readonly Action[] =>
  planPodClique(snapshot(pods, change), { settings: DEFAULT_SETTINGS, now: "2026-01-01T00:00:00Z" }).stages.flatMap(
    ({ actions }) => actions,
  );
const created = (actions: readonly Action[]): readonly string[] =>
  actions.flatMap((action) =>
    action.kind === "create" && action.of === "pod" ? [action.object.spec.hostname ?? ""] : [],
  );
const removed = (actions: readonly Action[]): readonly string[] =>
  actions.flatMap((action) => (action.kind === "delete" ? [action.object.metadata.name] : []));
const gangListing = (...names: readonly string[]): PodGang => ({
  apiVersion: "scheduler.grove.io/v1alpha1",
  kind: "PodGang",
  metadata: { name: "w-0", namespace: "ns" },
  spec: {
    podgroups: [
      { name: clique.metadata.name, minReplicas: 2, podReferences: names.map((name) => ({ namespace: "ns", name })) },
    ],
  },
});

describe("replicas", () => {
  test("an empty clique gets the indices from 0", () => {
    expect(created(actionsOf([]))).toEqual(["w-0-a-0", "w-0-a-1", "w-0-a-2"]);
  });

  test("holes are filled first", () => {
    expect(created(actionsOf([storedPod(clique, { index: 1 }), storedPod(clique, { index: 4 })]))).toEqual(["w-0-a-0"]);
  });

  test("of two pods of one index the same one goes for whoever looks, also when they are of one second", () => {
    const [a, b] = ["x", "y"].map((name) => storedPod(clique, { index: 0, name })) as [Pod, Pod];
    const rest = [1, 2].map((index) => storedPod(clique, { index }));
    expect(removed(actionsOf([a, b, ...rest]))).toEqual(["y"]);
    expect(removed(actionsOf([b, a, ...rest]))).toEqual(["y"]);
  });

  test("a terminating pod is replaced at once, under its own index", () => {
    const pods = [0, 1, 2].map((index) => storedPod(clique, { index, terminating: index === 1 }));
    const actions = actionsOf(pods);
    expect([created(actions), removed(actions)]).toEqual([["w-0-a-1"], []]);
  });

  test("of two pods with one index the newer goes, and the clique is still complete", () => {
    const pods = [
      storedPod(clique, { index: 0 }),
      storedPod(clique, { index: 1 }),
      storedPod(clique, { index: 2 }),
      storedPod(clique, { index: 1, name: "twin", createdAt: "2026-01-01T00:00:09Z" }),
    ];
    expect([removed(actionsOf(pods)), created(actionsOf(pods))]).toEqual([["twin"], []]);
  });

  test("zero replicas delete everything", () => {
    const none = storedClique(set, { replicas: 0 });
    expect(removed(actionsOf([storedPod(clique), storedPod(clique, { index: 1 })], { clique: none })).length).toBe(2);
  });

  test("a clique that goes only gives up its finalizer", () => {
    const going = { ...clique, metadata: { ...clique.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } };
    expect(actionsOf([storedPod(clique)], { clique: going })).toMatchObject([
      { kind: "patch", of: "clique", patch: [{ op: "test" }, { op: "remove", path: "/metadata/finalizers/0" }] },
    ]);
  });
});

test("victims: unbound, pending, unready, old, newest, highest index", () => {
  const base: PodState = { node: "n", phase: "Running", ready: true, hash };
  const order: readonly (readonly [string, PodState])[] = [
    ["unbound", { ...base, node: "", phase: "Pending", ready: false }],
    ["pending", { ...base, phase: "Pending" }],
    ["unknown", { ...base, phase: "Unknown" }],
    ["unready", { ...base, ready: false }],
    ["outdated", { ...base, hash: "old" }],
    ["newest", { ...base, createdAt: "2026-01-01T00:00:05Z" }],
    ["highest", { ...base, index: 9 }],
    ["lowest", { ...base, index: 1 }],
  ];
  const pods = order.map(([name, state]) => storedPod(clique, { ...state, name }));
  const names = (list: readonly Pod[]): readonly string[] => list.map(({ metadata }) => metadata.name);
  expect(names(inVictimOrder(pods.toReversed(), "w-0-a", hash))).toEqual(order.map(([name]) => name));
});

describe("gates", () => {
  const pods = [0, 1].map((index) => storedPod(clique, { index, gated: true }));
  const gangs = (gang: PodGang | undefined) => ({ gang, baseGang: undefined, baseScheduled: new Map() });

  test("no gang, no opening", () => {
    expect(openableGates(clique, pods, gangs(undefined))).toEqual({ open: [], waitingFor: "its PodGang" });
  });

  test("only listed pods open", () => {
    const { open, waitingFor } = openableGates(clique, pods, gangs(gangListing("w-0-a-1x")));
    expect([open.map(({ metadata }) => metadata.name), waitingFor]).toEqual([
      ["w-0-a-1x"],
      "PodGang w-0 to list its pods",
    ]);
  });

  test("a scaled gang waits for the minimum of every clique of the base gang", () => {
    const scaled = {
      ...clique,
      metadata: { ...clique.metadata, labels: { ...clique.metadata.labels, [BASE_POD_GANG]: "w-0" } },
    };
    const gang = gangListing("w-0-a-0x", "w-0-a-1x");
    const base = (scheduledReplicas: number) => ({
      gang,
      baseGang: gang,
      baseScheduled: new Map([[clique.metadata.name, scheduledReplicas]]),
    });
    expect(openableGates(scaled, pods, base(1))).toEqual({
      open: [],
      waitingFor: "base PodGang w-0: w-0-a has 1 of 2 pods scheduled",
    });
    expect(openableGates(scaled, pods, base(2)).open.length).toBe(2);
    expect(openableGates(scaled, pods, { ...base(2), baseGang: undefined }).open).toEqual([]);
  });

  test("the patch takes out our gate and no other", () => {
    const pod = storedPod(clique);
    const foreign = { ...pod, spec: { ...pod.spec, schedulingGates: [{ name: "other" }, { name: POD_GANG_GATE }] } };
    expect(gateRemovalPatch(foreign)).toEqual([
      { op: "test", path: "/spec/schedulingGates/1/name", value: POD_GANG_GATE },
      { op: "remove", path: "/spec/schedulingGates/1" },
    ]);
  });

  test("gates of the template stay behind ours", () => {
    const podSpec = { ...clique.spec.podSpec, schedulingGates: [{ name: "quota" }] };
    expect(
      podObject({ clique: storedClique(set, { podSpec }), set, settings: DEFAULT_SETTINGS, podIndex: 0 }).spec
        .schedulingGates,
    ).toEqual([{ name: POD_GANG_GATE }, { name: "quota" }]);
  });
});

test("an index is read off the hostname of this very clique", () => {
  expect(podIndexOf(storedPod(clique, { index: 12 }), "w-0-a")).toBe(12);
  expect(podIndexOf(storedPod(clique), "w-0")).toBeUndefined();
});

const outcome = { complete: true, lastErrors: [] };
const now = "2026-01-01T02:00:00Z";

describe("status", () => {
  const statusOf = (pods: readonly PodState[], change: { readonly complete?: boolean } = {}) =>
    podCliqueStatus({
      clique,
      set: { ...set, status: { availableReplicas: 0, updatedReplicas: 0, currentGenerationHash: "gen" } },
      pods: pods.map((state, index) => storedPod(clique, { index, ...state })),
      outcome: { ...outcome, ...change },
      now,
    });
  const good: PodState = { scheduled: true, ready: true, hash };

  test("counts: terminating pods are no replicas but still scheduled and ready", () => {
    expect(statusOf([good, { ...good, terminating: true }, { gated: true }])).toMatchObject({
      replicas: 2,
      scheduledReplicas: 2,
      readyReplicas: 2,
      scheduleGatedReplicas: 1,
    });
  });

  test("nothing is concluded before the first complete pass", () => {
    const first = statusOf([{ gated: true }], { complete: false });
    expect([first.observedGeneration, first.conditions]).toEqual([undefined, undefined]);
  });

  test("hashes are current only when every pod is of the template", () => {
    expect(statusOf([good, good, good])).toMatchObject({
      updatedReplicas: 3,
      currentPodTemplateHash: hash,
      currentPodCliqueSetGenerationHash: "gen",
    });
    expect(statusOf([good, good, { ...good, hash: "old" }]).currentPodTemplateHash).toBeUndefined();
  });

  test.each<{ name: string; pods: readonly PodState[]; want: readonly [string, string] }>([
    { name: "too few scheduled", pods: [good], want: ["True", "ScheduledReplicasBelowMinAvailable"] },
    {
      name: "slow starters are no breach",
      pods: [{ scheduled: true }, { scheduled: true }],
      want: ["False", "SufficientReadyPods"],
    },
    {
      name: "started and not ready",
      pods: [good, { scheduled: true, started: true }],
      want: ["True", "InsufficientReadyPods"],
    },
    { name: "crashed", pods: [good, { scheduled: true, exitCode: 1 }], want: ["True", "InsufficientReadyPods"] },
    {
      name: "crashed once and ready again",
      pods: [good, { ...good, exitCode: 1 }],
      want: ["False", "SufficientReadyPods"],
    },
    {
      name: "one of three crashed",
      pods: [good, good, { scheduled: true, exitCode: 1 }],
      want: ["False", "SufficientReadyPods"],
    },
  ])("$name", ({ pods, want }) => {
    const condition = conditionOf(statusOf(pods).conditions, "MinAvailableBreached");
    expect([condition?.status, condition?.reason]).toEqual(want);
  });

  test("a clique that was never scheduled says so since it was made, one that lost its pods since then", () => {
    const made = { ...clique, metadata: { ...clique.metadata, creationTimestamp: "2026-01-01T00:00:00Z" } };
    const scheduledSince = (of: typeof made, pods: readonly PodState[]) =>
      conditionOf(
        podCliqueStatus({ clique: of, set, pods: pods.map((state) => storedPod(of, state)), outcome, now }).conditions,
        "PodCliqueScheduled",
      );
    expect(scheduledSince(made, [])).toMatchObject({ status: "False", lastTransitionTime: "2026-01-01T00:00:00Z" });
    const pods = [good, { ...good, index: 1 }];
    const up = scheduledSince(made, pods);
    expect(up).toMatchObject({ status: "True", lastTransitionTime: now });
    const status = { replicas: 2, scheduledReplicas: 2, readyReplicas: 2, updatedReplicas: 2, conditions: [up!] };
    const lost = scheduledSince({ ...made, status: status as never }, []);
    expect(lost).toMatchObject({ status: "False", lastTransitionTime: now });
  });

  test("standalone cliques publish a selector, members do not", () => {
    expect(statusOf([]).hpaPodSelector).toBe(
      "app.kubernetes.io/managed-by=grove-operator,app.kubernetes.io/part-of=w,grove.io/podclique=w-0-a",
    );
    const member = {
      ...clique,
      metadata: { ...clique.metadata, labels: { ...clique.metadata.labels, [SCALING_GROUP]: "w-0-g" } },
    };
    expect(podCliqueStatus({ clique: member, set, pods: [], outcome, now }).hpaPodSelector).toBeUndefined();
  });
});

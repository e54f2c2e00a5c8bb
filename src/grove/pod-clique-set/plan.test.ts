import { describe, expect, test } from "vitest";
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import type { Secret } from "../../api/kubernetes/core.ts";
import { SET_FINALIZER } from "../labels.ts";
import { standaloneClique } from "../pod-clique/clique-object.ts";
import { DEFAULT_SETTINGS } from "../settings.ts";
import { cliqueTemplate, storedClique, storedPod, storedSet } from "../test-objects.ts";
import { tokenSecret } from "./access-objects.ts";
import { headlessService } from "./headless-service.ts";
import { type PodCliqueSetSnapshot, planPodCliqueSet } from "./plan.ts";
import { podCliqueSetStatus } from "./status.ts";

const options = { settings: DEFAULT_SETTINGS, now: "2026-01-01T00:00:00Z" };
const snapshot = (set: PodCliqueSet, change: Partial<PodCliqueSetSnapshot> = {}): PodCliqueSetSnapshot => ({
  set,
  cliques: [],
  groups: [],
  gangs: [],
  pods: [],
  services: [],
  serviceAccounts: [],
  roles: [],
  roleBindings: [],
  secrets: [],
  autoscalers: [],
  ...change,
});
/** Stages that have something to do. */
const stepsOf = (input: PodCliqueSetSnapshot): readonly (readonly string[])[] =>
  planPodCliqueSet(input, options)
    .stages.filter(({ actions }) => actions.length > 0)
    .map(({ actions }) => actions.map(({ kind, of, object }) => `${kind} ${of} ${object.metadata.name}`));
const deletions = (input: PodCliqueSetSnapshot): readonly string[] =>
  stepsOf(input)
    .flat()
    .flatMap((step) => (step.startsWith("delete ") ? [step.slice("delete ".length)] : []));
const set = storedSet({ cliques: [cliqueTemplate("a", 2)] });

test("a fresh set: finalizer, foundation, cliques, gangs, in this order", () => {
  expect(stepsOf(snapshot(set))).toEqual([
    // Its finalizer, and the hash that its children compare themselves with.
    ["patch set w", "patch set w"],
    [
      "create serviceAccount w",
      "create role grove.io:pcs:w",
      "create roleBinding grove.io:pcs:w",
      "create secret w-ic-sat",
    ],
    ["create clique w-0-a"],
    // Before the gang lists the pods, so that no pod runs without its name.
    ["create service w-0", "create gang w-0"],
  ]);
});

test("with a start-up order nothing starts before the token is there", () => {
  const ordered = storedSet({
    cliqueStartupType: "CliqueStartupTypeInOrder",
    cliques: [cliqueTemplate("a"), cliqueTemplate("b")],
  });
  const secret = (data?: Secret["data"]): Secret => ({ ...tokenSecret(ordered), ...(data && { data }) });
  const plan = planPodCliqueSet(snapshot(ordered, { secrets: [secret()] }), options);
  expect([plan.stages.length, plan.waitingFor]).toEqual([2, "the token of its service account"]);
  expect(stepsOf(snapshot(ordered, { secrets: [secret({ token: "dG9rZW4=" })] }))[2]).toEqual([
    "create clique w-0-a",
    "create clique w-0-b",
  ]);
});

test("an object of another owner is neither taken nor replaced, and the set says what it waits for", () => {
  const foreign = storedClique(storedSet({ cliques: [cliqueTemplate("a", 2)] }));
  const other = {
    ...foreign,
    metadata: {
      ...foreign.metadata,
      ownerReferences: foreign.metadata.ownerReferences!.map((owner) => ({ ...owner, uid: "other" })),
    },
  };
  const input = snapshot(set, { cliques: [other] });
  expect(
    stepsOf(input)
      .flat()
      .filter((step) => step.includes("clique")),
  ).toEqual([]);
  expect(planPodCliqueSet(input, options).waitingFor).toBe("PodClique w-0-a, which has another owner");
});

test("scale-in takes the highest indices first, with their Services", () => {
  const wide = storedSet({ cliques: [cliqueTemplate("a", 2)] }, 3);
  const stored = [0, 1, 2].map((index) =>
    standaloneClique(wide, index, wide.spec.template.cliques[0]!, { settings: DEFAULT_SETTINGS }),
  );
  const input = snapshot(set, { cliques: stored, services: [0, 1, 2].map((index) => headlessService(wide, index)) });
  expect(deletions(input)).toEqual(["clique w-2-a", "clique w-1-a"]);
  const [kept] = stored;
  expect(deletions({ ...input, cliques: [kept!] })).toEqual(["service w-2", "service w-1"]);
});

test("gangs of replicas that are not wanted go before their cliques", () => {
  const wide = storedSet({ cliques: [cliqueTemplate("a", 2)] }, 2);
  const cliques = [0, 1].map((index) =>
    standaloneClique(wide, index, wide.spec.template.cliques[0]!, { settings: DEFAULT_SETTINGS }),
  );
  const gangs = planPodCliqueSet(snapshot(wide, { cliques }), options)
    .stages.flatMap(({ actions }) => actions)
    .flatMap((action) => (action.kind === "create" && action.of === "gang" ? [action.object] : []));
  expect(deletions(snapshot(set, { cliques, gangs }))).toEqual(["gang w-1", "clique w-1-a"]);
});

test("pods of replicas that are not wanted go after the last of their cliques, in one request", () => {
  const wide = storedSet({ cliques: [cliqueTemplate("a", 2)] }, 3);
  const stored = [0, 1, 2].map((index) =>
    standaloneClique(wide, index, wide.spec.template.cliques[0]!, { settings: DEFAULT_SETTINGS }),
  );
  const pods = stored.map((clique) =>
    storedPod({ ...clique, metadata: { ...clique.metadata, uid: clique.metadata.name } }),
  );
  const sweeps = (cliques: readonly PodClique[]) =>
    planPodCliqueSet(snapshot(set, { cliques, pods }), options)
      .stages.flatMap((stage) => stage.sweeps ?? [])
      .map(({ labelSelector, objects }) => [labelSelector, objects.length]);
  expect(sweeps(stored)).toEqual([]);
  expect(sweeps(stored.slice(0, 2))).toEqual([]);
  expect(sweeps(stored.slice(0, 1))).toEqual([
    [
      "app.kubernetes.io/managed-by=grove-operator,app.kubernetes.io/part-of=w,app.kubernetes.io/component=pcs-podclique,grove.io/podcliqueset-replica-index in (2,1)",
      2,
    ],
  ]);
});

test("a set that goes takes everything with it, unless its dependents are to stay", () => {
  const cliques = [standaloneClique(set, 0, set.spec.template.cliques[0]!, { settings: DEFAULT_SETTINGS })];
  const going = (finalizers: readonly string[]): PodCliqueSetSnapshot =>
    snapshot({ ...set, metadata: { ...set.metadata, deletionTimestamp: options.now, finalizers } }, { cliques });
  const swept = (finalizers: readonly string[]): readonly string[] =>
    planPodCliqueSet(going(finalizers), options).stages.flatMap(({ sweeps = [] }) => sweeps.map(({ of }) => of));
  expect([swept([SET_FINALIZER]), swept([SET_FINALIZER, "orphan"])]).toEqual([["clique"], []]);
});

test("a Service that was changed is put right with the fields that differ", () => {
  const service = headlessService(set, 0);
  const changed = { ...service, spec: { ...service.spec, publishNotReadyAddresses: false, clusterIPs: ["None"] } };
  const [action] = planPodCliqueSet(snapshot(set, { services: [changed] }), options).stages.flatMap(({ actions }) =>
    actions.filter(({ of }) => of === "service"),
  );
  expect(action).toMatchObject({ kind: "patch", patch: { spec: { publishNotReadyAddresses: true } } });
  expect(
    stepsOf(snapshot(set, { services: [service] }))
      .flat()
      .some((step) => step.includes("service w")),
  ).toBe(false);
});

test("the secret of an older operator goes when no pod mounts it", () => {
  const former: Secret = {
    ...tokenSecret(set),
    metadata: { ...tokenSecret(set).metadata, name: "w-initc-sa-token-secret" },
  };
  const step = "delete secret w-initc-sa-token-secret";
  expect(stepsOf(snapshot(set, { secrets: [former] }))[1]).toContain(step);
  const pod = storedPod(storedClique(set));
  const mounting = {
    ...pod,
    spec: { ...pod.spec, volumes: [{ name: "v", secret: { secretName: former.metadata.name } }] },
  };
  expect(stepsOf(snapshot(set, { secrets: [former], pods: [mounting] }))[1]).not.toContain(step);
});

test("a set that goes only gives up its finalizer", () => {
  const metadata = {
    ...set.metadata,
    deletionTimestamp: "2026-01-01T00:00:00Z",
    finalizers: ["x", "grove.io/podcliqueset.grove.io"],
  };
  const plan = planPodCliqueSet(snapshot({ ...set, metadata }), options);
  expect(plan.stages.flatMap(({ actions }) => actions)).toMatchObject([
    {
      patch: [
        { op: "test", path: "/metadata/finalizers/1" },
        { op: "remove", path: "/metadata/finalizers/1" },
      ],
    },
  ]);
});

describe("status", () => {
  const clique = storedClique(set);
  const withStatus = (readyReplicas: number) => ({
    ...clique,
    status: { readyReplicas, scheduledReplicas: 2, scheduleGatedReplicas: 0, updatedReplicas: 2 },
  });
  const statusOf = (readyReplicas: number, complete = true) =>
    podCliqueSetStatus({
      gangs: [],
      set,
      cliques: [withStatus(readyReplicas)],
      groups: [],
      outcome: { complete, lastErrors: [] },
      settings: DEFAULT_SETTINGS,
      now: "2026-01-01T00:00:00Z",
    });

  test("available means minAvailable ready pods in every clique", () => {
    expect([statusOf(1).availableReplicas, statusOf(2).availableReplicas]).toEqual([0, 1]);
  });

  test("observedGeneration moves only with a complete pass", () => {
    expect([statusOf(2).observedGeneration, statusOf(2, false).observedGeneration]).toEqual([1, undefined]);
  });
});

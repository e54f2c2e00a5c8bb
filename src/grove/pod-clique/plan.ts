/** Pure: what a PodClique needs done to have `spec.replicas` pods, with their gates opened in time. */
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { isTerminating, type Pod } from "../../api/kubernetes/core.ts";
import type { Action, Plan, Sweep } from "../actions.ts";
import { breachLookMs, terminationDelayMs } from "../breach.ts";
import { finalizerRemoval } from "../finalizers.ts";
import {
  CLIQUE_FINALIZER,
  indexLabelOf,
  labelOf,
  MANAGED_BY,
  MANAGER,
  POD_CLIQUE,
  POD_TEMPLATE_HASH,
  SCALING_GROUP,
  SET_REPLICA_INDEX,
} from "../labels.ts";
import { cliqueLevel } from "../resource-claims/levels.ts";
import { type ClaimView, planClaims } from "../resource-claims/plan.ts";
import type { OperatorSettings } from "../settings.ts";
import { progressActions } from "../status-actions.ts";
import { type GangSnapshot, gateRemovalPatch, openableGates } from "./gates.ts";
import { startupProblem } from "./init-container.ts";
import { podIndexOf, podObject } from "./pod-object.ts";
import { cliqueUpdate } from "./update.ts";
import { inVictimOrder } from "./victims.ts";

export interface PodCliqueSnapshot extends GangSnapshot {
  readonly clique: PodClique;
  /** The set it belongs to, unless that is gone. */
  readonly set: PodCliqueSet | undefined;
  /** Pods that this clique owns, terminating ones included. */
  readonly pods: readonly Pod[];
  /** Of the claims that its pods share; undefined when they share none. */
  readonly claims?: ClaimView | undefined;
}

export interface PodCliquePlanOptions {
  readonly settings: OperatorSettings;
  /** RFC 3339. */
  readonly now: string;
}

export function planPodClique(snapshot: PodCliqueSnapshot, options: PodCliquePlanOptions): Plan {
  const { clique } = snapshot;
  if (isTerminating(clique)) {
    return finalizerRemoval("clique", clique, CLIQUE_FINALIZER, goesWithMany(snapshot) ? [] : [[podsOf(snapshot)]]);
  }
  const update = cliqueUpdate(snapshot, options.now);
  const scale = scaleActions(snapshot, new Set(update.deletes), options);
  const { set } = snapshot;
  const claims = set && planClaims(set, cliqueLevel(clique, set), snapshot.claims);
  const problem = (set && startupProblem(clique, set, options.settings.initContainerImage)) ?? claims?.problem;
  // Pods that start in an order need to know the set; without it they are about to go anyway.
  // Nor are pods made for a set that goes: its own pods are going.
  const isWanted = set === undefined ? (clique.spec.startsAfter ?? []).length === 0 : !isTerminating(set);
  const mayCreate = isWanted && problem === undefined && claims?.waitingFor === undefined;
  const deletes = [...update.deletes.map(deletePod), ...scale.filter(({ kind }) => kind === "delete")];
  const creates = mayCreate ? scale.filter(({ kind }) => kind === "create") : [];
  const deleted = new Set(deletes.map(({ object }) => object.metadata.name));
  const stays = snapshot.pods.filter(({ metadata }) => !deleted.has(metadata.name));
  const { open, waitingFor } = openableGates(clique, stays, snapshot);
  const waits =
    claims?.waitingFor ?? waitingFor ?? (creates.length > 0 ? "its PodGang to list its new pods" : update.waitingFor);
  const lookAgainMs = set && breachLookMs(clique, terminationDelayMs(set));
  return {
    stages: [
      { actions: progressActions("clique", clique, update.progress) },
      { actions: claims?.actions ?? [] },
      { actions: deletes },
      { actions: creates, slowStart: true },
      { actions: open.map(openGate), slowStart: true },
    ],
    ...(waits !== undefined && { waitingFor: waits }),
    ...(lookAgainMs !== undefined && { lookAgainMs }),
    ...(problem !== undefined && { problem }),
  };
}

/** The set takes the pods of all its excess replicas, after the last of their cliques, and of itself, in one request (`pod-clique-set/sweeps.ts`). */
const goesWithMany = ({ clique, set }: PodCliqueSnapshot): boolean =>
  set !== undefined &&
  labelOf(clique, SCALING_GROUP) === undefined &&
  (isTerminating(set) || (indexLabelOf(clique, SET_REPLICA_INDEX) ?? 0) >= set.spec.replicas);

/** No other clique can have this name while this one is there. */
const podsOf = ({ clique: { metadata }, pods }: PodCliqueSnapshot): Sweep => ({
  of: "pod",
  namespace: metadata.namespace ?? "default",
  labelSelector: `${MANAGED_BY}=${MANAGER},${POD_CLIQUE}=${metadata.name}`,
  objects: pods,
});

/** @param going pods that the update takes away */
function scaleActions(
  { clique, set, pods }: PodCliqueSnapshot,
  going: ReadonlySet<Pod>,
  { settings }: PodCliquePlanOptions,
): readonly Action[] {
  const live = pods.filter((pod) => !isTerminating(pod) && !going.has(pod));
  const { keep, duplicates } = withoutDuplicateIndices(live, clique.metadata.name);
  const missing = clique.spec.replicas - keep.length;
  const victims = inVictimOrder(keep, clique.metadata.name, labelOf(clique, POD_TEMPLATE_HASH)).slice(
    0,
    Math.max(0, -missing),
  );
  return [
    ...[...duplicates, ...victims].map(deletePod),
    ...freeIndices(keep, clique.metadata.name, missing).map((podIndex) =>
      createPod(podObject({ clique, set, settings, podIndex })),
    ),
  ];
}

/** Two pods of one index would share a hostname: the newer one goes. Of one second, the same one for whoever looks at them. */
function withoutDuplicateIndices(
  pods: readonly Pod[],
  clique: string,
): { readonly keep: readonly Pod[]; readonly duplicates: readonly Pod[] } {
  const age = ({ metadata }: Pod): string => `${metadata.creationTimestamp} ${metadata.name}`;
  const oldestFirst = pods.toSorted((a, b) => (age(a) < age(b) ? -1 : 1));
  const taken = new Set<number>();
  const duplicates = oldestFirst.filter((pod) => {
    const index = podIndexOf(pod, clique);
    if (index === undefined) return false;
    if (taken.has(index)) return true;
    taken.add(index);
    return false;
  });
  return { keep: pods.filter((pod) => !duplicates.includes(pod)), duplicates };
}

/** The lowest numbers that no live pod has: holes first. */
function freeIndices(pods: readonly Pod[], clique: string, count: number): readonly number[] {
  const taken = new Set(pods.map((pod) => podIndexOf(pod, clique)));
  const free: number[] = [];
  for (let index = 0; free.length < count; index++) if (!taken.has(index)) free.push(index);
  return free;
}

const createPod = (object: Pod): Action => ({
  kind: "create",
  of: "pod",
  object,
  errorCode: "ERR_CREATE_POD",
  events: { success: "PodCreateSuccessful", failure: "PodCreateFailed" },
});

const deletePod = (pod: Pod): Action => ({
  kind: "delete",
  of: "pod",
  object: pod,
  errorCode: "ERR_DELETE_POD",
  events: { success: "PodDeleteSuccessful", failure: "PodDeleteFailed" },
});

const openGate = (pod: Pod): Action => ({
  kind: "patch",
  of: "pod",
  object: pod,
  patch: gateRemovalPatch(pod),
  errorCode: "ERR_REMOVE_POD_SCHEDULING_GATE",
});

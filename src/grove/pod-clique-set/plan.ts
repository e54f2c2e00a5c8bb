/** Pure: what a PodCliqueSet needs done, in the order of grove.md 9.1. */

import type { ClusterTopologyBinding } from "../../api/grove/cluster-topology-binding.ts";
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueScalingGroup } from "../../api/grove/pod-clique-scaling-group.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { equalJson } from "../../api/json.ts";
import type {
  HorizontalPodAutoscaler,
  Pod,
  Role,
  RoleBinding,
  Secret,
  Service,
  ServiceAccount,
} from "../../api/kubernetes/core.ts";
import { isTerminating } from "../../api/kubernetes/core.ts";
import { controllerOf, type KubeObject } from "../../api/kubernetes/meta.ts";
import type { PodGang } from "../../api/scheduler/pod-gang.ts";
import type { Action, ActionEvents, Plan, Stage } from "../actions.ts";
import { finalizerAddition, finalizerRemoval } from "../finalizers.ts";
import type { KindName, Kinds } from "../kinds.ts";
import { indexLabelOf, labelOf, POD_CLIQUE, SCALING_GROUP, SET_FINALIZER, SET_REPLICA_INDEX } from "../labels.ts";
import { type DomainView, planComputeDomains, planDomainRemoval } from "../mnnvl/compute-domains.ts";
import { formerTokenSecretName, standaloneCliqueName } from "../names.ts";
import { isOwnedBy } from "../ownership.ts";
import { standaloneClique } from "../pod-clique/clique-object.ts";
import { templatePatch } from "../pod-clique/template-patch.ts";
import { scalingGroup } from "../pod-clique-scaling-group/group-object.ts";
import { expectedPodGangs } from "../pod-gang/compose.ts";
import { type PodGangNames, podGangNames } from "../pod-gang/gang-names.ts";
import { planPodGangs } from "../pod-gang/plan.ts";
import { setLevel } from "../resource-claims/levels.ts";
import { type ClaimView, planClaims } from "../resource-claims/plan.ts";
import type { OperatorSettings } from "../settings.ts";
import { hasStartupOrder } from "../startup-order.ts";
import { statusActions } from "../status-actions.ts";
import { scalingGroups, setIndices, standaloneCliques } from "../template.ts";
import { isOpen } from "../update-turn.ts";
import { hasToken, podRole, podRoleBinding, serviceAccount, tokenSecret } from "./access-objects.ts";
import { expectedAutoscalers } from "./autoscalers.ts";
import { planGangTermination } from "./gang-termination.ts";
import { headlessService } from "./headless-service.ts";
import { setReplicas } from "./replicas.ts";
import { podsOfExcess, wholeSet } from "./sweeps.ts";
import { beginUpdate } from "./update.ts";

/** Everything labelled as part of the set, whoever owns it. */
export interface PodCliqueSetSnapshot {
  readonly set: PodCliqueSet;
  readonly cliques: readonly PodClique[];
  readonly groups: readonly PodCliqueScalingGroup[];
  readonly gangs: readonly PodGang[];
  readonly pods: readonly Pod[];
  readonly services: readonly Service[];
  readonly serviceAccounts: readonly ServiceAccount[];
  readonly roles: readonly Role[];
  readonly roleBindings: readonly RoleBinding[];
  readonly secrets: readonly Secret[];
  readonly autoscalers: readonly HorizontalPodAutoscaler[];
  /** The one that the set's topology constraints name. */
  readonly binding?: ClusterTopologyBinding | undefined;
  /** Of the claims that all its pods share; undefined when they share none. */
  readonly claims?: ClaimView | undefined;
  /** Undefined when the operator makes no ComputeDomains. */
  readonly computeDomains?: DomainView | undefined;
}

export interface PlanOptions {
  readonly settings: OperatorSettings;
  /** RFC 3339. */
  readonly now: string;
}

export function planPodCliqueSet(snapshot: PodCliqueSetSnapshot, options: PlanOptions): Plan {
  const { set } = snapshot;
  const { now } = options;
  if (isTerminating(set)) {
    const domains = planDomainRemoval(set, snapshot.computeDomains);
    if (domains.waitingFor !== undefined) return domains;
    const removal = finalizerRemoval("set", set, SET_FINALIZER, wholeSet(snapshot));
    return { stages: [...domains.stages, ...removal.stages] };
  }
  const waits: string[] = [];
  const begun = beginUpdate(set, now);
  const first = { actions: [...finalizerAddition("set", set, SET_FINALIZER), ...statusActions("set", set, begun)] };
  const claims = planClaims(set, setLevel(set), snapshot.claims);
  const domains = planComputeDomains(set, snapshot.computeDomains);
  const foundation = { actions: [...foundationActions(snapshot, waits), ...claims.actions] };
  const problem = claims.problem ?? domains.problem;
  const unknown = claims.isIncomplete ? claims.waitingFor : domains.waitingFor;
  if (problem !== undefined || unknown !== undefined) {
    return {
      stages: [first, foundation, ...domains.stages],
      ...(problem !== undefined && { problem }),
      ...(unknown !== undefined && { waitingFor: unknown }),
    };
  }
  if (claims.waitingFor !== undefined) waits.push(claims.waitingFor);
  if (hasStartupOrder(set.spec.template) && !hasToken(ownSecret(snapshot))) {
    return { stages: [first, foundation, ...domains.stages], waitingFor: "the token of its service account" };
  }
  const generation = (begun ?? set.status)?.currentGenerationHash;
  const termination = planGangTermination(snapshot, setReplicas(snapshot, generation), now);
  const gangNames = podGangNames(set, options.settings.podGangNames, snapshot);
  const cliques = {
    actions: cliqueActions(snapshot, { settings: options.settings, gangNames }, termination.going, waits),
  };
  const groupsAndGangs = groupAndGangStages(snapshot, gangNames, options, waits);
  if (isOpen((begun ?? set.status)?.updateProgress)) waits.push("its update");
  return {
    stages: [
      first,
      foundation,
      ...domains.stages,
      groupsAndGangs.excess,
      ...termination.stages,
      cliques,
      groupsAndGangs.syncs,
      ...leftOverStages(snapshot),
    ],
    announcements: termination.announcements,
    ...(waits[0] !== undefined && { waitingFor: waits[0] }),
    ...earliest(termination.lookAgainMs, groupsAndGangs.lookAgainMs),
  };
}

function earliest(...times: readonly (number | undefined)[]): { readonly lookAgainMs?: number } {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? {} : { lookAgainMs: Math.min(...known) };
}

const ownSecret = ({ set, secrets }: PodCliqueSetSnapshot): Secret | undefined =>
  secrets.find(({ metadata }) => metadata.name === tokenSecret(set).metadata.name);

function foundationActions(snapshot: PodCliqueSetSnapshot, waits: string[]): readonly Action[] {
  const { set, serviceAccounts, roles, roleBindings, secrets, autoscalers } = snapshot;
  const sync = <K extends KindName>(of: K, live: readonly Kinds[K][], wanted: readonly Kinds[K][], code: string) =>
    createMissing({ set, of, live, wanted, errorCode: code }, waits);
  return [
    ...sync("serviceAccount", serviceAccounts, [serviceAccount(set)], "ERR_SYNC_SERVICE_ACCOUNT"),
    ...sync("role", roles, [podRole(set)], "ERR_SYNC_ROLE"),
    ...sync("roleBinding", roleBindings, [podRoleBinding(set)], "ERR_SYNC_ROLE_BINDING"),
    ...sync("secret", secrets, [tokenSecret(set)], "ERR_SYNC_SECRET"),
    ...formerSecretActions(snapshot),
    ...syncAll(
      { set, of: "autoscaler", live: autoscalers, wanted: expectedAutoscalers(set) },
      { errorCode: "ERR_SYNC_HPA", owned: ({ metadata, spec }) => ({ metadata: { labels: metadata.labels }, spec }) },
      waits,
    ),
  ];
}

/**
 * Headless Services of the wanted replicas. A thousand of them would hold up the pods, which need them only once they run, and they do not run before
 * their gangs list them. Those of replicas that are not wanted go last, after the pods that they name.
 */
const serviceActions = ({ set, services }: PodCliqueSetSnapshot, waits: string[]): readonly Action[] =>
  syncAll(
    {
      set,
      of: "service",
      live: services.filter((service) => !isExcess(set, service)),
      wanted: setIndices(set).map((index) => headlessService(set, index)),
    },
    {
      errorCode: "ERR_SYNC_SERVICE",
      owned: ({ metadata, spec }) => ({ metadata: { labels: metadata.labels }, spec }),
    },
    waits,
  );

/** The secret of an older operator goes once no pod mounts it. */
function formerSecretActions({ set, secrets, pods }: PodCliqueSetSnapshot): readonly Action[] {
  const name = formerTokenSecretName(set.metadata.name);
  const former = secrets.find((secret) => secret.metadata.name === name && isOwnedBy(secret, set));
  if (former === undefined || isTerminating(former)) return [];
  const mounts = (pod: Pod): boolean =>
    pod.spec.volumes?.some(
      (volume) => (volume["secret"] as { secretName?: string } | undefined)?.secretName === name,
    ) ?? false;
  if (pods.some(mounts)) return [];
  return [{ kind: "delete", of: "secret", object: former, errorCode: "ERR_SYNC_SECRET" }];
}

function cliqueActions(
  { set, cliques }: PodCliqueSetSnapshot,
  { settings, gangNames }: { readonly settings: OperatorSettings; readonly gangNames: PodGangNames },
  going: ReadonlySet<PodClique>,
  waits: string[],
): readonly Action[] {
  const standalone = cliques.filter((clique) => labelOf(clique, SCALING_GROUP) === undefined);
  const templates = standaloneCliques(set.spec.template);
  const byName = new Map(standalone.map((clique) => [clique.metadata.name, clique]));
  const events = { success: "PodCliqueCreateOrUpdateSuccessful", failure: "PodCliqueCreateOrUpdateFailed" };
  const wanted: PodClique[] = [];
  const patches: Action[] = [];
  for (const index of setIndices(set)) {
    for (const template of templates) {
      const live = byName.get(standaloneCliqueName(set.metadata.name, index, template.name));
      // Objects are only made for what is missing or not looked at yet: most passes find everything there.
      if (live !== undefined && (going.has(live) || isKnownToFit(live, set))) {
        wanted.push(live);
        continue;
      }
      const object = standaloneClique(set, index, template, { settings, gangNames });
      wanted.push(object);
      if (live === undefined || isTerminating(live) || !isOwnedBy(live, set)) continue;
      const patch = templatePatch(live, object);
      if (patch === undefined) knownToFit.set(live, generationKey(set));
      else patches.push(patch);
    }
  }
  return [
    ...deleteExcess(set, "clique", standalone, {
      errorCode: "ERR_DELETE_PODCLIQUE",
      events: { success: "PodCliqueDeleteSuccessful", failure: "PodCliqueDeleteFailed" },
    }),
    ...createMissing({ set, of: "clique", live: standalone, wanted, errorCode: "ERR_SYNC_PODCLIQUE", events }, waits),
    ...patches,
  ];
}

/** Objects never change, so one that was found to be as the template says stays so for that generation of the set. */
const knownToFit = new WeakMap<PodClique, string>();
const generationKey = ({ metadata }: PodCliqueSet): string => `${metadata.uid}/${metadata.generation}`;
const isKnownToFit = (clique: PodClique, set: PodCliqueSet): boolean => knownToFit.get(clique) === generationKey(set);

function groupAndGangStages(
  snapshot: PodCliqueSetSnapshot,
  gangNames: PodGangNames,
  { settings, now }: PlanOptions,
  waits: string[],
): { readonly excess: Stage; readonly syncs: Stage; readonly lookAgainMs?: number | undefined } {
  const { set, groups, cliques, gangs, pods, binding } = snapshot;
  const wanted = setIndices(set).flatMap((index) =>
    scalingGroups(set.spec.template).map((group) => scalingGroup(set, index, group)),
  );
  const deletes = deleteExcess(set, "group", groups, {
    errorCode: "ERR_DELETE_PODCLIQUESCALINGGROUP",
    events: { success: "PodCliqueScalingGroupDeleteSuccessful", failure: "PodCliqueScalingGroupDeleteFailed" },
  });
  const syncs = syncAll(
    { set, of: "group", live: groups.filter((group) => !isExcess(set, group)), wanted },
    {
      errorCode: "ERR_SYNC_PODCLIQUESCALINGGROUP",
      events: {
        success: "PodCliqueScalingGroupCreateSuccessful",
        failure: "PodCliqueScalingGroupCreateOrUpdateFailed",
      },
      owned: ({ metadata, spec }) => ({
        metadata: { labels: metadata.labels, annotations: metadata.annotations },
        // Replicas belong to whoever scales the live object (grove.md 7.3).
        spec: { minAvailable: spec.minAvailable, cliqueNames: spec.cliqueNames },
      }),
    },
    waits,
  );
  const ownGroups = new Map(
    groups.filter((group) => isOwnedBy(group, set)).map((group) => [group.metadata.name, group]),
  );
  const gangPlan = planPodGangs({
    set,
    expected: expectedPodGangs(set, ownGroups, gangNames),
    gangs: new Map(gangs.filter((gang) => isOwnedBy(gang, set)).map((gang) => [gang.metadata.name, gang])),
    cliques: new Map(cliques.map((clique) => [clique.metadata.name, clique])),
    podsByClique: podsByOwner(cliques, pods),
    binding,
    settings,
    now,
  });
  const [incomplete] = gangPlan.incomplete;
  if (incomplete !== undefined) waits.push(`the pods of PodGang ${incomplete}`);
  return {
    excess: { actions: [...gangPlan.deletes, ...deletes] },
    syncs: { actions: [...serviceActions(snapshot, waits), ...syncs, ...gangPlan.creates, ...gangPlan.updates] },
    lookAgainMs: gangPlan.lookAgainMs,
  };
}

/**
 * What replicas that are not wanted leave behind, once none of their cliques is there any more: whoever sees the last of
 * their pods go may count on their cliques and gangs being gone, as with garbage collection.
 */
function leftOverStages(snapshot: PodCliqueSetSnapshot): readonly Stage[] {
  const { set, cliques, services } = snapshot;
  if (cliques.some((clique) => isExcess(set, clique))) return [];
  return [
    { actions: [], sweeps: podsOfExcess(snapshot) },
    { actions: deleteExcess(set, "service", services, { errorCode: "ERR_SYNC_SERVICE" }) },
  ];
}

/** Pods of a clique that was made again under its name belong to the one that went. */
function podsByOwner(cliques: readonly PodClique[], pods: readonly Pod[]): ReadonlyMap<string, readonly Pod[]> {
  const uids = new Map(cliques.map(({ metadata }) => [metadata.name, metadata.uid]));
  const own = pods.filter((pod) => controllerOf(pod)?.uid === uids.get(labelOf(pod, POD_CLIQUE) ?? ""));
  return Map.groupBy(own, (pod) => labelOf(pod, POD_CLIQUE) ?? "");
}

interface SyncInput<K extends KindName> {
  readonly set: PodCliqueSet;
  readonly of: K;
  readonly live: readonly Kinds[K][];
  readonly wanted: readonly Kinds[K][];
}

interface Labelling {
  readonly errorCode: string;
  readonly events?: ActionEvents;
}

/** Creates what is missing, patches what differs in the fields that `owned` picks, deletes what is not wanted. */
function syncAll<K extends KindName>(
  input: SyncInput<K>,
  options: Labelling & { readonly owned: (object: Kinds[K]) => object },
  waits: string[],
): readonly Action[] {
  const { set, of, live, wanted } = input;
  const { owned, ...labelling } = options;
  const byName = new Map(live.map((object) => [object.metadata.name, object]));
  const names = new Set(wanted.map(({ metadata }) => metadata.name));
  const patches = wanted.flatMap((object): readonly Action[] => {
    const old = byName.get(object.metadata.name);
    if (old === undefined || isTerminating(old) || !isOwnedBy(old, set)) return [];
    const patch = overlayPatch(old, owned(object));
    return patch === undefined ? [] : [{ kind: "patch", of, object: old, patch, ...labelling } as Action];
  });
  const deletes = live
    .filter((object) => !names.has(object.metadata.name) && !isTerminating(object) && isOwnedBy(object, set))
    .map((object) => ({ kind: "delete", of, object, ...labelling }) as Action);
  return [...deletes, ...patches, ...createMissing({ ...input, ...labelling }, waits)];
}

/** The merge patch that puts `wanted` over the live object; fields that others or the server added stay. */
function overlayPatch(live: object, wanted: object): Readonly<Record<string, unknown>> | undefined {
  const patch: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(wanted)) {
    const old = (live as Readonly<Record<string, unknown>>)[key];
    if (value === undefined || equalJson(old, value)) continue;
    const inner = isPlainObject(old) && isPlainObject(value) ? overlayPatch(old, value) : value;
    if (inner !== undefined) patch[key] = inner;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

const isPlainObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function createMissing<K extends KindName>(
  { set, of, live, wanted, errorCode, events }: SyncInput<K> & Labelling,
  waits: string[],
): readonly Action[] {
  const byName = new Map<string, KubeObject>(live.map((object) => [object.metadata.name, object]));
  return wanted.flatMap((object): readonly Action[] => {
    const old = byName.get(object.metadata.name);
    if (old === undefined) {
      return [{ kind: "create", of, object, errorCode, ...(events !== undefined && { events }) } as Action];
    }
    if (isTerminating(old) || !isOwnedBy(old, set)) {
      waits.push(
        `${old.kind} ${old.metadata.name}, which ${isTerminating(old) ? "is terminating" : "has another owner"}`,
      );
    }
    return [];
  });
}

const isExcess = (set: PodCliqueSet, object: KubeObject): boolean =>
  (indexLabelOf(object, SET_REPLICA_INDEX) ?? 0) >= set.spec.replicas;

/** Whatever belongs to a replica index that is not wanted any more, highest first. */
function deleteExcess<K extends "clique" | "group" | "service">(
  set: PodCliqueSet,
  of: K,
  live: readonly Kinds[K][],
  labelling: Labelling,
): readonly Action[] {
  const index = (object: KubeObject): number => indexLabelOf(object, SET_REPLICA_INDEX) ?? 0;
  return live
    .filter((object) => isExcess(set, object) && !isTerminating(object) && isOwnedBy(object, set))
    .toSorted((a, b) => index(b) - index(a))
    .map((object) => ({ kind: "delete", of, object, ...labelling }) as Action);
}

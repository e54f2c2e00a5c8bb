/**
 * Which pods go to which nodes now. Pure: a snapshot in, bindings and refusals out.
 *
 * A pod with the label `grove.io/podgang` waits until all pod groups of its PodGang can have their `minReplicas` bound at
 * once (those that are bound already count). Members beyond the minimum are placed one by one, after the minimum of every gang, as KAI does: what one gang has
 * more than it needs must not keep another from starting. Gated pods do not count.
 */
import { isTerminating, type Node, type Pod } from "../../api/kubernetes/core.ts";
import { keyOf } from "../../api/kubernetes/meta.ts";
import type { PodGang, PodGroup } from "../../api/scheduler/pod-gang.ts";
import { allocatableOf, misfitMessage, type NodeState, requestsOf, subtract } from "./fit.ts";
import { type PlacementUnit, place, setReplicaOf } from "./place.ts";

export interface SchedulingSnapshot {
  readonly nodes: readonly Node[];
  /** All pods of the cluster, bound or not. */
  readonly pods: readonly Pod[];
  readonly gangs: readonly PodGang[];
  /** Names of schedulers whose pods are ours; all pods when absent. */
  readonly schedulerNames?: ReadonlySet<string>;
}

export interface SchedulingPlan {
  readonly bindings: readonly { readonly pod: Pod; readonly nodeName: string }[];
  readonly unschedulable: readonly { readonly pod: Pod; readonly message: string }[];
}

const GANG_LABEL = "grove.io/podgang";
const CLIQUE_LABEL = "grove.io/podclique";

export function plan(snapshot: SchedulingSnapshot): SchedulingPlan {
  const bindings: { pod: Pod; nodeName: string }[] = [];
  const unschedulable: { pod: Pod; message: string }[] = [];
  let nodes = nodeStates(snapshot);
  const gangs = new Map(snapshot.gangs.map((gang) => [keyOf(gang), gang]));
  const boundByGang = groupByGang(snapshot.pods.filter((pod) => isBound(pod) && isLive(pod)));

  const tryPlace = (unit: PlacementUnit): boolean => {
    const placed = place(unit, nodes);
    if (placed === undefined) return false;
    nodes = placed.nodes;
    bindings.push(...placed.placements);
    return true;
  };
  const placeAlone = (pod: Pod, context: Omit<PlacementUnit, "children" | "pods">): void => {
    if (!tryPlace({ ...context, children: [], pods: [pod] })) {
      unschedulable.push({ pod, message: misfitMessage(pod, nodes) });
    }
  };

  const extras: (() => void)[] = [];
  for (const [key, pending] of pendingByGang(snapshot)) {
    if (key === undefined) {
      for (const pod of pending) placeAlone(pod, { usedNodes: [] });
      continue;
    }
    const gang = gangs.get(key);
    if (gang === undefined) {
      for (const pod of pending) unschedulable.push({ pod, message: `waiting for PodGang ${key}` });
      continue;
    }
    const bound = boundByGang.get(key) ?? [];
    const members = gang.spec.podgroups.map((group) => membersOf(group, bound, pending));
    const incomplete = members.find(({ waiting, missing }) => waiting.length < missing);
    const needed = members.flatMap(({ waiting, missing }) => waiting.slice(0, missing));
    if (incomplete !== undefined) {
      const { group, waiting, missing } = incomplete;
      const message = `gang ${key}: pod group ${group.name} has ${waiting.length} schedulable pods and needs ${missing} more`;
      for (const pod of pending) unschedulable.push({ pod, message });
      continue;
    }
    if (needed.length > 0 && !tryPlace(gangUnit(gang, members, bound))) {
      const message = `gang ${key} does not fit as a whole (${needed.length} pods at once): `;
      for (const pod of pending) unschedulable.push({ pod, message: message + misfitMessage(pod, nodes) });
      continue;
    }
    const taken = new Set(needed);
    for (const pod of pending) {
      if (taken.has(pod)) continue;
      extras.push(() => placeAlone(pod, extraContext(gang, pod, [...bound, ...boundHere(pending, bindings)])));
    }
  }
  for (const placeExtra of extras) placeExtra();
  return { bindings, unschedulable };
}

interface GroupMembers {
  readonly group: PodGroup;
  readonly bound: readonly Pod[];
  readonly waiting: readonly Pod[];
  /** Pods the group needs beyond those that are bound. */
  readonly missing: number;
}

function membersOf(group: PodGroup, bound: readonly Pod[], pending: readonly Pod[]): GroupMembers {
  const named = new Set(group.podReferences.map(({ name }) => name));
  const belongs = (pod: Pod): boolean =>
    named.has(pod.metadata.name) || pod.metadata.labels?.[CLIQUE_LABEL] === group.name;
  const mine = bound.filter(belongs);
  return {
    group,
    bound: mine,
    waiting: pending.filter(belongs),
    missing: Math.max(0, group.minReplicas - mine.length),
  };
}

interface Constraint {
  readonly packConstraint?:
    | { readonly required?: string | undefined; readonly preferred?: string | undefined }
    | undefined;
}

function constraintOf(constraint: Constraint | undefined): Pick<PlacementUnit, "required" | "preferred"> {
  const { required, preferred } = constraint?.packConstraint ?? {};
  return { ...(required ? { required } : {}), ...(preferred ? { preferred } : {}) };
}

/** Gang → constrained groups of pod groups → pod groups. */
function gangUnit(gang: PodGang, members: readonly GroupMembers[], bound: readonly Pod[]): PlacementUnit {
  const configs = gang.spec.topologyConstraintGroupConfigs ?? [];
  const grouped = new Set(configs.flatMap(({ podGroupNames }) => podGroupNames));
  const units = (names: (name: string) => boolean): PlacementUnit[] =>
    members
      .filter(({ group }) => names(group.name))
      .map(({ group, bound: mine, waiting, missing }) => ({
        ...constraintOf(group.topologyConstraint),
        children: [],
        pods: waiting.slice(0, missing),
        usedNodes: nodesOf(mine),
      }));
  const configUnits = configs.map(({ podGroupNames, topologyConstraint }) => {
    const children = units((name) => podGroupNames.includes(name));
    const usedNodes = children.flatMap((child) => child.usedNodes);
    return { ...constraintOf(topologyConstraint), children, pods: [], usedNodes };
  });
  const free = units((name) => !grouped.has(name));
  // Pod groups without a constraint of their own are packed together rather than one by one.
  const loose = free.filter(({ required, preferred }) => required === undefined && preferred === undefined);
  return {
    ...constraintOf(gang.spec.topologyConstraint),
    children: [...configUnits, ...free.filter((unit) => !loose.includes(unit))],
    pods: loose.flatMap(({ pods }) => pods),
    usedNodes: nodesOf(bound),
  };
}

/** Constraints of a member beyond the minimum: the narrowest required one that applies, anchored at its siblings. */
function extraContext(gang: PodGang, pod: Pod, bound: readonly Pod[]): Omit<PlacementUnit, "children" | "pods"> {
  const clique = pod.metadata.labels?.[CLIQUE_LABEL];
  const group = gang.spec.podgroups.find(
    ({ name, podReferences }) => name === clique || podReferences.some((ref) => ref.name === pod.metadata.name),
  );
  const config = (gang.spec.topologyConstraintGroupConfigs ?? []).find(({ podGroupNames }) =>
    podGroupNames.includes(group?.name ?? ""),
  );
  const inGroups = (names: readonly string[]): readonly Pod[] =>
    bound.filter(({ metadata }) => names.includes(metadata.labels?.[CLIQUE_LABEL] ?? ""));
  const scopes = [
    { ...constraintOf(group?.topologyConstraint), usedNodes: nodesOf(inGroups([group?.name ?? ""])) },
    { ...constraintOf(config?.topologyConstraint), usedNodes: nodesOf(inGroups(config?.podGroupNames ?? [])) },
    { ...constraintOf(gang.spec.topologyConstraint), usedNodes: nodesOf(bound) },
  ];
  return scopes.find(({ required }) => required !== undefined) ?? scopes[2] ?? { usedNodes: [] };
}

function boundHere(members: readonly Pod[], bindings: SchedulingPlan["bindings"]): readonly Pod[] {
  const mine = new Set(members);
  return bindings
    .filter(({ pod }) => mine.has(pod))
    .map(({ pod, nodeName }) => ({ ...pod, spec: { ...pod.spec, nodeName } }));
}

const nodesOf = (pods: readonly Pod[]): string[] => [...new Set(pods.map(({ spec }) => spec.nodeName ?? ""))];
const isBound = ({ spec }: Pod): boolean => spec.nodeName !== undefined && spec.nodeName !== "";
const isEnded = ({ status }: Pod): boolean => status?.phase === "Succeeded" || status?.phase === "Failed";
const isLive = (pod: Pod): boolean => !isEnded(pod) && !isTerminating(pod);

function gangKeyOf({ metadata }: Pod): string | undefined {
  const gang = metadata.labels?.[GANG_LABEL];
  return gang === undefined ? undefined : `${metadata.namespace ?? ""}/${gang}`;
}

function groupByGang(pods: readonly Pod[]): Map<string, Pod[]> {
  const groups = new Map<string, Pod[]>();
  for (const pod of pods) {
    const key = gangKeyOf(pod);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [pod]);
    else group.push(pod);
  }
  return groups;
}

/** Oldest first; the pods of a gang together, at the place of its oldest; pods without a gang each at their own. */
function pendingByGang({
  pods,
  schedulerNames,
}: SchedulingSnapshot): readonly (readonly [string | undefined, Pod[]])[] {
  const pending = pods
    .filter((pod) => !isBound(pod) && isLive(pod) && (pod.spec.schedulingGates?.length ?? 0) === 0)
    .filter(({ spec }) => schedulerNames === undefined || schedulerNames.has(spec.schedulerName ?? "default-scheduler"))
    .sort((a, b) => compareText(ageOf(a), ageOf(b)));
  const order: (readonly [string | undefined, Pod[]])[] = [];
  const gangs = new Map<string, Pod[]>();
  for (const pod of pending) {
    const key = gangKeyOf(pod);
    const known = key === undefined ? undefined : gangs.get(key);
    if (known !== undefined) known.push(pod);
    else {
      const members = [pod];
      if (key !== undefined) gangs.set(key, members);
      order.push([key, members]);
    }
  }
  return order;
}

const ageOf = (pod: Pod): string => `${pod.metadata.creationTimestamp ?? ""} ${keyOf(pod)}`;
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** What is free counts what terminating pods still hold. */
function nodeStates({ nodes, pods }: SchedulingSnapshot): readonly NodeState[] {
  const byNode = new Map<string, Pod[]>();
  for (const pod of pods) {
    if (!isBound(pod) || isEnded(pod)) continue;
    const resident = byNode.get(pod.spec.nodeName ?? "");
    if (resident === undefined) byNode.set(pod.spec.nodeName ?? "", [pod]);
    else resident.push(pod);
  }
  return nodes
    .filter((node) => !isTerminating(node))
    .toSorted((a, b) => compareText(a.metadata.name, b.metadata.name))
    .map((node) => {
      const setReplicas = new Map<string, number>();
      let free = allocatableOf(node);
      for (const pod of byNode.get(node.metadata.name) ?? []) {
        free = subtract(free, requestsOf(pod));
        setReplicas.set(setReplicaOf(pod), (setReplicas.get(setReplicaOf(pod)) ?? 0) + 1);
      }
      return { node, name: node.metadata.name, free, setReplicas };
    });
}

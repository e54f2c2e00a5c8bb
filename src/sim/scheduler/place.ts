/**
 * Places a tree of pods on nodes so that every pack constraint holds, or not at all. Pure.
 *
 * A unit is a gang, one of its constrained groups, or a pod group. A required key means one value of that node label for
 * all pods of the unit; a preferred key is tried first and given up. Among the values that could do, the one with the
 * least free GPUs is tried first (best fit), so that large holes stay whole; a value that holds pods of the unit already
 * is the only one for a required key.
 */
import type { Pod } from "../../api/kubernetes/core.ts";
import { GPU, misfit, type NodeState, requestsOf, subtract } from "./fit.ts";

export interface PlacementUnit {
  readonly required?: string;
  readonly preferred?: string;
  readonly children: readonly PlacementUnit[];
  readonly pods: readonly Pod[];
  /** Nodes that hold pods of this unit. */
  readonly usedNodes: readonly string[];
}

export interface Placement {
  readonly pod: Pod;
  readonly nodeName: string;
}

export interface Placed {
  readonly placements: readonly Placement[];
  readonly nodes: readonly NodeState[];
}

/** `undefined` when there is no way that this search finds: units are placed one by one, without going back to earlier ones. */
export function place(unit: PlacementUnit, nodes: readonly NodeState[]): Placed | undefined {
  for (const domain of domainsOf(unit, nodes)) {
    const inside = new Set(domain.map(({ name }) => name));
    const placed = placeInside(unit, domain);
    if (placed === undefined) continue;
    const changed = new Map(placed.nodes.map((node) => [node.name, node]));
    return {
      placements: placed.placements,
      nodes: nodes.map((node) => (inside.has(node.name) ? (changed.get(node.name) ?? node) : node)),
    };
  }
  return undefined;
}

/** Sets of nodes to try, in order. */
function domainsOf(unit: PlacementUnit, nodes: readonly NodeState[]): readonly (readonly NodeState[])[] {
  const required = unit.required === undefined ? [nodes] : split(unit.required, nodes, unit, true);
  const { preferred } = unit;
  if (preferred === undefined) return required;
  return required.flatMap((domain) => [...split(preferred, domain, unit, false), domain]);
}

function split(
  key: string,
  nodes: readonly NodeState[],
  unit: PlacementUnit,
  isRequired: boolean,
): readonly (readonly NodeState[])[] {
  const domains = new Map<string, NodeState[]>();
  for (const node of nodes) {
    const value = node.node.metadata.labels?.[key];
    if (value === undefined) continue;
    const domain = domains.get(value);
    if (domain === undefined) domains.set(value, [node]);
    else domain.push(node);
  }
  const used = new Set(unit.usedNodes);
  const holds = (domain: readonly NodeState[]): boolean => domain.some(({ name }) => used.has(name));
  const need = gpusOf(unit);
  const candidates = [...domains].filter(([, domain]) => freeGpus(domain) >= need);
  const settled = [...domains.values()].some(holds);
  return candidates
    .filter(([, domain]) => !(isRequired && settled) || holds(domain))
    .sort(
      ([a, domainA], [b, domainB]) =>
        Number(holds(domainB)) - Number(holds(domainA)) || freeGpus(domainA) - freeGpus(domainB) || (a < b ? -1 : 1),
    )
    .map(([, domain]) => domain);
}

function placeInside(unit: PlacementUnit, domain: readonly NodeState[]): Placed | undefined {
  let nodes = domain;
  const placements: Placement[] = [];
  const used = new Set(unit.usedNodes);
  // Constrained and large parts first: they have the fewest places to go.
  const children = unit.children.toSorted(
    (a, b) => Number(b.required !== undefined) - Number(a.required !== undefined) || gpusOf(b) - gpusOf(a),
  );
  for (const child of children) {
    const placed = place({ ...child, usedNodes: [...child.usedNodes] }, preferUsed(nodes, used));
    if (placed === undefined) return undefined;
    const changed = new Map(placed.nodes.map((node) => [node.name, node]));
    nodes = nodes.map((node) => changed.get(node.name) ?? node);
    placements.push(...placed.placements);
    for (const { nodeName } of placed.placements) used.add(nodeName);
  }
  const pods = unit.pods.toSorted((a, b) => requestsOf(b)[GPU] - requestsOf(a)[GPU]);
  let remaining = pods.reduce((sum, pod) => sum + requestsOf(pod)[GPU], 0);
  for (const pod of pods) {
    const chosen = chooseNode(pod, nodes, used, remaining);
    if (chosen === undefined) return undefined;
    const requests = requestsOf(pod);
    remaining -= requests[GPU];
    placements.push({ pod, nodeName: chosen.name });
    used.add(chosen.name);
    const replica = setReplicaOf(pod);
    nodes = nodes.map((node) =>
      node === chosen
        ? {
            ...node,
            free: subtract(node.free, requests),
            setReplicas: new Map(node.setReplicas).set(replica, (node.setReplicas.get(replica) ?? 0) + 1),
          }
        : node,
    );
  }
  return { placements, nodes };
}

const preferUsed = (nodes: readonly NodeState[], used: ReadonlySet<string>): readonly NodeState[] =>
  nodes.toSorted((a, b) => Number(used.has(b.name)) - Number(used.has(a.name)));

/**
 * Few nodes first: one that the unit uses already; else the tightest that can take all that is left; else the one with
 * the most room. Among equals the one with the fewest pods of other replicas of the set.
 */
function chooseNode(
  pod: Pod,
  nodes: readonly NodeState[],
  used: ReadonlySet<string>,
  remainingGpus: number,
): NodeState | undefined {
  const requests = requestsOf(pod);
  const replica = setReplicaOf(pod);
  let best: { node: NodeState; rank: readonly number[] } | undefined;
  for (const node of nodes) {
    if (misfit(pod, requests, node) !== undefined) continue;
    const takesAll = node.free[GPU] >= remainingGpus;
    const rank = [
      used.has(node.name) ? 0 : 1,
      takesAll ? 0 : 1,
      takesAll ? node.free[GPU] : -node.free[GPU],
      othersOf(node, replica),
    ];
    if (best === undefined || compare(rank, best.rank) < 0) best = { node, rank };
  }
  return best?.node;
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `namespace/part-of/replica`. */
export function setReplicaOf({ metadata }: Pod): string {
  const { namespace = "", labels = {} } = metadata;
  return `${namespace}/${labels["app.kubernetes.io/part-of"] ?? ""}/${labels["grove.io/podcliqueset-replica-index"] ?? ""}`;
}

function othersOf({ setReplicas }: NodeState, replica: string): number {
  const set = replica.slice(0, replica.lastIndexOf("/") + 1);
  let others = 0;
  for (const [key, count] of setReplicas) if (key !== replica && key.startsWith(set)) others += count;
  return others;
}

function gpusOf({ pods, children }: PlacementUnit): number {
  return (
    pods.reduce((sum, pod) => sum + requestsOf(pod)[GPU], 0) + children.reduce((sum, child) => sum + gpusOf(child), 0)
  );
}

const freeGpus = (nodes: readonly NodeState[]): number =>
  nodes.reduce((sum, { free }) => sum + Math.max(0, free[GPU]), 0);

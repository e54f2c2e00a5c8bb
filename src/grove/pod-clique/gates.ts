/** When the scheduling gate of a pod may go (grove.md 3.5). */
import type { PodClique } from "../../api/grove/pod-clique.ts";
import { isTerminating, type Pod } from "../../api/kubernetes/core.ts";
import type { PodGang } from "../../api/scheduler/pod-gang.ts";
import { BASE_POD_GANG, labelOf, POD_GANG_GATE } from "../labels.ts";

export interface GangSnapshot {
  /** The gang that the clique's label names. */
  readonly gang: PodGang | undefined;
  /** The base gang, for cliques of a scaled gang. */
  readonly baseGang: PodGang | undefined;
  /** Pods of the PodCliques behind the base gang's pod groups that the scheduler has placed, by name of the clique. */
  readonly baseScheduled: ReadonlyMap<string, number>;
}

const isGated = (pod: Pod): boolean => pod.spec.schedulingGates?.some(({ name }) => name === POD_GANG_GATE) === true;

/** Pods whose gate can go now, and why the others have to wait. */
export function openableGates(
  clique: PodClique,
  pods: readonly Pod[],
  snapshot: GangSnapshot,
): { readonly open: readonly Pod[]; readonly waitingFor?: string } {
  const gated = pods.filter((pod) => !isTerminating(pod) && isGated(pod));
  if (gated.length === 0) return { open: [] };
  const { gang } = snapshot;
  if (gang === undefined) return { open: [], waitingFor: "its PodGang" };
  const blocker = baseGangBlocker(clique, snapshot);
  if (blocker !== undefined) return { open: [], waitingFor: blocker };
  const group = gang.spec.podgroups.find(({ name }) => name === clique.metadata.name);
  const listed = new Set(group?.podReferences.map(({ name }) => name));
  const open = gated.filter(({ metadata }) => listed.has(metadata.name));
  return open.length === gated.length
    ? { open }
    : { open, waitingFor: `PodGang ${gang.metadata.name} to list its pods` };
}

/** By the pods themselves, not by the status that tells of them later. A scaled gang waits until every pod group of the base gang has its minimum of scheduled pods. */
function baseGangBlocker(clique: PodClique, { baseGang, baseScheduled }: GangSnapshot): string | undefined {
  const base = labelOf(clique, BASE_POD_GANG);
  if (base === undefined) return undefined;
  if (baseGang === undefined) return `base PodGang ${base}`;
  for (const { name, minReplicas } of baseGang.spec.podgroups) {
    const scheduled = baseScheduled.get(name) ?? 0;
    if (scheduled < minReplicas) {
      return `base PodGang ${base}: ${name} has ${scheduled} of ${minReplicas} pods scheduled`;
    }
  }
  return undefined;
}

/** One JSON patch; the `test` makes it fail, and be tried again, when somebody changed the gates in between. */
export function gateRemovalPatch(pod: Pod) {
  const index = pod.spec.schedulingGates?.findIndex(({ name }) => name === POD_GANG_GATE) ?? -1;
  return [
    { op: "test", path: `/spec/schedulingGates/${index}/name`, value: POD_GANG_GATE },
    { op: "remove", path: `/spec/schedulingGates/${index}` },
  ] as const;
}

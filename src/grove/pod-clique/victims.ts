/** Which pods go first when a PodClique shrinks (grove.md 7.4): the ones whose loss costs least. */
import { isPodReady, type Pod } from "../../api/kubernetes/core.ts";
import { parseTime } from "../../api/kubernetes/time.ts";
import { labelOf, POD_TEMPLATE_HASH } from "../labels.ts";
import { podIndexOf } from "./pod-object.ts";

const PHASE_RANK: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/**
 * Orders pods by: no node, phase, not ready, old template, newest, and last the highest index, so that indices stay
 * dense where nothing else decides.
 */
export function inVictimOrder(pods: readonly Pod[], clique: string, expectedHash: string | undefined): readonly Pod[] {
  const rank = (pod: Pod): readonly number[] => [
    pod.spec.nodeName === undefined || pod.spec.nodeName === "" ? 0 : 1,
    PHASE_RANK[pod.status?.phase ?? "Pending"] ?? 0,
    isPodReady(pod) ? 1 : 0,
    labelOf(pod, POD_TEMPLATE_HASH) === expectedHash ? 1 : 0,
    -parseTime(pod.metadata.creationTimestamp ?? ""),
    -(podIndexOf(pod, clique) ?? -1),
  ];
  return pods
    .map((pod) => ({ pod, rank: rank(pod) }))
    .toSorted((a, b) => compareRanks(a.rank, b.rank))
    .map(({ pod }) => pod);
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0);
    if (difference !== 0 && !Number.isNaN(difference)) return difference;
  }
  return 0;
}

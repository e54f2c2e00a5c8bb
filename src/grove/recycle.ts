/**
 * Deleting cliques that are made again under their names, in an order that survives a crash: those whose breach is the
 * reason go last, so that the reason stays until the rest is gone (grove.md 6.2, 6.3).
 */
import type { PodClique } from "../api/grove/pod-clique.ts";
import { conditionOf } from "../api/kubernetes/conditions.ts";
import type { Action, Stage } from "./actions.ts";
import { MIN_AVAILABLE_BREACHED } from "./breach.ts";

export function recycleStages(cliques: readonly PodClique[]): readonly Stage[] {
  const isReason = ({ status }: PodClique): boolean =>
    conditionOf(status?.conditions, MIN_AVAILABLE_BREACHED)?.status === "True";
  const others = cliques.filter((clique) => !isReason(clique));
  return [{ actions: others.map(deletion) }, { actions: cliques.filter(isReason).map(deletion) }];
}

const deletion = (object: PodClique): Action => ({
  kind: "delete",
  of: "clique",
  object,
  errorCode: "ERR_DELETE_PODCLIQUE",
});

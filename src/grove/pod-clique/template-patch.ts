/** Hands a changed template down to a PodClique that exists (grove.md 5.2): everything but the replicas, which are scaled live. */
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { Action } from "../actions.ts";
import { mergePatch } from "../merge-patch.ts";

/** @returns undefined when the live object is as its template says */
export function templatePatch(live: PodClique, wanted: PodClique): Action | undefined {
  const patch = mergePatch(picked(live), picked({ ...wanted, spec: { ...wanted.spec, replicas: live.spec.replicas } }));
  if (patch === undefined) return undefined;
  return {
    kind: "patch",
    of: "clique",
    object: live,
    patch,
    errorCode: "ERR_SYNC_PODCLIQUE",
    events: { success: "PodCliqueCreateOrUpdateSuccessful", failure: "PodCliqueCreateOrUpdateFailed" },
  };
}

const picked = ({ metadata: { labels = {}, annotations = {} }, spec }: PodClique) => ({
  metadata: { labels, annotations },
  spec,
});

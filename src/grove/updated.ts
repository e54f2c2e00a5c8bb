/** When a PodClique counts as updated to the set's current generation (grove.md 5.6). */
import type { PodClique } from "../api/grove/pod-clique.ts";
import { labelOf, POD_TEMPLATE_HASH } from "./labels.ts";
import { minAvailableOf } from "./template.ts";
import { isOpen } from "./update-turn.ts";

/**
 * Whether pods may be left of another template than the present one. The hash of before stays in the status until the clique
 * is through an update: it alone says nothing of one that is taken back on its way.
 */
export function hasOldPods({ metadata, status }: PodClique, expectedHash: string): boolean {
  if (metadata.labels?.[POD_TEMPLATE_HASH] !== expectedHash) return true;
  if (status === undefined) return false;
  const present = status.currentPodTemplateHash;
  return (present !== undefined && present !== expectedHash) || isOpen(status.updateProgress);
}

export function isUpdated(clique: PodClique, expectedHash: string, generationHash: string | undefined): boolean {
  const { status } = clique;
  const minAvailable = minAvailableOf(clique);
  return (
    generationHash !== undefined &&
    status !== undefined &&
    labelOf(clique, POD_TEMPLATE_HASH) === expectedHash &&
    !isOpen(status.updateProgress) &&
    status.updatedReplicas >= (status.replicas ?? 0) &&
    status.currentPodTemplateHash === expectedHash &&
    status.currentPodCliqueSetGenerationHash === generationHash &&
    status.updatedReplicas >= minAvailable &&
    status.readyReplicas >= minAvailable
  );
}

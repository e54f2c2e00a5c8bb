/** When a PodClique counts as updated to the set's current generation (grove.md 5.6). */
import type { PodClique } from "../api/grove/pod-clique.ts";
import { labelOf, POD_TEMPLATE_HASH } from "./labels.ts";
import { minAvailableOf } from "./template.ts";

export function isUpdated(clique: PodClique, expectedHash: string, generationHash: string | undefined): boolean {
  const { status } = clique;
  const minAvailable = minAvailableOf(clique);
  return (
    generationHash !== undefined &&
    status !== undefined &&
    labelOf(clique, POD_TEMPLATE_HASH) === expectedHash &&
    status.currentPodTemplateHash === expectedHash &&
    status.currentPodCliqueSetGenerationHash === generationHash &&
    status.updatedReplicas >= minAvailable &&
    status.readyReplicas >= minAvailable
  );
}

/** Pure: the status of a PodCliqueSet from its cliques and groups (grove.md 9.3). */
import type { PodCliqueSetStatus } from "../../api/grove/pod-clique-set.ts";
import { setPodSelector } from "../labels.ts";
import type { PassOutcome } from "../pass-outcome.ts";
import { generationHash } from "../pod-template-hash.ts";
import { type SetParts, setReplicas } from "./replicas.ts";
import { advanceUpdate } from "./update.ts";

export interface PodCliqueSetStatusInput extends SetParts {
  readonly outcome: PassOutcome;
  /** RFC 3339. */
  readonly now: string;
}

export function podCliqueSetStatus({
  set,
  cliques,
  groups,
  outcome,
  now,
}: PodCliqueSetStatusInput): PodCliqueSetStatus {
  const old = set.status;
  const currentGenerationHash = old?.currentGenerationHash ?? generationHash(set.spec.template);
  const replicas = setReplicas({ set, cliques, groups }, currentGenerationHash);
  const observedGeneration = outcome.complete ? set.metadata.generation : old?.observedGeneration;
  const updateProgress = advanceUpdate(old?.updateProgress, replicas, now);
  return {
    ...old,
    ...(observedGeneration !== undefined && { observedGeneration }),
    replicas: set.spec.replicas,
    availableReplicas: replicas.filter(({ available }) => available).length,
    updatedReplicas: replicas.filter(({ available, isDone }) => available && isDone).length,
    hpaPodSelector: setPodSelector(set.metadata.name),
    currentGenerationHash,
    ...(updateProgress !== undefined && { updateProgress }),
    lastErrors: outcome.lastErrors,
  };
}

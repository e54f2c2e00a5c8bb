/** Pure: the status of a PodCliqueSet from its cliques and groups (grove.md 9.3). */
import type { ClusterTopologyBinding } from "../../api/grove/cluster-topology-binding.ts";
import type { PodCliqueSetStatus } from "../../api/grove/pod-clique-set.ts";
import { setPodSelector } from "../labels.ts";
import type { PassOutcome } from "../pass-outcome.ts";
import { generationHash } from "../pod-template-hash.ts";
import type { OperatorSettings } from "../settings.ts";
import { withLevelsCondition } from "../topology/levels-condition.ts";
import { type SetParts, setReplicas } from "./replicas.ts";
import { advanceUpdate } from "./update.ts";

export interface PodCliqueSetStatusInput extends SetParts {
  /** The one that the set's topology constraints name. */
  readonly binding?: ClusterTopologyBinding | undefined;
  readonly outcome: PassOutcome;
  readonly settings: Pick<OperatorSettings, "topologyAwareScheduling">;
  /** RFC 3339. */
  readonly now: string;
}

export function podCliqueSetStatus(input: PodCliqueSetStatusInput): PodCliqueSetStatus {
  const { set, cliques, groups, binding, outcome, settings, now } = input;
  const old = set.status;
  const currentGenerationHash = old?.currentGenerationHash ?? generationHash(set.spec.template);
  const replicas = setReplicas({ set, cliques, groups }, currentGenerationHash);
  const conditions = withLevelsCondition({ set, binding, now, ...settings });
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
    ...(conditions !== undefined && { conditions }),
    ...(updateProgress !== undefined && { updateProgress }),
    lastErrors: outcome.lastErrors,
  };
}

/** Pure: the status of a PodCliqueSet from its cliques and groups (grove.md 9.3). */
import type { ClusterTopologyBinding } from "../../api/grove/cluster-topology-binding.ts";
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueScalingGroup } from "../../api/grove/pod-clique-scaling-group.ts";
import type { PodCliqueSet, PodCliqueSetStatus } from "../../api/grove/pod-clique-set.ts";
import { isTerminating } from "../../api/kubernetes/core.ts";
import type { KubeObject } from "../../api/kubernetes/meta.ts";
import { setPodSelector } from "../labels.ts";
import { scalingGroupName, standaloneCliqueName } from "../names.ts";
import { isOwnedBy } from "../ownership.ts";
import type { PassOutcome } from "../pass-outcome.ts";
import { generationHash, podTemplateHash } from "../pod-template-hash.ts";
import type { OperatorSettings } from "../settings.ts";
import { minAvailableOf, scalingGroups, setIndices, standaloneCliques } from "../template.ts";
import { withLevelsCondition } from "../topology/levels-condition.ts";
import { isUpdated } from "../updated.ts";

export interface PodCliqueSetStatusInput {
  readonly set: PodCliqueSet;
  readonly cliques: readonly PodClique[];
  readonly groups: readonly PodCliqueScalingGroup[];
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
  const replicas = replicaStates(set, byName(set, cliques), byName(set, groups), currentGenerationHash);
  const conditions = withLevelsCondition({ set, binding, now, ...settings });
  const observedGeneration = outcome.complete ? set.metadata.generation : old?.observedGeneration;
  return {
    ...old,
    ...(observedGeneration !== undefined && { observedGeneration }),
    replicas: set.spec.replicas,
    availableReplicas: replicas.filter(({ available }) => available).length,
    updatedReplicas: replicas.filter(({ updated }) => updated).length,
    hpaPodSelector: setPodSelector(set.metadata.name),
    currentGenerationHash,
    ...(conditions !== undefined && { conditions }),
    lastErrors: outcome.lastErrors,
  };
}

function replicaStates(
  set: PodCliqueSet,
  cliques: ReadonlyMap<string, PodClique>,
  groups: ReadonlyMap<string, PodCliqueScalingGroup>,
  generation: string,
): readonly { readonly available: boolean; readonly updated: boolean }[] {
  const { template } = set.spec;
  const standalone = standaloneCliques(template).map((clique) => ({
    name: clique.name,
    hash: podTemplateHash(clique, template.priorityClassName),
  }));
  return setIndices(set).map((index) => {
    const own = standalone.map(({ name, hash }) => {
      const clique = cliques.get(standaloneCliqueName(set.metadata.name, index, name));
      return {
        available: clique !== undefined && (clique.status?.readyReplicas ?? 0) >= minAvailableOf(clique),
        updated: clique !== undefined && isUpdated(clique, hash, generation),
      };
    });
    const grouped = scalingGroups(template).map(({ name, minAvailable }) => {
      const group = groups.get(scalingGroupName(set.metadata.name, index, name));
      return {
        available: group !== undefined && (group.status?.availableReplicas ?? 0) >= minAvailable,
        updated: group?.status?.currentPodCliqueSetGenerationHash === generation,
      };
    });
    const parts = [...own, ...grouped];
    const available = parts.every((part) => part.available);
    return { available, updated: available && parts.every((part) => part.updated) };
  });
}

const byName = <T extends KubeObject>(set: PodCliqueSet, objects: readonly T[]): ReadonlyMap<string, T> =>
  new Map(
    objects
      .filter((object) => isOwnedBy(object, set) && !isTerminating(object))
      .map((object) => [object.metadata.name, object]),
  );

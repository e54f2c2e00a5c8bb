/** The replicas of a set as their cliques and groups show them: one view for plan, update and status. Pure. */
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueScalingGroup } from "../../api/grove/pod-clique-scaling-group.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { isTerminating } from "../../api/kubernetes/core.ts";
import type { KubeObject } from "../../api/kubernetes/meta.ts";
import { indexLabelOf, labelOf, SCALING_GROUP, SET_REPLICA_INDEX } from "../labels.ts";
import { scalingGroupName, standaloneCliqueName } from "../names.ts";
import { isOwnedBy } from "../ownership.ts";
import { podTemplateHash } from "../pod-template-hash.ts";
import {
  groupCliques,
  minAvailableOf,
  scalingGroups,
  setIndices,
  standaloneCliques,
  templateOfClique,
} from "../template.ts";
import { isOpen } from "../update-turn.ts";
import { hasOldPods, isUpdated } from "../updated.ts";

export interface SetReplica {
  readonly index: number;
  /** Standalone cliques that exist and are not going. */
  readonly cliques: readonly PodClique[];
  readonly groups: readonly PodCliqueScalingGroup[];
  /** Standalone cliques and groups that the template has. */
  readonly expectedCliques: number;
  readonly expectedGroups: number;
  /** All of them are there. */
  readonly isComplete: boolean;
  /** Complete, and every part has its minimum ready. */
  readonly available: boolean;
  /** Every part is of the set's present generation. */
  readonly isDone: boolean;
  readonly updatedCliques: number;
  readonly updatedGroups: number;
  /** Pods that the scheduler has placed, as far as the parts tell. */
  readonly scheduledPods: number;
}

/** @param generation the hash that parts have to be of */
export function setReplicas({ set, cliques, groups }: SetParts, generation: string | undefined): readonly SetReplica[] {
  const cliquesByIndex = byIndex(set, cliques);
  const groupsByIndex = byIndex(set, groups);
  const { template } = set.spec;
  const standalone = standaloneCliques(template).map((clique) => ({
    name: clique.name,
    hash: podTemplateHash(clique, template.priorityClassName),
  }));
  const grouped = scalingGroups(template).map((group) => ({
    name: group.name,
    minAvailable: group.minAvailable,
    podsPerMinimum: groupCliques(template, group).reduce((sum, clique) => sum + minAvailableOf(clique), 0),
  }));
  const membersByGroup = Map.groupBy(
    cliques.filter((clique) => labelOf(clique, SCALING_GROUP) !== undefined && !isTerminating(clique)),
    (clique) => labelOf(clique, SCALING_GROUP) ?? "",
  );
  const hashOf = (member: PodClique): string => {
    const wanted = templateOfClique(member, set);
    return wanted === undefined ? "" : podTemplateHash(wanted, template.priorityClassName);
  };
  return setIndices(set).map((index) => {
    const liveCliques = named(cliquesByIndex.get(index));
    const liveGroups = named(groupsByIndex.get(index));
    const ownCliques = standalone.flatMap(({ name, hash }) => {
      const clique = liveCliques.get(standaloneCliqueName(set.metadata.name, index, name));
      return clique === undefined ? [] : [{ clique, hash }];
    });
    const ownGroups = grouped.flatMap(({ name, ...rest }) => {
      const group = liveGroups.get(scalingGroupName(set.metadata.name, index, name));
      return group === undefined ? [] : [{ group, ...rest }];
    });
    const isComplete = ownCliques.length === standalone.length && ownGroups.length === grouped.length;
    const updatedCliques = ownCliques.filter(({ clique, hash }) => isUpdated(clique, hash, generation)).length;
    const updatedGroups = ownGroups.filter(
      ({ group }) =>
        generation !== undefined &&
        group.status?.currentPodCliqueSetGenerationHash === generation &&
        // What is said there may be from before an update that was taken back: members of that one have to go too.
        !isOpen(group.status.updateProgress) &&
        !(membersByGroup.get(group.metadata.name) ?? []).some((member) => hasOldPods(member, hashOf(member))),
    ).length;
    return {
      index,
      cliques: ownCliques.map(({ clique }) => clique),
      groups: ownGroups.map(({ group }) => group),
      expectedCliques: standalone.length,
      expectedGroups: grouped.length,
      isComplete,
      available:
        isComplete &&
        ownCliques.every(({ clique }) => (clique.status?.readyReplicas ?? 0) >= minAvailableOf(clique)) &&
        ownGroups.every(({ group, minAvailable }) => (group.status?.availableReplicas ?? 0) >= minAvailable),
      isDone: updatedCliques === standalone.length && updatedGroups === grouped.length,
      updatedCliques,
      updatedGroups,
      scheduledPods:
        ownCliques.reduce((sum, { clique }) => sum + (clique.status?.scheduledReplicas ?? 0), 0) +
        ownGroups.reduce(
          (sum, { group, podsPerMinimum }) => sum + (group.status?.scheduledReplicas ?? 0) * podsPerMinimum,
          0,
        ),
    };
  });
}

export interface SetParts {
  readonly set: PodCliqueSet;
  readonly cliques: readonly PodClique[];
  readonly groups: readonly PodCliqueScalingGroup[];
}

const byIndex = <T extends KubeObject>(set: PodCliqueSet, objects: readonly T[]): ReadonlyMap<number, readonly T[]> =>
  Map.groupBy(
    objects.filter((object) => isOwnedBy(object, set) && !isTerminating(object)),
    (object) => indexLabelOf(object, SET_REPLICA_INDEX) ?? -1,
  );

const named = <T extends KubeObject>(objects: readonly T[] = []): ReadonlyMap<string, T> =>
  new Map(objects.map((object) => [object.metadata.name, object]));

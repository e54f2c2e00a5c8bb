/** The replicas of a scaling group as its members show them: one view for plan, update and status. Pure. */
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueScalingGroup } from "../../api/grove/pod-clique-scaling-group.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { conditionOf } from "../../api/kubernetes/conditions.ts";
import { isTerminating } from "../../api/kubernetes/core.ts";
import { MIN_AVAILABLE_BREACHED, POD_CLIQUE_SCHEDULED } from "../breach.ts";
import { GROUP_REPLICA_INDEX, indexLabelOf, labelOf, POD_TEMPLATE_HASH } from "../labels.ts";
import { memberCliqueName } from "../names.ts";
import { isOwnedBy } from "../ownership.ts";
import { podTemplateHash } from "../pod-template-hash.ts";
import { cliqueTemplate, minAvailableOf } from "../template.ts";
import { hasOldPods, isUpdated } from "../updated.ts";

export interface GroupReplica {
  readonly index: number;
  /** Members that exist and are not going. */
  readonly members: readonly PodClique[];
  /** All members are there and have their minimum scheduled. */
  readonly scheduled: boolean;
  /** Scheduled, and the minimum of every member is ready. */
  readonly available: boolean;
  /** Available, and every member is of the set's present generation. */
  readonly updated: boolean;
  readonly updatedMembers: number;
  /** Every member carries the set's present hashes. */
  readonly converged: boolean;
  /** Some member was made from another template than the present one, or has pods that were. */
  readonly isOld: boolean;
  readonly inBreach: boolean;
}

export interface GroupParts {
  readonly group: PodCliqueScalingGroup;
  readonly set: PodCliqueSet | undefined;
  /** PodCliques labelled as members. */
  readonly cliques: readonly PodClique[];
}

export function groupReplicas({ group, set, cliques }: GroupParts): readonly GroupReplica[] {
  const generation = set?.status?.currentGenerationHash;
  const own = cliques.filter((clique) => isOwnedBy(clique, group) && !isTerminating(clique));
  const byName = new Map(own.map((clique) => [clique.metadata.name, clique]));
  const byIndex = Map.groupBy(own, (clique) => indexLabelOf(clique, GROUP_REPLICA_INDEX) ?? -1);
  const expected = group.spec.cliqueNames.map((name) => {
    const template = set && cliqueTemplate(set.spec.template, name);
    return { name, hash: template && podTemplateHash(template, set.spec.template.priorityClassName) };
  });
  return [...Array(group.spec.replicas).keys()].map((index) => {
    const live = expected.map(({ name, hash }) => ({
      clique: byName.get(memberCliqueName(group.metadata.name, index, name)),
      hash,
    }));
    const count = (holds: (clique: PodClique, hash: string | undefined) => boolean): number =>
      live.filter(({ clique, hash }) => clique !== undefined && holds(clique, hash)).length;
    const all = (holds: (clique: PodClique, hash: string | undefined) => boolean): boolean =>
      count(holds) === live.length;
    const scheduled = all((clique) => conditionOf(clique.status?.conditions, POD_CLIQUE_SCHEDULED)?.status === "True");
    const available = scheduled && all((clique) => (clique.status?.readyReplicas ?? 0) >= minAvailableOf(clique));
    const updatedMembers = count((clique, hash) => hash !== undefined && isUpdated(clique, hash, generation));
    return {
      index,
      members: byIndex.get(index) ?? [],
      scheduled,
      available,
      updated: available && updatedMembers === live.length,
      updatedMembers,
      converged: all((clique, hash) => isConverged(clique, hash, generation)),
      isOld: count(isOld) > 0,
      inBreach: !all((clique) => conditionOf(clique.status?.conditions, MIN_AVAILABLE_BREACHED)?.status !== "True"),
    };
  });
}

const isConverged = (clique: PodClique, hash: string | undefined, generation: string | undefined): boolean =>
  labelOf(clique, POD_TEMPLATE_HASH) === hash &&
  clique.status?.currentPodTemplateHash === hash &&
  clique.status?.currentPodCliqueSetGenerationHash === generation;

/** Under OnDelete a member gets the new template while its pods stay; a later rolling update has to find those too. */
const isOld = (clique: PodClique, hash: string | undefined): boolean => hash !== undefined && hasOldPods(clique, hash);

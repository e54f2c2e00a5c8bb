/** Pure: the status of a PodCliqueScalingGroup from its members (grove.md 9.3, 1.11). */
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueScalingGroup, PodCliqueScalingGroupStatus } from "../../api/grove/pod-clique-scaling-group.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { conditionOf, withCondition } from "../../api/kubernetes/conditions.ts";
import { isTerminating } from "../../api/kubernetes/core.ts";
import type { Condition } from "../../api/kubernetes/meta.ts";
import { groupPodSelector, labelOf, PART_OF, POD_TEMPLATE_HASH } from "../labels.ts";
import { memberCliqueName } from "../names.ts";
import { isOwnedBy } from "../ownership.ts";
import type { PassOutcome } from "../pass-outcome.ts";
import { podTemplateHash } from "../pod-template-hash.ts";
import { cliqueTemplate, minAvailableOf } from "../template.ts";
import { isUpdated } from "../updated.ts";

export interface ScalingGroupStatusInput {
  readonly group: PodCliqueScalingGroup;
  readonly set: PodCliqueSet | undefined;
  readonly cliques: readonly PodClique[];
  readonly outcome: PassOutcome;
  /** RFC 3339. */
  readonly now: string;
}

interface ReplicaState {
  readonly scheduled: boolean;
  readonly available: boolean;
  readonly updated: boolean;
  /** Every member carries the set's present hashes. */
  readonly converged: boolean;
  readonly inBreach: boolean;
}

export function scalingGroupStatus(input: ScalingGroupStatusInput): PodCliqueScalingGroupStatus {
  const { group, set, outcome, now } = input;
  const old = group.status;
  const generation = set?.status?.currentGenerationHash;
  const replicas = replicaStates(input, generation);
  const observedGeneration = outcome.complete ? group.metadata.generation : old?.observedGeneration;
  const progress = old?.updateProgress;
  const updating = progress !== undefined && progress.updateEndedAt === undefined;
  const converged = generation !== undefined && !updating && replicas.every((replica) => replica.converged);
  const setName = labelOf(group, PART_OF);
  return {
    ...old,
    ...(observedGeneration !== undefined && { observedGeneration }),
    replicas: group.spec.replicas,
    scheduledReplicas: replicas.filter(({ scheduled }) => scheduled).length,
    availableReplicas: replicas.filter(({ available }) => available).length,
    updatedReplicas: replicas.filter(({ updated }) => updated).length,
    ...(setName !== undefined && { selector: groupPodSelector(setName, group.metadata.name) }),
    ...(converged && { currentPodCliqueSetGenerationHash: generation }),
    conditions: withCondition(old?.conditions, breach(group, replicas, updating), now),
    lastErrors: outcome.lastErrors,
  };
}

function replicaStates(
  { group, set, cliques }: ScalingGroupStatusInput,
  generation: string | undefined,
): readonly ReplicaState[] {
  const byName = new Map(
    cliques
      .filter((clique) => isOwnedBy(clique, group) && !isTerminating(clique))
      .map((clique) => [clique.metadata.name, clique]),
  );
  const members = group.spec.cliqueNames.map((name) => {
    const template = set && cliqueTemplate(set.spec.template, name);
    return { name, hash: template && podTemplateHash(template, set.spec.template.priorityClassName) };
  });
  return [...Array(group.spec.replicas).keys()].map((index) => {
    const live = members.map(({ name, hash }) => ({
      clique: byName.get(memberCliqueName(group.metadata.name, index, name)),
      hash,
    }));
    const all = (holds: (clique: PodClique, hash: string | undefined) => boolean): boolean =>
      live.every(({ clique, hash }) => clique !== undefined && holds(clique, hash));
    const scheduled = all((clique) => conditionOf(clique.status?.conditions, "PodCliqueScheduled")?.status === "True");
    const available = scheduled && all((clique) => (clique.status?.readyReplicas ?? 0) >= minAvailableOf(clique));
    return {
      scheduled,
      available,
      updated: available && all((clique, hash) => hash !== undefined && isUpdated(clique, hash, generation)),
      converged: all(
        (clique, hash) =>
          labelOf(clique, POD_TEMPLATE_HASH) === hash &&
          clique.status?.currentPodTemplateHash === hash &&
          clique.status?.currentPodCliqueSetGenerationHash === generation,
      ),
      inBreach: !all((clique) => conditionOf(clique.status?.conditions, "MinAvailableBreached")?.status !== "True"),
    };
  });
}

function breach(
  { spec }: PodCliqueScalingGroup,
  replicas: readonly ReplicaState[],
  updating: boolean,
): Omit<Condition, "lastTransitionTime"> {
  const type = "MinAvailableBreached";
  if (updating) return { type, status: "Unknown", reason: "UpdateInProgress", message: "an update is in progress" };
  const healthy = replicas.filter(({ inBreach }) => !inBreach).length;
  const enough = healthy >= spec.minAvailable;
  return {
    type,
    status: enough ? "False" : "True",
    reason: enough
      ? "SufficientAvailablePodCliqueScalingGroupReplicas"
      : "InsufficientAvailablePodCliqueScalingGroupReplicas",
    message: `${healthy} replicas are not in breach, minAvailable is ${spec.minAvailable}`,
  };
}

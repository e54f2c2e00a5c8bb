/** Pure: the status of a PodClique from its pods (grove.md 9.2, 9.3, 1.11). */
import type { PodClique, PodCliqueStatus } from "../../api/grove/pod-clique.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { conditionOf, withCondition } from "../../api/kubernetes/conditions.ts";
import { isPodReady, isPodScheduled, isTerminating, type Pod, podCondition } from "../../api/kubernetes/core.ts";
import type { Condition } from "../../api/kubernetes/meta.ts";
import { MIN_AVAILABLE_BREACHED, POD_CLIQUE_SCHEDULED, timeOfLoss } from "../breach.ts";
import { cliquePodSelector, labelOf, PART_OF, POD_TEMPLATE_HASH, SCALING_GROUP } from "../labels.ts";
import type { PassOutcome } from "../pass-outcome.ts";
import { podTemplateHash } from "../pod-template-hash.ts";
import { minAvailableOf, templateOfClique } from "../template.ts";
import { isOpen } from "../update-turn.ts";

export interface PodCliqueStatusInput {
  readonly clique: PodClique;
  readonly set: PodCliqueSet | undefined;
  readonly pods: readonly Pod[];
  readonly outcome: PassOutcome;
  /** RFC 3339. */
  readonly now: string;
}

export function podCliqueStatus({ clique, set, pods, outcome, now }: PodCliqueStatusInput): PodCliqueStatus {
  const old = clique.status;
  // The label is what the set has handed down, also before it is this clique's turn to be updated.
  const targetHash = labelOf(clique, POD_TEMPLATE_HASH) ?? old?.updateProgress?.podTemplateHash;
  const counters = {
    replicas: pods.filter((pod) => !isTerminating(pod)).length,
    scheduledReplicas: pods.filter(isPodScheduled).length,
    scheduleGatedReplicas: pods.filter(isScheduleGated).length,
    readyReplicas: pods.filter(isPodReady).length,
    updatedReplicas:
      targetHash === undefined
        ? (old?.updatedReplicas ?? 0)
        : pods.filter((pod) => !isTerminating(pod) && labelOf(pod, POD_TEMPLATE_HASH) === targetHash).length,
  };
  const observedGeneration = outcome.complete ? clique.metadata.generation : old?.observedGeneration;
  const status: PodCliqueStatus = {
    ...old,
    ...counters,
    ...(observedGeneration !== undefined && { observedGeneration }),
    lastErrors: outcome.lastErrors,
    ...selector(clique),
    ...currentHashes(clique, set, counters.updatedReplicas, targetHash),
  };
  if (observedGeneration === undefined) return status;
  return { ...status, conditions: conditions(clique, pods, counters.scheduledReplicas, now) };
}

/** Published for HPAs of users; a member scales with its group, so nothing may target it (grove.md 7.1). */
function selector(clique: PodClique): { readonly hpaPodSelector?: string } {
  const set = labelOf(clique, PART_OF);
  if (set === undefined || labelOf(clique, SCALING_GROUP) !== undefined) return {};
  return { hpaPodSelector: cliquePodSelector(set, clique.metadata.name) };
}

/** Refreshed only while no automatic update runs and every pod is of the current template (grove.md 5.6). */
function currentHashes(
  clique: PodClique,
  set: PodCliqueSet | undefined,
  updatedReplicas: number,
  targetHash: string | undefined,
): Pick<PodCliqueStatus, "currentPodTemplateHash" | "currentPodCliqueSetGenerationHash"> {
  const { spec, status } = clique;
  const generation = set?.status?.currentGenerationHash;
  if (isOpen(status?.updateProgress) || updatedReplicas !== spec.replicas) return {};
  if (targetHash === undefined || generation === undefined || targetHash !== expectedHash(clique, set)) return {};
  return { currentPodTemplateHash: targetHash, currentPodCliqueSetGenerationHash: generation };
}

/** Of the set's present template, which the clique itself may not have got yet. */
function expectedHash(clique: PodClique, set: PodCliqueSet | undefined): string | undefined {
  const template = set && templateOfClique(clique, set);
  return template && podTemplateHash(template, set.spec.template.priorityClassName);
}

function conditions(
  clique: PodClique,
  pods: readonly Pod[],
  scheduledReplicas: number,
  now: string,
): readonly Condition[] {
  const minAvailable = minAvailableOf(clique);
  const scheduled = scheduledReplicas >= minAvailable;
  const known = clique.status?.conditions;
  // Gang termination tells by this time whether the clique ever was scheduled (grove.md 6.1): what never was has not been since it was made.
  const isFirst = conditionOf(known, POD_CLIQUE_SCHEDULED) === undefined;
  const lostSince = isFirst ? (clique.metadata.creationTimestamp ?? now) : timeOfLoss(clique, now);
  const withScheduled = withCondition(
    known,
    {
      type: POD_CLIQUE_SCHEDULED,
      status: scheduled ? "True" : "False",
      reason: scheduled ? "SufficientScheduledPods" : "InsufficientScheduledPods",
      message: `${scheduledReplicas} pods are scheduled, minAvailable is ${minAvailable}`,
    },
    scheduled ? now : lostSince,
  );
  return withCondition(withScheduled, breach(clique, pods, scheduledReplicas, minAvailable), now);
}

/** A pod that starts for the first time is neither errored nor started, so slow starters are no breach (grove.md 6.1). */
function breach(
  { status }: PodClique,
  pods: readonly Pod[],
  scheduledReplicas: number,
  minAvailable: number,
): Omit<Condition, "lastTransitionTime"> {
  const type = MIN_AVAILABLE_BREACHED;
  if (isOpen(status?.updateProgress)) {
    return { type, status: "Unknown", reason: "UpdateInProgress", message: "an update is in progress" };
  }
  if (scheduledReplicas < minAvailable) {
    const message = `${scheduledReplicas} pods are scheduled, minAvailable is ${minAvailable}`;
    return { type, status: "True", reason: "ScheduledReplicasBelowMinAvailable", message };
  }
  const notReady = pods.filter((pod) => !isPodReady(pod));
  const failed = notReady.filter((pod) => hasErrored(pod) || hasStarted(pod)).length;
  const healthy = scheduledReplicas - failed;
  const enough = healthy >= minAvailable;
  return {
    type,
    status: enough ? "False" : "True",
    reason: enough ? "SufficientReadyPods" : "InsufficientReadyPods",
    message: `${healthy} scheduled pods are ready or starting, minAvailable is ${minAvailable}`,
  };
}

const hasErrored = ({ status }: Pod): boolean =>
  [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].some(
    ({ lastState }) => (lastState?.terminated?.exitCode ?? 0) !== 0,
  );

const hasStarted = ({ status }: Pod): boolean =>
  status?.containerStatuses?.some(({ started, ready }) => started === true && !ready) === true;

function isScheduleGated(pod: Pod): boolean {
  const condition = podCondition(pod, "PodScheduled");
  return condition?.status === "False" && condition.reason === "SchedulingGated";
}

/** Pure: the status of a PodCliqueScalingGroup from its members (grove.md 9.3, 1.11). */
import type { PodCliqueScalingGroup, PodCliqueScalingGroupStatus } from "../../api/grove/pod-clique-scaling-group.ts";
import { conditionOf, withCondition } from "../../api/kubernetes/conditions.ts";
import type { Condition } from "../../api/kubernetes/meta.ts";
import { parseTime } from "../../api/kubernetes/time.ts";
import { changedAfterStart, GANG_TERMINATION_IN_PROGRESS, MIN_AVAILABLE_BREACHED, timeOfLoss } from "../breach.ts";
import { groupPodSelector, labelOf, PART_OF } from "../labels.ts";
import type { PassOutcome } from "../pass-outcome.ts";
import { isOpen } from "../update-turn.ts";
import { type GroupParts, type GroupReplica, groupReplicas } from "./replicas.ts";

export interface ScalingGroupStatusInput extends GroupParts {
  readonly outcome: PassOutcome;
  /** RFC 3339. */
  readonly now: string;
}

export function scalingGroupStatus(input: ScalingGroupStatusInput): PodCliqueScalingGroupStatus {
  const { group, set, outcome, now } = input;
  const old = group.status;
  const generation = set?.status?.currentGenerationHash;
  const replicas = groupReplicas(input);
  const observedGeneration = outcome.complete ? group.metadata.generation : old?.observedGeneration;
  const updating = isOpen(old?.updateProgress);
  const converged = generation !== undefined && !updating && replicas.every((replica) => replica.converged);
  const setName = labelOf(group, PART_OF);
  const scheduledReplicas = replicas.filter(({ scheduled }) => scheduled).length;
  const wasUp =
    Math.max(old?.scheduledReplicas ?? 0, scheduledReplicas) >= group.spec.minAvailable ||
    changedAfterStart(group, conditionOf(old?.conditions, MIN_AVAILABLE_BREACHED));
  const availableReplicas = replicas.filter(({ available }) => available).length;
  return {
    ...old,
    ...(observedGeneration !== undefined && { observedGeneration }),
    replicas: group.spec.replicas,
    scheduledReplicas,
    availableReplicas,
    updatedReplicas: replicas.filter(({ updated }) => updated).length,
    ...(setName !== undefined && { selector: groupPodSelector(setName, group.metadata.name) }),
    ...(converged && { currentPodCliqueSetGenerationHash: generation }),
    ...(old?.updateProgress !== undefined && {
      updateProgress: {
        ...old.updateProgress,
        updatedPodCliquesCount: replicas.reduce((sum, { updatedMembers }) => sum + updatedMembers, 0),
        totalPodCliquesCount: group.spec.replicas * group.spec.cliqueNames.length,
      },
    }),
    conditions: recovered(
      old?.conditions,
      withBreach(group, breach(group, replicas, updating), { wasUp, now }),
      availableReplicas >= group.spec.minAvailable,
      now,
    ),
    lastErrors: outcome.lastErrors,
  };
}

/** How long a recovery must have been seen, unless replicas are available: right after a recycle there is nothing to see. */
const RECOVERY_MS = 5_000;

/** Takes the mark of a gang termination off a group that has recovered from it (grove.md 6.4). */
function recovered(
  before: readonly Condition[] | undefined,
  after: readonly Condition[],
  isAvailable: boolean,
  now: string,
): readonly Condition[] {
  const [was, is] = [before, after].map((conditions) => conditionOf(conditions, MIN_AVAILABLE_BREACHED));
  if (is?.status !== "False" || conditionOf(after, GANG_TERMINATION_IN_PROGRESS) === undefined) return after;
  const lastsMs = was?.status === "False" ? parseTime(now) - parseTime(was.lastTransitionTime) : 0;
  if (!isAvailable && lastsMs < RECOVERY_MS) return after;
  return after.filter(({ type }) => type !== GANG_TERMINATION_IN_PROGRESS);
}

/**
 * Gang termination tells by the time of this condition whether the group ever was up (grove.md 6.1): one that never was has been in breach since it was
 * made, and one that was and is lost within its first seconds counts as any other.
 */
function withBreach(
  group: PodCliqueScalingGroup,
  next: Omit<Condition, "lastTransitionTime">,
  { wasUp, now }: { readonly wasUp: boolean; readonly now: string },
): readonly Condition[] {
  const known = group.status?.conditions;
  const isLoss = next.status === "True" && conditionOf(known, next.type)?.status === "False";
  const since = isLoss ? timeOfLoss(group, now) : now;
  return withCondition(known, next, wasUp ? since : (group.metadata.creationTimestamp ?? now));
}

function breach(
  { spec }: PodCliqueScalingGroup,
  replicas: readonly GroupReplica[],
  updating: boolean,
): Omit<Condition, "lastTransitionTime"> {
  const type = MIN_AVAILABLE_BREACHED;
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

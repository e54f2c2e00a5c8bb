/** Pure: the update of a set, one replica at a time (grove.md 5.2, 5.3). */
import type { PodCliqueSet, PodCliqueSetStatus } from "../../api/grove/pod-clique-set.ts";
import { conditionOf } from "../../api/kubernetes/conditions.ts";
import { parseTime } from "../../api/kubernetes/time.ts";
import { MIN_AVAILABLE_BREACHED } from "../breach.ts";
import { generationHash } from "../pod-template-hash.ts";
import { isOnDelete, isOpen } from "../update-turn.ts";
import type { SetReplica } from "./replicas.ts";

type SetUpdateProgress = NonNullable<PodCliqueSetStatus["updateProgress"]>;

/**
 * What a new or changed template makes of the status, to be stored before anything is handed down: children compare
 * themselves with this hash. Undefined when nothing changed. A set's first hash begins no update.
 */
export function beginUpdate({ spec, status }: PodCliqueSet, now: string): PodCliqueSetStatus | undefined {
  const currentGenerationHash = generationHash(spec.template);
  if (status?.currentGenerationHash === currentGenerationHash) return undefined;
  if (status?.currentGenerationHash === undefined) {
    return { availableReplicas: 0, updatedReplicas: 0, ...status, currentGenerationHash };
  }
  const updateProgress: SetUpdateProgress = {
    updateStartedAt: now,
    ...(isOnDelete({ spec }) && { updateEndedAt: now }),
    totalPodCliquesCount: 0,
    updatedPodCliquesCount: 0,
    totalPodCliqueScalingGroupsCount: 0,
    updatedPodCliqueScalingGroupsCount: 0,
  };
  return { ...status, currentGenerationHash, updatedReplicas: 0, updateProgress };
}

/**
 * A turn lasts at least so long: what has just come up is watched for a moment before the next replica goes, and whoever looks every 5 s, as upstream's
 * operator and its clients do, sees every turn.
 */
const MIN_TURN_MS = 6_000;

/** The progress after a look at the replicas: who is done, and whose turn it is next. */
export function advanceUpdate(
  progress: SetUpdateProgress | undefined,
  replicas: readonly SetReplica[],
  now: string,
): SetUpdateProgress | undefined {
  if (progress === undefined) return undefined;
  const sum = (count: (replica: SetReplica) => number): number =>
    replicas.reduce((total, one) => total + count(one), 0);
  const counted: SetUpdateProgress = {
    ...progress,
    updatedPodCliquesCount: sum(({ updatedCliques }) => updatedCliques),
    updatedPodCliqueScalingGroupsCount: sum(({ updatedGroups }) => updatedGroups),
    totalPodCliquesCount: sum(({ expectedCliques }) => expectedCliques),
    totalPodCliqueScalingGroupsCount: sum(({ expectedGroups }) => expectedGroups),
  };
  if (!isOpen(progress)) return counted;
  const current = progress.currentlyUpdating?.[0];
  const isFresh =
    current?.updateStartedAt !== undefined && parseTime(now) - parseTime(current.updateStartedAt) < MIN_TURN_MS;
  const isBusy = replicas.some(({ index, isDone }) => index === current?.replicaIndex && (!isDone || isFresh));
  if (isBusy) return counted;
  const next = replicas.filter(({ isDone }) => !isDone).toSorted(inUpdateOrder)[0];
  if (next !== undefined)
    return { ...counted, currentlyUpdating: [{ replicaIndex: next.index, updateStartedAt: now }] };
  const { currentlyUpdating: _, ...rest } = counted;
  return { ...rest, updateEndedAt: now };
}

/** Those that serve nothing first, then the broken ones, then by index: what works is touched last. */
function inUpdateOrder(a: SetReplica, b: SetReplica): number {
  const rank = (replica: SetReplica): number => (replica.scheduledPods === 0 ? 0 : isBroken(replica) ? 1 : 2);
  return rank(a) - rank(b) || a.index - b.index;
}

const isBroken = ({ cliques, groups }: SetReplica): boolean =>
  [...cliques, ...groups].some(
    ({ status }) => conditionOf(status?.conditions, MIN_AVAILABLE_BREACHED)?.status === "True",
  );

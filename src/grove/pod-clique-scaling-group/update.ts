/** Pure: the next step of an update of one scaling group, replica by replica (grove.md 5.5, 5.7). */
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueScalingGroupStatus } from "../../api/grove/pod-clique-scaling-group.ts";
import { indexLabelOf, SET_REPLICA_INDEX } from "../labels.ts";
import { minAvailableOf } from "../template.ts";
import { isOpen, type UpdateTurn, updateTurn } from "../update-turn.ts";
import type { GroupParts, GroupReplica } from "./replicas.ts";

export type GroupUpdateProgress = NonNullable<PodCliqueScalingGroupStatus["updateProgress"]>;

export interface GroupUpdate {
  /** To be stored before anything is deleted. */
  readonly progress?: GroupUpdateProgress;
  /** Replicas whose members are to go, to be made again from the present template. */
  readonly recreate: readonly GroupReplica[];
  readonly waitingFor?: string;
}

const NOTHING: GroupUpdate = { recreate: [] };

export function groupUpdate({ group, set }: GroupParts, replicas: readonly GroupReplica[], now: string): GroupUpdate {
  const generation = set?.status?.currentGenerationHash;
  if (set === undefined || generation === undefined) return NOTHING;
  const progress = group.status?.updateProgress;
  const turn: UpdateTurn = updateTurn(set, indexLabelOf(group, SET_REPLICA_INDEX) ?? 0);
  const fresh: GroupUpdateProgress = {
    updateStartedAt: now,
    podCliqueSetGenerationHash: generation,
    totalPodCliquesCount: group.spec.replicas * group.spec.cliqueNames.length,
    updatedPodCliquesCount: 0,
  };
  const known = [progress?.podCliqueSetGenerationHash, group.status?.currentPodCliqueSetGenerationHash];
  switch (turn) {
    case "wait":
      return NOTHING;
    case "idle":
      return closed(progress, now);
    case "mark": {
      const behind = known.some((hash) => hash !== undefined) && !known.includes(generation);
      return behind ? { progress: { ...fresh, updateEndedAt: now }, recreate: [] } : closed(progress, now);
    }
    case "roll": {
      if (isOpen(progress) && progress.podCliqueSetGenerationHash === generation) {
        return step(group, progress, replicas, now, false);
      }
      if (!replicas.some(({ isOld }) => isOld)) return closed(progress, now);
      return step(group, fresh, replicas, now, true);
    }
    default:
      turn satisfies never;
      return NOTHING;
  }
}

const closed = (progress: GroupUpdateProgress | undefined, now: string): GroupUpdate =>
  isOpen(progress) ? { progress: ended(progress, now), recreate: [] } : NOTHING;

function ended(
  { readyReplicaIndicesSelectedToUpdate: _, ...progress }: GroupUpdateProgress,
  now: string,
): GroupUpdateProgress {
  return { ...progress, updateEndedAt: now };
}

function step(
  { spec }: GroupParts["group"],
  progress: GroupUpdateProgress,
  replicas: readonly GroupReplica[],
  now: string,
  isNew: boolean,
): GroupUpdate {
  const begun = isNew ? { progress } : {};
  const old = replicas.filter(({ isOld }) => isOld);
  const idle = old.filter((replica) => !isReady(replica, spec.cliqueNames.length));
  if (idle.length > 0) return { ...begun, recreate: idle, waitingFor: "replicas that were not ready to be made again" };

  const selected = progress.readyReplicaIndicesSelectedToUpdate;
  if (selected !== undefined) {
    const current = replicas[selected.current];
    // The operator may have ended between its choice and its deed.
    if (current?.isOld) return { ...begun, recreate: [current], waitingFor: `replica ${selected.current} to go` };
    if (current !== undefined && current.updatedMembers < spec.cliqueNames.length) {
      return { ...begun, recreate: [], waitingFor: `replica ${selected.current} to be ready again` };
    }
  }
  const [next] = old;
  if (next === undefined) return { progress: ended(progress, now), recreate: [] };
  if (replicas.filter(({ available }) => available).length < spec.minAvailable) {
    return { ...begun, recreate: [], waitingFor: "minAvailable replicas to be available" };
  }
  return {
    progress: {
      ...progress,
      readyReplicaIndicesSelectedToUpdate: {
        current: next.index,
        ...(selected !== undefined && { completed: [...(selected.completed ?? []), selected.current] }),
      },
    },
    recreate: [next],
    waitingFor: `replica ${next.index} to be ready again`,
  };
}

/** Serves: all members are there, with the minimum of each scheduled and ready. */
const isReady = ({ members }: GroupReplica, expected: number): boolean =>
  members.length === expected && members.every(hasMinimum);

const hasMinimum = (clique: PodClique): boolean =>
  Math.min(clique.status?.scheduledReplicas ?? 0, clique.status?.readyReplicas ?? 0) >= minAvailableOf(clique);

/** The replicas of one scaled object as its pods show them: ready, starting, pending. Pure. */
import { isPodReady, isPodScheduled, isTerminating, type Pod, podCondition } from "../api/kubernetes/core.ts";
import { keyOf } from "../api/kubernetes/meta.ts";
import { parseTime } from "../api/kubernetes/time.ts";
import { GROUP_REPLICA_INDEX } from "../grove/labels.ts";
import type { ReplicaPods } from "../observe/read-metric.ts";

export interface ReplicaView {
  readonly ready: readonly ReplicaPods[];
  readonly starting: number;
  readonly pending: number;
  /** Pending for longer than the timeout; part of `pending`. */
  readonly overdue: number;
  /** Part of `overdue` that has no node. */
  readonly overdueUnplaced: number;
  /** Part of `pending` for which there are no pods. */
  readonly uncreated: number;
  /** Of every replica that has all its pods. */
  readonly lives: readonly ReplicaLife[];
}

export interface ReplicaLife {
  /** Its pods: a replica that is made again is another one. */
  readonly id: string;
  /** From the creation of its youngest pod to readiness; absent while it is not ready. */
  readonly readyAfterMs?: number;
}

export interface ReplicaViewOptions {
  readonly level: "PodClique" | "PodCliqueScalingGroup";
  /** `spec.replicas`. */
  readonly replicas: number;
  readonly minPodsPerReplica: number;
  readonly pendingTimeoutMs: number;
  readonly nowMs: number;
}

export function viewReplicas(pods: readonly Pod[], options: ReplicaViewOptions): ReplicaView {
  const { replicas, minPodsPerReplica, pendingTimeoutMs, nowMs } = options;
  const ready: ReplicaPods[] = [];
  const lives: ReplicaLife[] = [];
  let starting = 0;
  let pending = 0;
  let overdue = 0;
  let overdueUnplaced = 0;
  const groups = groupPods(
    pods.filter((pod) => !isTerminating(pod)),
    options,
  );
  for (const [replica, members] of groups) {
    const isWhole = members.length >= minPodsPerReplica;
    const isReady = isWhole && members.every(isPodReady);
    if (isWhole) lives.push(lifeOf(members, isReady));
    if (isReady) {
      const isNew = nowMs - readySinceMs(members) < NEW_MS;
      ready.push({ replica, pods: members.map(keyOf), ...(isNew ? { isNew } : {}) });
      continue;
    }
    const unready = members.filter((pod) => !isPodReady(pod));
    const ageMs = nowMs - Math.min(...(unready.length > 0 ? unready.map(unreadySinceMs) : members.map(createdMs)));
    const isOverdue = ageMs > pendingTimeoutMs;
    const isPlaced = members.every(isPodScheduled);
    if (isOverdue) overdue++;
    if (isOverdue && !isPlaced) overdueUnplaced++;
    if (isOverdue || !isPlaced) pending++;
    else starting++;
  }
  // Replicas that are asked for and have no pod yet: the operator is about to make them.
  const missing = Math.max(0, replicas - groups.size);
  return { ready, starting, pending: pending + missing, overdue, overdueUnplaced, uncreated: missing, lives };
}

function groupPods(pods: readonly Pod[], { level, replicas }: ReplicaViewOptions): ReadonlyMap<string, readonly Pod[]> {
  if (level === "PodClique") {
    const single = new Map<string, readonly Pod[]>();
    for (const pod of pods) single.set(pod.metadata.name, [pod]);
    return single;
  }
  const groups = Map.groupBy(pods, ({ metadata }) => metadata.labels?.[GROUP_REPLICA_INDEX] ?? "");
  for (const index of groups.keys()) if (index === "" || Number(index) >= replicas) groups.delete(index);
  return groups;
}

const createdMs = ({ metadata }: Pod): number => parseTime(metadata.creationTimestamp ?? "");

/** A pod that lost its readiness waits since then, not since it was made. */
function unreadySinceMs(pod: Pod): number {
  const lostMs = parseTime(podCondition(pod, "Ready")?.lastTransitionTime ?? "");
  return Number.isFinite(lostMs) ? Math.max(createdMs(pod), lostMs) : createdMs(pod);
}

/** Rates over a minute are there after two scrapes, and whole after a minute. */
const NEW_MS = 60_000;

/** The slowest pod of the replica counts. */
const readySinceMs = (pods: readonly Pod[]): number =>
  Math.max(...pods.map((pod) => parseTime(podCondition(pod, "Ready")?.lastTransitionTime ?? "")));

/** Whatever the order of its pods is. Where one of them was replaced it is that one's start that was waited for, not the age of the others. */
function lifeOf(pods: readonly Pod[], isReady: boolean): ReplicaLife {
  const uids = pods.map(({ metadata }) => metadata.uid);
  const id = (uids.length < 2 ? uids : uids.sort()).join("+");
  return isReady ? { id, readyAfterMs: readySinceMs(pods) - Math.max(...pods.map(createdMs)) } : { id };
}

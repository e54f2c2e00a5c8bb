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
  /** For each ready replica: a stable id, and how long it took from creation to readiness. */
  readonly startups: readonly { readonly id: string; readonly startupMs: number }[];
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
  const startups: { id: string; startupMs: number }[] = [];
  let starting = 0;
  let pending = 0;
  let overdue = 0;
  let overdueUnplaced = 0;
  const groups = groupPods(
    pods.filter((pod) => !isTerminating(pod)),
    options,
  );
  for (const [replica, members] of groups) {
    if (members.length >= minPodsPerReplica && members.every(isPodReady)) {
      const isNew = nowMs - readySinceMs(members) < NEW_MS;
      ready.push({ replica, pods: members.map(keyOf), ...(isNew ? { isNew } : {}) });
      const tookMs = startupMs(members);
      // Longer than any start may take: it was ready before, lost its readiness and got it back.
      if (tookMs <= pendingTimeoutMs)
        startups.push({ id: members.map(({ metadata }) => metadata.uid).join("+"), startupMs: tookMs });
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
  return { ready, starting, pending: pending + missing, overdue, overdueUnplaced, uncreated: missing, startups };
}

function groupPods(pods: readonly Pod[], { level, replicas }: ReplicaViewOptions): ReadonlyMap<string, readonly Pod[]> {
  if (level === "PodClique") return new Map(pods.map((pod) => [pod.metadata.name, [pod]]));
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

const startupMs = (pods: readonly Pod[]): number => readySinceMs(pods) - Math.min(...pods.map(createdMs));

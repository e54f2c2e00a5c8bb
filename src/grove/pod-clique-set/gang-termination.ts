/** Pure: which replicas of a set have been below their minimum for so long that they start over as a whole (grove.md 6.3). */
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueScalingGroup } from "../../api/grove/pod-clique-scaling-group.ts";
import { conditionOf, withCondition } from "../../api/kubernetes/conditions.ts";
import { isTerminating } from "../../api/kubernetes/core.ts";
import { parseTime } from "../../api/kubernetes/time.ts";
import type { Action, Announcement, Stage } from "../actions.ts";
import { cliqueBreachMs, GANG_TERMINATION_IN_PROGRESS, groupBreachMs, terminationDelayMs } from "../breach.ts";
import { indexLabelOf, SET_REPLICA_INDEX } from "../labels.ts";
import { recycleStages } from "../recycle.ts";
import type { SetParts, SetReplica } from "./replicas.ts";

export interface SetTermination {
  /** Empty when nothing is terminated. */
  readonly stages: readonly Stage[];
  readonly announcements: readonly Announcement[];
  /** Cliques that go. */
  readonly going: ReadonlySet<PodClique>;
  /** Until the next replica is due. */
  readonly lookAgainMs?: number;
}

export function planGangTermination(parts: SetParts, replicas: readonly SetReplica[], now: string): SetTermination {
  const { set } = parts;
  const clock = { delayMs: terminationDelayMs(set), nowMs: parseTime(now) };
  const breaches = replicas.map((replica) => ({ replica, remainingMs: breachMs(replica, clock) }));
  const due = breaches
    .filter(({ remainingMs }) => remainingMs !== undefined && remainingMs <= 0)
    .map((one) => one.replica);
  const waiting = breaches.flatMap(({ remainingMs }) =>
    remainingMs !== undefined && remainingMs > 0 ? [remainingMs] : [],
  );
  const all = Map.groupBy(
    parts.cliques.filter((clique) => !isTerminating(clique)),
    (clique) => indexLabelOf(clique, SET_REPLICA_INDEX) ?? -1,
  );
  const dueCliques = due.flatMap(({ index }) => all.get(index) ?? []);
  const unfinished = replicas.flatMap((replica) => leftOvers(replica, all.get(replica.index) ?? []));
  const going = new Set([...dueCliques, ...unfinished]);
  return {
    // The mark comes first: it tells after a crash which cliques were still to go, and keeps the breach from counting twice.
    stages:
      going.size === 0
        ? []
        : [
            { actions: due.flatMap(({ groups }) => groups.map((group) => mark(group, now))) },
            ...recycleStages([...going]),
          ],
    announcements: due.map(({ index }) => ({
      regarding: set,
      success: "PodCliqueSetReplicaDeleteSuccessful",
      failure: "PodCliqueSetReplicaDeleteFailed",
      message: `replica ${index} was below minAvailable for ${set.spec.template.terminationDelay ?? "4h"} and starts over`,
    })),
    going,
    ...(waiting.length > 0 && { lookAgainMs: Math.min(...waiting) }),
  };
}

/** Only when all standalone cliques are there: what is being made again is not judged. */
function breachMs(
  { cliques, groups, expectedCliques }: SetReplica,
  { delayMs, nowMs }: { readonly delayMs: number; readonly nowMs: number },
): number | undefined {
  if (cliques.length < expectedCliques) return undefined;
  const times = [
    ...cliques.flatMap((clique) => cliqueBreachMs(clique, delayMs, nowMs) ?? []),
    ...groups.flatMap((group) => groupBreachMs(group, delayMs, nowMs) ?? []),
  ];
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Creation times are of the server, marks of the operator. */
const CLOCK_SKEW_MS = 5_000;

/** Cliques from before the termination that is in progress: the operator ended between the mark and the deletion. */
function leftOvers({ groups }: SetReplica, cliques: readonly PodClique[]): readonly PodClique[] {
  const marks = groups.flatMap(({ status }) => {
    const condition = conditionOf(status?.conditions, GANG_TERMINATION_IN_PROGRESS);
    return condition?.status === "True" ? [parseTime(condition.lastTransitionTime)] : [];
  });
  if (marks.length === 0) return [];
  const sinceMs = Math.max(...marks) - CLOCK_SKEW_MS;
  return cliques.filter(({ metadata }) => parseTime(metadata.creationTimestamp ?? "") < sinceMs);
}

/** On the version that was looked at: the group's own status is written by another controller. */
function mark(group: PodCliqueScalingGroup, now: string): Action {
  const condition = {
    type: GANG_TERMINATION_IN_PROGRESS,
    status: "True" as const,
    reason: "GangTerminationActive",
    message: "the whole replica of the PodCliqueSet starts over",
  };
  const { resourceVersion } = group.metadata;
  return {
    kind: "patch",
    of: "group",
    object: group,
    patch: {
      metadata: { resourceVersion },
      status: { conditions: withCondition(group.status?.conditions, condition, now) },
    },
    subresource: "status",
    errorCode: "ERR_UPDATE_STATUS",
  };
}

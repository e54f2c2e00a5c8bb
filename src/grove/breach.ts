/**
 * Which breaches of minAvailable count for gang termination, and for how long they have lasted (grove.md 6.1).
 *
 * What was never up cannot go down: a clique counts once it has been scheduled, a group once it has been healthy.
 */
import { parseDurationMs } from "../api/duration.ts";
import type { PodClique } from "../api/grove/pod-clique.ts";
import type { PodCliqueScalingGroup } from "../api/grove/pod-clique-scaling-group.ts";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import { conditionOf } from "../api/kubernetes/conditions.ts";
import { isTerminating } from "../api/kubernetes/core.ts";
import type { Condition, KubeObject } from "../api/kubernetes/meta.ts";
import { formatTime, parseTime } from "../api/kubernetes/time.ts";

export const MIN_AVAILABLE_BREACHED = "MinAvailableBreached";
export const POD_CLIQUE_SCHEDULED = "PodCliqueScheduled";
export const GANG_TERMINATION_IN_PROGRESS = "GangTerminationInProgress";

/** A condition that is set with the object says nothing of its history: it settles within this time. */
const FIRST_STATUS_MS = 5_000;
const DEFAULT_TERMINATION_DELAY_MS = 4 * 3_600_000;

export function terminationDelayMs({ spec }: PodCliqueSet): number {
  const { terminationDelay } = spec.template;
  return (
    (terminationDelay === undefined ? undefined : parseDurationMs(terminationDelay)) ?? DEFAULT_TERMINATION_DELAY_MS
  );
}

/** The operator looks at everything that often anyway. */
const LOOK_MAX_MS = 180_000;
const LOOK_MIN_MS = 1_000;

/**
 * How soon an object in breach is looked at again without an event: a condition that a lost event has left behind must not call for a termination.
 * @returns undefined while it is not in breach
 */
export function breachLookMs({ status }: PodClique | PodCliqueScalingGroup, delayMs: number): number | undefined {
  if (conditionOf(status?.conditions, MIN_AVAILABLE_BREACHED)?.status !== "True") return undefined;
  return Math.max(LOOK_MIN_MS, Math.min(LOOK_MAX_MS, delayMs / 2));
}

/** When a new breach is to be looked at again, for a controller that has just seen its condition. */
export function newBreachLookMs(
  before: PodClique | PodCliqueScalingGroup | undefined,
  after: PodClique | PodCliqueScalingGroup,
  set: PodCliqueSet | undefined,
): number | undefined {
  if (set === undefined) return undefined;
  const delayMs = terminationDelayMs(set);
  const isOld = before !== undefined && breachLookMs(before, delayMs) !== undefined;
  return isOld ? undefined : breachLookMs(after, delayMs);
}

/** @returns milliseconds until the breach calls for termination, at most 0 when it does; undefined when there is none that counts */
export function cliqueBreachMs(clique: PodClique, delayMs: number, nowMs: number): number | undefined {
  const scheduled = conditionOf(clique.status?.conditions, POD_CLIQUE_SCHEDULED);
  const wasScheduled = scheduled?.status === "True" || changedAfterStart(clique, scheduled);
  return wasScheduled
    ? remainingMs(clique, conditionOf(clique.status?.conditions, MIN_AVAILABLE_BREACHED), delayMs, nowMs)
    : undefined;
}

/** As {@link cliqueBreachMs}; a group that has not recovered from its last termination does not count. */
export function groupBreachMs(group: PodCliqueScalingGroup, delayMs: number, nowMs: number): number | undefined {
  const breach = conditionOf(group.status?.conditions, MIN_AVAILABLE_BREACHED);
  if (!changedAfterStart(group, breach) || isBeingTerminated(group)) return undefined;
  return remainingMs(group, breach, delayMs, nowMs);
}

/** Whether a breach of it calls for a termination, sooner or later. */
export const breachCounts = (object: PodClique | PodCliqueScalingGroup): boolean =>
  (object.kind === "PodClique"
    ? cliqueBreachMs(object as PodClique, 0, 0)
    : groupBreachMs(object as PodCliqueScalingGroup, 0, 0)) !== undefined;

const isBeingTerminated = ({ status }: PodCliqueScalingGroup): boolean =>
  conditionOf(status?.conditions, GANG_TERMINATION_IN_PROGRESS)?.status === "True";

function remainingMs(
  object: KubeObject,
  breach: Condition | undefined,
  delayMs: number,
  nowMs: number,
): number | undefined {
  if (isTerminating(object) || breach?.status !== "True") return undefined;
  return delayMs - (nowMs - parseTime(breach.lastTransitionTime));
}

/**
 * The time of a change for the worse, so that {@link changedAfterStart} tells it from the first status: what was up and is lost in its first seconds has
 * been up. At most 6 s ahead of `now`.
 */
export function timeOfLoss({ metadata }: KubeObject, now: string): string {
  const { creationTimestamp } = metadata;
  if (creationTimestamp === undefined) return now;
  // Times have whole seconds.
  return formatTime(Math.max(parseTime(now), parseTime(creationTimestamp) + FIRST_STATUS_MS + 1_000));
}

/** A condition that has said something else than the first look at the object. */
export function changedAfterStart({ metadata }: KubeObject, condition: Condition | undefined): boolean {
  if (condition === undefined) return false;
  return parseTime(condition.lastTransitionTime) > parseTime(metadata.creationTimestamp ?? "") + FIRST_STATUS_MS;
}

/**
 * Pure: the status of a PodGang (grove.md 1.8, 3.4). Upstream writes `Initialized` only; phase, `Scheduled` and `Ready`
 * follow from the pods, unless a scheduler writes those conditions itself.
 */
import { conditionOf, withCondition } from "../../api/kubernetes/conditions.ts";
import { isPodReady, isPodScheduled, type Pod } from "../../api/kubernetes/core.ts";
import type { Condition } from "../../api/kubernetes/meta.ts";
import { parseTime } from "../../api/kubernetes/time.ts";
import type { PodGang, PodGangStatus } from "../../api/scheduler/pod-gang.ts";

const INITIALIZED = "Initialized";

export const isInitialized = ({ status }: PodGang): boolean =>
  conditionOf(status?.conditions, INITIALIZED)?.status === "True";

/** How far the pods of a gang are: every group has its minimum of them scheduled, or ready. */
export interface GangProgress {
  /** Every clique has all its pods, labelled for this gang. */
  readonly complete: boolean;
  readonly scheduled: boolean;
  readonly ready: boolean;
}

export function gangProgress(
  groups: readonly { readonly minReplicas: number; readonly pods: readonly Pod[] }[],
  complete: boolean,
): GangProgress {
  const all = (holds: (pod: Pod) => boolean): boolean =>
    groups.every(({ minReplicas, pods }) => pods.filter(holds).length >= minReplicas);
  return { complete, scheduled: all(isPodScheduled), ready: all(isPodReady) };
}

/** A gang that comes up is told of in two steps, whole and running, unless one of them takes longer than this. */
export const PATIENCE_MS = 20_000;

/** Whether a step in between may go untold for now. Whatever broke is told at once. */
export function isOnItsWay(live: PodGang, { complete, scheduled, ready }: GangProgress, now: string): boolean {
  const since = (time: string | undefined): number => parseTime(now) - parseTime(time ?? now);
  if (live.status?.phase === undefined) return !complete && since(live.metadata.creationTimestamp) < PATIENCE_MS;
  const initialized = conditionOf(live.status.conditions, INITIALIZED);
  const isNew = live.status.phase === "Pending" && initialized?.status === "True";
  return isNew && scheduled && !ready && since(initialized?.lastTransitionTime) < PATIENCE_MS;
}

/** `Initialized` never goes back to False. */
export function podGangStatus(live: PodGang, { complete, scheduled, ready }: GangProgress, now: string): PodGangStatus {
  const whole = complete || isInitialized(live);
  const conditions = [
    {
      type: INITIALIZED,
      status: asStatus(whole),
      reason: whole ? "PodGangPodsCreated" : "PodGangPodsCreationPending",
      message: whole ? "all pods of the PodGang have been created" : "pods of the PodGang are being created",
    },
    ...ours(live, "Scheduled", scheduled, "MinimumScheduled", "MinimumNotScheduled"),
    ...ours(live, "Ready", ready, "MinimumReady", "MinimumNotReady"),
  ].reduce<readonly Condition[] | undefined>((list, next) => withCondition(list, next, now), live.status?.conditions);
  return {
    ...live.status,
    phase: !(whole && scheduled) ? "Pending" : ready ? "Running" : "Starting",
    conditions: conditions ?? [],
  };
}

/** A condition that carries another reason than ours is a scheduler's. What never held need not be said. */
function ours(
  { status }: PodGang,
  type: string,
  holds: boolean,
  whenTrue: string,
  whenFalse: string,
): readonly Omit<Condition, "lastTransitionTime">[] {
  const known = conditionOf(status?.conditions, type);
  if (known === undefined ? !holds : known.reason !== whenTrue && known.reason !== whenFalse) return [];
  const message = `every pod group has ${holds ? "" : "not "}its minimum of ${type.toLowerCase()} pods`;
  return [{ type, status: asStatus(holds), reason: holds ? whenTrue : whenFalse, message }];
}

const asStatus = (holds: boolean): "True" | "False" => (holds ? "True" : "False");

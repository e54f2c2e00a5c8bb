/**
 * Changes under way that make a decision wait: an update, a recreation, an object or pods that the operator has yet to make. Every such wait has a
 * deadline; past it the decision goes on as if nothing were under way.
 */
import { objectOf } from "./current.ts";
import { type Memory, objectKey } from "./memory.ts";
import type { Observation } from "./observation.ts";
import type { Policy } from "./policy.ts";

export interface InFlight {
  /** Since when, monotonic ms, by the keys below; what is no longer under way is forgotten. */
  readonly sinceMs: Memory["inFlightSinceMs"];
  /** Keys of what may hold no longer. */
  readonly overdue: ReadonlySet<string>;
}

/** An object that an update or a recreation changes, or that is not there. */
export const changeKey = (target: string, setIndex: number): string => objectKey(target, setIndex);
/** A set replica whose minimum is on its way. No target has such a key, whatever its name is. */
const setStartKey = (setIndex: number): string => `start//${setIndex}`;
/** Replicas of an object for which there are no pods. */
export const uncreatedKey = (target: string, setIndex: number): string => `pods/${objectKey(target, setIndex)}`;

export function inFlightOf(policy: Policy, observation: Observation, known: Memory["inFlightSinceMs"]): InFlight {
  const { monotonicMs: nowMs } = observation;
  const { changeDeadlineMs, pendingTimeoutMs } = policy.coldStart;
  const sinceMs: Record<string, number> = {};
  const overdue = new Set<string>();
  const follow = (key: string, isUnderWay: boolean, deadlineMs: number): void => {
    if (!isUnderWay) return;
    const since = Math.min(known[key] ?? nowMs, nowMs);
    sinceMs[key] = since;
    if (nowMs - since >= deadlineMs) overdue.add(key);
  };
  for (let set = 0; set < observation.set.replicas; set++) {
    policy.targets.forEach(({ name }, index) => {
      const object = objectOf(observation, index, set);
      follow(changeKey(name, set), object === undefined || object.isChanging, changeDeadlineMs);
      follow(uncreatedKey(name, set), (object?.uncreated ?? 0) > 0, pendingTimeoutMs);
    });
    follow(setStartKey(set), isSetReplicaStarting(observation, set), changeDeadlineMs);
  }
  return { sinceMs, overdue };
}

/** Whether some set replica is on its way, and has not been for too long. */
export function isSetStarting(observation: Observation, { overdue }: InFlight): boolean {
  for (let set = 0; set < observation.set.replicas; set++) {
    if (isSetReplicaStarting(observation, set) && !overdue.has(setStartKey(set))) return true;
  }
  return false;
}

/** Something of it waits or starts, and its minimum is not ready yet. */
function isSetReplicaStarting(observation: Observation, set: number): boolean {
  let isBelowMinimum = false;
  let isOnItsWay = false;
  observation.targets.forEach(({ minAvailable }, index) => {
    const object = objectOf(observation, index, set);
    // What was scaled to zero is not on its way.
    if (object?.replicas === 0) return;
    if ((object?.ready ?? 0) < minAvailable) isBelowMinimum = true;
    if (object === undefined || object.starting + object.pending > object.overdue) isOnItsWay = true;
  });
  return isBelowMinimum && isOnItsWay;
}

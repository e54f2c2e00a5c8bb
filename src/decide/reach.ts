/**
 * What can be had. Replicas that wait for a node past the pending timeout count as absent and are given back: their target grows no further, the others
 * are planned for what there is, and a new attempt is made after a time that doubles. One that has its node and does not become ready is replaced.
 */
import { type InFlight, uncreatedKey } from "./in-flight.ts";
import type { Memory } from "./memory.ts";
import type { ScaledObject, TargetObservation } from "./observation.ts";
import type { Policy } from "./policy.ts";
import { MAX_BACKOFF_MS } from "./reach-limit.ts";

export interface ReachMemory {
  /** Replicas inside one set replica that could be had. */
  readonly cap: number;
  /** No new attempt before this time, monotonic ms. */
  readonly untilMs: number;
  /** Attempts that failed. */
  readonly failures: number;
}

export interface Reach {
  readonly memory: Memory["reach"];
  /** By target name: the most that is planned with, inside one set replica. Absent: no limit. */
  readonly caps: Readonly<Record<string, number>>;
}

/** Replicas past the timeout that hold no node: giving them back costs nothing that runs or loads. */
export function unplacedOf(object: ScaledObject, target: string, { overdue }: InFlight): number {
  const uncreated = overdue.has(uncreatedKey(target, object.setIndex)) ? (object.uncreated ?? 0) : 0;
  return Math.min(object.replicas, (object.overdueUnplaced ?? 0) + uncreated);
}

/**
 * Replicas to order in place of those that have a node and do not become ready, over all set replicas. Never more than are ready: where everything
 * fails, more of it would fail too.
 */
export function replacementsFor(objects: readonly ScaledObject[]): number {
  const failing = objects.reduce((sum, one) => sum + Math.max(0, one.overdue - (one.overdueUnplaced ?? 0)), 0);
  return Math.min(
    failing,
    objects.reduce((sum, { ready }) => sum + ready, 0),
  );
}

export function reachOf(
  policy: Policy,
  targets: readonly TargetObservation[],
  inFlight: InFlight,
  known: Memory["reach"],
  nowMs: number,
): Reach {
  const memory: Record<string, ReachMemory> = {};
  const caps: Record<string, number> = {};
  policy.targets.forEach(({ name }, index) => {
    const objects = targets[index]?.objects ?? [];
    const isStuck = objects.some((object) => unplacedOf(object, name, inFlight) > 0);
    const before = known[name];
    const present = Math.max(0, ...objects.map((object) => object.replicas - unplacedOf(object, name, inFlight)));
    const next = isStuck ? nextAttempt(before, present, policy.coldStart.pendingTimeoutMs, nowMs) : before;
    if (next === undefined) return;
    const isOver = objects.some(({ ready }) => ready > next.cap) || nowMs > next.untilMs + MAX_BACKOFF_MS;
    if (!isStuck && isOver) return;
    memory[name] = next;
    if (isStuck || nowMs < next.untilMs) caps[name] = next.cap;
  });
  return { memory, caps };
}

function nextAttempt(before: ReachMemory | undefined, present: number, timeoutMs: number, nowMs: number): ReachMemory {
  if (before !== undefined && nowMs < before.untilMs) return { ...before, cap: present };
  const failures = (before?.failures ?? 0) + 1;
  return { cap: present, untilMs: nowMs + Math.min(MAX_BACKOFF_MS, timeoutMs * 2 ** (failures - 1)), failures };
}

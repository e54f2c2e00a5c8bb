/**
 * When a changed status is written. On its way from nothing to ready an object changes its status with every pod that is
 * created, ungated, bound and ready; on a large set these writes are most of all requests, and nobody reads them in
 * between. So what is on its way waits a moment for more to change, and what arrives, breaks or fails is written at once.
 */

import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueScalingGroup } from "../../api/grove/pod-clique-scaling-group.ts";
import { equalJson } from "../../api/json.ts";
import { conditionOf } from "../../api/kubernetes/conditions.ts";
import { type Condition, type KubeObject, keyOf } from "../../api/kubernetes/meta.ts";
import { breachCounts, MIN_AVAILABLE_BREACHED } from "../breach.ts";
import type { PassOutcome } from "../pass-outcome.ts";
import { isOpen } from "../update-turn.ts";

/** What statuses of all kinds have in common here. */
interface AnyStatus {
  readonly conditions?: readonly Condition[];
  readonly lastErrors?: readonly unknown[];
  readonly updateProgress?: { readonly updateEndedAt?: string };
}

export interface StatusDelay<T extends KubeObject> {
  /**
   * Milliseconds that this change may still wait, 0 to write it now.
   * @param change undefined when the stored status is as it should be
   */
  dueMs(
    object: T,
    change: { readonly status: object; readonly outcome: PassOutcome } | undefined,
    nowMs: number,
  ): number;
}

/** Of an object that has all it needs, and of one that still waits for something, such as the gates of its pods (Grove's own interval). */
const ON_ITS_WAY_MS = { complete: 2_000, waiting: 5_000 };
/** Of an object that is being made and has said nothing yet. */
const UNBORN_MS = { complete: 10_000, waiting: 60_000 };

interface Waiting {
  readonly firstMs: number;
  /** Since the object has, or has not, all it needs. */
  readonly sinceMs: number;
  readonly complete: boolean;
}

/** @param isSettled whether this status says that everything is there and ready */
export function statusDelay<T extends KubeObject & { readonly status?: object }>(
  isSettled: (object: T, status: NonNullable<T["status"]>) => boolean,
): StatusDelay<T> {
  /** Changes that wait, by key. */
  const waiting = new Map<string, Waiting>();
  return {
    dueMs(object, change, nowMs) {
      const key = keyOf(object);
      if (change === undefined || isUrgent(object, change, isSettled)) {
        waiting.delete(key);
        return 0;
      }
      const { complete } = change.outcome;
      const known = waiting.get(key) ?? { firstMs: nowMs, sinceMs: nowMs, complete };
      // What it waited for has come, and much is about to change: the time counts anew, but not for ever.
      const sinceMs = complete && !known.complete ? nowMs : known.sinceMs;
      const patience = object.status === undefined ? UNBORN_MS : ON_ITS_WAY_MS;
      const patienceMs = complete ? patience.complete : patience.waiting;
      const dueMs = Math.min(sinceMs + patienceMs, known.firstMs + UNBORN_MS.waiting) - nowMs;
      if (dueMs > 0) waiting.set(key, { firstMs: known.firstMs, sinceMs, complete });
      else waiting.delete(key);
      return Math.max(0, dueMs);
    },
  };
}

function isUrgent<T extends KubeObject & { readonly status?: object }>(
  object: T,
  { status, outcome }: { readonly status: object; readonly outcome: PassOutcome },
  isSettled: (object: T, status: NonNullable<T["status"]>) => boolean,
): boolean {
  const was = object.status as NonNullable<T["status"]> | undefined;
  if (was !== undefined && isSettled(object, was)) return true;
  if (outcome.complete && isSettled(object, status as NonNullable<T["status"]>)) return true;
  const [before, after] = [(was ?? {}) as AnyStatus, status as AnyStatus];
  return (
    isOpen(before.updateProgress) ||
    isOpen(after.updateProgress) ||
    !equalJson(before.lastErrors ?? [], after.lastErrors ?? []) ||
    breaks(before, after) ||
    heals(object, before, after)
  );
}

/** Gang termination counts the time from here. */
function breaks(before: AnyStatus, after: AnyStatus): boolean {
  const [was, is] = [before, after].map(({ conditions }) => conditionOf(conditions, MIN_AVAILABLE_BREACHED));
  return was !== undefined && was.status !== "True" && is?.status === "True";
}

/** In time: what is over must not be terminated for it. */
function heals(object: KubeObject, before: AnyStatus, after: AnyStatus): boolean {
  const [was, is] = [before, after].map(({ conditions }) => conditionOf(conditions, MIN_AVAILABLE_BREACHED));
  return was?.status === "True" && is?.status !== "True" && breachCounts(object as PodClique | PodCliqueScalingGroup);
}

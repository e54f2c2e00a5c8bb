/** What every reconcile of the operator does: plan, act, look again, write the status if it changed. */

import { isTerminating } from "../../api/kubernetes/core.ts";
import type { KubeObject } from "../../api/kubernetes/meta.ts";
import { formatTime } from "../../api/kubernetes/time.ts";
import { ApiError, isNotFound } from "../../kube/api-error.ts";
import type { ReconcileResult } from "../../kube/controller.ts";
import type { EventRecorder } from "../../kube/events.ts";
import type { Plan } from "../actions.ts";
import { mergePatch } from "../merge-patch.ts";
import { type LastError, lastErrorsOf, type PassOutcome } from "../pass-outcome.ts";
import { carryOut } from "./act.ts";
import type { OperatorContext } from "./context.ts";
import type { StatusDelay } from "./status-delay.ts";
import type { Store } from "./store.ts";

/** Grove's interval for everything that is not there yet; events usually come first. */
const WAIT_MS = 5_000;

interface Reconciled extends KubeObject {
  /** Some kinds keep `lastErrors` in it. */
  readonly status?: object;
}

export interface PassOptions<Snapshot, T extends Reconciled> {
  readonly context: OperatorContext;
  readonly recorder: EventRecorder;
  readonly store: Store<T>;
  /** From caches only; undefined when the object is gone. */
  readonly observe: () => Snapshot | undefined;
  readonly object: (snapshot: Snapshot) => T;
  readonly plan: (snapshot: Snapshot, now: string) => Plan;
  readonly status: (snapshot: Snapshot, outcome: PassOutcome, now: string) => object;
  /** Told of every status that is written. */
  readonly onStatus?: (object: T, status: object) => void;
  /** How long a status may wait for what else will change; written at once when absent. */
  readonly statusDelay?: StatusDelay<T>;
}

export async function runPass<Snapshot, T extends Reconciled>(
  options: PassOptions<Snapshot, T>,
): Promise<ReconcileResult | undefined> {
  const { context, recorder, observe, object } = options;
  const snapshot = observe();
  if (snapshot === undefined) return undefined;
  const now = formatTime(context.clock.nowMs());
  const plan = options.plan(snapshot, now);
  const regarding = object(snapshot);
  const { failures: failed, stale } = await carryOut(plan, { stores: context.stores, recorder, regarding });
  const failures = plan.problem === undefined ? failed : [...failed, plan.problem];

  for (const { regarding: about, success, failure, message } of plan.announcements ?? []) {
    if (failures.length > 0) recorder.event(about, "Warning", failure, `${message}: ${failures[0]?.description}`);
    else if (!stale) recorder.event(about, "Normal", success, message);
  }

  const after = observe();
  let statusDueMs: number | undefined;
  if (after !== undefined && !isTerminating(object(after))) {
    const before = object(after).status as { readonly lastErrors?: readonly LastError[] } | undefined;
    const outcome: PassOutcome = {
      complete: failures.length === 0 && !stale && plan.waitingFor === undefined,
      lastErrors: lastErrorsOf(failures, before?.lastErrors, now),
    };
    statusDueMs = await writeStatus(options, object(after), options.status(after, outcome, now), outcome);
  }

  const [failure] = failures;
  if (failure !== undefined) throw new Error(`${failure.code}: ${failure.description}`);
  if (stale) throw new ApiError(409, "Conflict", `the cache was behind while reconciling ${regarding.metadata.name}`);
  return nextLook(plan, statusDueMs);
}

function nextLook({ waitingFor, lookAgainMs }: Plan, statusDueMs: number | undefined): ReconcileResult | undefined {
  const times = [waitingFor === undefined ? [] : [WAIT_MS], lookAgainMs ?? [], statusDueMs ?? []].flat();
  return times.length === 0 ? undefined : { requeueAfterMs: Math.min(...times) };
}

/** @returns milliseconds until the status is due, when it was not written yet */
async function writeStatus<Snapshot, T extends Reconciled>(
  { store, onStatus, statusDelay, context }: PassOptions<Snapshot, T>,
  object: T,
  status: object,
  outcome: PassOutcome,
): Promise<number | undefined> {
  const patch = mergePatch(object.status, status);
  const dueMs = statusDelay?.dueMs(object, patch && { status, outcome }, context.clock.monotonicMs()) ?? 0;
  if (patch === undefined) return undefined;
  if (dueMs > 0) return dueMs;
  onStatus?.(object, status);
  try {
    await store.patch(object, { status: patch }, "status");
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return undefined;
}

/** Finalizers: each controller only takes off its own; what hangs below goes by garbage collection (grove.md 2.6). */

import { isTerminating } from "../api/kubernetes/core.ts";
import type { KubeObject } from "../api/kubernetes/meta.ts";
import type { Action, JsonPatchOperation, Plan, Stage, Sweep } from "./actions.ts";
import type { Kinds } from "./kinds.ts";

type Finalized = "set" | "group" | "clique" | "computeDomain";

/**
 * @param below what belongs to the object. Garbage collection would take it too, one object at a time at the pace of the
 * controller manager: a thousand pods wait for minutes. Left alone when the user wants the dependents to stay.
 */
export function finalizerRemoval<K extends Finalized>(
  of: K,
  object: Kinds[K],
  finalizer: string,
  below: readonly (readonly Sweep[])[] = [],
): Plan {
  const index = object.metadata.finalizers?.indexOf(finalizer) ?? -1;
  if (index === -1) return { stages: [] };
  const patch: readonly JsonPatchOperation[] = [
    { op: "test", path: `/metadata/finalizers/${index}`, value: finalizer },
    { op: "remove", path: `/metadata/finalizers/${index}` },
  ];
  const sweeps = (leavesDependents(object) ? [] : below).map(
    (one): Stage => ({ actions: [], sweeps: one.filter(hasWork) }),
  );
  const removal = { kind: "patch", of, object, patch, errorCode: "ERR_REMOVE_FINALIZER" } as Action;
  return { stages: [...sweeps, { actions: [removal] }] };
}

/** A merge patch replaces the list, so the resource version guards the finalizers of others. */
export function finalizerAddition<K extends Finalized>(of: K, object: Kinds[K], finalizer: string): readonly Action[] {
  const { finalizers = [], resourceVersion } = object.metadata;
  if (finalizers.includes(finalizer)) return [];
  const patch = { metadata: { finalizers: [...finalizers, finalizer], resourceVersion } };
  return [{ kind: "patch", of, object, patch, errorCode: "ERR_ADD_FINALIZER" } as Action];
}

/** It is deleted without its dependents: Kubernetes puts a finalizer of that name on it. */
export const leavesDependents = ({ metadata }: KubeObject): boolean => metadata.finalizers?.includes("orphan") === true;

const hasWork = ({ objects }: Sweep): boolean => objects.some((object) => !isTerminating(object));

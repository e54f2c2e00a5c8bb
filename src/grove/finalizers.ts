/** Finalizers: each controller only takes off its own; what hangs below goes by garbage collection (grove.md 2.6). */
import type { Action, JsonPatchOperation, Plan } from "./actions.ts";
import type { Kinds } from "./kinds.ts";

type Finalized = "set" | "group" | "clique" | "computeDomain";

export function finalizerRemoval<K extends Finalized>(of: K, object: Kinds[K], finalizer: string): Plan {
  const index = object.metadata.finalizers?.indexOf(finalizer) ?? -1;
  if (index === -1) return { stages: [] };
  const patch: readonly JsonPatchOperation[] = [
    { op: "test", path: `/metadata/finalizers/${index}`, value: finalizer },
    { op: "remove", path: `/metadata/finalizers/${index}` },
  ];
  return { stages: [{ actions: [{ kind: "patch", of, object, patch, errorCode: "ERR_REMOVE_FINALIZER" } as Action] }] };
}

/** A merge patch replaces the list, so the resource version guards the finalizers of others. */
export function finalizerAddition<K extends Finalized>(of: K, object: Kinds[K], finalizer: string): readonly Action[] {
  const { finalizers = [], resourceVersion } = object.metadata;
  if (finalizers.includes(finalizer)) return [];
  const patch = { metadata: { finalizers: [...finalizers, finalizer], resourceVersion } };
  return [{ kind: "patch", of, object, patch, errorCode: "ERR_ADD_FINALIZER" } as Action];
}

/** Statuses that have to be stored before what follows from them: a generation hash, whose turn it is in an update. */
import type { Action } from "./actions.ts";
import type { Kinds } from "./kinds.ts";
import { mergePatch } from "./merge-patch.ts";

/** @returns nothing when the status is stored already, or is undefined */
export function statusActions<K extends "set" | "group" | "clique">(
  of: K,
  object: Kinds[K],
  status: Kinds[K]["status"] | undefined,
): readonly Action[] {
  const patch = status && mergePatch(object.status, status);
  if (patch === undefined) return [];
  const action = { kind: "patch", of, object, patch: { status: patch }, subresource: "status" };
  return [{ ...action, errorCode: "ERR_UPDATE_STATUS" } as Action];
}

/** As {@link statusActions}, for the progress of an update alone. */
export const progressActions = <K extends "group" | "clique">(
  of: K,
  object: Kinds[K],
  updateProgress: NonNullable<Kinds[K]["status"]>["updateProgress"],
): readonly Action[] =>
  updateProgress === undefined
    ? []
    : statusActions(of, object, { ...object.status, updateProgress } as Kinds[K]["status"]);

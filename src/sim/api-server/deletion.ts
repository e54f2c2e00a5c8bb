/** DELETE: grace periods of pods, finalizers, propagation policies and preconditions. */

import { equalJson } from "../../api/json.ts";
import type { Pod } from "../../api/kubernetes/core.ts";
import { keyOf, type ObjectKey } from "../../api/kubernetes/meta.ts";
import { formatTime, parseTime } from "../../api/kubernetes/time.ts";
import type { DeleteOptions } from "../../kube/kube-api.ts";
import { asVersion, type Core, type Request } from "./core.ts";
import { badRequest, conflict, type FieldError, invalid, notFound } from "./failure.ts";
import type { StoredObject } from "./json.ts";
import type { Kind } from "./kind.ts";
import { type ListQuery, listObjects } from "./reads.ts";
import { refuse, withMeta } from "./writes.ts";

export interface Deleted {
  readonly object: StoredObject;
  /** False while finalizers or a grace period keep it. */
  readonly isGone: boolean;
}

export interface DeleteRequest extends DeleteOptions {
  readonly dryRun?: boolean | undefined;
}

const ORPHAN = "orphan";
const FOREGROUND = "foregroundDeletion";

export function deleteObject(
  core: Core,
  kind: Kind,
  key: ObjectKey,
  options: DeleteRequest,
  request: Request,
): Deleted {
  const stored = core.store.get(kind.collection, key);
  if (stored === undefined) throw notFound(kind.resource, key.name);
  refuse(core, "delete", kind, key.namespace, key.name, undefined, request);
  const object = asVersion(kind, stored);
  checkPreconditions(kind, object, options);
  if (options.propagationPolicy !== undefined && !POLICIES.includes(options.propagationPolicy)) {
    throw badRequest(`invalid propagation policy ${options.propagationPolicy}`);
  }
  askAdmission(core, kind, object, request);

  const finalizers = deletionFinalizers(object, options);
  const graceSeconds = gracePeriod(kind, object, options);
  const isTerminating = object.metadata.deletionTimestamp !== undefined;
  const keptByNamespace = kind.resource.plural === "namespaces";
  if (finalizers.length === 0 && graceSeconds === 0 && !keptByNamespace) {
    if (options.dryRun === true) return { object, isGone: true };
    const { generation } = object.metadata;
    const last = withMeta(object, generation === undefined ? {} : { generation });
    return { object: core.store.remove(kind.collection, last), isGone: true };
  }
  const next = terminating(core, kind, object, finalizers, graceSeconds);
  if (equalJson(next, object) || (isTerminating && keptByNamespace) || options.dryRun === true) {
    return { object: options.dryRun === true ? next : object, isGone: false };
  }
  return { object: core.store.put(kind.collection, next), isGone: false };
}

/** DELETE on a collection: every object the selectors find, each with the same options. */
export function deleteCollection(
  core: Core,
  kind: Kind,
  query: ListQuery,
  options: DeleteRequest,
  request: Request,
): readonly StoredObject[] {
  const { items } = listObjects(core, kind, query);
  for (const { metadata } of items) {
    const { namespace, name } = metadata;
    deleteObject(core, kind, namespace === undefined ? { name } : { namespace, name }, options, request);
  }
  return items;
}

const POLICIES: readonly string[] = ["Background", "Foreground", "Orphan"];

function checkPreconditions(kind: Kind, { metadata }: StoredObject, { preconditions }: DeleteRequest): void {
  const { uid, resourceVersion } = preconditions ?? {};
  if (uid !== undefined && uid !== metadata.uid) {
    throw conflict(
      kind.resource,
      metadata.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`,
    );
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    throw conflict(
      kind.resource,
      metadata.name,
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${metadata.resourceVersion}`,
    );
  }
}

function askAdmission(core: Core, kind: Kind, object: StoredObject, request: Request): void {
  const answer = core.admit?.({
    operation: "DELETE",
    resource: kind.resource,
    object,
    oldObject: object,
    userInfo: request.user,
  });
  request.warnings?.push(...(answer?.warnings ?? []));
  const errors = (answer?.errors ?? []).map((error): FieldError => ({ reason: "FieldValueInvalid", ...error }));
  if (errors.length > 0) throw invalid(kind.resource, keyOf(object), errors);
}

/** A policy sets its finalizer and lifts the other one; no policy keeps what is there. */
function deletionFinalizers({ metadata }: StoredObject, { propagationPolicy }: DeleteRequest): readonly string[] {
  const current = metadata.finalizers ?? [];
  if (propagationPolicy === undefined) return current;
  const rest = current.filter((finalizer) => finalizer !== ORPHAN && finalizer !== FOREGROUND);
  if (propagationPolicy === "Orphan") return [...rest, ORPHAN];
  return propagationPolicy === "Foreground" ? [...rest, FOREGROUND] : rest;
}

/** Only pods on a node end gracefully; a kubelet removes them with a second DELETE of grace period 0. */
function gracePeriod(kind: Kind, object: StoredObject, options: DeleteRequest): number {
  if (kind.resource.kind !== "Pod" || kind.isCustom) return 0;
  const { spec, status } = object as StoredObject & Pod;
  const done = status?.phase === "Succeeded" || status?.phase === "Failed";
  if (!spec.nodeName || done) return 0;
  const wanted = options.gracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30;
  return wanted < 0 ? 1 : wanted;
}

function terminating(
  { clock }: Core,
  kind: Kind,
  object: StoredObject,
  finalizers: readonly string[],
  graceSeconds: number,
): StoredObject {
  const { deletionTimestamp, deletionGracePeriodSeconds, generation } = object.metadata;
  const kept = equalJson(finalizers, object.metadata.finalizers ?? []) ? {} : { finalizers };
  if (deletionTimestamp !== undefined) {
    // A second DELETE may only shorten the wait.
    const shorter = graceSeconds < (deletionGracePeriodSeconds ?? 0);
    if (!shorter) return withMeta(object, kept);
    const endMs = parseTime(deletionTimestamp) - ((deletionGracePeriodSeconds ?? 0) - graceSeconds) * 1000;
    return withMeta(object, {
      ...kept,
      deletionTimestamp: formatTime(Math.max(endMs, clock.nowMs())),
      deletionGracePeriodSeconds: graceSeconds,
    });
  }
  const next = withMeta(object, {
    ...kept,
    deletionTimestamp: formatTime(clock.nowMs() + graceSeconds * 1000),
    deletionGracePeriodSeconds: graceSeconds,
    ...(generation !== undefined && { generation: generation + 1 }),
  });
  if (kind.resource.plural !== "namespaces") return next;
  const { deletionGracePeriodSeconds: _, ...metadata } = next.metadata;
  return { ...next, metadata, status: { phase: "Terminating" } };
}

/** CREATE, UPDATE and PATCH: the one pipeline that every write passes, in the order of a real API server. */

import { equalJson } from "../../api/json.ts";
import type { ManagedFieldsEntry, ObjectKey, ObjectMeta } from "../../api/kubernetes/meta.ts";
import { formatTime } from "../../api/kubernetes/time.ts";
import { ApiError } from "../../kube/api-error.ts";
import type { PatchType } from "../../kube/kube-api.ts";
import { checkAppliedConfig } from "./applied-config.ts";
import { asVersion, type Core, nameSuffix, newUid, type Request } from "./core.ts";
import {
  alreadyExists,
  badRequest,
  conflict,
  type FieldError,
  forbidden,
  forbiddenField,
  invalid,
  invalidValue,
  notFound,
  staleVersion,
  unsupportedMediaType,
} from "./failure.ts";
import { isObject, type JsonObject, type StoredObject, valueAt, withField } from "./json.ts";
import { hasStatus, type Kind } from "./kind.ts";
import { applyConfig, trackUpdate } from "./managed-fields.ts";
import { validateMeta, validateName } from "./names.ts";
import { normalize } from "./normalize.ts";
import { jsonPatch, mergePatch, strategicMergePatch } from "./patches.ts";
import { validateSchema } from "./validate.ts";

/** @throws ApiError when the object cannot be created */
export function createObject(
  core: Core,
  kind: Kind,
  namespace: string | undefined,
  input: StoredObject,
  request: Request,
  applied?: readonly ManagedFieldsEntry[],
): StoredObject {
  const { store, clock } = core;
  const object = checkIdentity(kind, namespace, input);
  const given = object.metadata;
  if (given.resourceVersion !== undefined && given.resourceVersion !== "") {
    throw new ApiError(500, "InternalError", "resourceVersion should not be set on objects to be created");
  }
  const name = given.name || (given.generateName ? `${given.generateName.slice(0, 58)}${nameSuffix(core.random)}` : "");
  refuse(core, "create", kind, namespace, name, undefined, request);
  checkNamespace(core, kind, namespace, name);

  let next = normalized(kind, object, undefined, request);
  if (kind.isCustom && hasStatus(kind)) next = withField(next, "status", undefined);
  next = {
    ...next,
    metadata: cleanMeta({
      ...next.metadata,
      name,
      ...(namespace !== undefined && { namespace }),
      uid: newUid(core.random),
      creationTimestamp: formatTime(clock.nowMs()),
      ...(kind.hasGeneration && { generation: 1 }),
    }),
  };
  next = kind.rules.prepareCreate?.(next, clock.nowMs()) ?? next;
  if (kind.collection === "/services") next = withClusterIp(core, next);
  next = admitted(core, kind, "CREATE", next, undefined, undefined, request);
  const errors = [...validateName(name, kind.rules.names), ...objectErrors(kind, next, undefined, undefined)];
  if (errors.length > 0) throw invalid(kind.resource, name, errors);
  if (store.get(kind.collection, { ...(namespace !== undefined && { namespace }), name }) !== undefined) {
    throw alreadyExists(kind.resource, name);
  }
  const managedFields =
    applied ?? trackUpdate(kind.schema, undefined, next, writerOf(core, kind, request, undefined), structDepth(kind));
  next = withMeta(next, { managedFields });
  return request.dryRun === true ? next : store.put(kind.collection, next);
}

/** Every Service but headless and external ones has an address of its own. */
function withClusterIp(core: Core, service: StoredObject): StoredObject {
  const { spec } = service;
  if (!isObject(spec) || spec["type"] === "ExternalName") return service;
  const clusterIP = spec["clusterIP"] || core.nextClusterIp();
  return { ...service, spec: { ...spec, clusterIP, clusterIPs: [clusterIP] } };
}

/** PUT: replaces the object, or its status alone. */
export function updateObject(
  core: Core,
  kind: Kind,
  key: ObjectKey,
  input: StoredObject,
  request: Request,
  subresource?: string,
): StoredObject {
  const object = checkIdentity(kind, key.namespace, input);
  if (object.metadata.name !== key.name) {
    throw badRequest(
      `the name of the object (${object.metadata.name ?? ""}) does not match the name on the URL (${key.name})`,
    );
  }
  const current = core.store.get(kind.collection, key);
  if (current === undefined) throw notFound(kind.resource, key.name);
  if (!object.metadata.resourceVersion && !kind.allowsUnconditionalUpdate) {
    throw invalid(kind.resource, key.name, [
      invalidValue("metadata.resourceVersion", 0, "must be specified for an update"),
    ]);
  }
  refuse(core, "update", kind, key.namespace, key.name, subresource, request);
  const { uid } = object.metadata;
  if (uid && uid !== current.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`;
    throw conflict(kind.resource, key.name, why);
  }
  return write(core, kind, asVersion(kind, current), object, request, subresource);
}

export interface Patch {
  readonly type: PatchType;
  readonly body: unknown;
  readonly force?: boolean | undefined;
  readonly subresource?: string | undefined;
}

export function patchObject(core: Core, kind: Kind, key: ObjectKey, patch: Patch, request: Request): StoredObject {
  if (patch.type === "apply") return applyObject(core, kind, key, patch, request);
  if (patch.type === "strategic" && kind.isCustom) {
    throw unsupportedMediaType([
      "application/json-patch+json",
      "application/merge-patch+json",
      "application/apply-patch+yaml",
      "application/apply-patch+cbor",
    ]);
  }
  const stored = core.store.get(kind.collection, key);
  if (stored === undefined) throw notFound(kind.resource, key.name);
  refuse(core, "patch", kind, key.namespace, key.name, patch.subresource, request);
  const current = asVersion(kind, stored);
  const patched = patchValue(kind, current, patch);
  if (!isObject(patched)) throw badRequest("the patch does not leave an object");
  const next = checkIdentity(kind, key.namespace, patched as StoredObject);
  if (next.metadata.name !== key.name) {
    throw invalid(kind.resource, key.name, [invalidValue("metadata.name", next.metadata.name, "field is immutable")]);
  }
  return write(core, kind, current, next, request, patch.subresource);
}

function patchValue(kind: Kind, current: StoredObject, { type, body }: Patch): unknown {
  if (type === "json") return jsonPatch(current, body);
  if (type === "merge") return mergePatch(current, body);
  return strategicMergePatch(kind.schema, current, body);
}

function applyObject(core: Core, kind: Kind, key: ObjectKey, patch: Patch, request: Request): StoredObject {
  if (request.manager === "") {
    throw new ApiError(
      422,
      "Invalid",
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
      {
        causes: [
          {
            reason: "FieldValueRequired",
            field: "fieldManager",
            message: "Required value: is required for apply patch",
          },
        ],
      },
    );
  }
  if (!isObject(patch.body)) throw badRequest("an apply patch is an object");
  const given = patch.body as StoredObject;
  if (!given.apiVersion || !given.kind) throw badRequest("apiVersion and kind must be set in an apply patch");
  if (given.metadata?.managedFields !== undefined) throw badRequest("metadata.managedFields must be nil");
  const named = { ...given, metadata: { ...given.metadata, name: given.metadata?.name ?? key.name } } as StoredObject;
  const config = applicable(kind, checkIdentity(kind, key.namespace, named), patch.subresource);
  if (config.metadata.name !== key.name) {
    throw badRequest(
      `the name of the object (${config.metadata.name}) does not match the name on the URL (${key.name})`,
    );
  }
  checkAppliedConfig(kind, config);
  const stored = core.store.get(kind.collection, key);
  if (stored === undefined && patch.subresource !== undefined) throw notFound(kind.resource, key.name);
  const pruned = normalize(kind.schema, config, { dropNulls: !kind.isCustom, defaults: false });
  reportUnknown(kind, pruned.unknownFields, request);
  const writer = writerOf(core, kind, request, patch.subresource);
  const current = stored === undefined ? undefined : asVersion(kind, stored);
  if (current !== undefined) {
    refuse(core, "patch", kind, key.namespace, key.name, patch.subresource, request);
    checkVersion(kind, current, config.metadata);
  }
  const { object, managedFields } = applyConfig(
    kind.schema,
    current,
    pruned.value as StoredObject,
    writer,
    patch.force === true,
  );
  return current === undefined
    ? createObject(core, kind, key.namespace, object, request, managedFields)
    : write(core, kind, current, object, request, patch.subresource, managedFields);
}

/** Status is not applied through the main resource, nor anything else through `/status`. */
function applicable(kind: Kind, config: StoredObject, subresource: string | undefined): StoredObject {
  if (subresource === undefined) return hasStatus(kind) ? withField(config, "status", undefined) : config;
  const { apiVersion, kind: kindName, metadata } = config;
  const { name, namespace, resourceVersion, uid } = metadata;
  const identity = { name, namespace, resourceVersion, uid };
  return {
    apiVersion,
    kind: kindName,
    metadata: identity,
    [subresource]: config[subresource],
  } as unknown as StoredObject;
}

/** The common end of PUT and PATCH. `input` is the whole object as the client wants it. */
export function write(
  core: Core,
  kind: Kind,
  current: StoredObject,
  input: StoredObject,
  request: Request,
  subresource: string | undefined,
  applied?: readonly ManagedFieldsEntry[],
): StoredObject {
  checkVersion(kind, current, input.metadata);
  const { name } = current.metadata;
  let next = normalized(kind, scoped(kind, current, input, subresource), current, request);
  next = withField(next, "metadata", updatedMeta(current.metadata, next.metadata)) as StoredObject;
  next = kind.rules.prepareUpdate?.(next, current, subresource) ?? next;
  next = admitted(core, kind, "UPDATE", next, current, subresource, request);
  const errors = [...uidErrors(input, current), ...finalizerErrors(next, current)];
  errors.push(...objectErrors(kind, next, current, subresource));
  if (errors.length > 0) throw invalid(kind.resource, name, errors);

  if (kind.hasGeneration && subresource !== "status" && subresource !== "binding" && !sameSpec(kind, next, current)) {
    next = withMeta(next, { generation: (current.metadata.generation ?? 0) + 1 });
  }
  const managedFields =
    applied ??
    cleared(input, current) ??
    untracked(kind, current, subresource) ??
    trackUpdate(kind.schema, current, next, writerOf(core, kind, request, subresource), structDepth(kind));
  next = withMeta(next, { managedFields });
  if (sameButFieldTimes(next, current)) return current;
  if (request.dryRun === true) return next;
  const isGone =
    next.metadata.deletionTimestamp !== undefined &&
    (next.metadata.finalizers ?? []).length === 0 &&
    (next.metadata.deletionGracePeriodSeconds ?? 0) === 0 &&
    kind.resource.plural !== "namespaces";
  if (isGone) return core.store.remove(kind.collection, next);
  return core.store.put(kind.collection, next);
}

/** What of `input` this endpoint takes: `/status` the status alone, the object itself everything else. */
function scoped(kind: Kind, current: StoredObject, input: StoredObject, subresource: string | undefined): StoredObject {
  if (subresource === "status") return withField(current, "status", input["status"] ?? undefined);
  // A binding writes the node and the PodScheduled condition at once; `finalize` is not for clients.
  if (subresource === "binding" || subresource === "finalize") return input;
  return hasStatus(kind) ? withField(input, "status", current["status"]) : input;
}

function checkIdentity(kind: Kind, namespace: string | undefined, input: StoredObject): StoredObject {
  const { apiVersion, kind: kindName } = input;
  if (apiVersion !== undefined && apiVersion !== kind.apiVersion) {
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${kind.apiVersion})`,
    );
  }
  if (kindName !== undefined && kindName !== kind.resource.kind) {
    throw badRequest(`the kind in the data (${kindName}) does not match the expected kind (${kind.resource.kind})`);
  }
  const metadata = input.metadata ?? {};
  if (namespace !== undefined && metadata.namespace !== undefined && metadata.namespace !== namespace) {
    throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
  }
  if (apiVersion !== undefined && kindName !== undefined && input.metadata !== undefined) return input;
  return { ...input, apiVersion: kind.apiVersion, kind: kind.resource.kind, metadata };
}

function checkNamespace({ store }: Core, kind: Kind, namespace: string | undefined, name: string): void {
  if (!kind.resource.namespaced) return;
  const found = namespace === undefined ? undefined : store.get("/namespaces", { name: namespace });
  if (found === undefined) {
    throw notFound({ group: "", plural: "namespaces", kind: "Namespace" }, namespace ?? "");
  }
  if (found.metadata.deletionTimestamp !== undefined) {
    throw forbidden(
      kind.resource,
      name,
      `unable to create new content in namespace ${namespace} because it is being terminated`,
      [
        {
          reason: "NamespaceTerminating",
          message: `namespace ${namespace} is being terminated`,
          field: "metadata.namespace",
        },
      ],
    );
  }
}

function checkVersion(kind: Kind, current: StoredObject, { resourceVersion }: ObjectMeta): void {
  if (resourceVersion && resourceVersion !== "0" && resourceVersion !== current.metadata.resourceVersion) {
    throw staleVersion(kind.resource, current.metadata.name);
  }
}

function normalized(kind: Kind, object: StoredObject, known: StoredObject | undefined, request: Request): StoredObject {
  const { value, unknownFields } = normalize(kind.schema, object, { known, dropNulls: !kind.isCustom });
  reportUnknown(kind, unknownFields, request);
  return value as StoredObject;
}

function reportUnknown(kind: Kind, fields: readonly string[], { fieldValidation, warnings }: Request): void {
  if (fields.length === 0) return;
  const lines = fields.map((field) => `unknown field "${field}"`);
  if (fieldValidation === "Strict") {
    const what = `${kind.resource.kind} in version "${kind.resource.version}" cannot be handled as a ${kind.resource.kind}`;
    throw badRequest(`${what}: strict decoding error: ${lines.join(", ")}`);
  }
  if (fieldValidation === "Warn") for (const line of lines) if (!warnings?.includes(line)) warnings?.push(line);
}

function admitted(
  core: Core,
  kind: Kind,
  operation: "CREATE" | "UPDATE",
  object: StoredObject,
  oldObject: StoredObject | undefined,
  subresource: string | undefined,
  request: Request,
): StoredObject {
  if (core.admit === undefined) return object;
  const answer = core.admit({
    operation,
    resource: kind.resource,
    object,
    userInfo: request.user,
    ...(oldObject !== undefined && { oldObject }),
    ...(subresource !== undefined && { subresource }),
  });
  request.warnings?.push(...(answer.warnings ?? []));
  const errors = (answer.errors ?? []).map((error): FieldError => ({ reason: "FieldValueInvalid", ...error }));
  if (errors.length > 0) throw invalid(kind.resource, object.metadata.name, errors);
  if (answer.object === undefined || answer.object === object) return object;
  return normalized(kind, answer.object, object, request);
}

/** The hook that injects faults: a write may be refused before anything is looked at. */
export function refuse(
  core: Core,
  verb: "create" | "update" | "patch" | "delete",
  { resource }: Kind,
  namespace: string | undefined,
  name: string,
  subresource: string | undefined,
  { user }: Request,
): void {
  const error = core.rejectionFault?.({ verb, resource, namespace, name, subresource, userInfo: user });
  if (error !== undefined) throw error;
}

function objectErrors(
  kind: Kind,
  object: StoredObject,
  old: StoredObject | undefined,
  subresource: string | undefined,
): FieldError[] {
  const errors = object.metadata === old?.metadata ? [] : validateMeta(object.metadata);
  const schemaErrors = validateSchema(kind.schema, object, old);
  if (kind.isCustom) errors.push(...schemaErrors, ...scaleErrors(kind, object));
  else {
    const mistyped = schemaErrors.find(({ reason }) => reason === "FieldValueTypeInvalid");
    if (mistyped !== undefined) {
      throw badRequest(
        `${kind.resource.kind} in version "${kind.resource.version}" cannot be handled as a ${kind.resource.kind}: json: cannot unmarshal ${mistyped.field}: ${mistyped.message}`,
      );
    }
  }
  errors.push(...(kind.rules.validate?.(object, old, subresource) ?? []));
  return errors;
}

function scaleErrors({ scale }: Kind, object: StoredObject): FieldError[] {
  const replicas = scale && valueAt(object, scale.replicas);
  if (scale === undefined || typeof replicas !== "number" || replicas >= 0) return [];
  return [invalidValue(`.${scale.replicas.join(".")}`, replicas, "should be a non-negative integer")];
}

function uidErrors({ metadata: { uid } }: StoredObject, current: StoredObject): FieldError[] {
  return uid && uid !== current.metadata.uid ? [invalidValue("metadata.uid", uid, "field is immutable")] : [];
}

function finalizerErrors(next: StoredObject, current: StoredObject): FieldError[] {
  if (current.metadata.deletionTimestamp === undefined) return [];
  const before = new Set(current.metadata.finalizers ?? []);
  const added = (next.metadata.finalizers ?? []).filter((finalizer) => !before.has(finalizer));
  if (added.length === 0) return [];
  return [
    forbiddenField(
      "metadata.finalizers",
      `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((text) => JSON.stringify(text)).join(", ")}}`,
    ),
  ];
}

/** A client chooses labels, annotations, owners and finalizers; the rest of the metadata is the server's. */
function updatedMeta(current: ObjectMeta, wanted: ObjectMeta): ObjectMeta {
  if (wanted === current) return current;
  const { labels: _, annotations: __, ownerReferences: ___, finalizers: ____, ...system } = current;
  const { labels, annotations, ownerReferences, finalizers } = wanted;
  const next = cleanMeta({
    ...system,
    ...(labels && { labels }),
    ...(annotations && { annotations }),
    ...(ownerReferences && { ownerReferences }),
    ...(finalizers && { finalizers }),
  });
  return equalJson(next, current) ? current : next;
}

/** Empty maps and lists of the metadata are absent on the wire. */
function cleanMeta(meta: ObjectMeta): ObjectMeta {
  const result: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(meta)) {
    if (value === undefined || value === null || field === "selfLink") continue;
    if (typeof value === "object" && Object.keys(value).length === 0) continue;
    result[field] = value;
  }
  return result as unknown as ObjectMeta;
}

export function withMeta(object: StoredObject, change: Partial<ObjectMeta>): StoredObject {
  const metadata: ObjectMeta = { ...object.metadata, ...change };
  if (metadata.managedFields?.length === 0) {
    const { managedFields: _, ...rest } = metadata;
    return { ...object, metadata: rest };
  }
  return { ...object, metadata };
}

function sameSpec(kind: Kind, a: StoredObject, b: StoredObject): boolean {
  const rest = (object: StoredObject): JsonObject => {
    const { metadata: _, status, ...fields } = object;
    return hasStatus(kind) ? fields : { ...fields, status };
  };
  return equalJson(rest(a), rest(b));
}

/** A client may rewrite the bookkeeping itself, for example to clear it. */
function cleared(input: StoredObject, current: StoredObject): readonly ManagedFieldsEntry[] | undefined {
  const given = input.metadata.managedFields;
  if (given === undefined || given.length === 0 || equalJson(given, current.metadata.managedFields)) {
    return undefined;
  }
  return given.filter((entry) => Object.keys(entry).length > 0);
}

/** A binding is nobody's; replicas that nobody owns stay so when they are set through `/scale`. */
function untracked(
  kind: Kind,
  { metadata: { managedFields = [] } }: StoredObject,
  subresource: string | undefined,
): readonly ManagedFieldsEntry[] | undefined {
  if (subresource === "binding") return managedFields;
  if (subresource !== "scale" || kind.scale === undefined) return undefined;
  const path = kind.scale.replicas.map((field) => `f:${field}`);
  const isOwned = managedFields.some(({ fieldsV1 }) => valueAt(fieldsV1, path) !== undefined);
  return isOwned ? undefined : managedFields;
}

function sameButFieldTimes(a: StoredObject, b: StoredObject): boolean {
  const untimed = (entries: readonly ManagedFieldsEntry[] | undefined): unknown =>
    (entries ?? []).map(({ time: _, ...entry }) => entry);
  if (a.metadata.managedFields === b.metadata.managedFields) return equalJson(a, b);
  return (
    equalJson(withMeta(a, { managedFields: [] }), withMeta(b, { managedFields: [] })) &&
    equalJson(untimed(a.metadata.managedFields), untimed(b.metadata.managedFields))
  );
}

const writerOf = ({ clock }: Core, kind: Kind, { manager }: Request, subresource: string | undefined) => ({
  manager: manager === "" ? "unknown" : manager,
  apiVersion: kind.apiVersion,
  // Entries of `/scale` carry no time.
  time: subresource === "scale" ? undefined : formatTime(clock.nowMs()),
  subresource,
});

/** Built-in kinds are Go structs: `metadata`, `spec` and `status` always exist. Custom resources only exist as such. */
const structDepth = (kind: Kind): number => (kind.isCustom ? 1 : 2);

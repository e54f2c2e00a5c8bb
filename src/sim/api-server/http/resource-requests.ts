/** Requests on resources: from method, path, query and body to an operation and its answer. */
import type { ObjectKey } from "../../../api/kubernetes/meta.ts";
import type { ApiError } from "../../../kube/api-error.ts";
import type { PatchType, Scale } from "../../../kube/kube-api.ts";
import type { ApiServerOptions } from "../api-server.ts";
import type { Core, Request, UserInfo } from "../core.ts";
import { type DeleteRequest, deleteCollection, deleteObject } from "../deletion.ts";
import {
  badRequest,
  forbidden,
  methodNotAllowed,
  notFound,
  unknownResource,
  unsupportedMediaType,
} from "../failure.ts";
import { isObject, type JsonObject, type StoredObject } from "../json.ts";
import type { Kind } from "../kind.ts";
import { createSubresource } from "../pod-subresources.ts";
import { getObject, type ListQuery, listObjects } from "../reads.ts";
import { getScale, patchScale, updateScale } from "../scale.ts";
import { createObject, patchObject, updateObject } from "../writes.ts";
import type { ResourcePath } from "./request-path.ts";
import { deletedStatus } from "./status.ts";

export interface HttpRequest {
  readonly method: string;
  readonly path: ResourcePath;
  readonly query: URLSearchParams;
  readonly user: UserInfo;
  readonly userAgent: string;
  readonly contentType: string;
  readonly body: unknown;
}

/** What to send. `list` and `object` may be shown as a Table; `raw` goes out as it is. */
export type Answer =
  | { readonly kind: "object"; readonly code: number; readonly object: StoredObject; readonly type: Kind }
  | { readonly kind: "list"; readonly objects: readonly StoredObject[]; readonly meta: JsonObject; readonly type: Kind }
  | { readonly kind: "raw"; readonly code: number; readonly body: JsonObject }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "watch"; readonly type: Kind; readonly query: ListQuery };

export function answerResourceRequest(
  core: Core,
  options: Pick<ApiServerOptions, "authorize" | "podLog">,
  http: HttpRequest,
  warnings: string[],
): Answer {
  const { method, path, query, user } = http;
  const kind = core.kinds.find(path);
  if (kind === undefined || (path.namespace !== undefined && !kind.resource.namespaced)) throw unknownResource();
  const verb = verbOf(http);
  if (options.authorize !== undefined && !options.authorize(user, verb, kind.resource, path.namespace)) {
    const where = path.namespace === undefined ? "at the cluster scope" : `in the namespace "${path.namespace}"`;
    throw forbidden(
      kind.resource,
      path.name ?? "",
      `User "${user.username}" cannot ${verb} resource "${kind.resource.plural}" in API group "${kind.resource.group}" ${where}`,
    );
  }
  const request = requestOf(http, warnings);
  if (path.name === undefined) return answerCollection(core, kind, http, request);
  if (kind.resource.namespaced && path.namespace === undefined) throw unknownResource();
  const key: ObjectKey =
    path.namespace === undefined ? { name: path.name } : { namespace: path.namespace, name: path.name };
  if (path.subresource !== undefined && !kind.subresources.includes(path.subresource)) throw unknownResource();
  if (path.subresource === "scale") return raw(answerScale(core, kind, key, http, request));
  if (path.subresource === "log" && method === "GET") return logOf(core, options, kind, key, query);
  return answerObject(core, kind, key, http, request);
}

function answerCollection(core: Core, kind: Kind, http: HttpRequest, request: Request): Answer {
  const { method, path, query } = http;
  const listQuery = listQueryOf(path, query);
  switch (method) {
    case "GET": {
      if (isTrue(query.get("watch"))) return { kind: "watch", type: kind, query: listQuery };
      const page = listObjects(core, kind, listQuery);
      const meta = {
        resourceVersion: page.resourceVersion,
        ...(page.continue !== undefined && { continue: page.continue }),
        ...(page.remainingItemCount !== undefined && { remainingItemCount: page.remainingItemCount }),
      };
      return { kind: "list", objects: page.items, meta, type: kind };
    }
    case "POST": {
      const object = objectBody(http);
      if (kind.resource.namespaced && path.namespace === undefined) throw methodNotAllowed();
      return {
        kind: "object",
        code: 201,
        type: kind,
        object: createObject(core, kind, path.namespace, object, request),
      };
    }
    case "DELETE": {
      const objects = deleteCollection(core, kind, listQuery, deleteOptionsOf(http), request);
      return { kind: "list", objects, meta: { resourceVersion: String(core.store.version) }, type: kind };
    }
    default:
      throw methodNotAllowed();
  }
}

function answerObject(core: Core, kind: Kind, key: ObjectKey, http: HttpRequest, request: Request): Answer {
  const { method, path, query } = http;
  const { subresource } = path;
  const ok = (object: StoredObject, code = 200): Answer => ({ kind: "object", code, object, type: kind });
  switch (method) {
    case "GET":
      if (isTrue(query.get("watch"))) {
        const fieldSelector = `metadata.name=${key.name}`;
        return { kind: "watch", type: kind, query: { ...listQueryOf(path, query), fieldSelector } };
      }
      return ok(getObject(core, kind, key));
    case "PUT":
      return ok(updateObject(core, kind, key, objectBody(http), request, subresource));
    case "PATCH": {
      const existed = core.store.get(kind.collection, key) !== undefined;
      const type = patchTypeOf(http.contentType);
      const patch = { type, body: http.body, force: isTrue(query.get("force")), subresource };
      const manager = type === "apply" ? (query.get("fieldManager") ?? "") : request.manager;
      return ok(patchObject(core, kind, key, patch, { ...request, manager }), existed ? 200 : 201);
    }
    case "POST": {
      if (subresource === undefined) throw methodNotAllowed();
      const body = isObject(http.body) ? http.body : {};
      return {
        kind: "raw",
        code: 201,
        body: createSubresource(core, kind, key, subresource, body, request) as unknown as JsonObject,
      };
    }
    case "DELETE": {
      if (subresource !== undefined) throw methodNotAllowed();
      const { object, isGone } = deleteObject(core, kind, key, deleteOptionsOf(http), request);
      if (!isGone || kind.returnsDeleted) return ok(object);
      const { group, plural } = kind.resource;
      return raw(deletedStatus({ name: key.name, group, kind: plural, uid: object.metadata.uid }));
    }
    default:
      throw methodNotAllowed();
  }
}

function answerScale(core: Core, kind: Kind, key: ObjectKey, http: HttpRequest, request: Request): JsonObject {
  const answer = (): Scale => {
    switch (http.method) {
      case "GET":
        return getScale(core, kind, key);
      case "PUT":
        return updateScale(core, kind, key, objectBody(http) as unknown as Scale, request);
      case "PATCH":
        return patchScale(core, kind, key, { type: patchTypeOf(http.contentType), body: http.body }, request);
      default:
        throw methodNotAllowed();
    }
  };
  return answer() as unknown as JsonObject;
}

function logOf(
  core: Core,
  { podLog }: Pick<ApiServerOptions, "podLog">,
  kind: Kind,
  key: ObjectKey,
  query: URLSearchParams,
): Answer {
  getObject(core, kind, key);
  const container = query.get("container");
  const tail = query.get("tailLines");
  const text = podLog?.(key, { ...(container && { container }), ...(tail && { tailLines: Number(tail) }) });
  if (text === undefined) throw notFound({ ...kind.resource, plural: "pods/log" }, key.name);
  return { kind: "text", text };
}

const raw = (body: JsonObject, code = 200): Answer => ({ kind: "raw", code, body });

export const isTrue = (value: string | null): boolean => value === "true" || value === "1";

function verbOf({ method, path, query }: HttpRequest): string {
  if (method === "GET") return isTrue(query.get("watch")) ? "watch" : path.name === undefined ? "list" : "get";
  if (method === "DELETE") return path.name === undefined ? "deletecollection" : "delete";
  return { POST: "create", PUT: "update", PATCH: "patch" }[method] ?? method.toLowerCase();
}

function listQueryOf(path: ResourcePath, query: URLSearchParams): ListQuery {
  const text = (name: string): string | undefined => query.get(name) ?? undefined;
  const limit = query.get("limit");
  return {
    namespace: path.namespace,
    labelSelector: text("labelSelector"),
    fieldSelector: text("fieldSelector"),
    limit: limit === null ? undefined : Number(limit),
    continue: text("continue"),
    resourceVersion: text("resourceVersion"),
    resourceVersionMatch: text("resourceVersionMatch"),
  };
}

function requestOf({ query, user, userAgent }: HttpRequest, warnings: string[]): Request {
  const validation = query.get("fieldValidation") ?? "Warn";
  if (validation !== "Strict" && validation !== "Warn" && validation !== "Ignore") {
    throw badRequest(`invalid fieldValidation ${JSON.stringify(validation)}`);
  }
  const dryRun = query.get("dryRun");
  if (dryRun !== null && dryRun !== "All") throw badRequest(`invalid dryRun ${JSON.stringify(dryRun)}`);
  return {
    user,
    manager: query.get("fieldManager") ?? (userAgent.split("/")[0] || "unknown"),
    dryRun: dryRun === "All",
    fieldValidation: validation,
    warnings,
  };
}

function deleteOptionsOf({ query, body }: HttpRequest): DeleteRequest {
  const given = (isObject(body) ? body : {}) as DeleteRequest & { readonly dryRun?: unknown };
  const grace = query.get("gracePeriodSeconds");
  const policy = query.get("propagationPolicy");
  const dryRun = query.get("dryRun") === "All" || (Array.isArray(given.dryRun) && given.dryRun.includes("All"));
  return {
    ...given,
    ...(grace !== null && { gracePeriodSeconds: Number(grace) }),
    ...(policy !== null && { propagationPolicy: policy as NonNullable<DeleteRequest["propagationPolicy"]> }),
    dryRun,
  };
}

function objectBody({ body }: HttpRequest): StoredObject {
  if (!isObject(body)) throw badRequest("the body of the request is not an object");
  return body as StoredObject;
}

const PATCH_TYPES: Readonly<Record<string, PatchType>> = {
  "application/json-patch+json": "json",
  "application/merge-patch+json": "merge",
  "application/strategic-merge-patch+json": "strategic",
  "application/apply-patch+yaml": "apply",
};

function patchTypeOf(contentType: string): PatchType {
  const type = PATCH_TYPES[contentType.split(";")[0]!.trim()];
  if (type === undefined) throw unsupportedMediaType([...Object.keys(PATCH_TYPES), "application/apply-patch+cbor"]);
  return type;
}

/** What a body that cannot be read is answered with. */
export const unreadableBody = (why: string): ApiError => badRequest(`the object provided is unrecognized: ${why}`);

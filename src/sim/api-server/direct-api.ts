/** The KubeApi port straight on the store: no HTTP, no copies, no time; deterministic under a VirtualClock. */
import type { KubeObject, ObjectKey, Resource } from "../../api/kubernetes/meta.ts";
import type { Clock } from "../../clock.ts";
import type { ApiError } from "../../kube/api-error.ts";
import type { KubeApi, ListOptions, Scale, WatchEvent, WatchOptions, WriteOptions } from "../../kube/kube-api.ts";
import type { Core, Request, UserInfo } from "./core.ts";
import { deleteCollection, deleteObject } from "./deletion.ts";
import { forbidden, unknownResource } from "./failure.ts";
import type { JsonObject, StoredObject } from "./json.ts";
import type { Kind } from "./kind.ts";
import { createSubresource } from "./pod-subresources.ts";
import { getObject, listObjects } from "./reads.ts";
import { getScale, patchScale, updateScale } from "./scale.ts";
import { openWatch } from "./watches.ts";
import { createObject, patchObject, updateObject } from "./writes.ts";

/** Says whether a user may do something; everything is allowed where it is absent. */
export type Authorize = (user: UserInfo, verb: string, resource: Resource, namespace: string | undefined) => boolean;

export function directApi(core: Core, user: UserInfo, authorize?: Authorize): KubeApi {
  const kindOf = (resource: Resource, verb: string, namespace: string | undefined, name = ""): Kind => {
    const kind = core.kinds.find(resource);
    if (kind === undefined) throw unknownResource();
    if (authorize !== undefined && !authorize(user, verb, kind.resource, namespace)) {
      throw forbidden(kind.resource, name, `User "${user.username}" cannot ${verb} resource "${resource.plural}"`);
    }
    return kind;
  };
  const requestOf = (options: WriteOptions = {}): Request => ({
    user,
    manager: options.fieldManager ?? user.username,
    dryRun: options.dryRun,
  });
  const scaled = (resource: Resource, verb: string, key: ObjectKey): Kind =>
    kindOf(resource, verb, key.namespace, key.name);

  return {
    async get<T extends KubeObject>(resource: Resource<T>, key: ObjectKey) {
      return getObject(core, kindOf(resource, "get", key.namespace, key.name), key) as KubeObject as T;
    },
    async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}) {
      const page = listObjects(core, kindOf(resource, "list", options.namespace), options);
      return {
        items: page.items as readonly KubeObject[] as readonly T[],
        resourceVersion: page.resourceVersion,
        ...(page.continue !== undefined && { continue: page.continue }),
      };
    },
    watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions) {
      return watchStore(core, () => kindOf(resource, "watch", options.namespace), options) as AsyncIterable<
        WatchEvent<T>
      >;
    },
    async create<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteOptions) {
      const { namespace, name } = object.metadata;
      const kind = kindOf(resource, "create", namespace, name);
      return createObject(
        core,
        kind,
        namespace,
        object as KubeObject as StoredObject,
        requestOf(options),
      ) as KubeObject as T;
    },
    async update<T extends KubeObject>(
      resource: Resource<T>,
      object: T,
      options: WriteOptions & { subresource?: "status" } = {},
    ) {
      const { namespace, name } = object.metadata;
      const key = namespace === undefined ? { name } : { namespace, name };
      const kind = kindOf(resource, "update", namespace, name);
      const stored = object as KubeObject as StoredObject;
      return updateObject(core, kind, key, stored, requestOf(options), options.subresource) as KubeObject as T;
    },
    async patch<T extends KubeObject>(
      resource: Resource<T>,
      key: ObjectKey,
      body: unknown,
      options: Parameters<KubeApi["patch"]>[3],
    ) {
      const kind = scaled(resource, "patch", key);
      const { type, subresource, force } = options;
      const patch = { type, body, force, subresource };
      return (subresource === "scale"
        ? patchScale(core, kind, key, patch, requestOf(options))
        : patchObject(core, kind, key, patch, requestOf(options))) as KubeObject as T;
    },
    async delete(resource, key, options = {}) {
      deleteObject(core, scaled(resource, "delete", key), key, options, requestOf());
    },
    async deleteCollection(resource, { namespace, labelSelector }, options = {}) {
      const kind = kindOf(resource, "deletecollection", namespace);
      deleteCollection(core, kind, { namespace, labelSelector }, options, requestOf());
    },
    async getScale(resource, key) {
      return getScale(core, scaled(resource, "get", key), key);
    },
    async setScale(resource, key, replicas, options = {}) {
      const { resourceVersion } = options;
      const metadata = { ...key, ...(resourceVersion !== undefined && { resourceVersion }) };
      const scale: Scale = { apiVersion: "autoscaling/v1", kind: "Scale", metadata, spec: { replicas } };
      return updateScale(core, scaled(resource, "update", key), key, scale, requestOf(options));
    },
    async createSubresource(resource, key, subresource, body) {
      const kind = scaled(resource, "create", key);
      return createSubresource(
        core,
        kind,
        key,
        subresource,
        body as KubeObject as KubeObject & JsonObject,
        requestOf(),
      );
    },
  };
}

/** Events wait in an array until the reader asks; a reader that is slow only holds references. */
async function* watchStore(
  core: Core,
  findKind: () => Kind,
  options: WatchOptions,
): AsyncGenerator<WatchEvent<KubeObject>> {
  const { signal, timeoutSeconds } = options;
  if (signal.aborted) return;
  const kind = findKind();
  let pending: WatchEvent<KubeObject>[] = [];
  let failure: ApiError | undefined;
  let isOver = false;
  let wake = (): void => {};
  const end = (error?: ApiError): void => {
    failure = error;
    isOver = true;
    wake();
  };
  const stop = openWatch(core, kind, options, {
    onEvent: (type, object) => {
      pending.push({ type, object });
      wake();
    },
    onClose: end,
  });
  const timer = timeoutSeconds === undefined ? undefined : endAfter(core.clock, timeoutSeconds, end);
  const onAbort = (): void => end();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for (;;) {
      const events = pending;
      pending = [];
      for (const event of events) {
        if (signal.aborted) return;
        yield event;
      }
      if (pending.length > 0) continue;
      if (isOver) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    if (failure !== undefined) throw failure;
  } finally {
    stop();
    timer?.cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

const endAfter = (clock: Clock, seconds: number, end: () => void) => clock.setTimer(seconds * 1000, () => end());

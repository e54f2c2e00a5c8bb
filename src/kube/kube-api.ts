/**
 * The KubeApi port: all that the product asks of a Kubernetes API server.
 *
 * Adapters: `client.ts` (any server over HTTPS) and the embedded server's store (`sim/api-server`, direct calls).
 * Every method rejects with `ApiError` when the server refuses. Objects that come back are shared and never mutated.
 */
import type { KubeObject, ObjectKey, Resource } from "../api/kubernetes/meta.ts";

export interface ListOptions {
  /** One namespace, or all when absent. */
  readonly namespace?: string;
  /** `a=b,c in (d,e),!f`. */
  readonly labelSelector?: string;
  /** `metadata.name=x`, `spec.nodeName=y`. */
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
}

export interface ObjectList<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  /** Present when the list was cut at `limit`. */
  readonly continue?: string;
}

export interface WatchOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Where to go on; changes after this version are sent. */
  readonly resourceVersion: string;
  /** The server ends the watch after this time. */
  readonly timeoutSeconds?: number;
  readonly signal: AbortSignal;
}

/** `BOOKMARK` objects carry only `metadata.resourceVersion`. */
export interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: T;
}

export interface WriteOptions {
  readonly fieldManager?: string;
  readonly dryRun?: boolean;
}

export type Subresource = "status" | "scale" | "eviction" | "binding" | "token";

export type PatchType = "json" | "merge" | "strategic" | "apply";

export interface PatchOptions extends WriteOptions {
  readonly type: PatchType;
  readonly subresource?: Subresource;
  /** Server-side apply: take over fields of other managers. */
  readonly force?: boolean;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

/** autoscaling/v1 Scale. */
export interface Scale extends KubeObject {
  readonly spec: { readonly replicas?: number };
  readonly status?: { readonly replicas: number; readonly selector?: string };
}

export interface KubeApi {
  get<T extends KubeObject>(resource: Resource<T>, key: ObjectKey): Promise<T>;
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<ObjectList<T>>;
  /** Ends normally at the server's timeout, when the connection breaks it throws; 410 is an `ApiError`. */
  watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>;
  /** PUT. A `metadata.resourceVersion` in the object is a precondition (409 when it is not the stored one). */
  update<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options?: WriteOptions & { readonly subresource?: "status" },
  ): Promise<T>;
  /** For `json` the patch is an array of operations, otherwise a partial object. */
  patch<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, patch: unknown, options: PatchOptions): Promise<T>;
  /** Resolves when the server has accepted; the object may live on until its finalizers or grace period end. */
  delete(resource: Resource, key: ObjectKey, options?: DeleteOptions): Promise<void>;
  /** All that the selector finds in a namespace, in one request. Preconditions do not go with it. */
  deleteCollection(
    resource: Resource,
    selection: { readonly namespace: string; readonly labelSelector: string },
    options?: Omit<DeleteOptions, "preconditions">,
  ): Promise<void>;
  getScale(resource: Resource, key: ObjectKey): Promise<Scale>;
  /** Sets `spec.replicas` through `/scale`, only if the object still has `resourceVersion` when that is given. */
  setScale(
    resource: Resource,
    key: ObjectKey,
    replicas: number,
    options?: WriteOptions & { readonly resourceVersion?: string },
  ): Promise<Scale>;
  /** POST to a subresource that takes an object (`eviction`, `binding`, `token`). */
  createSubresource(
    resource: Resource,
    key: ObjectKey,
    subresource: Subresource,
    body: KubeObject,
  ): Promise<KubeObject>;
}

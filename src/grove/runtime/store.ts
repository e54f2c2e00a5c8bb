/**
 * One kind as a controller sees it: the informer's cache with our own writes already in it, and the writes themselves.
 *
 * A cache lags behind. Without the overlay, a pass right after a create would create again, and a pass right after a
 * delete would count the pod as alive: expectations, but precise, since the objects themselves are there.
 */
import { type KubeObject, keyOf, type Resource } from "../../api/kubernetes/meta.ts";
import { formatTime } from "../../api/kubernetes/time.ts";
import type { Clock } from "../../clock.ts";
import { isNotFound } from "../../kube/api-error.ts";
import type { IndexFunctions } from "../../kube/indexer.ts";
import type { Change, Informer } from "../../kube/informer.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import type { JsonPatchOperation } from "../actions.ts";

export interface Store<T extends KubeObject> {
  readonly synced: Promise<unknown>;
  get(namespace: string | undefined, name: string): T | undefined;
  list(): readonly T[];
  byIndex(index: string, value: string): readonly T[];
  onChange(listener: (change: Change<T>) => void): void;
  create(object: T): Promise<T>;
  /** Only this very object, not one that was made again under its name. An object that is gone already is no error. */
  delete(object: T): Promise<void>;
  patch(
    object: T,
    patch: Readonly<Record<string, unknown>> | readonly JsonPatchOperation[],
    subresource?: "status",
  ): Promise<T>;
}

export interface StoreOptions<T extends KubeObject> {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly resource: Resource<T>;
  /** One for all namespaces, or one for each. */
  readonly informers: readonly Informer<T>[];
  readonly indexes: IndexFunctions<T>;
}

/** A write whose event has not come after this time: the object came and went between two looks. */
const OVERLAY_EXPIRY_MS = 30_000;

export function createStore<T extends KubeObject>({
  api,
  clock,
  resource,
  informers,
  indexes,
}: StoreOptions<T>): Store<T> {
  const created = new Map<string, { readonly object: T; readonly atMs: number }>();
  /** By uid. */
  const deleted = new Map<string, { readonly time: string; readonly atMs: number }>();

  const cached = (key: string): T | undefined => {
    for (const informer of informers) {
      const object = informer.getByKey(key);
      if (object !== undefined) return object;
    }
    return undefined;
  };
  const overlaid = (object: T): T => {
    if (deleted.size === 0 || object.metadata.deletionTimestamp !== undefined) return object;
    const deletion = deleted.get(object.metadata.uid ?? "");
    if (deletion === undefined) return object;
    return { ...object, metadata: { ...object.metadata, deletionTimestamp: deletion.time } };
  };
  const expire = (): void => {
    const beforeMs = clock.monotonicMs() - OVERLAY_EXPIRY_MS;
    for (const [key, { atMs }] of created) if (atMs < beforeMs) created.delete(key);
    for (const [uid, { atMs }] of deleted) if (atMs < beforeMs) deleted.delete(uid);
  };
  const unseen = (): readonly T[] => {
    if (created.size === 0) return [];
    expire();
    return [...created].filter(([key]) => cached(key) === undefined).map(([, { object }]) => object);
  };

  for (const informer of informers) {
    informer.onChange(({ before, after }) => {
      const object = after ?? before;
      if (object === undefined) return;
      created.delete(keyOf(object));
      if (after === undefined || after.metadata.deletionTimestamp !== undefined)
        deleted.delete(object.metadata.uid ?? "");
    });
  }

  return {
    synced: Promise.all(informers.map(({ synced }) => synced)),
    get(namespace, name) {
      const key = keyOf({ metadata: { name, ...(namespace !== undefined && { namespace }) } });
      const object = cached(key) ?? created.get(key)?.object;
      return object && overlaid(object);
    },
    list: () => [...informers.flatMap((informer) => informer.list()), ...unseen()].map(overlaid),
    byIndex(index, value) {
      const hits = informers.flatMap((informer) => informer.byIndex(index, value));
      const mine = unseen().filter((object) => indexes[index]?.(object).includes(value));
      return (mine.length === 0 ? hits : [...hits, ...mine]).map(overlaid);
    },
    onChange(listener) {
      for (const informer of informers) informer.onChange(listener);
    },
    async create(object) {
      const stored = await api.create(resource, object);
      const key = keyOf(stored);
      if (cached(key) === undefined) created.set(key, { object: stored, atMs: clock.monotonicMs() });
      return stored;
    },
    async delete(object) {
      const { uid } = object.metadata;
      try {
        await api.delete(resource, keyOfObject(object), {
          propagationPolicy: "Background",
          ...(uid !== undefined && { preconditions: { uid } }),
        });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
      created.delete(keyOf(object));
      if (uid !== undefined) deleted.set(uid, { time: formatTime(clock.nowMs()), atMs: clock.monotonicMs() });
    },
    async patch(object, patch, subresource) {
      const written = await api.patch(resource, keyOfObject(object), patch, {
        type: Array.isArray(patch) ? "json" : "merge",
        ...(subresource !== undefined && { subresource }),
      });
      const pending = created.get(keyOf(written));
      if (pending !== undefined) created.set(keyOf(written), { ...pending, object: written });
      for (const informer of informers) informer.observeWrite(written);
      return written;
    },
  };
}

const keyOfObject = ({ metadata: { name, namespace } }: KubeObject) => ({
  name,
  ...(namespace !== undefined && { namespace }),
});

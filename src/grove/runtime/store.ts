/**
 * One kind as a controller sees it: the informer's cache with our own writes already in it, and the writes themselves.
 *
 * A cache lags behind. Without the overlay, a pass right after a create would create again, and a pass right after a
 * delete would count the pod as alive: expectations, but precise, since the objects themselves are there.
 */

import { isTerminating } from "../../api/kubernetes/core.ts";
import { controllerOf, type KubeObject, keyOf, type Resource } from "../../api/kubernetes/meta.ts";
import { formatTime } from "../../api/kubernetes/time.ts";
import type { Clock } from "../../clock.ts";
import { isNotFound } from "../../kube/api-error.ts";
import { Indexer, type IndexFunctions } from "../../kube/indexer.ts";
import type { Change, Informer } from "../../kube/informer.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import type { JsonPatchOperation } from "../actions.ts";

export interface Store<T extends KubeObject> {
  readonly synced: Promise<unknown>;
  hasSynced(): boolean;
  /** Why the kind cannot be read, as long as it never could. */
  failure(): string | undefined;
  get(namespace: string | undefined, name: string): T | undefined;
  list(): readonly T[];
  byIndex(index: string, value: string): readonly T[];
  onChange(listener: (change: Change<T>) => void): void;
  /** Changes that are not the answers to our own writes. */
  onForeignChange(listener: (change: Change<T>) => void): void;
  create(object: T): Promise<T>;
  /**
   * Gives the labels of `object` back to the one that has its name and its owner. Without them it is not found, and cannot be
   * made either. Does nothing where there is no such object.
   */
  relabel(object: T): Promise<void>;
  /** Only this very object, not one that was made again under its name. An object that is gone already is no error. */
  delete(object: T): Promise<void>;
  /** One request for all that the selector finds; `objects` are what it should find, and count as terminating from now on. */
  deleteAll(
    objects: readonly T[],
    selection: { readonly namespace: string; readonly labelSelector: string },
  ): Promise<void>;
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
  /** The server's answers to our writes, as long as they are newer than the cache; the oldest first. */
  const written = new Map<string, Written<T>>();
  /** Those of them that were created and that the cache does not have yet. */
  const unseen = new Indexer<T>(indexes);
  /** By uid. */
  const deleted = new Map<string, { readonly time: string; readonly atMs: number }>();

  const cached = (key: string): T | undefined => {
    for (const informer of informers) {
      const object = informer.getByKey(key);
      if (object !== undefined) return object;
    }
    return undefined;
  };
  /** The cached object, or our own newer version of it, as terminating when we deleted it. */
  const overlaid = (object: T): T => {
    const own = written.size === 0 ? undefined : written.get(keyOf(object))?.object;
    const latest = own !== undefined && isNewer(own, object) ? own : object;
    if (deleted.size === 0 || isTerminating(latest)) return latest;
    const deletion = deleted.get(latest.metadata.uid ?? "");
    if (deletion === undefined) return latest;
    return { ...latest, metadata: { ...latest.metadata, deletionTimestamp: deletion.time } };
  };
  const forget = (key: string): void => {
    written.delete(key);
    unseen.delete(key);
  };
  const expire = (): void => {
    const beforeMs = clock.monotonicMs() - OVERLAY_EXPIRY_MS;
    for (const [key, { atMs }] of written) {
      if (atMs >= beforeMs) break;
      forget(key);
    }
    for (const [uid, { atMs }] of deleted) {
      if (atMs >= beforeMs) break;
      deleted.delete(uid);
    }
  };
  const remember = (object: T, created: boolean): void => {
    const key = keyOf(object);
    const known = cached(key);
    if (known !== undefined && !isNewer(object, known)) return;
    const before = written.get(key);
    const isCreated = created || (before?.created === true && before.object.metadata.uid === object.metadata.uid);
    // To the end of the line.
    written.delete(key);
    written.set(key, { object, created: isCreated, atMs: clock.monotonicMs() });
    if (isCreated && known === undefined) unseen.put(object);
  };

  const foreignListeners: ((change: Change<T>) => void)[] = [];
  const markDeleted = (object: T): void => {
    const { uid } = object.metadata;
    const known = cached(keyOf(object));
    if (known === undefined) forget(keyOf(object));
    else if (uid !== undefined && !isTerminating(known)) {
      deleted.set(uid, { time: formatTime(clock.nowMs()), atMs: clock.monotonicMs() });
    }
  };

  for (const informer of informers) {
    informer.onChange((change) => {
      const { before, after } = change;
      const object = after ?? before;
      if (object === undefined) return;
      const key = keyOf(object);
      const own = written.get(key)?.object;
      unseen.delete(key);
      if (own === undefined || after === undefined || isNewer(after, own)) {
        for (const listener of foreignListeners) listener(change);
      }
      if (own !== undefined && (after === undefined || !isNewer(own, after))) written.delete(key);
      if (after === undefined || isTerminating(after)) deleted.delete(object.metadata.uid ?? "");
    });
  }

  return {
    synced: Promise.all(informers.map(({ synced }) => synced)),
    failure() {
      for (const { failure } of informers) if (failure() !== undefined) return failure();
      return undefined;
    },
    hasSynced: () => informers.every(({ hasSynced }) => hasSynced()),
    get(namespace, name) {
      const key = keyOf({ metadata: { name, ...(namespace !== undefined && { namespace }) } });
      const own = written.get(key);
      const object = cached(key) ?? (own?.created ? own.object : undefined);
      return object && overlaid(object);
    },
    list() {
      expire();
      return [...informers.flatMap((informer) => informer.list()), ...unseen.values()].map(overlaid);
    },
    byIndex(index, value) {
      expire();
      const hits = informers.flatMap((informer) => informer.byIndex(index, value));
      const mine = unseen.byIndex(index, value);
      return (mine.length === 0 ? hits : [...hits, ...mine]).map(overlaid);
    },
    onChange(listener) {
      for (const informer of informers) informer.onChange(listener);
    },
    onForeignChange(listener) {
      foreignListeners.push(listener);
    },
    async relabel(object) {
      const live = await api.get(resource, keyOfObject(object));
      const labels = Object.entries(object.metadata.labels ?? {}).filter(
        ([key, value]) => live.metadata.labels?.[key] !== value,
      );
      const owner = controllerOf(object)?.uid;
      if (labels.length === 0 || owner === undefined || controllerOf(live)?.uid !== owner) return;
      const { resourceVersion } = live.metadata;
      const patch = { metadata: { resourceVersion, labels: Object.fromEntries(labels) } };
      await api.patch(resource, keyOfObject(object), patch, { type: "merge" });
    },
    async create(object) {
      const stored = await api.create(resource, object);
      remember(stored, true);
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
      markDeleted(object);
    },
    async deleteAll(objects, selection) {
      await api.deleteCollection(resource, selection, { propagationPolicy: "Background" });
      for (const object of objects) markDeleted(object);
    },
    async patch(object, patch, subresource) {
      const answer = await api.patch(resource, keyOfObject(object), patch, {
        type: Array.isArray(patch) ? "json" : "merge",
        ...(subresource !== undefined && { subresource }),
      });
      remember(answer, false);
      return answer;
    },
  };
}

interface Written<T> {
  readonly object: T;
  /** Shown although the cache does not have it yet. */
  readonly created: boolean;
  readonly atMs: number;
}

/** Of the same object; resource versions of one resource are comparable as integers (KEP-5504). */
function isNewer(object: KubeObject, than: KubeObject): boolean {
  if (object.metadata.uid !== than.metadata.uid) return false;
  const [a, b] = [object.metadata.resourceVersion ?? "0", than.metadata.resourceVersion ?? "0"];
  // As whole numbers of any size, without making them: this is asked for every object of every pass.
  return a.length === b.length ? a > b : a.length > b.length;
}

const keyOfObject = ({ metadata: { name, namespace } }: KubeObject) => ({
  name,
  ...(namespace !== undefined && { namespace }),
});

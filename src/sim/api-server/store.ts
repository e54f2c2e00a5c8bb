/**
 * The embedded server's etcd: objects by collection, one resource version for all of them, and a bounded history that
 * watches start from. Purely in memory and synchronous; a commit tells every watcher before it returns.
 */
import { keyOf, type ObjectKey } from "../../api/kubernetes/meta.ts";
import type { ApiError } from "../../kube/api-error.ts";
import { expired } from "./failure.ts";
import type { StoredObject } from "./json.ts";
import type { Matcher } from "./selectors.ts";

/** One change. `version` is the resource version it happened at; `object` of a deletion carries it too. */
export interface Change {
  readonly collection: string;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: StoredObject;
  readonly previous?: StoredObject;
  readonly version: number;
}

export interface WatchEventOfStore {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: StoredObject;
}

export interface Subscription {
  readonly namespace?: string | undefined;
  readonly matches?: Matcher | undefined;
  /** Changes after this version are delivered. */
  readonly fromVersion: number;
  onEvent(event: WatchEventOfStore): void;
  /** The subscription is over: by `disconnectWatches`, or because the kind is no longer served. */
  onClose(error?: ApiError): void;
}

export interface StoreOptions {
  /** Changes kept per collection. 20,000 changes of 5 kB pods share most of their parts: some 30 MB. */
  readonly historyLength?: number;
}

interface Collection {
  readonly objects: Map<string, StoredObject>;
  /** Keys in etcd's order; undefined after an insertion. */
  sortedKeys: string[] | undefined;
  history: Change[];
  /** Changes up to this version have been forgotten. */
  forgottenVersion: number;
  readonly subscriptions: Set<Subscription>;
}

export class Store {
  readonly #collections = new Map<string, Collection>();
  readonly #listeners: ((change: Change) => void)[] = [];
  readonly #historyLength: number;
  #version = 1;
  #compactedVersion = 0;

  constructor({ historyLength = 20_000 }: StoreOptions = {}) {
    this.#historyLength = historyLength;
  }

  get version(): number {
    return this.#version;
  }

  get(collection: string, key: ObjectKey): StoredObject | undefined {
    return this.#collections.get(collection)?.objects.get(storeKey(key));
  }

  /** Objects in key order; all namespaces when none is given. */
  list(collection: string, namespace?: string, matches?: Matcher): StoredObject[] {
    const found = this.#collections.get(collection);
    if (found === undefined) return [];
    found.sortedKeys ??= [...found.objects.keys()].sort();
    const prefix = namespace === undefined ? "" : `${namespace}/`;
    const keys = found.sortedKeys;
    const result: StoredObject[] = [];
    for (let index = prefix === "" ? 0 : lowerBound(keys, prefix); index < keys.length; index++) {
      const key = keys[index]!;
      if (!key.startsWith(prefix)) break;
      const object = found.objects.get(key)!;
      if (matches === undefined || matches(object)) result.push(object);
    }
    return result;
  }

  /** The list as it was at `version`, by undoing what happened since. @throws ApiError 410 when that is forgotten */
  listAt(collection: string, version: number, namespace?: string, matches?: Matcher): StoredObject[] {
    if (version >= this.#version) return this.list(collection, namespace, matches);
    this.checkVersion(collection, version);
    const { objects, history } = this.#collection(collection);
    const past = new Map(objects);
    for (let index = history.length - 1; index >= 0 && history[index]!.version > version; index--) {
      const { object, previous } = history[index]!;
      if (previous === undefined) past.delete(keyOf(object));
      else past.set(keyOf(object), previous);
    }
    return [...past.keys()]
      .sort()
      .map((key) => past.get(key)!)
      .filter(
        (object) =>
          (namespace === undefined || object.metadata.namespace === namespace) &&
          (matches === undefined || matches(object)),
      );
  }

  count(collection: string): number {
    return this.#collections.get(collection)?.objects.size ?? 0;
  }

  /** Stores the object under a fresh resource version and returns it as stored. */
  put(collection: string, object: StoredObject): StoredObject {
    const target = this.#collection(collection);
    const key = keyOf(object);
    const previous = target.objects.get(key);
    const stored = this.#stamp(object);
    target.objects.set(key, stored);
    if (previous === undefined) target.sortedKeys = undefined;
    this.#commit(target, {
      collection,
      type: previous === undefined ? "ADDED" : "MODIFIED",
      object: stored,
      ...(previous && { previous }),
      version: this.#version,
    });
    return stored;
  }

  remove(collection: string, object: StoredObject): StoredObject {
    const target = this.#collection(collection);
    const key = keyOf(object);
    const previous = target.objects.get(key);
    if (previous === undefined) return object;
    target.objects.delete(key);
    target.sortedKeys = undefined;
    const last = this.#stamp(object);
    this.#commit(target, { collection, type: "DELETED", object: last, previous, version: this.#version });
    return last;
  }

  /**
   * Delivers changes from `fromVersion` on, the past ones before this returns.
   * @returns what ends the subscription without a call of `onClose`
   * @throws ApiError 410 when that part of the past is forgotten
   */
  subscribe(collection: string, subscription: Subscription): () => void {
    const target = this.#collection(collection);
    this.checkVersion(collection, subscription.fromVersion);
    for (let index = after(target.history, subscription.fromVersion); index < target.history.length; index++) {
      deliver(subscription, target.history[index]!);
    }
    target.subscriptions.add(subscription);
    return () => target.subscriptions.delete(subscription);
  }

  /** @throws ApiError 410 when changes after `version` can no longer be told */
  checkVersion(collection: string, version: number): void {
    const forgotten = Math.max(this.#collection(collection).forgottenVersion, this.#compactedVersion);
    if (version < forgotten) throw expired(`too old resource version: ${version} (${forgotten})`);
  }

  /** Called after every change, in the order of the calls. */
  onChange(listener: (change: Change) => void): void {
    this.#listeners.push(listener);
  }

  /** Forgets all history, as etcd's compaction does: who asks for an older version gets 410. */
  compact(): void {
    this.#compactedVersion = this.#version;
    for (const collection of this.#collections.values()) collection.history = [];
  }

  get compactedVersion(): number {
    return this.#compactedVersion;
  }

  /** Ends all watches, or those of one collection. */
  closeSubscriptions(collection?: string, error?: ApiError): void {
    for (const [name, target] of this.#collections) {
      if (collection !== undefined && name !== collection) continue;
      const open = [...target.subscriptions];
      target.subscriptions.clear();
      for (const subscription of open) subscription.onClose(error);
    }
  }

  #collection(name: string): Collection {
    let found = this.#collections.get(name);
    if (found === undefined) {
      found = { objects: new Map(), sortedKeys: [], history: [], forgottenVersion: 0, subscriptions: new Set() };
      this.#collections.set(name, found);
    }
    return found;
  }

  #stamp(object: StoredObject): StoredObject {
    this.#version++;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
  }

  #commit(target: Collection, change: Change): void {
    target.history.push(change);
    if (target.history.length > 2 * this.#historyLength) {
      target.forgottenVersion = target.history[this.#historyLength - 1]!.version;
      target.history = target.history.slice(this.#historyLength);
    }
    for (const subscription of target.subscriptions) deliver(subscription, change);
    for (const listener of this.#listeners) listener(change);
  }
}

/** A change as one watcher sees it: an object that enters or leaves the selection is added or deleted for it. */
function deliver(subscription: Subscription, { type, object, previous, version }: Change): void {
  const { namespace, matches } = subscription;
  if (namespace !== undefined && object.metadata.namespace !== namespace) return;
  if (matches === undefined) {
    subscription.onEvent({ type, object });
    return;
  }
  const isIn = type !== "DELETED" && matches(object);
  const wasIn = previous !== undefined && matches(previous);
  if (isIn) subscription.onEvent({ type: wasIn ? "MODIFIED" : "ADDED", object });
  else if (wasIn) {
    const last = type === "DELETED" ? object : previous;
    subscription.onEvent({
      type: "DELETED",
      object: { ...last, metadata: { ...last.metadata, resourceVersion: String(version) } },
    });
  }
}

const storeKey = ({ namespace, name }: ObjectKey): string => (namespace === undefined ? name : `${namespace}/${name}`);

/** Index of the first change after `version`. */
function after(history: readonly Change[], version: number): number {
  let low = 0;
  let high = history.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (history[middle]!.version > version) high = middle;
    else low = middle + 1;
  }
  return low;
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

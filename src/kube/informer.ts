/** A shared cache of one resource with indexes: what controllers read instead of asking the API server. */
import { type KubeObject, keyOf, type Resource } from "../api/kubernetes/meta.ts";
import { type Logger, silentLogger } from "../log.ts";
import { Indexer, type IndexFunctions } from "./indexer.ts";
import { type ReflectorOptions, runReflector } from "./reflector.ts";
import { noRuntimeMetrics, type RuntimeMetrics } from "./runtime-metrics.ts";

/** `before` absent: added. `after` absent: deleted. */
export interface Change<T> {
  readonly before?: T;
  readonly after?: T;
}

export interface InformerOptions<T extends KubeObject> extends Omit<ReflectorOptions, "log" | "metrics"> {
  readonly resource: Resource<T>;
  readonly log?: Logger;
  readonly metrics?: RuntimeMetrics;
  /** Named key functions, e.g. `{ owner: (pod) => [uid] }`. */
  readonly indexes?: IndexFunctions<T>;
  /**
   * What of an object is kept. Default: all but `managedFields`, which no controller reads.
   *
   * @param before what is kept of its last version, where `object` came after it: parts that are equal can be kept once
   */
  readonly project?: (object: T, before?: T) => T;
}

export interface Informer<T extends KubeObject> {
  readonly resource: Resource<T>;
  /** Resolves after the first full list. */
  readonly synced: Promise<void>;
  /** Resolves when the first list has been tried, whatever came of it: for kinds that may not be served, or not be ours to read. */
  readonly attempted: Promise<void>;
  readonly hasSynced: () => boolean;
  /** Why the first full list is not there yet, once it has been tried. */
  readonly failure: () => string | undefined;
  get(namespace: string | undefined, name: string): T | undefined;
  /** By `namespace/name` (or the bare name of a cluster-scoped object). */
  getByKey(key: string): T | undefined;
  list(): readonly T[];
  /** How many objects there are, without a list of them. */
  count(): number;
  byIndex(index: string, value: string): readonly T[];
  /** Called after the cache holds the change; an exception in a listener is logged and goes no further. */
  onChange(listener: (change: Change<T>) => void): void;
  /**
   * Puts the server's answer to our own write into the cache at once, unless the cache is already newer,
   * so that the next reconcile does not act on what it has itself just changed.
   */
  observeWrite(object: T): void;
}

/** Starts following at once and until `options.signal` aborts. */
export function startInformer<T extends KubeObject>(options: InformerOptions<T>): Informer<T> {
  const { resource, log = silentLogger, metrics = noRuntimeMetrics, project = withoutManagedFields } = options;
  const store = new Indexer<T>(options.indexes ?? {});
  const listeners: ((change: Change<T>) => void)[] = [];
  let isSynced = false;
  let failure: string | undefined;
  let markSynced: () => void = () => undefined;
  const synced = new Promise<void>((resolve) => {
    markSynced = resolve;
  });
  let markAttempted: () => void = () => undefined;
  const attempted = new Promise<void>((resolve) => {
    markAttempted = resolve;
  });

  const notify = (change: Change<T>): void => {
    for (const listener of listeners) {
      try {
        listener(change);
      } catch (error) {
        log.error({ resource: resource.plural, error: String(error) }, "informer listener failed");
      }
    }
  };
  const put = (after: T): void => {
    const before = store.put(after);
    if (before === undefined) notify({ after });
    else if (before.metadata.resourceVersion !== after.metadata.resourceVersion) notify({ before, after });
  };
  /** An event that was under way while we put our own newer write into the cache must not bring the older object back. */
  const putEvent = (raw: T): void => {
    const cached = store.get(keyOf(raw));
    if (cached !== undefined && cached.metadata.uid === raw.metadata.uid && isNewer(cached, raw)) return;
    put(project(raw, versionBefore(raw, cached)));
  };
  const remove = (key: string, last?: T): void => {
    const before = store.delete(key);
    if (before !== undefined) notify({ before: last ?? before });
  };

  void runReflector(
    resource,
    {
      keep: (object) => project(object),
      // What a list says is what is, even with versions that went back, as after a restore of etcd.
      replace(objects) {
        const gone = new Set(store.keys());
        for (const object of objects) {
          gone.delete(keyOf(object));
          put(object);
        }
        for (const key of gone) remove(key);
        isSynced = true;
        failure = undefined;
        markSynced();
        markAttempted();
      },
      put: putEvent,
      remove: (object) => remove(keyOf(object), project(object)),
      failed(error) {
        if (!isSynced) failure = error instanceof Error ? error.message : String(error);
        markAttempted();
      },
    },
    { ...options, log, metrics },
  );

  return {
    resource,
    synced,
    attempted,
    hasSynced: () => isSynced,
    failure: () => failure,
    get: (namespace, name) => store.get(namespace === undefined ? name : `${namespace}/${name}`),
    getByKey: (key) => store.get(key),
    list: () => store.values(),
    count: () => store.size,
    byIndex: (index, value) => store.byIndex(index, value),
    onChange(listener) {
      listeners.push(listener);
    },
    observeWrite(object) {
      const cached = store.get(keyOf(object));
      // An object that is gone from the cache may have been deleted after our write: only the watch may add it.
      if (cached === undefined || cached.metadata.uid !== object.metadata.uid) return;
      if (isNewer(object, cached)) put(project(object, cached));
    },
  };
}

const versionBefore = <T extends KubeObject>(object: T, cached: T | undefined): T | undefined =>
  cached?.metadata.uid === object.metadata.uid ? cached : undefined;

/**
 * Resource versions are comparable as integers within one resource (KEP-5504 makes official what all servers do).
 */
function isNewer(object: KubeObject, than: KubeObject): boolean {
  return BigInt(object.metadata.resourceVersion ?? "0") > BigInt(than.metadata.resourceVersion ?? "0");
}

function withoutManagedFields<T extends KubeObject>(object: T): T {
  if (object.metadata.managedFields === undefined) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

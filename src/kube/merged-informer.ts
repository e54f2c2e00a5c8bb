/** One resource in several namespaces, followed by one informer each and read as one. */
import type { KubeObject } from "../api/kubernetes/meta.ts";
import type { Informer } from "./informer.ts";

/** @param informers of the same resource with the same indexes, for different namespaces; at least one */
export function mergeInformers<T extends KubeObject>(informers: readonly Informer<T>[]): Informer<T> {
  const [first] = informers;
  if (first === undefined) throw new TypeError("there must be at least one informer");
  if (informers.length === 1) return first;
  const firstHit = (look: (informer: Informer<T>) => T | undefined): T | undefined => {
    for (const informer of informers) {
      const object = look(informer);
      if (object !== undefined) return object;
    }
    return undefined;
  };
  return {
    resource: first.resource,
    synced: Promise.all(informers.map(({ synced }) => synced)).then(() => undefined),
    attempted: Promise.all(informers.map(({ attempted }) => attempted)).then(() => undefined),
    hasSynced: () => informers.every((informer) => informer.hasSynced()),
    failure: () => informers.map(({ failure }) => failure()).find((failure) => failure !== undefined),
    get: (namespace, name) => firstHit((informer) => informer.get(namespace, name)),
    getByKey: (key) => firstHit((informer) => informer.getByKey(key)),
    list: () => informers.flatMap((informer) => informer.list()),
    count: () => informers.reduce((sum, informer) => sum + informer.count(), 0),
    byIndex: (index, value) => informers.flatMap((informer) => informer.byIndex(index, value)),
    onChange(listener) {
      for (const informer of informers) informer.onChange(listener);
    },
    // Only the informer that has the object takes it.
    observeWrite(object) {
      for (const informer of informers) informer.observeWrite(object);
    },
  };
}

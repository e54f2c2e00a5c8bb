/**
 * A store of a kind that most clusters have no use for, or do not serve: it is followed from the first question on. Until then it costs nothing and needs no rights.
 */
import type { KubeObject } from "../../api/kubernetes/meta.ts";
import type { Change } from "../../kube/informer.ts";
import type { Store } from "./store.ts";

export function onDemand<T extends KubeObject>(start: () => Store<T>): Store<T> {
  const listeners: ((change: Change<T>) => void)[] = [];
  const foreignListeners: ((change: Change<T>) => void)[] = [];
  let started: Store<T> | undefined;
  let markSynced: () => void = () => undefined;
  const synced = new Promise<void>((resolve) => {
    markSynced = resolve;
  });
  const store = (): Store<T> => {
    if (started === undefined) {
      started = start();
      for (const listener of listeners) started.onChange(listener);
      for (const listener of foreignListeners) started.onForeignChange(listener);
      void started.synced.then(markSynced);
    }
    return started;
  };
  return {
    synced,
    hasSynced: () => store().hasSynced(),
    failure: () => store().failure(),
    get: (namespace, name) => store().get(namespace, name),
    list: () => store().list(),
    byIndex: (index, value) => store().byIndex(index, value),
    onChange(listener) {
      listeners.push(listener);
      started?.onChange(listener);
    },
    onForeignChange(listener) {
      foreignListeners.push(listener);
      started?.onForeignChange(listener);
    },
    relabel: (object) => store().relabel(object),
    create: (object) => store().create(object),
    delete: (object) => store().delete(object),
    deleteAll: (objects, selection) => store().deleteAll(objects, selection),
    patch: (object, patch, subresource) => store().patch(object, patch, subresource),
  };
}

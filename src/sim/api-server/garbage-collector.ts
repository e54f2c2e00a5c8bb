/**
 * Owner garbage collection: what the garbage collector of kube-controller-manager does, driven by an index of owners.
 *
 * Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/ and pkg/controller/garbagecollector.
 */
import type { ObjectKey, OwnerReference } from "../../api/kubernetes/meta.ts";
import { type Core, SYSTEM_REQUEST } from "./core.ts";
import { deleteObject } from "./deletion.ts";
import type { StoredObject } from "./json.ts";
import type { Kind } from "./kind.ts";
import type { Change } from "./store.ts";
import { withMeta, write } from "./writes.ts";

const ORPHAN = "orphan";
const FOREGROUND = "foregroundDeletion";

/** Where an object is: enough to find its latest state. */
interface Place {
  readonly collection: string;
  readonly key: ObjectKey;
  readonly uid: string;
}

/** Starts collecting. Work runs in a microtask after the change that asked for it, so it takes no time of any clock. */
export function startGarbageCollector(core: Core): void {
  const { store, kinds } = core;
  const places = new Map<string, Place>();
  /** Owner uid to the uids of what it owns. */
  const dependents = new Map<string, Set<string>>();
  const queue = new Set<string>();
  let scheduled = false;

  const live = (uid: string): StoredObject | undefined => {
    const place = places.get(uid);
    const object = place && store.get(place.collection, place.key);
    return object?.metadata.uid === uid ? object : undefined;
  };
  const kindOf = (object: StoredObject): Kind | undefined => kinds.findKind(object.apiVersion, object.kind);

  const enqueue = (uid: string): void => {
    queue.add(uid);
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(run);
  };

  const run = (): void => {
    scheduled = false;
    for (const uid of queue) {
      queue.delete(uid);
      const object = live(uid);
      if (object !== undefined) collect(object);
    }
  };

  store.onChange((change) => {
    index(change);
    const { object, previous, type } = change;
    const uid = object.metadata.uid!;
    if (type === "DELETED") {
      for (const dependent of dependents.get(uid) ?? []) enqueue(dependent);
      for (const owner of object.metadata.ownerReferences ?? []) enqueue(owner.uid);
      return;
    }
    const { ownerReferences, deletionTimestamp } = object.metadata;
    if (ownerReferences !== undefined && ownerReferences !== previous?.metadata.ownerReferences) enqueue(uid);
    if (deletionTimestamp !== undefined && previous?.metadata.deletionTimestamp === undefined) {
      enqueue(uid);
      if (object.metadata.finalizers?.includes(FOREGROUND)) {
        for (const dependent of dependents.get(uid) ?? []) enqueue(dependent);
      }
    }
    // A dependent that lets go, or no longer blocks, may set an owner free.
    for (const owner of previous?.metadata.ownerReferences ?? []) {
      if (ownerReferences !== previous?.metadata.ownerReferences) enqueue(owner.uid);
    }
  });

  function index({ collection, type, object, previous }: Change): void {
    const { uid, namespace, name, ownerReferences } = object.metadata;
    if (uid === undefined) return;
    if (previous !== undefined && previous.metadata.ownerReferences !== ownerReferences) {
      for (const owner of previous.metadata.ownerReferences ?? []) forget(owner.uid, uid);
    }
    if (type === "DELETED") {
      for (const owner of ownerReferences ?? []) forget(owner.uid, uid);
      places.delete(uid);
      return;
    }
    places.set(uid, { collection, key: namespace === undefined ? { name } : { namespace, name }, uid });
    for (const owner of ownerReferences ?? []) {
      const owned = dependents.get(owner.uid);
      if (owned === undefined) dependents.set(owner.uid, new Set([uid]));
      else owned.add(uid);
    }
  }

  function forget(owner: string, dependent: string): void {
    const owned = dependents.get(owner);
    owned?.delete(dependent);
    if (owned?.size === 0) dependents.delete(owner);
  }

  function collect(object: StoredObject): void {
    const kind = kindOf(object);
    if (kind === undefined) return;
    const { deletionTimestamp, finalizers = [] } = object.metadata;
    if (deletionTimestamp !== undefined) {
      if (finalizers.includes(ORPHAN)) orphanDependents(kind, object);
      else if (finalizers.includes(FOREGROUND)) finishForeground(kind, object);
      return;
    }
    settleOwners(kind, object);
  }

  /** Deletes the object when none of its owners is left to need it; drops references to those that are gone. */
  function settleOwners(kind: Kind, object: StoredObject): void {
    const owners = object.metadata.ownerReferences ?? [];
    if (owners.length === 0) return;
    const solid: OwnerReference[] = [];
    const waiting: OwnerReference[] = [];
    for (const owner of owners) {
      const found = ownerOf(object, owner);
      if (found === undefined) continue;
      const isWaiting =
        found.metadata.deletionTimestamp !== undefined && found.metadata.finalizers?.includes(FOREGROUND);
      (isWaiting ? waiting : solid).push(owner);
    }
    if (solid.length === owners.length) return;
    if (solid.length > 0) {
      write(core, kind, object, withMeta(object, { ownerReferences: solid }), SYSTEM_REQUEST, undefined);
      return;
    }
    const hasDependents = (dependents.get(object.metadata.uid!)?.size ?? 0) > 0;
    const { namespace, name, uid, finalizers = [] } = object.metadata;
    const policy =
      waiting.length > 0 && hasDependents
        ? "Foreground"
        : finalizers.includes(ORPHAN)
          ? "Orphan"
          : finalizers.includes(FOREGROUND)
            ? "Foreground"
            : "Background";
    deleteObject(
      core,
      kind,
      namespace === undefined ? { name } : { namespace, name },
      { propagationPolicy: policy, preconditions: { uid: uid! } },
      SYSTEM_REQUEST,
    );
  }

  /** Owners are found by uid; one in another namespace does not count. */
  function ownerOf(object: StoredObject, owner: OwnerReference): StoredObject | undefined {
    const found = live(owner.uid);
    if (found === undefined || found.metadata.name !== owner.name) return undefined;
    const { namespace } = found.metadata;
    return namespace === undefined || namespace === object.metadata.namespace ? found : undefined;
  }

  function finishForeground(kind: Kind, owner: StoredObject): void {
    for (const uid of dependents.get(owner.metadata.uid!) ?? []) {
      const blocks = live(uid)?.metadata.ownerReferences?.some(
        (reference) => reference.uid === owner.metadata.uid && reference.blockOwnerDeletion === true,
      );
      if (blocks) return;
    }
    dropFinalizer(kind, owner, FOREGROUND);
  }

  function orphanDependents(kind: Kind, owner: StoredObject): void {
    for (const uid of [...(dependents.get(owner.metadata.uid!) ?? [])]) {
      const dependent = live(uid);
      const dependentKind = dependent && kindOf(dependent);
      if (dependent === undefined || dependentKind === undefined) continue;
      const ownerReferences = (dependent.metadata.ownerReferences ?? []).filter(
        (reference) => reference.uid !== owner.metadata.uid,
      );
      write(core, dependentKind, dependent, withMeta(dependent, { ownerReferences }), SYSTEM_REQUEST, undefined);
    }
    dropFinalizer(kind, owner, ORPHAN);
  }

  function dropFinalizer(kind: Kind, object: StoredObject, finalizer: string): void {
    const finalizers = (object.metadata.finalizers ?? []).filter((other) => other !== finalizer);
    write(core, kind, object, withMeta(object, { finalizers }), SYSTEM_REQUEST, undefined);
  }
}

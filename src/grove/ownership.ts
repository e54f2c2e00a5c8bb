/** Owner references: everything the operator makes is garbage-collected with what it was made for. */
import type { KubeObject, OwnerReference } from "../api/kubernetes/meta.ts";
import { controllerOf } from "../api/kubernetes/meta.ts";

export function ownedBy(owner: KubeObject): readonly OwnerReference[] {
  const { apiVersion, kind, metadata } = owner;
  if (metadata.uid === undefined) throw new TypeError(`${kind} ${metadata.name} has no uid: it was never stored`);
  return [{ apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true, blockOwnerDeletion: true }];
}

/** By uid: an owner that was deleted and made again under its name does not own the old children. */
export const isOwnedBy = (object: KubeObject, owner: KubeObject): boolean =>
  controllerOf(object)?.uid === owner.metadata.uid;

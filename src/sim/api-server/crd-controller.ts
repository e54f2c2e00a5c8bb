/** Puts the kinds of CustomResourceDefinitions in and out of service as the definitions come, change and go. */
import { CUSTOM_RESOURCE_DEFINITIONS, type CustomResourceDefinition } from "../../api/kubernetes/core.ts";
import { formatTime } from "../../api/kubernetes/time.ts";
import { type Core, SYSTEM_REQUEST } from "./core.ts";
import { customKinds } from "./custom-kinds.ts";
import type { StoredObject } from "./json.ts";
import type { Kind } from "./kind.ts";
import { updateObject } from "./writes.ts";

/**
 * Kinds are served from the change on, synchronously; the Established condition follows in a microtask.
 * A real server needs up to seconds for both, so clients wait for the condition anyway.
 */
export function startCrdController(core: Core): void {
  const { store, kinds, clock } = core;
  const served = new Map<string, readonly Kind[]>();

  store.onChange(({ collection, type, object, previous }) => {
    if (collection !== CRD_COLLECTION) return;
    const { name } = object.metadata;
    const before = served.get(name) ?? [];
    if (type === "DELETED") {
      for (const kind of before) kinds.remove(kind);
      served.delete(name);
      const [first] = before;
      if (first !== undefined) {
        for (const instance of store.list(first.collection)) store.remove(first.collection, instance);
        store.closeSubscriptions(first.collection);
      }
      return;
    }
    if (previous !== undefined && previous["spec"] === object["spec"]) return;
    for (const kind of before) kinds.remove(kind);
    const next = customKinds(object as unknown as CustomResourceDefinition);
    for (const kind of next) kinds.add(kind);
    served.set(name, next);
    queueMicrotask(() => establish(name));
  });

  function establish(name: string): void {
    const crd = store.get(CRD_COLLECTION, { name });
    if (crd === undefined || crd.metadata.deletionTimestamp !== undefined) return;
    const { spec } = crd as unknown as CustomResourceDefinition;
    const condition = (type: string, reason: string, message: string) => ({
      type,
      status: "True",
      reason,
      message,
      lastTransitionTime: formatTime(clock.nowMs()),
    });
    const old = crd["status"] as CustomResourceDefinition["status"];
    const status = {
      acceptedNames: spec.names,
      conditions: old?.conditions ?? [
        condition("NamesAccepted", "NoConflicts", "no conflicts found"),
        condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
      ],
      storedVersions: spec.versions.filter(({ storage }) => storage).map((version) => version.name),
    };
    const kind = kinds.find(CUSTOM_RESOURCE_DEFINITIONS)!;
    updateObject(core, kind, { name }, { ...crd, status } as StoredObject, SYSTEM_REQUEST, "status");
  }
}

export const CRD_COLLECTION = "apiextensions.k8s.io/customresourcedefinitions";

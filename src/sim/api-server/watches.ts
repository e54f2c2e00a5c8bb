/** WATCH: the past from a version on, or the present state first, then every change. */
import type { ApiError } from "../../kube/api-error.ts";
import { asVersion, type Core } from "./core.ts";
import type { StoredObject } from "./json.ts";
import type { Kind } from "./kind.ts";
import { type ListQuery, matcherOf, parseVersion } from "./reads.ts";

export interface WatchQuery
  extends Pick<ListQuery, "namespace" | "labelSelector" | "fieldSelector" | "resourceVersion"> {
  /** KEP-3157: the state first whatever the version, and a marked bookmark after it. */
  readonly sendInitialEvents?: boolean | undefined;
}

export interface WatchHandlers {
  onEvent(type: "ADDED" | "MODIFIED" | "DELETED", object: StoredObject): void;
  /** All events of the present state have been delivered; `version` is what they show. */
  onInitialEventsEnd?(version: string): void;
  onClose(error?: ApiError): void;
}

/**
 * Starts a watch. With no version, or "0", every present object is first delivered as ADDED.
 * @returns what ends the watch without a call of `onClose`
 * @throws ApiError 410 when the version is too old
 */
export function openWatch(core: Core, kind: Kind, query: WatchQuery, handlers: WatchHandlers): () => void {
  const { store } = core;
  const matches = matcherOf(kind, query);
  const { namespace, resourceVersion = "" } = query;
  const isUnversioned = resourceVersion === "" || resourceVersion === "0";
  const isFresh = query.sendInitialEvents ?? isUnversioned;
  const fromVersion = isFresh || isUnversioned ? store.version : parseVersion(resourceVersion);
  if (isFresh) {
    for (const object of store.list(kind.collection, namespace, matches)) {
      handlers.onEvent("ADDED", asVersion(kind, object));
    }
    if (query.sendInitialEvents === true) handlers.onInitialEventsEnd?.(String(fromVersion));
  }
  return store.subscribe(kind.collection, {
    namespace,
    matches,
    fromVersion,
    onEvent: ({ type, object }) => handlers.onEvent(type, asVersion(kind, object)),
    onClose: (error) => handlers.onClose(error),
  });
}

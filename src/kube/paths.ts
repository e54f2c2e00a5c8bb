import type { ObjectKey, Resource } from "../api/kubernetes/meta.ts";
import type { ListOptions, WatchOptions } from "./kube-api.ts";

/** `/api/v1/namespaces/x/pods`, `/apis/grove.io/v1alpha1/podcliques`. */
export function collectionPath(resource: Resource, namespace?: string): string {
  const root = resource.group === "" ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const scope = resource.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  return `${root}${scope}/${resource.plural}`;
}

export function objectPath(resource: Resource, { namespace, name }: ObjectKey, subresource?: string): string {
  if (resource.namespaced && namespace === undefined) {
    throw new TypeError(`${resource.plural} "${name}" needs a namespace`);
  }
  const suffix = subresource === undefined ? "" : `/${subresource}`;
  return `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}${suffix}`;
}

/** Query parameters of a list; absent options are left out. */
export function listQuery(options: Omit<ListOptions, "namespace">): Record<string, string> {
  return compact({ ...options, limit: options.limit?.toString() });
}

export function watchQuery(options: WatchOptions): Record<string, string> {
  const { labelSelector, fieldSelector, resourceVersion, timeoutSeconds } = options;
  return compact({
    watch: "true",
    allowWatchBookmarks: "true",
    labelSelector,
    fieldSelector,
    resourceVersion,
    timeoutSeconds: timeoutSeconds?.toString(),
  });
}

export function compact(query: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(query)) if (value !== undefined) kept[name] = value;
  return kept;
}

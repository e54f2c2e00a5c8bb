/** Finds an object by the name that a person typed, and says which there are when there is none of that name. */
import { SCALING_POLICIES, type ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { KubeObject, Resource } from "../api/kubernetes/meta.ts";
import { isNotFound, isUnknownResource } from "../kube/api-error.ts";
import type { KubeApi } from "../kube/kube-api.ts";
import type { Cluster } from "./cluster.ts";
import { UsageError } from "./errors.ts";

/** Names that fit in one line. */
const MAX_NAMES = 8;

export const findPolicy = (cluster: Pick<Cluster, "api" | "namespace">, name: string): Promise<ScalingPolicy> =>
  findObject(cluster, SCALING_POLICIES, name);

/** @throws UsageError naming those that exist */
export async function findObject<T extends KubeObject>(
  { api, namespace }: Pick<Cluster, "api" | "namespace">,
  resource: Resource<T>,
  name: string,
): Promise<T> {
  const key = resource.namespaced ? { namespace, name } : { name };
  try {
    return await api.get(resource, key);
  } catch (error) {
    if (!isNotFound(error) || isUnknownResource(error)) throw error;
    throw new UsageError(await notFoundMessage(api, resource, key));
  }
}

async function notFoundMessage(
  api: KubeApi,
  resource: Resource,
  { namespace, name }: { readonly namespace?: string; readonly name: string },
): Promise<string> {
  const here = namespace === undefined ? "" : ` in namespace ${namespace}`;
  const start = `there is no ${resource.kind} "${name}"${here}`;
  const { items } = await api.list(resource, namespace === undefined ? {} : { namespace });
  if (items.length > 0)
    return `${start}; there are: ${someNames(
      items.map(({ metadata }) => metadata.name),
      name,
    )}`;
  if (namespace === undefined) return `${start}; there are none at all`;
  // The usual mistake is the namespace. Who may not look elsewhere is told what is known.
  const elsewhere = await api.list(resource).then(
    (all) => all.items.map(({ metadata }) => `-n ${metadata.namespace} ${metadata.name}`),
    () => [],
  );
  if (elsewhere.length === 0) return `${start}, nor any other`;
  return `${start}, nor any other; elsewhere: ${someNames(elsewhere, name)}`;
}

/** Likely ones first, as many as fit in one line. */
export function someNames(names: readonly string[], typed: string): string {
  const sorted = names.toSorted((a, b) => distance(a, typed) - distance(b, typed) || (a < b ? -1 : 1));
  const more = sorted.length - MAX_NAMES;
  return more <= 0 ? sorted.join(", ") : `${sorted.slice(0, MAX_NAMES).join(", ")} and ${more} more`;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

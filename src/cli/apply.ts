/** Server-side apply of manifests, as `kubectl apply --server-side` does it. */
import { CONFIG_MAPS, NAMESPACES } from "../api/kubernetes/core.ts";
import { apiVersionOf, type KubeObject, type Resource } from "../api/kubernetes/meta.ts";
import { ApiError } from "../kube/api-error.ts";
import type { KubeApi } from "../kube/kube-api.ts";
import { CommandError, UsageError } from "./errors.ts";
import { resourceOf } from "./manifests.ts";

const BUILT_IN: readonly Resource[] = [NAMESPACES, CONFIG_MAPS];

export async function applyObject<T extends KubeObject>(
  api: KubeApi,
  object: T,
  fieldManager = "grove-autoscaler-cli",
): Promise<T> {
  const resource =
    resourceOf(object) ?? BUILT_IN.find((one) => one.kind === object.kind && apiVersionOf(one) === object.apiVersion);
  if (resource === undefined)
    throw new UsageError(`${object.apiVersion} ${object.kind} is no kind this command applies: use kubectl`);
  const { namespace = "default", name } = object.metadata;
  const key = resource.namespaced ? { namespace, name } : { name };
  const { status: _, ...desired } = object as T & { readonly status?: unknown };
  try {
    return (await api.patch(resource, key, desired, { type: "apply", fieldManager, force: true })) as T;
  } catch (error) {
    if (error instanceof ApiError) throw new CommandError(`${object.kind} ${name}: ${error.message}`);
    throw error;
  }
}

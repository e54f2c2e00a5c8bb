/** GPUs of a pod template, and of what the levels of a PodCliqueSet are made of. */
import type { Pod, PodSpec } from "../api/kubernetes/core.ts";
import { parseQuantity } from "../api/quantity.ts";

/** Extended resources that are whole GPUs. */
export const GPU_RESOURCES = ["nvidia.com/gpu", "amd.com/gpu", "gpu.intel.com/xe", "gpu.intel.com/i915"] as const;

/**
 * GPUs that one pod holds while it runs.
 * @returns undefined when it asks for devices through a resource claim: how many that are is not in the template, and a budget fails closed on it
 */
export function gpusOfPod(spec: Pick<PodSpec, "containers" | "initContainers" | "resourceClaims">): number | undefined {
  if ((spec.resourceClaims?.length ?? 0) > 0) return undefined;
  const main = spec.containers.reduce((sum, container) => sum + gpusOfContainer(container), 0);
  const init = Math.max(0, ...(spec.initContainers ?? []).map(gpusOfContainer));
  return Math.max(main, init);
}

function gpusOfContainer({ resources }: Pod["spec"]["containers"][number]): number {
  return GPU_RESOURCES.reduce((sum, name) => {
    const quantity = resources?.limits?.[name] ?? resources?.requests?.[name];
    return sum + (quantity === undefined ? 0 : (parseQuantity(quantity) ?? 0));
  }, 0);
}

/** GPUs that pods hold. Pure. */
import type { Pod } from "../api/kubernetes/core.ts";
import { gpusOfPod, type TemplateGpus } from "./gpu-cost.ts";

/** What pods hold on their nodes, those on their way out included. */
export function heldGpus(pods: readonly Pod[], templateGpus: TemplateGpus): number {
  return pods.reduce(
    (sum, { metadata, spec, status }) =>
      status?.phase === "Succeeded" || status?.phase === "Failed"
        ? sum
        : sum + (gpusOfPod(spec, metadata.namespace ?? "default", templateGpus) ?? 0),
    0,
  );
}

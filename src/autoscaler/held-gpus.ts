/** GPUs that pods hold. Pure. */
import type { Pod } from "../api/kubernetes/core.ts";
import { gpusOfPod } from "./gpu-cost.ts";

/** What pods hold on their nodes, those on their way out included. */
export function heldGpus(pods: readonly Pod[]): number {
  return pods.reduce(
    (sum, { spec, status }) =>
      status?.phase === "Succeeded" || status?.phase === "Failed" ? sum : sum + (gpusOfPod(spec) ?? 0),
    0,
  );
}

/** Which object of Grove another autoscaler scales. Pure. */
import { POD_CLIQUES } from "../api/grove/pod-clique.ts";
import type { KedaScaledObject } from "../api/keda/scaled-object.ts";
import type { HorizontalPodAutoscaler } from "../api/kubernetes/core.ts";

/** @returns `namespace/kind/name`, or nothing for one that scales what is not Grove's; objects of others may lack anything */
export function scaledBy({ metadata, spec }: HorizontalPodAutoscaler | KedaScaledObject): readonly string[] {
  const {
    apiVersion = "",
    kind = "",
    name,
  } = (spec as Partial<typeof spec> | null | undefined)?.scaleTargetRef ?? { name: "" };
  return apiVersion.startsWith(`${POD_CLIQUES.group}/`) ? [`${metadata.namespace}/${kind}/${name}`] : [];
}

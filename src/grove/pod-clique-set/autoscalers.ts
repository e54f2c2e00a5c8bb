/** HorizontalPodAutoscalers for cliques and groups that carry a scaling configuration (grove.md 7.5). */
import { POD_CLIQUES } from "../../api/grove/pod-clique.ts";
import { POD_CLIQUE_SCALING_GROUPS } from "../../api/grove/pod-clique-scaling-group.ts";
import type { PodCliqueSet, PodCliqueTemplate } from "../../api/grove/pod-clique-set.ts";
import { HORIZONTAL_POD_AUTOSCALERS, type HorizontalPodAutoscaler } from "../../api/kubernetes/core.ts";
import { apiVersionOf, type Resource } from "../../api/kubernetes/meta.ts";
import { componentLabels } from "../labels.ts";
import { scalingGroupName, standaloneCliqueName } from "../names.ts";
import { ownedBy } from "../ownership.ts";
import { scalingGroups, setIndices, standaloneCliques } from "../template.ts";

export function expectedAutoscalers(set: PodCliqueSet): readonly HorizontalPodAutoscaler[] {
  const { name } = set.metadata;
  const { template } = set.spec;
  return setIndices(set).flatMap((setIndex) => [
    ...standaloneCliques(template).flatMap(({ name: clique, spec }) =>
      spec.autoScalingConfig === undefined
        ? []
        : [
            autoscaler(
              set,
              POD_CLIQUES,
              standaloneCliqueName(name, setIndex, clique),
              spec.autoScalingConfig,
              spec.replicas,
            ),
          ],
    ),
    ...scalingGroups(template).flatMap(({ name: group, scaleConfig, replicas }) =>
      scaleConfig === undefined
        ? []
        : [autoscaler(set, POD_CLIQUE_SCALING_GROUPS, scalingGroupName(name, setIndex, group), scaleConfig, replicas)],
    ),
  ]);
}

type ScalingConfig = NonNullable<PodCliqueTemplate["spec"]["autoScalingConfig"]>;

function autoscaler(
  set: PodCliqueSet,
  target: Resource,
  name: string,
  { minReplicas, maxReplicas, metrics }: ScalingConfig,
  replicas: number,
): HorizontalPodAutoscaler {
  return {
    apiVersion: apiVersionOf(HORIZONTAL_POD_AUTOSCALERS),
    kind: HORIZONTAL_POD_AUTOSCALERS.kind,
    metadata: {
      name,
      ...(set.metadata.namespace !== undefined && { namespace: set.metadata.namespace }),
      labels: componentLabels(set.metadata.name, "pcs-hpa", name),
      ownerReferences: ownedBy(set),
    },
    spec: {
      scaleTargetRef: { apiVersion: apiVersionOf(target), kind: target.kind, name },
      minReplicas: minReplicas ?? replicas,
      maxReplicas,
      ...(metrics !== undefined && { metrics }),
    },
  };
}

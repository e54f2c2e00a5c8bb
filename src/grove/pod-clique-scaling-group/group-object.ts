/** PodCliqueScalingGroup objects as the set makes them from its template. */

import { MNNVL_GROUP_ANNOTATION } from "../../api/grove/mnnvl-validation.ts";
import { POD_CLIQUE_SCALING_GROUPS, type PodCliqueScalingGroup } from "../../api/grove/pod-clique-scaling-group.ts";
import type { PodCliqueScalingGroupTemplate, PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { apiVersionOf } from "../../api/kubernetes/meta.ts";
import { componentLabels, GROUP_FINALIZER, SET_REPLICA_INDEX } from "../labels.ts";
import { scalingGroupName } from "../names.ts";
import { ownedBy } from "../ownership.ts";

export function scalingGroup(
  set: PodCliqueSet,
  setIndex: number,
  group: PodCliqueScalingGroupTemplate,
): PodCliqueScalingGroup {
  const { name: setName, namespace } = set.metadata;
  const name = scalingGroupName(setName, setIndex, group.name);
  const annotations = groupAnnotations(set, group);
  return {
    apiVersion: apiVersionOf(POD_CLIQUE_SCALING_GROUPS),
    kind: POD_CLIQUE_SCALING_GROUPS.kind,
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      labels: {
        ...componentLabels(setName, "pcs-podcliquescalinggroup", name),
        [SET_REPLICA_INDEX]: String(setIndex),
      },
      ...(Object.keys(annotations).length > 0 && { annotations }),
      ownerReferences: ownedBy(set),
      finalizers: [GROUP_FINALIZER],
    },
    spec: { replicas: group.replicas, minAvailable: group.minAvailable, cliqueNames: group.cliqueNames },
  };
}

function groupAnnotations(set: PodCliqueSet, group: PodCliqueScalingGroupTemplate): Readonly<Record<string, string>> {
  const inherited = set.metadata.annotations?.[MNNVL_GROUP_ANNOTATION];
  return { ...(inherited !== undefined && { [MNNVL_GROUP_ANNOTATION]: inherited }), ...group.annotations };
}

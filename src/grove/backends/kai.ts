/** KAI: a PodGroup for each PodGang, a Topology for each binding (grove.md 3.7). */
import type { ClusterTopologyBinding } from "../../api/grove/cluster-topology-binding.ts";
import { equalJson } from "../../api/json.ts";
import { apiVersionOf, type KubeObject } from "../../api/kubernetes/meta.ts";
import { KAI_TOPOLOGIES, type KaiTopology } from "../../api/scheduler/kai.ts";
import { labelOf, POD_CLIQUE, POD_GANG } from "../labels.ts";
import { ownedBy } from "../ownership.ts";
import type { SchedulerBackend } from "./backend.ts";
import { kaiPodGroup, kaiPodGroupPatch } from "./kai-pod-group.ts";
import { kaiQueueOf } from "./kai-queue.ts";
import { withSchedulerName } from "./scheduler-name.ts";

/** KAI's own pod-grouper must not make a second PodGroup for the same pods. */
const SKIP_POD_GROUPER = { "kai.scheduler/skip-podgrouper": "true" };

export const KAI: SchedulerBackend = {
  name: "kai-scheduler",
  preparePod(pod) {
    const gang = labelOf(pod, POD_GANG);
    const clique = labelOf(pod, POD_CLIQUE);
    return withSchedulerName(
      {
        ...pod,
        metadata: {
          ...pod.metadata,
          annotations: {
            ...pod.metadata.annotations,
            ...SKIP_POD_GROUPER,
            ...(gang !== undefined && { "pod-group-name": gang }),
          },
          labels: { ...pod.metadata.labels, ...(clique !== undefined && { "kai.scheduler/subgroup-name": clique }) },
        },
      },
      KAI.name,
    );
  },
  gangAnnotations: () => SKIP_POD_GROUPER,
  validate(set) {
    const queue = kaiQueueOf(set);
    return "problem" in queue ? [{ field: queue.field, message: queue.problem }] : [];
  },
  gangObject: { of: "kaiPodGroup", wanted: kaiPodGroup, patch: kaiPodGroupPatch },
  topologyObject: { of: "kaiTopology", kind: "KAI Topology", wanted: kaiTopology, hasLevels },
};

function kaiTopology(binding: ClusterTopologyBinding): KaiTopology {
  return {
    apiVersion: apiVersionOf(KAI_TOPOLOGIES),
    kind: KAI_TOPOLOGIES.kind,
    metadata: { name: binding.metadata.name, ownerReferences: ownedBy(binding) },
    spec: { levels: levelsOf(binding) },
  };
}

const levelsOf = ({ spec }: ClusterTopologyBinding): KaiTopology["spec"]["levels"] =>
  spec.levels.map(({ key }) => ({ nodeLabel: key }));

/** Aliases, which newer versions of KAI let people add, do not count. */
function hasLevels(live: KubeObject, binding: ClusterTopologyBinding): boolean {
  const levels = (live as Partial<KaiTopology>).spec?.levels ?? [];
  return equalJson(
    levels.map(({ nodeLabel }) => ({ nodeLabel })),
    levelsOf(binding),
  );
}

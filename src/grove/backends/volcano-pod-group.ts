/** The Volcano PodGroup of a PodGang (grove.md 3.7). Pure. */
import { apiVersionOf, type KubeObject } from "../../api/kubernetes/meta.ts";
import type { PodGang } from "../../api/scheduler/pod-gang.ts";
import { VOLCANO_POD_GROUPS, VOLCANO_QUEUE_ANNOTATION, type VolcanoPodGroup } from "../../api/scheduler/volcano.ts";
import { POD_CLIQUE } from "../labels.ts";
import { mergePatch } from "../merge-patch.ts";
import { ownedBy } from "../ownership.ts";
import type { GangContext } from "./backend.ts";

export const DEFAULT_VOLCANO_QUEUE = "default";

export function volcanoPodGroup({ gang }: GangContext): { readonly object: VolcanoPodGroup } {
  const { name, namespace, labels, annotations } = gang.metadata;
  const { priorityClassName } = gang.spec;
  return {
    object: {
      apiVersion: apiVersionOf(VOLCANO_POD_GROUPS),
      kind: VOLCANO_POD_GROUPS.kind,
      metadata: {
        name,
        ...(namespace !== undefined && { namespace }),
        ...(labels !== undefined && { labels }),
        ownerReferences: ownedBy(gang),
      },
      spec: {
        ...gangFields(gang),
        queue: annotations?.[VOLCANO_QUEUE_ANNOTATION]?.trim() || DEFAULT_VOLCANO_QUEUE,
        ...(priorityClassName !== undefined && { priorityClassName }),
      },
    },
  };
}

/** One subgroup for each pod group: the pods of one clique. */
function gangFields({ spec }: PodGang): Pick<VolcanoPodGroup["spec"], "minMember" | "subGroupPolicy"> {
  return {
    minMember: Math.max(
      1,
      spec.podgroups.reduce((sum, { minReplicas }) => sum + minReplicas, 0),
    ),
    subGroupPolicy: spec.podgroups.map(({ name, minReplicas }) => ({
      name,
      labelSelector: { matchLabels: { [POD_CLIQUE]: name } },
      matchLabelKeys: [POD_CLIQUE],
      subGroupSize: Math.max(1, minReplicas),
      minSubGroups: 1,
    })),
  };
}

/** What Volcano and others add to the object stays. */
export function volcanoPodGroupPatch(
  liveObject: KubeObject,
  wantedObject: KubeObject,
  gang: PodGang,
): Readonly<Record<string, unknown>> | undefined {
  const live = liveObject as VolcanoPodGroup;
  const wanted = wantedObject as VolcanoPodGroup;
  const { minMember, subGroupPolicy } = live.spec;
  // A gang without minima has let go of its pods; what is promised to those that run stays promised.
  const keeps =
    gang.spec.podgroups.every(({ minReplicas }) => minReplicas === 0) &&
    ((minMember ?? 0) > 0 || (subGroupPolicy ?? []).length > 0);
  const before = {
    metadata: { labels: live.metadata.labels ?? {}, ownerReferences: live.metadata.ownerReferences },
    spec: live.spec,
  };
  const { priorityClassName } = wanted.spec;
  const spec = {
    ...live.spec,
    ...wanted.spec,
    ...(keeps && { minMember, subGroupPolicy }),
    priorityClassName: priorityClassName ?? (live.spec.priorityClassName === "" ? "" : undefined),
  };
  return mergePatch(before, {
    metadata: {
      labels: { ...live.metadata.labels, ...wanted.metadata.labels },
      ownerReferences: wanted.metadata.ownerReferences,
    },
    spec,
  });
}

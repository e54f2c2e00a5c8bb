/** The objects that a policy's targets stand for, as the caches have them. Pure. */
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import type { AutoscalerInformers } from "./informers.ts";
import type { Resolution } from "./resolve.ts";

export interface SeenObject {
  readonly target: string;
  readonly objectName: string;
  /** `spec.replicas`. */
  readonly replicas: number;
  readonly uid: string;
}

/** The set where it is a target, and in each set replica what is there. */
export function seenObjects(
  { spec }: ScalingPolicy,
  set: PodCliqueSet,
  { targets }: Resolution,
  { cliques, groups }: Pick<AutoscalerInformers, "cliques" | "groups">,
): readonly SeenObject[] {
  const { namespace } = set.metadata;
  const inside = targets.flatMap((target) =>
    Array.from({ length: set.spec.replicas }, (_, setIndex) => {
      const cache = target.level === "PodClique" ? cliques : groups;
      const object = cache.get(namespace, target.objectName(setIndex));
      return object === undefined ? [] : [seen(target.name, object)];
    }).flat(),
  );
  const setTarget = spec.scaleTargets.find(({ level }) => level === "PodCliqueSet");
  return setTarget === undefined ? inside : [seen(setTarget.name, set), ...inside];
}

const seen = (
  target: string,
  { metadata, spec }: Pick<PodCliqueSet, "metadata"> & { readonly spec: { readonly replicas: number } },
): SeenObject => ({ target, objectName: metadata.name, replicas: spec.replicas, uid: metadata.uid ?? "" });

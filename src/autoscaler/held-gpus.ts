/** GPUs that pods hold. Pure. */
import type { ScalingPolicySpec } from "../api/autoscaling/scaling-policy.ts";
import type { Pod } from "../api/kubernetes/core.ts";
import { GROUP_REPLICA_INDEX, labelOf, POD_CLIQUE, SCALING_GROUP, SET_REPLICA_INDEX } from "../grove/labels.ts";
import { scalingGroupName, standaloneCliqueName } from "../grove/names.ts";
import { gpusOfPod, type TemplateGpus } from "./gpu-cost.ts";

export interface Held {
  /** Without what is unknown. */
  readonly gpus: number;
  /** Something whose GPUs are not known and not in `gpus`, e.g. `pod llm-0-decode-1`. Absent: all is known. */
  readonly unknown?: string;
}

/** What a person says that the replica of a pod takes in all; undefined: nobody says it. */
export type DeclaredGpus = (pod: Pod) => { readonly replica: string; readonly gpus: number } | undefined;

const nothingDeclared: DeclaredGpus = () => undefined;

/**
 * What pods hold on their nodes, those on their way out included. A pod that does not show what it takes counts by what is declared of its replica, once
 * for all pods of that.
 */
export function heldGpus(
  pods: readonly Pod[],
  templateGpus: TemplateGpus,
  declared: DeclaredGpus = nothingDeclared,
): Held {
  let gpus = 0;
  const counted: (readonly [Pod, number])[] = [];
  const uncounted: Pod[] = [];
  for (const pod of pods) {
    if (isOver(pod)) continue;
    const own = gpusOfPod(pod.spec, pod.metadata.namespace ?? "default", templateGpus);
    if (own === undefined) uncounted.push(pod);
    else {
      counted.push([pod, own]);
      gpus += own;
    }
  }
  if (uncounted.length === 0) return { gpus };
  const missing = new Map<string, number>();
  let unknown: string | undefined;
  for (const pod of uncounted) {
    const said = declared(pod);
    if (said === undefined) unknown ??= `pod ${pod.metadata.name}`;
    else missing.set(said.replica, said.gpus);
  }
  for (const [pod, own] of counted) {
    const { replica = "" } = declared(pod) ?? {};
    const left = missing.get(replica);
    if (left !== undefined) missing.set(replica, left - own);
  }
  for (const left of missing.values()) gpus += Math.max(0, left);
  return unknown === undefined ? { gpus } : { gpus, unknown };
}

const isOver = ({ status }: Pod): boolean => status?.phase === "Succeeded" || status?.phase === "Failed";

/** By `gpusPerReplica` of the policy's targets. */
export function declaredGpus({ targetRef, scaleTargets }: ScalingPolicySpec): DeclaredGpus {
  const declared = scaleTargets.flatMap(({ level, ref = "", gpusPerReplica = "auto" }) =>
    gpusPerReplica === "auto" || level === "PodCliqueSet" ? [] : [{ level, ref, gpus: Number(gpusPerReplica) }],
  );
  if (declared.length === 0) return nothingDeclared;
  return (pod) => {
    const setIndex = Number(labelOf(pod, SET_REPLICA_INDEX));
    const group = labelOf(pod, SCALING_GROUP);
    for (const { level, ref, gpus } of declared) {
      if (level === "PodClique" && labelOf(pod, POD_CLIQUE) === standaloneCliqueName(targetRef.name, setIndex, ref))
        return { replica: pod.metadata.name, gpus };
      if (level === "PodCliqueScalingGroup" && group === scalingGroupName(targetRef.name, setIndex, ref))
        return { replica: `${group}/${labelOf(pod, GROUP_REPLICA_INDEX)}`, gpus };
    }
    return undefined;
  };
}

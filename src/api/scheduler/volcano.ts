/** Kinds of the Volcano scheduler: the PodGroup that the operator writes, the Queue that it reads (grove.md 3.7). */
import type { KubeObject, Resource } from "../kubernetes/meta.ts";

export interface VolcanoSubGroupPolicy {
  readonly name: string;
  readonly labelSelector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly matchLabelKeys?: readonly string[];
  /** Pods of one subgroup that have to start together. */
  readonly subGroupSize?: number;
  readonly minSubGroups?: number;
}

export interface VolcanoPodGroup extends KubeObject {
  readonly spec: {
    readonly minMember?: number;
    readonly queue?: string;
    readonly priorityClassName?: string;
    readonly subGroupPolicy?: readonly VolcanoSubGroupPolicy[];
  };
}

const GROUP = "scheduling.volcano.sh";

export const VOLCANO_POD_GROUPS: Resource<VolcanoPodGroup> = {
  group: GROUP,
  version: "v1beta1",
  kind: "PodGroup",
  plural: "podgroups",
  namespaced: true,
};

export interface VolcanoQueue extends KubeObject {
  readonly spec?: {
    /** The most of each resource that runs in the queue; absent resources have no limit. */
    readonly capability?: Readonly<Record<string, string>>;
    /** Name of the queue above. */
    readonly parent?: string;
  };
  readonly status?: { readonly state?: string };
}

/** On a PodCliqueSet or its cliques: the Volcano queue that its gangs are scheduled in. */
export const VOLCANO_QUEUE_ANNOTATION = "scheduling.grove.io/volcano-queue";

export const VOLCANO_QUEUES: Resource<VolcanoQueue> = {
  group: GROUP,
  version: "v1beta1",
  kind: "Queue",
  plural: "queues",
  namespaced: false,
};

/**
 * A queue of KAI Scheduler, as far as we read it: what its limit, and those of the queues above it, leave of GPUs. Facts from
 * `pkg/apis/scheduling/v2` of kai-scheduler/KAI-Scheduler: amounts of GPUs are numbers, -1 is no limit; `status.allocated` is a list of resources.
 */
import type { KubeObject, Resource } from "../kubernetes/meta.ts";

export interface KaiQueue extends KubeObject {
  readonly spec: {
    /** Name of the queue above. */
    readonly parentQueue?: string;
    readonly resources?: { readonly gpu?: { readonly quota?: number; readonly limit?: number } };
  };
  readonly status?: { readonly allocated?: Readonly<Record<string, string>> };
}

export const KAI_QUEUES: Resource<KaiQueue> = {
  group: "scheduling.run.ai",
  version: "v2",
  kind: "Queue",
  plural: "queues",
  namespaced: false,
};

/** On a pod, or on what it is made from: the queue that its gang is scheduled in. */
export const KAI_QUEUE_LABEL = "kai.scheduler/queue";

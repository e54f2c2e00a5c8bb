/** How many GPUs a queue of a scheduler ever lets run, whatever is allocated in it now. Pure. */
import type { ScalingPolicySpec } from "../api/autoscaling/scaling-policy.ts";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import { parseQuantity } from "../api/quantity.ts";
import { KAI_QUEUE_LABEL, type KaiQueue } from "../api/scheduler/kai-queue.ts";
import { VOLCANO_QUEUE_ANNOTATION, type VolcanoQueue } from "../api/scheduler/volcano.ts";
import { GPU_RESOURCES } from "./gpu-cost.ts";

/** Queues are nested two or three deep; a circle must not hang us. */
export const MAX_QUEUE_DEPTH = 32;

/** GPUs of this queue alone. Unset is no more than the quota; a queue that says nothing of GPUs limits none. */
export function kaiLimitOf({ spec }: KaiQueue): number {
  const { gpu } = spec.resources ?? {};
  if (gpu === undefined) return Number.POSITIVE_INFINITY;
  const { quota = 0, limit = 0 } = gpu;
  const most = limit === 0 ? quota : limit;
  return most < 0 ? Number.POSITIVE_INFINITY : most;
}

function volcanoLimitOf({ spec }: VolcanoQueue): number {
  const given = GPU_RESOURCES.flatMap((name) => {
    const count = parseQuantity(spec?.capability?.[name] ?? "");
    return count === undefined ? [] : [count];
  });
  return given.length === 0 ? Number.POSITIVE_INFINITY : given.reduce((sum, count) => sum + count, 0);
}

export interface QueueName {
  readonly scheduler: "KAI" | "Volcano";
  readonly name: string;
  /** Of the policy: what names it, or what names the workload that does. */
  readonly field: "spec.gpuBudget.queueRef.name" | "spec.targetRef.name";
}

/** The queues that the pods of a policy are scheduled in, as the policy and its workload name them. */
export function queuesOf({ gpuBudget }: ScalingPolicySpec, set: PodCliqueSet | undefined): readonly QueueName[] {
  const named = gpuBudget.queueRef?.name;
  const marked = [set?.metadata, ...(set?.spec.template.cliques ?? [])];
  const kai = marked.map((one) => one?.labels?.[KAI_QUEUE_LABEL] || one?.annotations?.[KAI_QUEUE_LABEL]).find(Boolean);
  const volcano = marked.map((one) => one?.annotations?.[VOLCANO_QUEUE_ANNOTATION]?.trim()).find(Boolean);
  return [
    ...(named === undefined
      ? kai === undefined
        ? []
        : [{ scheduler: "KAI", name: kai, field: "spec.targetRef.name" } as const]
      : [{ scheduler: "KAI", name: named, field: "spec.gpuBudget.queueRef.name" } as const]),
    ...(volcano === undefined ? [] : [{ scheduler: "Volcano", name: volcano, field: "spec.targetRef.name" } as const]),
  ];
}

export interface Queues {
  readonly kai: readonly KaiQueue[];
  readonly volcano: readonly VolcanoQueue[];
}

/** @returns the queue itself or one above it, whichever has the least; undefined where none limits GPUs, or it is not there */
export function leastLimit(
  { scheduler, name }: QueueName,
  { kai, volcano }: Queues,
): { readonly name: string; readonly gpus: number } | undefined {
  const of = (one: string) => {
    if (scheduler === "KAI") {
      const queue = kai.find(({ metadata }) => metadata.name === one);
      return queue && { gpus: kaiLimitOf(queue), parent: queue.spec.parentQueue };
    }
    const queue = volcano.find(({ metadata }) => metadata.name === one);
    return queue && { gpus: volcanoLimitOf(queue), parent: queue.spec?.parent };
  };
  let least: { readonly name: string; readonly gpus: number } | undefined;
  let at: string | undefined = name;
  for (let depth = 0; at !== undefined && at !== "" && depth < MAX_QUEUE_DEPTH; depth++) {
    const queue = of(at);
    if (queue === undefined) break;
    if (queue.gpus < (least?.gpus ?? Number.POSITIVE_INFINITY)) least = { name: at, gpus: queue.gpus };
    at = queue.parent;
  }
  return least;
}

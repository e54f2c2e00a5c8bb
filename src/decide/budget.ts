/** Stage 5: the GPUs that one policy may use, and why that is not known where it is not. Pure. */
import type { StageRecord } from "./decision.ts";
import type { Observation } from "./observation.ts";
import type { Policy } from "./policy.ts";

export interface PolicyBudget {
  readonly gpus: number;
  /** Whatever a shared budget grants. */
  readonly ownGpus: number;
  readonly isUnknown: boolean;
  /** The queue of the scheduler that is the narrowest. */
  readonly queue?: string;
}

export function budgetOf(
  policy: Policy,
  { set, targets, gpusUnknown, gpusGranted, sharedGpusUnknown, isBudgetMissing, queue }: Observation,
  scheduledMax: number | undefined,
): PolicyBudget {
  const max = scheduledMax ?? policy.gpuBudgetMax ?? Number.POSITIVE_INFINITY;
  const own = Math.min(max, gpusGranted ?? Number.POSITIVE_INFINITY);
  const isQueueUnknown = queue !== undefined && queue.gpus === undefined;
  const gpus = Math.min(own, queue?.gpus ?? Number.POSITIVE_INFINITY);
  const isKnown =
    gpusUnknown === undefined &&
    set.fixedGpus !== undefined &&
    targets.every(({ gpusPerReplica }) => gpusPerReplica !== undefined);
  return {
    gpus,
    ownGpus: Math.min(max, queue?.gpus ?? Number.POSITIVE_INFINITY),
    isUnknown:
      isBudgetMissing === true ||
      isQueueUnknown ||
      sharedGpusUnknown !== undefined ||
      (gpus !== Number.POSITIVE_INFINITY && !isKnown),
    ...(queue !== undefined && gpus < own ? { queue: queue.name } : {}),
  };
}

export function unknownRecord(observation: Observation): Pick<StageRecord, "reason" | "detail"> {
  const { set, targets, gpusUnknown, sharedGpusUnknown, isBudgetMissing, queue } = observation;
  const own = (detail: string) => ({ reason: "GPUCostUnknown", detail });
  if (isBudgetMissing === true) return own("the shared GPUBudget does not exist: nothing grows");
  if (queue !== undefined && queue.gpus === undefined)
    return own(`queue ${queue.name}, or one above it, does not exist or cannot be read: nothing grows`);
  const isCostKnown =
    set.fixedGpus !== undefined && targets.every(({ gpusPerReplica }) => gpusPerReplica !== undefined);
  if (!isCostKnown) return own("the GPUs of a replica are unknown, set gpusPerReplica on the target: nothing grows");
  if (gpusUnknown !== undefined)
    return own(`the GPUs of ${gpusUnknown} are unknown, set gpusPerReplica on its target: nothing grows`);
  return {
    reason: "SharedGPUsUnknown",
    detail: `what the shared GPUBudget has left is unknown, because of ${sharedGpusUnknown}: nothing grows; set gpusPerReplica on the targets of that policy`,
  };
}

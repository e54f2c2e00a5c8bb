/** What a KAI queue leaves to one policy: asked before anything grows, since pods above a limit only wait and may make nodes be bought. Pure. */
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { isPodScheduled, isTerminating, type Pod } from "../api/kubernetes/core.ts";
import { keyOf } from "../api/kubernetes/meta.ts";
import { parseQuantity } from "../api/quantity.ts";
import { KAI_QUEUE_LABEL, type KaiQueue } from "../api/scheduler/kai-queue.ts";
import type { Observation } from "../decide/observation.ts";
import { GPU_RESOURCES, noTemplates, type TemplateGpus } from "./gpu-cost.ts";
import { heldGpus } from "./held-gpus.ts";
import { kaiLimitOf, MAX_QUEUE_DEPTH } from "./queue-limits.ts";

/** What policies of one queue have ordered and not got yet, so that they do not order the same room twice within a tick. */
export class QueueLedger {
  readonly #templateGpus: TemplateGpus;
  readonly #orders = new Map<string, { readonly queue: string; readonly gpus: number }>();
  /** By queue. */
  readonly #totals = new Map<string, number>();

  constructor(templateGpus: TemplateGpus = noTemplates) {
    this.#templateGpus = templateGpus;
  }

  /** @returns nothing for a policy that names no queue */
  observe(
    policy: ScalingPolicy,
    pods: readonly Pod[],
    queueOf: (name: string) => KaiQueue | undefined,
  ): Pick<Observation, "queue"> {
    const name = policy.spec.gpuBudget.queueRef?.name;
    if (name === undefined) return {};
    const found = queueHeadroom({
      name,
      ours: this.#allocatedTo(name, pods),
      queueOf,
      orderedByOthers: this.#orderedByOthers(name, keyOf(policy)),
    });
    if (found === undefined) return { queue: { name } };
    return { queue: { name: found.queue, gpus: found.gpus } };
  }

  /** @param gpusHeld by the policy once what was decided is written */
  record(policy: ScalingPolicy, pods: readonly Pod[], gpusHeld: number): void {
    const queue = policy.spec.gpuBudget.queueRef?.name;
    this.forget(keyOf(policy));
    if (queue === undefined) return;
    const gpus = Math.max(0, gpusHeld - this.#allocatedTo(queue, pods));
    this.#orders.set(keyOf(policy), { queue, gpus });
    this.#totals.set(queue, (this.#totals.get(queue) ?? 0) + gpus);
  }

  forget(policyKey: string): void {
    const order = this.#orders.get(policyKey);
    if (order === undefined) return;
    this.#orders.delete(policyKey);
    this.#totals.set(order.queue, (this.#totals.get(order.queue) ?? 0) - order.gpus);
  }

  /** What of the queue's allocation is the policy's own: pods that have a node, those on their way out included. What is unknown of it counts as others'. */
  #allocatedTo(name: string, pods: readonly Pod[]): number {
    return heldGpus(
      pods.filter(
        (pod) =>
          (isPodScheduled(pod) || isTerminating(pod)) && (pod.metadata.labels?.[KAI_QUEUE_LABEL] ?? name) === name,
      ),
      this.#templateGpus,
    ).gpus;
  }

  #orderedByOthers(name: string, policyKey: string): number {
    const own = this.#orders.get(policyKey);
    return (this.#totals.get(name) ?? 0) - (own?.queue === name ? own.gpus : 0);
  }
}

interface QueueHeadroom {
  /** Of the queue that leaves least: the one that is named, or one above it. */
  readonly queue: string;
  /** GPUs that the policy may hold in all; infinite without a limit. */
  readonly gpus: number;
}

interface QueueHeadroomInput {
  readonly name: string;
  readonly queueOf: (name: string) => KaiQueue | undefined;
  /** Of the queue's allocation, the policy's own. */
  readonly ours: number;
  /** Ordered by other policies of the same queue and not allocated yet. */
  readonly orderedByOthers: number;
}

/** @returns undefined when the queue, or one above it, does not exist */
function queueHeadroom(input: QueueHeadroomInput): QueueHeadroom | undefined {
  const { queueOf, ours, orderedByOthers } = input;
  let least: QueueHeadroom = { queue: input.name, gpus: Number.POSITIVE_INFINITY };
  let name: string | undefined = input.name;
  for (let depth = 0; name !== undefined && name !== "" && depth < MAX_QUEUE_DEPTH; depth++) {
    const queue = queueOf(name);
    if (queue === undefined) return undefined;
    // The scheduler publishes what is allocated a little later than pods are bound.
    const others = Math.max(0, allocatedIn(queue) - ours) + orderedByOthers;
    // What runs above a limit that was lowered is the scheduler's to reclaim: a queue keeps from growing and takes nothing away.
    const gpus = Math.max(ours, kaiLimitOf(queue) - others);
    if (gpus < least.gpus) least = { queue: name, gpus };
    name = queue.spec.parentQueue;
  }
  return least;
}

const allocatedIn = ({ status }: KaiQueue): number =>
  GPU_RESOURCES.reduce((sum, name) => sum + (parseQuantity(status?.allocated?.[name] ?? "0") ?? 0), 0);

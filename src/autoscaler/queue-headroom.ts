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

type QueueOf = (name: string) => KaiQueue | undefined;

interface Order {
  /** The policy's queue, and those above it. */
  readonly queues: readonly string[];
  readonly gpus: number;
}

/** What policies have ordered and not got yet, in one queue or in several below one, so that they do not order the same room twice within a tick. */
export class QueueLedger {
  readonly #templateGpus: TemplateGpus;
  readonly #orders = new Map<string, Order>();
  /** By queue. */
  readonly #totals = new Map<string, number>();

  constructor(templateGpus: TemplateGpus = noTemplates) {
    this.#templateGpus = templateGpus;
  }

  /** @returns nothing for a policy that names no queue */
  observe(policy: ScalingPolicy, pods: readonly Pod[], queueOf: QueueOf): Pick<Observation, "queue"> {
    const name = policy.spec.gpuBudget.queueRef?.name;
    if (name === undefined) return {};
    const found = queueHeadroom({
      name,
      ours: this.#allocatedTo(name, pods),
      queueOf,
      orderedByOthers: (queue) => this.#orderedByOthers(queue, keyOf(policy)),
    });
    if (found === undefined) return { queue: { name } };
    return { queue: { name: found.queue, gpus: found.gpus } };
  }

  /** @param gpusHeld by the policy once what was decided is written */
  record(policy: ScalingPolicy, pods: readonly Pod[], gpusHeld: number, queueOf: QueueOf): void {
    const queue = policy.spec.gpuBudget.queueRef?.name;
    this.forget(keyOf(policy));
    if (queue === undefined) return;
    const gpus = Math.max(0, gpusHeld - this.#allocatedTo(queue, pods));
    const queues = [...new Set(upwards(queue, queueOf).map(([name]) => name))];
    this.#orders.set(keyOf(policy), { queues, gpus });
    this.#add(queues, gpus);
  }

  forget(policyKey: string): void {
    const order = this.#orders.get(policyKey);
    if (order === undefined) return;
    this.#orders.delete(policyKey);
    this.#add(order.queues, -order.gpus);
  }

  #add(queues: readonly string[], gpus: number): void {
    for (const queue of queues) this.#totals.set(queue, (this.#totals.get(queue) ?? 0) + gpus);
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
    return (this.#totals.get(name) ?? 0) - (own?.queues.includes(name) === true ? own.gpus : 0);
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
  readonly queueOf: QueueOf;
  /** Of the queue's allocation, the policy's own. */
  readonly ours: number;
  /** Ordered by other policies of a queue or below it, and not allocated yet. */
  readonly orderedByOthers: (queue: string) => number;
}

/** @returns undefined when the queue, or one above it, does not exist */
function queueHeadroom(input: QueueHeadroomInput): QueueHeadroom | undefined {
  const { queueOf, ours, orderedByOthers } = input;
  let least: QueueHeadroom = { queue: input.name, gpus: Number.POSITIVE_INFINITY };
  for (const [name, queue] of upwards(input.name, queueOf)) {
    if (queue === undefined) return undefined;
    // The scheduler publishes what is allocated a little later than pods are bound.
    const others = Math.max(0, allocatedIn(queue) - ours) + orderedByOthers(name);
    // What runs above a limit that was lowered is the scheduler's to reclaim: a queue keeps from growing and takes nothing away.
    const gpus = Math.max(ours, kaiLimitOf(queue) - others);
    if (gpus < least.gpus) least = { queue: name, gpus };
  }
  return least;
}

/** The queue and those above it; the last is undefined where it does not exist. */
function* upwards(start: string, queueOf: QueueOf): Generator<readonly [name: string, queue: KaiQueue | undefined]> {
  let name: string | undefined = start;
  for (let depth = 0; name !== undefined && name !== "" && depth < MAX_QUEUE_DEPTH; depth++) {
    const queue = queueOf(name);
    yield [name, queue];
    name = queue?.spec.parentQueue;
  }
}

const allocatedIn = ({ status }: KaiQueue): number =>
  GPU_RESOURCES.reduce((sum, name) => sum + (parseQuantity(status?.allocated?.[name] ?? "0") ?? 0), 0);

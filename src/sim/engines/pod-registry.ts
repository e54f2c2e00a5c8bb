/** The pods that run on the nodes, grouped into instances and nodes, with the GPUs each one holds. */
import type { PodIdentity } from "./pod-identity.ts";

export interface RegisteredPod {
  readonly identity: PodIdentity;
  readonly ready: boolean;
  readonly containerName: string;
  /** Indexes on its node. */
  readonly gpuIndexes: readonly number[];
}

export class PodRegistry {
  readonly #pods = new Map<string, RegisteredPod>();
  readonly #instances = new Map<string, Set<string>>();
  readonly #nodes = new Map<string, Set<string>>();

  get(key: string): RegisteredPod | undefined {
    return this.#pods.get(key);
  }

  all(): readonly RegisteredPod[] {
    return [...this.#pods.values()];
  }

  set(identity: PodIdentity, ready: boolean, containerName: string): void {
    const known = this.#pods.get(identity.key);
    const gpuIndexes = known?.gpuIndexes ?? this.#freeGpus(identity);
    this.#pods.set(identity.key, { identity, ready, containerName, gpuIndexes });
    add(this.#instances, identity.instance, identity.key);
    add(this.#nodes, identity.nodeName, identity.key);
  }

  delete(key: string): RegisteredPod | undefined {
    const pod = this.#pods.get(key);
    if (pod === undefined) return undefined;
    this.#pods.delete(key);
    remove(this.#instances, pod.identity.instance, key);
    remove(this.#nodes, pod.identity.nodeName, key);
    return pod;
  }

  podsOfInstance(instance: string): readonly RegisteredPod[] {
    return this.#members(this.#instances.get(instance));
  }

  podsOnNode(nodeName: string): readonly RegisteredPod[] {
    return this.#members(this.#nodes.get(nodeName));
  }

  /** An instance serves when all pods it needs are there and ready. */
  isComplete(instance: string): boolean {
    const pods = this.podsOfInstance(instance);
    const needed = Math.max(...pods.map(({ identity }) => identity.instancePods ?? 0), 1);
    return pods.length >= needed && pods.every(({ ready }) => ready);
  }

  /** The pod that serves the metrics of its instance. */
  leaderOf(instance: string): RegisteredPod | undefined {
    return this.podsOfInstance(instance).reduce<RegisteredPod | undefined>(
      (least, pod) => (least === undefined || pod.identity.rank < least.identity.rank ? pod : least),
      undefined,
    );
  }

  #members(keys: ReadonlySet<string> | undefined): readonly RegisteredPod[] {
    return [...(keys ?? [])].map((key) => this.#pods.get(key)).filter((pod) => pod !== undefined);
  }

  #freeGpus({ nodeName, gpus }: PodIdentity): number[] {
    const taken = new Set(this.podsOnNode(nodeName).flatMap(({ gpuIndexes }) => gpuIndexes));
    const free: number[] = [];
    for (let index = 0; free.length < gpus; index++) if (!taken.has(index)) free.push(index);
    return free;
  }
}

function add(index: Map<string, Set<string>>, group: string, key: string): void {
  const members = index.get(group);
  if (members === undefined) index.set(group, new Set([key]));
  else members.add(key);
}

function remove(index: Map<string, Set<string>>, group: string, key: string): void {
  const members = index.get(group);
  members?.delete(key);
  if (members?.size === 0) index.delete(group);
}

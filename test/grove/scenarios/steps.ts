/** Steps and conditions that scenarios share. */
import type { PodCliqueSetInput } from "../../../src/api/grove/pod-clique-set.ts";
import { isPodReady, isTerminating, type Pod } from "../../../src/api/kubernetes/core.ts";
import { onAgents } from "../workloads.ts";
import type { ScenarioWorld } from "./scenario-world.ts";

/** Creates a workload on the test nodes and waits for its pods to be made. */
export async function deploy(world: ScenarioWorld, set: PodCliqueSetInput, pods = 10): Promise<void> {
  await world.deploy(onAgents(set));
  await untilPods(world, pods);
}

/** As {@link deploy}, with room for all its pods, and waits until they are ready. */
export async function deployReady(
  world: ScenarioWorld,
  set: PodCliqueSetInput,
  { nodes = 10, pods = 10 }: { readonly nodes?: number; readonly pods?: number } = {},
): Promise<void> {
  await world.prepare(nodes);
  await world.deploy(onAgents(set));
  await untilReady(world, pods);
}

export const untilPods = (world: ScenarioWorld, count: number): Promise<void> =>
  world.until(`${count} pods`, () => activePods(world).length === count && world.view.pods().length === count);

/** So many pods, all of them ready. */
export const untilReady = (world: ScenarioWorld, count: number): Promise<void> =>
  world.until(`${count} ready pods`, () => {
    const pods = world.view.pods();
    return pods.length === count && pods.every((pod) => isPodReady(pod) && !isTerminating(pod));
  });

export const activePods = ({ view }: ScenarioWorld): readonly Pod[] => view.pods().filter((pod) => !isTerminating(pod));

export const podsOf = (world: ScenarioWorld, clique: string): readonly Pod[] =>
  activePods(world).filter((pod) => cliqueOf(pod) === clique);

export const cliqueOf = ({ metadata }: Pod): string => metadata.labels?.["grove.io/podclique"] ?? "";
export const setIndexOf = ({ metadata }: Pod): string => metadata.labels?.["grove.io/podcliqueset-replica-index"] ?? "";
export const groupIndexOf = ({ metadata }: Pod): string | undefined =>
  metadata.labels?.["grove.io/podcliquescalinggroup-replica-index"];
export const uidOf = ({ metadata }: Pod): string => metadata.uid ?? "";
export const uidsOf = (pods: readonly Pod[]): ReadonlySet<string> => new Set(pods.map(uidOf));
export const isGated = ({ spec }: Pod): boolean => (spec.schedulingGates ?? []).length > 0;
export const isRunning = ({ status }: Pod): boolean => status?.phase === "Running";
/** Every pod of `uids` is still there and is not terminating. */
export function survive(world: ScenarioWorld, uids: ReadonlySet<string>): boolean {
  const active = uidsOf(activePods(world));
  return [...uids].every((uid) => active.has(uid));
}

/** No node has two pods: two do not fit. */
export function requireDistinctNodes(world: ScenarioWorld): void {
  const nodes = activePods(world).map(({ spec }) => spec.nodeName);
  if (nodes.includes(undefined) || new Set(nodes).size !== nodes.length) {
    throw new Error(`pods are not on distinct nodes: ${nodes.join(" ")}`);
  }
}

/** Uncordons nodes in their order, some at a time. */
export function nodeDispenser(world: ScenarioWorld, firstNodes: number): (count: number) => Promise<void> {
  let next = firstNodes;
  return async (count) => {
    const names = world.nodeNames.slice(next, next + count);
    if (names.length < count) throw new Error(`there are no ${count} nodes more`);
    next += count;
    await world.uncordon(...names);
  };
}

/** What topology scenarios look at besides pods: bindings and KAI's objects, as watches show them; and what a cluster has to have for them. */
import {
  CLUSTER_TOPOLOGY_BINDINGS,
  type ClusterTopologyBinding,
} from "../../../src/api/grove/cluster-topology-binding.ts";
import { equalJson } from "../../../src/api/json.ts";
import { conditionOf } from "../../../src/api/kubernetes/conditions.ts";
import { NODES, type Node, type Pod } from "../../../src/api/kubernetes/core.ts";
import type { KubeObject } from "../../../src/api/kubernetes/meta.ts";
import {
  KAI_POD_GROUPS,
  KAI_TOPOLOGIES,
  type KaiPodGroup,
  type KaiPodGroupSpec,
  type KaiSubGroup,
  type KaiTopology,
} from "../../../src/api/scheduler/kai.ts";
import { isNotFound } from "../../../src/kube/api-error.ts";
import { startInformer } from "../../../src/kube/informer.ts";
import { seededRandom } from "../../../src/random.ts";
import { ALL_LEVELS, binding, type Constraints, constraintsIn, type Levels } from "../topology-workloads.ts";
import type { ScenarioWorld } from "./scenario-world.ts";

export interface TopologyWorld {
  readonly world: ScenarioWorld;
  /** Constraints in the topology with all four levels, which exists. */
  readonly constraints: Constraints;
  /** Names of cluster-scoped objects of this world. */
  named(name: string): string;
  createBinding(name: string, levels: Levels, references?: References): Promise<void>;
  deleteBinding(name: string): Promise<void>;
  setLevels(name: string, levels: Levels): Promise<void>;
  relabel(nodeName: string, labels: Readonly<Record<string, string | null>>): Promise<void>;
  bindingNamed(name: string): ClusterTopologyBinding | undefined;
  topologyNamed(name: string): KaiTopology | undefined;
  podGroups(): readonly KaiPodGroup[];
  node(name: string): Node | undefined;
  /** Value of a node label where the pod is. */
  domainOf(pod: Pod, key: string): string | undefined;
}

type References = ClusterTopologyBinding["spec"]["schedulerTopologyBindings"];

export const GROVE_TOPOLOGY = "grove-topology";

/** Runs a scenario with what it needs, and takes away what is not deleted with the sets. */
export async function withTopology(
  world: ScenarioWorld,
  run: (topology: TopologyWorld) => Promise<void>,
): Promise<void> {
  const { api, clock, namespace } = world;
  const stop = new AbortController();
  const follow = { api, clock, random: seededRandom(11), signal: stop.signal };
  const bindings = startInformer({ ...follow, resource: CLUSTER_TOPOLOGY_BINDINGS });
  const topologies = startInformer({ ...follow, resource: KAI_TOPOLOGIES });
  const podGroups = startInformer({ ...follow, resource: KAI_POD_GROUPS, scope: { namespace } });
  const nodes = startInformer({ ...follow, resource: NODES });
  const named = (name: string): string => (namespace === "default" ? name : `${name}-${namespace}`);
  const created = new Set<string>();
  const relabelled: (() => Promise<void>)[] = [];

  const topology: TopologyWorld = {
    world,
    constraints: constraintsIn(named(GROVE_TOPOLOGY)),
    named,
    async createBinding(name, levels, references) {
      created.add(name);
      await api.create(CLUSTER_TOPOLOGY_BINDINGS, binding(named(name), levels, references));
    },
    async deleteBinding(name) {
      created.delete(name);
      await api.delete(CLUSTER_TOPOLOGY_BINDINGS, { name: named(name) }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    },
    async setLevels(name, levels) {
      await api.patch(CLUSTER_TOPOLOGY_BINDINGS, { name: named(name) }, { spec: { levels } }, { type: "merge" });
    },
    async relabel(nodeName, labels) {
      const before = nodes.get(undefined, nodeName)?.metadata.labels ?? {};
      const write = (values: Readonly<Record<string, string | null>>) =>
        api.patch(NODES, { name: nodeName }, { metadata: { labels: values } }, { type: "merge" });
      relabelled.push(async () => {
        await write(Object.fromEntries(Object.keys(labels).map((key) => [key, before[key] ?? null])));
      });
      await write(labels);
    },
    bindingNamed: (name) => bindings.get(undefined, named(name)),
    topologyNamed: (name) => topologies.get(undefined, named(name)),
    podGroups: () => podGroups.list(),
    node: (name) => nodes.get(undefined, name),
    domainOf: (pod, key) => nodes.get(undefined, pod.spec.nodeName ?? "")?.metadata.labels?.[key],
  };
  try {
    await world.until("the watches of the topology scenarios", () =>
      [bindings, topologies, podGroups, nodes].every(({ hasSynced }) => hasSynced()),
    );
    await topology.createBinding(GROVE_TOPOLOGY, ALL_LEVELS);
    await run(topology);
  } finally {
    await world.cleanUp();
    for (const name of created) await topology.deleteBinding(name);
    for (const restore of relabelled) await restore();
    stop.abort();
  }
}

/** Of one binding: its keys, in order. */
const keysOf = ({ spec }: KaiTopology): readonly string[] => spec.levels.map(({ nodeLabel }) => nodeLabel);

/** Waits until the KAI Topology of the binding has these keys and is owned by it. */
export async function untilTopology(topology: TopologyWorld, name: string, keys: readonly string[]): Promise<void> {
  await topology.world.until(`KAI Topology ${name} with ${keys.join()}`, () => {
    const live = topology.topologyNamed(name);
    const owner = topology.bindingNamed(name);
    return (
      live !== undefined &&
      equalJson(keysOf(live), keys) &&
      live.metadata.ownerReferences?.some(({ uid }) => uid === owner?.metadata.uid) === true
    );
  });
}

export const untilBindingCondition = (
  { world, bindingNamed }: TopologyWorld,
  name: string,
  status: string,
  reason: string,
): Promise<void> =>
  world.until(`SchedulerTopologyDrift ${status}/${reason} on ${name}`, () => {
    const condition = conditionOf(bindingNamed(name)?.status?.conditions, "SchedulerTopologyDrift");
    return condition?.status === status && condition.reason === reason;
  });

export const untilSetCondition = (world: ScenarioWorld, set: string, status: string, reason: string): Promise<void> =>
  world.until(`TopologyLevelsUnavailable ${status}/${reason} on ${set}`, () => {
    const condition = conditionOf(world.view.set(set)?.status?.conditions, "TopologyLevelsUnavailable");
    return condition?.status === status && condition.reason === reason;
  });

export interface Pack {
  readonly required?: string;
  readonly preferred?: string;
}

/** One subgroup that a PodGroup has to have, exactly. */
export interface ExpectedSubGroup extends Pack {
  readonly name: string;
  readonly minMember?: number;
  readonly minSubGroup?: number;
  readonly parent?: string;
}

/** Waits until the PodGroup that the PodGang owns says exactly this of the topology, in this order. */
export async function untilPodGroup(
  topology: TopologyWorld,
  podGang: string,
  expected: { readonly top?: Pack; readonly subGroups: readonly ExpectedSubGroup[]; readonly topologyName?: string },
): Promise<void> {
  const { topologyName = topology.named(GROVE_TOPOLOGY), top = {}, subGroups } = expected;
  const constraint = ({ required, preferred }: Pack): Pick<KaiSubGroup, "topologyConstraint"> =>
    required === undefined && preferred === undefined
      ? {}
      : {
          topologyConstraint: {
            topology: topologyName,
            ...(required !== undefined && { requiredTopologyLevel: required }),
            ...(preferred !== undefined && { preferredTopologyLevel: preferred }),
          },
        };
  const spec: KaiPodGroupSpec = {
    minMember: subGroups.reduce((sum, { minMember = 0 }) => sum + minMember, 0),
    queue: "test",
    ...constraint(top),
    subGroups: subGroups.map(({ required, preferred, ...rest }) => ({
      ...rest,
      ...constraint({ ...(required && { required }), ...(preferred && { preferred }) }),
    })),
  };
  const live = (): KaiPodGroup | undefined => topology.podGroups().find((podGroup) => isOwnedBy(podGroup, podGang));
  try {
    await topology.world.until(`the KAI PodGroup of ${podGang}`, () => equalJson(live()?.spec, spec));
  } catch (error) {
    throw new Error(
      `PodGroup of ${podGang} is\n${JSON.stringify(live()?.spec)}\nnot\n${JSON.stringify(spec)}\n${String(error)}`,
    );
  }
}

const isOwnedBy = ({ metadata }: KubeObject, podGang: string): boolean =>
  metadata.ownerReferences?.some(({ kind, name }) => kind === "PodGang" && name === podGang) === true;

/** All these pods are on nodes with one value of the label. */
export function requireOneDomain(topology: TopologyWorld, pods: readonly Pod[], key: string, count: number): void {
  const domains = new Set(pods.map((pod) => topology.domainOf(pod, key)));
  if (pods.length === count && domains.size === 1 && !domains.has(undefined)) return;
  const where = pods.map((pod) => `${pod.metadata.name} on ${pod.spec.nodeName} in ${topology.domainOf(pod, key)}`);
  throw new Error(`not ${count} pods in one ${key}:\n${where.join("\n")}`);
}

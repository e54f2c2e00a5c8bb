/** For tests: the topology workloads of upstream's end-to-end suite (grove.md 10.6), and what builds them. */
import type { ClusterTopologyBinding } from "../../src/api/grove/cluster-topology-binding.ts";
import type { PodCliqueSetInput } from "../../src/api/grove/pod-clique-set.ts";
import type { TopologyConstraint } from "../../src/api/grove/topology-constraint.ts";
import { clique, onAgents, workload } from "./workloads.ts";

type Template = PodCliqueSetInput["spec"]["template"];
type Clique = Template["cliques"][number];
type Group = NonNullable<Template["podCliqueScalingGroups"]>[number];

/** Node label keys of the test nodes. */
export const ZONE = "kubernetes.io/zone";
export const BLOCK = "kubernetes.io/block";
export const RACK = "kubernetes.io/rack";
export const HOST = "kubernetes.io/hostname";

export type Levels = ClusterTopologyBinding["spec"]["levels"];

export const ALL_LEVELS: Levels = [
  { domain: "zone", key: ZONE },
  { domain: "block", key: BLOCK },
  { domain: "rack", key: RACK },
  { domain: "host", key: HOST },
];

export function binding(
  name: string,
  levels: Levels,
  schedulerTopologyBindings?: ClusterTopologyBinding["spec"]["schedulerTopologyBindings"],
): ClusterTopologyBinding {
  return {
    apiVersion: "grove.io/v1alpha1",
    kind: "ClusterTopologyBinding",
    metadata: { name },
    spec: { levels, ...(schedulerTopologyBindings !== undefined && { schedulerTopologyBindings }) },
  };
}

/** Builds constraints that name `topologyName`. */
export const constraintsIn = (topologyName: string) => ({
  required: (required: string): TopologyConstraint => ({ topologyName, pack: { required } }),
  preferred: (preferred: string): TopologyConstraint => ({ topologyName, pack: { preferred } }),
  both: (required: string, preferred: string): TopologyConstraint => ({ topologyName, pack: { required, preferred } }),
});

export type Constraints = ReturnType<typeof constraintsIn>;

/** All replicas of a clique are its minimum. */
const packed = (name: string, replicas: number, topologyConstraint?: TopologyConstraint): Clique => ({
  ...clique(name, replicas, replicas),
  ...(topologyConstraint !== undefined && { topologyConstraint }),
});

const group = (
  name: string,
  [replicas, minAvailable]: readonly [number, number],
  cliqueNames: readonly string[],
  topologyConstraint?: TopologyConstraint,
): Group => ({
  name,
  replicas,
  minAvailable,
  cliqueNames: [...cliqueNames],
  ...(topologyConstraint !== undefined && { topologyConstraint }),
});

interface Shape {
  readonly name: string;
  readonly constraint?: TopologyConstraint;
  readonly cliques: readonly Clique[];
  readonly groups?: readonly Group[];
  readonly replicas?: number;
  /** Request of every pod; a node has 150 Mi. Default 40Mi. */
  readonly memory?: string;
}

/** On the test nodes. */
function shaped({ name, constraint, cliques, groups, replicas = 1, memory = "40Mi" }: Shape): PodCliqueSetInput {
  const template: Template = {
    cliques: [...cliques],
    ...(constraint !== undefined && { topologyConstraint: constraint }),
    ...(groups !== undefined && { podCliqueScalingGroups: [...groups] }),
  };
  const set = onAgents(workload(name, template, { replicas }));
  const sized = set.spec.template.cliques.map((each) => {
    const { podSpec } = each.spec;
    const containers = podSpec.containers.map((container) => ({ ...container, resources: { requests: { memory } } }));
    return { ...each, spec: { ...each.spec, podSpec: { ...podSpec, containers } } };
  });
  return { ...set, spec: { ...set.spec, template: { ...set.spec.template, cliques: sized } } };
}

export const independentCliques = ({ required }: Constraints) =>
  shaped({
    name: "tas-indep-clq",
    cliques: [packed("worker-rack", 3, required("rack")), packed("worker-block", 4, required("block"))],
  });

const workersAndRouter = { cliques: [packed("worker", 1), packed("router", 2)] };

export const setConstraintOnly = ({ required }: Constraints) =>
  shaped({
    name: "tas-sl-pcs-only",
    constraint: required("rack"),
    ...workersAndRouter,
    groups: [group("workers", [2, 2], ["worker"])],
  });

export const groupConstraintOnly = ({ required }: Constraints) =>
  shaped({
    name: "tas-sl-pcsg-only",
    ...workersAndRouter,
    groups: [group("workers", [2, 2], ["worker"], required("rack"))],
  });

export const hostLevel = ({ required }: Constraints) =>
  shaped({ name: "tas-host-level", cliques: [packed("worker", 2, required("host"))] });

export const zoneOfSet = ({ required }: Constraints) =>
  shaped({ name: "tas-standalone-pclq", constraint: required("zone"), cliques: [packed("worker", 4)] });

export const unconstrained = () =>
  shaped({
    name: "tas-no-constraint",
    cliques: [packed("worker", 2)],
    groups: [group("workers", [2, 2], ["worker"])],
  });

export const fullHierarchy = ({ required }: Constraints) =>
  shaped({
    name: "tas-hierarchy",
    constraint: required("block"),
    cliques: [packed("prefill", 2, required("host")), packed("decode", 2, required("host"))],
    groups: [group("inference-group", [2, 2], ["prefill", "decode"], required("rack"))],
  });

export const setAndClique = ({ required }: Constraints) =>
  shaped({ name: "tas-pcs-pclq", constraint: required("block"), cliques: [packed("worker", 2, required("host"))] });

export const scalingGroup = ({ required }: Constraints) =>
  shaped({
    name: "tas-pcsg-scale",
    constraint: required("rack"),
    cliques: [packed("worker", 2)],
    groups: [group("inference-group", [3, 1], ["worker"], required("rack"))],
  });

export const groupAndClique = ({ required }: Constraints) =>
  shaped({
    name: "tas-pcsg-pclq",
    cliques: [packed("worker", 2, required("host"))],
    groups: [group("workers", [2, 2], ["worker"], required("rack"))],
  });

export const largeScale = ({ required }: Constraints) =>
  shaped({
    name: "tas-large-scale",
    constraint: required("block"),
    cliques: [packed("worker", 2, required("host"))],
    groups: [group("workers", [10, 3], ["worker"])],
  });

/** A rack has seven nodes, each for one of these pods. */
export const tooLargeForRack = ({ required }: Constraints) =>
  shaped({ name: "tas-insuffic", constraint: required("rack"), cliques: [packed("worker", 10)], memory: "80Mi" });

export const twoReplicas = ({ required }: Constraints) =>
  shaped({ name: "tas-multirep", constraint: required("rack"), cliques: [packed("worker", 2)], replicas: 2 });

/** Two groups of leaders and workers, and a router. */
export const disaggregated = (
  { required }: Constraints,
  { replicas = 1, prefillWorker }: { readonly replicas?: number; readonly prefillWorker?: TopologyConstraint } = {},
) =>
  shaped({
    name: "tas-pcs-multi-pcsg",
    constraint: required("block"),
    cliques: [
      packed("dworker", 1),
      packed("dleader", 1),
      packed("pworker", 1, prefillWorker),
      packed("pleader", 1),
      packed("router", 2),
    ],
    groups: [
      group("decoder", [2, 1], ["dworker", "dleader"], required("rack")),
      group("prefill", [2, 1], ["pworker", "pleader"], required("rack")),
    ],
    replicas,
  });

export const packedAtBlock = (name: string, { required }: Constraints) =>
  shaped({ name, constraint: required("block"), cliques: [packed("worker", 2)] });

/** Waits with no replicas until somebody scales it. */
export const topologyCondition = ({ required }: Constraints) =>
  shaped({
    name: "tas-topology-condition",
    constraint: required("rack"),
    cliques: [packed("worker", 2)],
    replicas: 0,
  });

export const preferredPack = ({ both, preferred }: Constraints) =>
  shaped({
    name: "tas-preferred-pack",
    constraint: both("block", "rack"),
    cliques: [packed("worker", 1), packed("router", 1, preferred("host"))],
    groups: [group("workers", [2, 1], ["worker"], preferred("host"))],
  });

/** For admission: a set with one clique and these constraints, without pods. */
export const constrainedAs = (
  name: string,
  {
    set,
    worker,
    workers,
  }: {
    readonly set?: TopologyConstraint;
    readonly worker?: TopologyConstraint;
    readonly workers?: TopologyConstraint;
  },
) =>
  shaped({
    name,
    ...(set !== undefined && { constraint: set }),
    cliques: [packed("worker", 1, worker)],
    ...(workers !== undefined && { groups: [group("workers", [1, 1], ["worker"], workers)] }),
    replicas: 0,
  });

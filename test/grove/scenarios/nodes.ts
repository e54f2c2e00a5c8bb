/** The nodes of upstream's end-to-end cluster (grove.md 10.1): 30 of 4 CPUs and 150 Mi, so that a node holds one pod of 80 Mi. */
import { NODES, type Node } from "../../../src/api/kubernetes/core.ts";
import { formatTime } from "../../../src/api/kubernetes/time.ts";
import type { Clock } from "../../../src/clock.ts";
import type { KubeApi } from "../../../src/kube/kube-api.ts";
import { AGENT } from "../workloads.ts";

const NODE_COUNT = 30;
const NODES_PER_RACK = 7;
const NODES_PER_BLOCK = 20;
const NODES_PER_ZONE = 28;

export interface ScenarioNodesOptions {
  readonly clock: Clock;
  /** Of the names; nodes are `<prefix>-00` and on. */
  readonly prefix: string;
  /** Of one world among several in a cluster. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Creates the nodes, ready. @returns their names in order */
export async function createScenarioNodes(api: KubeApi, options: ScenarioNodesOptions): Promise<readonly string[]> {
  const nodes = Array.from({ length: NODE_COUNT }, (_, index) => scenarioNode(index, options));
  await Promise.all(
    nodes.map(async (node) => {
      await api.create(NODES, node);
      const patch = { status: node.status };
      await api.patch(NODES, { name: node.metadata.name }, patch, { type: "merge", subresource: "status" });
    }),
  );
  return nodes.map(({ metadata }) => metadata.name);
}

function scenarioNode(index: number, { clock, prefix, labels }: ScenarioNodesOptions): Node {
  const name = `${prefix}-${String(index).padStart(2, "0")}`;
  const resources = { cpu: "4", memory: "150Mi", pods: "110" };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: {
        type: "kwok",
        "kubernetes.io/os": "linux",
        "kubernetes.io/zone": `zone-${Math.floor(index / NODES_PER_ZONE)}`,
        "kubernetes.io/block": `block-${Math.floor(index / NODES_PER_BLOCK)}`,
        "kubernetes.io/rack": `rack-${Math.floor(index / NODES_PER_RACK)}`,
        "kubernetes.io/hostname": name,
        [AGENT.key]: AGENT.value,
        ...labels,
      },
    },
    spec: { taints: [{ ...AGENT, effect: "NoSchedule" }] },
    status: {
      capacity: resources,
      allocatable: resources,
      addresses: [{ type: "InternalIP", address: `10.1.0.${index + 1}` }],
      conditions: [
        {
          type: "Ready",
          status: "True",
          reason: "KubeletReady",
          message: "kubelet is posting ready status",
          lastTransitionTime: formatTime(clock.nowMs()),
        },
      ],
    },
  };
}

/** Registers GPU nodes with their topology labels. */
import { NODES, type Node } from "../../api/kubernetes/core.ts";
import { formatTime } from "../../api/kubernetes/time.ts";
import type { Clock } from "../../clock.ts";
import { isAlreadyExists } from "../../kube/api-error.ts";
import type { KubeApi } from "../../kube/kube-api.ts";

export interface CreateNodesOptions {
  readonly clock: Clock;
  readonly count: number;
  /** Default 8. */
  readonly gpusPerNode?: number;
  /** Default "192". */
  readonly cpu?: string;
  /** Default "2Ti". */
  readonly memory?: string;
  /** Default `gpu-node`: nodes are `gpu-node-000`, … */
  readonly namePrefix?: string;
  /** Number of the first node, to add nodes later. Default 0. */
  readonly firstIndex?: number;
  /** Hosts per rack (default 4), racks per block (default 2), blocks per zone (default 2). */
  readonly hostsPerRack?: number;
  readonly racksPerBlock?: number;
  readonly blocksPerZone?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: NonNullable<Node["spec"]>["taints"];
}

/** The label keys that topology levels refer to, broad to narrow. */
const TOPOLOGY_KEYS = {
  zone: "topology.kubernetes.io/zone",
  block: "topology.kubernetes.io/block",
  rack: "topology.kubernetes.io/rack",
  host: "kubernetes.io/hostname",
} as const;

/** Creates the nodes that do not exist yet, and sets their status. */
export async function createNodes(api: KubeApi, options: CreateNodesOptions): Promise<readonly Node[]> {
  const { count, firstIndex = 0 } = options;
  const nodes = Array.from({ length: count }, (_, offset) => nodeAt(firstIndex + offset, options));
  for (const node of nodes) {
    await api.create(NODES, node).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
    });
    await api.patch(
      NODES,
      { name: node.metadata.name },
      { status: node.status },
      { type: "merge", subresource: "status" },
    );
  }
  return nodes;
}

function nodeAt(index: number, options: CreateNodesOptions): Node {
  const { gpusPerNode = 8, cpu = "192", memory = "2Ti", namePrefix = "gpu-node" } = options;
  const { hostsPerRack = 4, racksPerBlock = 2, blocksPerZone = 2 } = options;
  const name = `${namePrefix}-${String(index).padStart(3, "0")}`;
  const rack = Math.floor(index / hostsPerRack);
  const block = Math.floor(rack / racksPerBlock);
  const now = formatTime(options.clock.nowMs());
  const resources = { cpu, memory, pods: "250", "nvidia.com/gpu": String(gpusPerNode) };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: {
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
        "nvidia.com/gpu.count": String(gpusPerNode),
        [TOPOLOGY_KEYS.zone]: `zone-${Math.floor(block / blocksPerZone)}`,
        [TOPOLOGY_KEYS.block]: `block-${block}`,
        [TOPOLOGY_KEYS.rack]: `rack-${rack}`,
        [TOPOLOGY_KEYS.host]: name,
        ...options.labels,
      },
    },
    spec: { ...(options.taints && { taints: options.taints }) },
    status: {
      capacity: resources,
      allocatable: resources,
      addresses: [
        { type: "InternalIP", address: hostIp(index) },
        { type: "Hostname", address: name },
      ],
      conditions: [
        {
          type: "Ready",
          status: "True",
          reason: "KubeletReady",
          message: "kubelet is posting ready status",
          lastTransitionTime: now,
        },
      ],
      nodeInfo: {
        architecture: "amd64",
        bootID: "",
        containerRuntimeVersion: "containerd://2.1.0",
        kernelVersion: "6.8.0",
        kubeProxyVersion: "v1.34.0",
        kubeletVersion: "v1.34.0",
        machineID: "",
        operatingSystem: "linux",
        osImage: "simulated",
        systemUUID: "",
      },
    },
  };
}

const hostIp = (index: number): string => `10.0.${Math.floor(index / 250)}.${(index % 250) + 1}`;

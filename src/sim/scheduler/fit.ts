/** Does a pod fit on a node? The filters of kube-scheduler that matter here. Pure. */
import type { Node, Pod } from "../../api/kubernetes/core.ts";
import { parseQuantity } from "../../api/quantity.ts";
import { remember } from "../remember.ts";
import { matchesNodeAffinity } from "./node-affinity.ts";

export const GPU = "nvidia.com/gpu";
const RESOURCES = ["cpu", "memory", GPU, "pods"] as const;
type ResourceName = (typeof RESOURCES)[number];
export type Resources = Readonly<Record<ResourceName, number>>;

/** Cores, bytes, GPUs, and itself as one pod. Init containers run before the others, so the larger of the two counts. */
export function requestsOf({ spec }: Pod): Resources {
  // Objects are immutable: what was computed once for a list of containers holds for ever.
  return remember(requests, spec.containers, () => sumRequests(spec));
}
const requests = new WeakMap<Pod["spec"]["containers"], Resources>();

function sumRequests(spec: Pod["spec"]): Resources {
  const of = (name: ResourceName): number => {
    const amount = (container: Pod["spec"]["containers"][number]): number =>
      parseQuantity(container.resources?.requests?.[name] ?? container.resources?.limits?.[name] ?? 0) ?? 0;
    const sum = spec.containers.reduce((total, container) => total + amount(container), 0);
    return Math.max(sum, ...(spec.initContainers ?? []).map(amount));
  };
  return { cpu: of("cpu"), memory: of("memory"), [GPU]: of(GPU), pods: 1 };
}

export interface NodeState {
  readonly node: Node;
  readonly name: string;
  readonly free: Resources;
  /** Pods of other replicas of the same set, by `part-of/replica`: for spreading. */
  readonly setReplicas: ReadonlyMap<string, number>;
}

export function allocatableOf({ status }: Node): Resources {
  const of = (name: ResourceName, otherwise: number): number => {
    const amount = status?.allocatable?.[name];
    return amount === undefined ? otherwise : (parseQuantity(amount) ?? 0);
  };
  return { cpu: of("cpu", 0), memory: of("memory", 0), [GPU]: of(GPU, 0), pods: of("pods", 110) };
}

export function subtract(from: Resources, what: Resources): Resources {
  return {
    cpu: from.cpu - what.cpu,
    memory: from.memory - what.memory,
    [GPU]: from[GPU] - what[GPU],
    pods: from.pods - what.pods,
  };
}

/** Why not, in kube-scheduler's words; undefined when it fits. */
export function misfit(pod: Pod, wanted: Resources, { node, free }: NodeState): string | undefined {
  if (node.spec?.unschedulable === true && !tolerates(pod, { key: UNSCHEDULABLE, effect: "NoSchedule" })) {
    return "node(s) were unschedulable";
  }
  const labels = node.metadata.labels ?? {};
  const selector = Object.entries(pod.spec.nodeSelector ?? {});
  if (selector.some(([key, value]) => labels[key] !== value) || !matchesNodeAffinity(pod, node)) {
    return "node(s) didn't match Pod's node affinity/selector";
  }
  const taint = (node.spec?.taints ?? []).find((each) => each.effect !== "PreferNoSchedule" && !tolerates(pod, each));
  if (taint !== undefined) return `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}`;
  const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
  if (ready !== undefined && ready.status !== "True") return "node(s) were not ready";
  const short = RESOURCES.find((name) => wanted[name] > 0 && wanted[name] > free[name] + ROUNDING);
  if (short === "pods") return "Too many pods";
  return short === undefined ? undefined : `Insufficient ${short}`;
}

/** Sums of fractional cores are not exact. */
const ROUNDING = 1e-9;
const UNSCHEDULABLE = "node.kubernetes.io/unschedulable";

interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

function tolerates(pod: Pod, taint: Taint): boolean {
  return (pod.spec.tolerations ?? []).some((toleration) => {
    const { key, operator = "Equal", value = "", effect } = toleration as Partial<Taint> & { operator?: string };
    if (effect !== undefined && effect !== "" && effect !== taint.effect) return false;
    if (key === undefined || key === "") return operator === "Exists";
    return key === taint.key && (operator === "Exists" || value === (taint.value ?? ""));
  });
}

/** `0/4 nodes are available: 3 Insufficient nvidia.com/gpu, 1 node(s) were unschedulable.` */
export function misfitMessage(pod: Pod, nodes: readonly NodeState[]): string {
  const wanted = requestsOf(pod);
  const counts = new Map<string, number>();
  for (const node of nodes) {
    const why = misfit(pod, wanted, node) ?? "node(s) were needed by other pods of the gang";
    counts.set(why, (counts.get(why) ?? 0) + 1);
  }
  const reasons = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([why, count]) => `${count} ${why}`);
  return `0/${nodes.length} nodes are available: ${reasons.length === 0 ? "no nodes" : reasons.join(", ")}.`;
}

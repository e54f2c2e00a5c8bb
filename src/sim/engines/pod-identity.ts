/**
 * What a pod is to the data plane, from its labels and annotations (label keys: Grove's `api/common/labels.go`).
 *
 * An engine is one instance: a pod of a clique that scales alone, or all pods of one replica of a scaling group.
 */
import type { Pod } from "../../api/kubernetes/core.ts";
import { parseQuantity } from "../../api/quantity.ts";
import { type MetricFormat, metricFormatOf } from "./engine-exporters.ts";
import type { EngineRole } from "./inference-engine.ts";
import { DEFAULT_PROFILE } from "./profiles.ts";

const ROLE_ANNOTATION = "sim.grove.io/role";
const PROFILE_ANNOTATION = "sim.grove.io/profile";
/** Whose metric names the engine uses: vllm (the default), sglang, trtllm or dynamo. */
const ENGINE_ANNOTATION = "sim.grove.io/engine";
/** Requests per second that one frontend pod can take. */
const FRONTEND_RATE_ANNOTATION = "sim.grove.io/requests-per-second";

const PART_OF = "app.kubernetes.io/part-of";
const CLIQUE = "grove.io/podclique";
const GROUP = "grove.io/podcliquescalinggroup";
const GROUP_REPLICA = "grove.io/podcliquescalinggroup-replica-index";
const SET_REPLICA = "grove.io/podcliqueset-replica-index";
const POD_INDEX = "grove.io/podclique-pod-index";
/** Labels that a scraper copies from the pod to its series. */
const TARGET_LABELS = [PART_OF, CLIQUE, GROUP, GROUP_REPLICA, SET_REPLICA] as const;

export interface PodIdentity {
  /** `namespace/name` */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly nodeName: string;
  /** `namespace/part-of`: pods that serve together. */
  readonly system: string;
  readonly role: EngineRole | "frontend";
  readonly profile: string;
  readonly metricFormat: MetricFormat;
  /** The engine this pod belongs to. */
  readonly instance: string;
  /** Pods the instance needs, when the pod says so. */
  readonly instancePods: number | undefined;
  readonly setReplica: string;
  /** The instance's pod with the least rank serves its metrics. */
  readonly rank: string;
  readonly gpus: number;
  readonly requestsPerSecond: number;
  /** Labels on the series of this pod, keys as Prometheus writes them. */
  readonly targetLabels: Readonly<Record<string, string>>;
}

const DEFAULT_REQUESTS_PER_SECOND = 50;

export function identityOf(pod: Pod): PodIdentity {
  const { namespace = "default", name, labels = {}, annotations = {} } = pod.metadata;
  const clique = labels[CLIQUE] ?? name;
  const group = labels[GROUP];
  const partOf = labels[PART_OF] ?? clique;
  const index = labels[POD_INDEX] ?? "0";
  const role = roleOf(annotations[ROLE_ANNOTATION], partOf, group, clique);
  const template = pod.spec.containers[0]?.env?.find((entry) => entry.name === "GROVE_PCSG_TEMPLATE_NUM_PODS")?.value;
  const isLeader = /leader|ldr/.test(clique);
  return {
    key: `${namespace}/${name}`,
    namespace,
    name,
    nodeName: pod.spec.nodeName ?? "",
    system: `${namespace}/${partOf}`,
    role,
    profile: annotations[PROFILE_ANNOTATION] ?? DEFAULT_PROFILE,
    metricFormat: metricFormatOf(annotations[ENGINE_ANNOTATION]),
    instance:
      group === undefined || role === "frontend"
        ? `${namespace}/${name}`
        : `${namespace}/${group}/${labels[GROUP_REPLICA] ?? "0"}`,
    instancePods: group === undefined || template === undefined ? undefined : Number(template),
    setReplica: labels[SET_REPLICA] ?? "0",
    rank: `${isLeader ? 0 : 1}/${clique}/${index.padStart(6, "0")}/${name}`,
    gpus: pod.spec.containers.reduce((sum, { resources }) => {
      const wanted = resources?.limits?.["nvidia.com/gpu"] ?? resources?.requests?.["nvidia.com/gpu"];
      return sum + (wanted === undefined ? 0 : (parseQuantity(wanted) ?? 0));
    }, 0),
    requestsPerSecond: Number(annotations[FRONTEND_RATE_ANNOTATION] ?? DEFAULT_REQUESTS_PER_SECOND),
    targetLabels: targetLabels(pod),
  };
}

function targetLabels(pod: Pod): Record<string, string> {
  const { namespace = "default", name, labels = {} } = pod.metadata;
  const result: Record<string, string> = { namespace, pod: name, node: pod.spec.nodeName ?? "" };
  for (const key of TARGET_LABELS) {
    const value = labels[key];
    if (value !== undefined) result[key.replaceAll(/[^a-zA-Z0-9_]/g, "_")] = value;
  }
  return result;
}

/** The annotation, else what the name of the scaling group says, else the name of the clique. */
function roleOf(
  annotation: string | undefined,
  partOf: string,
  group: string | undefined,
  clique: string,
): PodIdentity["role"] {
  if (annotation === "prefill" || annotation === "decode" || annotation === "aggregated" || annotation === "frontend") {
    return annotation;
  }
  // The name of the set is part of every name below it and must not decide the role.
  const own = (name: string): string => (name.startsWith(`${partOf}-`) ? name.slice(partOf.length + 1) : name);
  for (const name of group === undefined ? [own(clique)] : [own(group), own(clique)]) {
    const prefill = name.includes("prefill");
    const decode = name.includes("decode");
    if (prefill !== decode) return prefill ? "prefill" : "decode";
    if (/frontend|router|gateway/.test(name)) return "frontend";
  }
  return "aggregated";
}

/** What a decision reads of the objects it follows; a cache of a large fleet holds nothing else. Pure. */
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { PodClique } from "../api/grove/pod-clique.ts";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import type { Pod, PodCondition, PodSpec } from "../api/kubernetes/core.ts";
import type { ObjectMeta } from "../api/kubernetes/meta.ts";
import { KAI_QUEUE_LABEL } from "../api/scheduler/kai-queue.ts";
import { GROUP_REPLICA_INDEX, PART_OF, POD_CLIQUE, SCALING_GROUP, SET_REPLICA_INDEX } from "../grove/labels.ts";
import { createInterner } from "./interned.ts";

/** Labels, node, devices, conditions: a tenth of the whole pod. */
export function slimPod({ apiVersion, kind, metadata, spec, status }: Pod): Pod {
  const { name, namespace, uid, resourceVersion, labels, creationTimestamp, deletionTimestamp } = metadata;
  return {
    apiVersion,
    kind,
    metadata: definedOnly({
      name,
      namespace,
      uid,
      resourceVersion,
      labels: slimLabels(labels),
      creationTimestamp,
      deletionTimestamp,
    }),
    spec: slimPodSpec(spec),
    ...(status === undefined
      ? {}
      : {
          status: definedOnly({
            phase: status.phase,
            conditions: status.conditions?.flatMap(slimCondition),
          }),
        }),
  };
}

const CONDITIONS = ["Ready", "PodScheduled"];

function slimCondition({ type, status, reason, lastTransitionTime }: PodCondition): readonly PodCondition[] {
  const known = CONDITIONS.find((one) => one === type);
  return known === undefined ? [] : [definedOnly({ type: known, status, reason, lastTransitionTime })];
}

const LABELS = [PART_OF, KAI_QUEUE_LABEL, POD_CLIQUE, SCALING_GROUP, GROUP_REPLICA_INDEX, SET_REPLICA_INDEX];

const slimLabels = (labels: ObjectMeta["labels"]): ObjectMeta["labels"] =>
  labels === undefined
    ? undefined
    : Object.fromEntries(LABELS.filter((name) => name in labels).map((name) => [name, labels[name] as string]));

export function slimSet(set: PodCliqueSet): PodCliqueSet {
  const { template } = set.spec;
  const cliques = template.cliques.map((clique) => ({
    ...clique,
    spec: { ...clique.spec, podSpec: slimPodSpec(clique.spec.podSpec) },
  }));
  return { ...set, metadata: slimMetadata(set.metadata), spec: { ...set.spec, template: { ...template, cliques } } };
}

export function slimClique(clique: PodClique): PodClique {
  return {
    ...clique,
    metadata: slimMetadata(clique.metadata),
    spec: { ...clique.spec, podSpec: slimPodSpec(clique.spec.podSpec) },
  };
}

/** The chain of the last decision is for people; only its verdict is compared with the next. */
export function slimPolicy(policy: ScalingPolicy): ScalingPolicy {
  const { status, metadata } = policy;
  if (status?.lastDecision === undefined) return { ...policy, metadata: slimMetadata(metadata) };
  const { chain: _, neighbours: __, ...lastDecision } = status.lastDecision;
  return { ...policy, metadata: slimMetadata(metadata), status: { ...status, lastDecision } };
}

/** How kubectl keeps the whole object once more. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

function slimMetadata({ managedFields: _, annotations, ...metadata }: ObjectMeta): ObjectMeta {
  if (annotations === undefined) return metadata;
  const { [LAST_APPLIED]: __, ...kept } = annotations;
  return { ...metadata, annotations: kept };
}

const sameContainers = createInterner<PodSpec["containers"]>();

const slimPodSpec = ({
  nodeName,
  resourceClaims,
  terminationGracePeriodSeconds,
  containers,
  initContainers,
}: PodSpec): PodSpec =>
  definedOnly({
    nodeName,
    resourceClaims,
    terminationGracePeriodSeconds,
    containers: sameContainers(containers.map(slimContainer)),
    initContainers: initContainers === undefined ? undefined : sameContainers(initContainers.map(slimContainer)),
  });

const slimContainer = ({ name, resources, restartPolicy }: Container): Container => ({
  name,
  ...(resources === undefined ? {} : { resources }),
  ...(restartPolicy === undefined ? {} : { restartPolicy }),
});

type Container = PodSpec["containers"][number];

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

function definedOnly<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}

/** What a decision reads of the objects it follows; a cache of a large fleet holds nothing else. Pure. */
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { ScalingPolicyStatus } from "../api/autoscaling/scaling-policy-status.ts";
import type { PodClique } from "../api/grove/pod-clique.ts";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import type { Pod, PodCondition, PodSpec } from "../api/kubernetes/core.ts";
import type { Condition, KubeObject, ObjectMeta } from "../api/kubernetes/meta.ts";
import { KAI_QUEUE_LABEL } from "../api/scheduler/kai-queue.ts";
import { GROUP_REPLICA_INDEX, PART_OF, POD_CLIQUE, SCALING_GROUP, SET_REPLICA_INDEX } from "../grove/labels.ts";
import { createInterner, createTextInterner } from "./interned.ts";

/** Labels, node, devices, conditions: a tenth of the whole pod. */
export function slimPod({ apiVersion, kind, metadata, spec, status }: Pod): Pod {
  const { name, namespace, uid, resourceVersion, labels, creationTimestamp, deletionTimestamp } = metadata;
  return {
    apiVersion,
    kind,
    metadata: definedOnly({
      name,
      namespace: sameText(namespace),
      uid,
      resourceVersion,
      labels: slimLabels(labels),
      creationTimestamp: sameText(creationTimestamp),
      deletionTimestamp,
    }),
    spec: slimPodSpec(spec),
    ...(status === undefined
      ? {}
      : {
          status: definedOnly({
            phase: status.phase,
            // What flatMap makes has room for more, a hundred thousand times.
            conditions: status.conditions?.flatMap(slimCondition).slice(),
          }),
        }),
  };
}

const CONDITIONS = ["Ready", "PodScheduled"];

function slimCondition({ type, status, reason, lastTransitionTime }: PodCondition): readonly PodCondition[] {
  const known = CONDITIONS.find((one) => one === type);
  return known === undefined
    ? []
    : [definedOnly({ type: known, status, reason, lastTransitionTime: sameText(lastTransitionTime) })];
}

const LABELS = [PART_OF, KAI_QUEUE_LABEL, POD_CLIQUE, SCALING_GROUP, GROUP_REPLICA_INDEX, SET_REPLICA_INDEX];

const slimLabels = (labels: ObjectMeta["labels"]): ObjectMeta["labels"] =>
  labels === undefined
    ? undefined
    : sameLabels(
        Object.fromEntries(LABELS.filter((name) => name in labels).map((name) => [name, labels[name] as string])),
      );

/** Of pods of one clique they are the same. */
const sameLabels = createInterner<Readonly<Record<string, string>>>();
/** Times of the same second, namespaces, nodes, sentences of conditions: the parser makes a text of its own of each. */
const sameText = createTextInterner();

/** The generation counts changes of the spec: where only the status is another, the spec is kept once. */
const specOf = <T extends KubeObject & { readonly spec: unknown }>(before: T | undefined, { metadata }: T) =>
  before !== undefined && metadata.generation !== undefined && before.metadata.generation === metadata.generation
    ? (before.spec as T["spec"])
    : undefined;

export function slimSet(set: PodCliqueSet, before?: PodCliqueSet): PodCliqueSet {
  const spec = specOf(before, set);
  if (spec !== undefined) return { ...set, metadata: slimMetadata(set.metadata), spec };
  const { template } = set.spec;
  const cliques = template.cliques.map((clique) => ({
    ...clique,
    spec: { ...clique.spec, podSpec: slimPodSpec(clique.spec.podSpec) },
  }));
  return { ...set, metadata: slimMetadata(set.metadata), spec: { ...set.spec, template: { ...template, cliques } } };
}

export function slimClique(clique: PodClique, before?: PodClique): PodClique {
  return {
    ...clique,
    metadata: slimMetadata(clique.metadata),
    spec: specOf(before, clique) ?? { ...clique.spec, podSpec: slimPodSpec(clique.spec.podSpec) },
  };
}

/** In the place of a checkpoint that the loop has read: it knows better, and the text grows to tens of kilobytes. */
export const CHECKPOINT_READ = "";

/** As the cache holds a policy whose checkpoint this process needs no more; what the API server has stays. */
export const withCheckpointRead = (policy: ScalingPolicy): ScalingPolicy => ({
  ...policy,
  status: { ...policy.status, checkpoint: CHECKPOINT_READ } as ScalingPolicyStatus,
});

/** The chain of the last decision is for people; only its verdict is compared with the next. */
export function slimPolicy(policy: ScalingPolicy, before?: ScalingPolicy): ScalingPolicy {
  const { status, metadata } = policy;
  const slim = { ...policy, metadata: slimMetadata(metadata), spec: specOf(before, policy) ?? sharedSpec(policy.spec) };
  if (status === undefined) return slim;
  const isRead = before?.status?.checkpoint === CHECKPOINT_READ;
  return { ...slim, status: { ...slimStatus(status), ...(isRead ? { checkpoint: CHECKPOINT_READ } : {}) } };
}

const sameEntry = createInterner<unknown>();

/** Policies of a fleet are made from a few templates: what they have alike below the names is kept once. Whatever else a broken spec holds, it keeps. */
function sharedSpec(spec: ScalingPolicy["spec"]): ScalingPolicy["spec"] {
  const shared = Object.entries(spec).map(([field, value]) => [
    field,
    field === "scaleTargets" && Array.isArray(value) ? value.map(sharedEntries) : sameEntry(value),
  ]);
  return Object.fromEntries(shared) as ScalingPolicy["spec"];
}

function sharedEntries(target: unknown): unknown {
  if (typeof target !== "object" || target === null || Array.isArray(target)) return target;
  return Object.fromEntries(Object.entries(target).map(([field, value]) => [field, sameEntry(value)]));
}

function slimStatus({ lastDecision, conditions, history, ...status }: ScalingPolicyStatus): ScalingPolicyStatus {
  const slim = {
    ...status,
    ...(conditions === undefined ? {} : { conditions: conditions.map(sameSentence) }),
    ...(history === undefined ? {} : { history: history.map(sameOutcome) }),
  };
  if (lastDecision === undefined) return slim;
  const { chain: _, neighbours: __, ...summary } = lastDecision;
  return { ...slim, lastDecision: summary };
}

const sameSentence = (condition: Condition): Condition => ({
  ...condition,
  message: sameText(condition.message),
  lastTransitionTime: sameText(condition.lastTransitionTime),
});

const sameOutcome = (entry: HistoryEntry): HistoryEntry => ({
  ...entry,
  reason: sameText(entry.reason),
  outcome: sameText(entry.outcome),
  desired: sameEntry(entry.desired) as HistoryEntry["desired"],
});

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
    nodeName: sameText(nodeName),
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

type HistoryEntry = NonNullable<ScalingPolicyStatus["history"]>[number];

type Container = PodSpec["containers"][number];

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

function definedOnly<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}

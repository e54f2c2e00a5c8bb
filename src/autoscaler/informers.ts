/** The caches the autoscaler reads; nothing in a decision asks the API server. */
import { GPU_BUDGETS, type GPUBudget } from "../api/autoscaling/gpu-budget.ts";
import { SCALING_OVERRIDES, type ScalingOverride } from "../api/autoscaling/scaling-override.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { POD_CLIQUES, type PodClique } from "../api/grove/pod-clique.ts";
import { POD_CLIQUE_SCALING_GROUPS, type PodCliqueScalingGroup } from "../api/grove/pod-clique-scaling-group.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import { KEDA_SCALED_OBJECTS, type KedaScaledObject } from "../api/keda/scaled-object.ts";
import {
  CONFIG_MAPS,
  type ConfigMap,
  HORIZONTAL_POD_AUTOSCALERS,
  type HorizontalPodAutoscaler,
  PODS,
  type Pod,
} from "../api/kubernetes/core.ts";
import type { KubeObject, Resource } from "../api/kubernetes/meta.ts";
import { KAI_QUEUES, type KaiQueue } from "../api/scheduler/kai-queue.ts";
import { MANAGED_BY, MANAGER, PART_OF, POD_CLIQUE, SCALING_GROUP } from "../grove/labels.ts";
import { type Informer, type InformerOptions, startInformer } from "../kube/informer.ts";
import { mergeInformers } from "../kube/merged-informer.ts";
import { silentLogger } from "../log.ts";
import { PROFILE_SELECTOR } from "./profile-of.ts";
import { slimClique, slimPod, slimPolicy, slimSet } from "./slim.ts";

export interface AutoscalerInformers {
  readonly policies: Informer<ScalingPolicy>;
  readonly overrides: Informer<ScalingOverride>;
  readonly budgets: Informer<GPUBudget>;
  readonly sets: Informer<PodCliqueSet>;
  readonly groups: Informer<PodCliqueScalingGroup>;
  readonly cliques: Informer<PodClique>;
  readonly pods: Informer<Pod>;
  /** Performance profiles only. */
  readonly configMaps: Informer<ConfigMap>;
  /** Those that scale objects of Grove. */
  readonly horizontalPodAutoscalers: Informer<HorizontalPodAutoscaler>;
  /** Of KEDA; empty where it is not installed. */
  readonly scaledObjects: Informer<KedaScaledObject>;
  /** Of KAI Scheduler; empty where it is not installed. */
  readonly queues: Informer<KaiQueue>;
  readonly synced: Promise<unknown>;
}

/** Index names. */
export const BY_POLICY = "policy";
export const BY_SET = "set";
export const BY_OBJECT = "object";
export const BY_BUDGET = "budget";
/** `namespace/kind/name` of the object of Grove that another autoscaler scales. */
export const BY_SCALED = "scaled";

export type InformerSettings = Omit<InformerOptions<KubeObject>, "resource" | "indexes" | "project" | "scope"> & {
  /** One, several, or all when absent. */
  readonly namespace?: string | readonly string[];
};

export function startAutoscalerInformers({ namespace, ...settings }: InformerSettings): AutoscalerInformers {
  const scopes = namespace === undefined ? [{}] : [namespace].flat().map((one) => ({ namespace: one }));
  const start = <T extends KubeObject>(
    resource: Resource<T>,
    { labelSelector, ...more }: Partial<InformerOptions<T>> & { readonly labelSelector?: string } = {},
  ): Informer<T> => {
    const selector = labelSelector === undefined ? {} : { labelSelector };
    return mergeInformers(
      (resource.namespaced ? scopes : [{}]).map((scope) =>
        startInformer<T>({ ...settings, resource, scope: { ...scope, ...selector }, ...more }),
      ),
    );
  };
  const setKey = (object: KubeObject): string => `${object.metadata.namespace}/${object.metadata.labels?.[PART_OF]}`;
  const informers = {
    policies: start(SCALING_POLICIES, {
      project: slimPolicy,
      indexes: {
        [BY_SET]: ({ metadata, spec }) => [`${metadata.namespace}/${spec.targetRef.name}`],
        [BY_BUDGET]: ({ spec }) => [spec.gpuBudget?.sharedBudgetRef?.name ?? []].flat(),
      },
    }),
    overrides: start(SCALING_OVERRIDES, {
      indexes: { [BY_POLICY]: ({ metadata, spec }) => [`${metadata.namespace}/${spec.policyRef.name}`] },
    }),
    budgets: start(GPU_BUDGETS),
    sets: start(POD_CLIQUE_SETS, { project: slimSet }),
    groups: start(POD_CLIQUE_SCALING_GROUPS),
    cliques: start(POD_CLIQUES, { project: slimClique }),
    pods: start(PODS, {
      labelSelector: `${MANAGED_BY}=${MANAGER}`,
      indexes: {
        [BY_SET]: (pod) => [setKey(pod)],
        // A member of a scaling group counts for the group, whose replica it is a part of.
        [BY_OBJECT]: ({ metadata }) => {
          const object = metadata.labels?.[SCALING_GROUP] ?? metadata.labels?.[POD_CLIQUE];
          return object === undefined ? [] : [`${metadata.namespace}/${object}`];
        },
      },
      project: slimPod,
    }),
  };
  // Not waited for: without the right to read ConfigMaps everything but profiles works.
  const configMaps = start(CONFIG_MAPS, { labelSelector: PROFILE_SELECTOR });
  // A cluster without KEDA serves no ScaledObjects, and a role of an older release may read neither: one attempt is waited for, and said.
  const rivals = {
    horizontalPodAutoscalers: start(HORIZONTAL_POD_AUTOSCALERS, {
      log: silentLogger,
      indexes: { [BY_SCALED]: scaledBy },
    }),
    scaledObjects: start(KEDA_SCALED_OBJECTS, { log: silentLogger, indexes: { [BY_SCALED]: scaledBy } }),
  };
  // Without KAI Scheduler a policy that names a queue does not grow, and says so.
  const queues = start(KAI_QUEUES, { log: silentLogger });
  const looked = Object.values(rivals).map(async ({ attempted, failure, resource }) => {
    await attempted;
    const why = failure();
    if (why === undefined) return;
    const { log = silentLogger } = settings;
    log.info(
      { resource: resource.plural, why },
      `no ${resource.kind} can be read: one on the same target goes unnoticed`,
    );
  });
  const synced = Promise.all([
    ...Object.values(informers).map((informer) => informer.synced),
    ...looked,
    queues.attempted,
  ]);
  return { ...informers, configMaps, ...rivals, queues, synced };
}

function scaledBy({ metadata, spec }: HorizontalPodAutoscaler | KedaScaledObject): readonly string[] {
  const { apiVersion = "", kind = "", name } = spec.scaleTargetRef ?? { name: "" };
  return apiVersion.startsWith(`${POD_CLIQUES.group}/`) ? [`${metadata.namespace}/${kind}/${name}`] : [];
}

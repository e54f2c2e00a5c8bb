/**
 * Admission of our own kinds, as a validating webhook asks it. What the object says of itself and what contradicts the objects around it is refused with its sentence.
 *
 * - An update is refused for what it breaks, never for what was wrong before: whoever pauses a policy in an incident is not asked to repair it first.
 * - What cannot be looked up is a warning: every policy is checked again before each decision, and an outage must not keep an operator from an override.
 */
import { defaultObject } from "../api/admission.ts";
import { GPU_BUDGETS, type GPUBudget } from "../api/autoscaling/gpu-budget.ts";
import type { ScalingOverride } from "../api/autoscaling/scaling-override.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { POD_CLIQUE_SETS } from "../api/grove/pod-clique-set.ts";
import { KEDA_SCALED_OBJECTS } from "../api/keda/scaled-object.ts";
import { CONFIG_MAPS, HORIZONTAL_POD_AUTOSCALERS } from "../api/kubernetes/core.ts";
import type { KubeObject, Resource } from "../api/kubernetes/meta.ts";
import { RESOURCE_CLAIM_TEMPLATES, type ResourceClaimTemplate } from "../api/kubernetes/resource-claim.ts";
import { KAI_QUEUES } from "../api/scheduler/kai-queue.ts";
import { VOLCANO_QUEUES } from "../api/scheduler/volcano.ts";
import type { FieldError } from "../api/schema/validate.ts";
import { isNotFound } from "../kube/api-error.ts";
import type { KubeApi, ListOptions } from "../kube/kube-api.ts";
import { gpusOfClaim } from "./device-gpus.ts";
import type { TemplateGpus } from "./gpu-cost.ts";
import { readConfigMap } from "./profile-of.ts";
import { type QueueName, queuesOf } from "./queue-limits.ts";
import { type Findings, reviewAlone, reviewOverride, reviewPolicy } from "./review-policy.ts";

export interface PolicyAdmissionOptions {
  /** Asked directly and not through a cache: one file may hold a workload and its policy. */
  readonly api: KubeApi;
  /** Wall time. */
  readonly nowMs: () => number;
  /** Those that the service works in; absent: all. */
  readonly namespaces?: readonly string[];
}

const NOTHING: Findings = { errors: [], warnings: [] };

export interface PolicyChange {
  readonly operation: "CREATE" | "UPDATE";
  readonly object: KubeObject;
  /** Of an update. */
  readonly oldObject?: KubeObject;
  /** That it is posted to; absent for what is cluster-scoped. */
  readonly namespace?: string;
}

/** @returns errors: the change is refused */
export function reviewChanges({
  api,
  nowMs,
  namespaces,
}: PolicyAdmissionOptions): (change: PolicyChange) => Promise<Findings> {
  return async ({ operation, object, oldObject, namespace }) => {
    // Labels, finalizers and the status stay editable whatever has become of the spec.
    if (object.metadata.deletionTimestamp !== undefined) return NOTHING;
    if (oldObject !== undefined && isSameSpec(object, oldObject)) return NOTHING;
    const isOurs = namespaces === undefined || namespace === undefined || namespaces.includes(namespace);
    const lookup = lookupIn(api);
    const findingsOf = async (one: KubeObject, at: PolicyChange["operation"]): Promise<Findings> => {
      const placed = namespace === undefined ? one : { ...one, metadata: { ...one.metadata, namespace } };
      const alone = reviewAlone({ operation: at, object: placed }, { nowMs: nowMs() });
      if (alone.errors.length > 0 || !isOurs) return alone;
      const { errors, warnings } = await lookAround(lookup, alone.object);
      return { errors, warnings: [...alone.warnings, ...warnings] };
    };
    const { errors, warnings } = await findingsOf(object, operation);
    const before = errors.length > 0 && oldObject !== undefined ? (await findingsOf(oldObject, "UPDATE")).errors : [];
    const known = new Set(before.map(sentence));
    const isKnown = (error: FieldError): boolean => known.has(sentence(error));
    return {
      errors: errors.filter((error) => !isKnown(error)),
      warnings: [
        ...errors.filter(isKnown).map((error) => `still ${sentence(error)}`),
        ...warnings,
        ...lookup.failures(),
      ],
    };
  };
}

const sentence = ({ field, message }: FieldError): string => `${field}: ${message}`;

const specOf = (object: KubeObject): unknown => (object as { readonly spec?: unknown }).spec;
const isSameSpec = (a: KubeObject, b: KubeObject): boolean => JSON.stringify(specOf(a)) === JSON.stringify(specOf(b));

interface Lookup {
  /** Undefined: could not be read. */
  list<T extends KubeObject>(resource: Resource<T>, options: ListOptions): Promise<readonly T[] | undefined>;
  failures(): readonly string[];
}

function lookupIn(api: KubeApi): Lookup {
  const failures = new Set<string>();
  return {
    async list(resource, options) {
      try {
        return (await api.list(resource, options)).items;
      } catch (error) {
        // A cluster without KEDA has no ScaledObjects.
        if (isNotFound(error)) return [];
        const why = error instanceof Error ? error.message : String(error);
        failures.add(`not checked against ${resource.plural}, which could not be read: ${why}`);
        return undefined;
      }
    },
    failures: () => [...failures],
  };
}

function lookAround(lookup: Lookup, object: KubeObject): Promise<Findings> {
  switch (object.kind) {
    case "ScalingPolicy":
      return aroundPolicy(lookup, object as ScalingPolicy);
    case "ScalingOverride":
      return aroundOverride(lookup, object as ScalingOverride);
    case "GPUBudget":
      return aroundBudget(lookup, object as GPUBudget);
    default:
      return Promise.resolve(NOTHING);
  }
}

const templateGpusOf =
  (templates: readonly ResourceClaimTemplate[] = []): TemplateGpus =>
  (namespace, name) => {
    const found = templates.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
    return found === undefined ? undefined : gpusOfClaim(found.spec.spec);
  };

async function aroundPolicy({ list }: Lookup, policy: ScalingPolicy): Promise<Findings> {
  const { namespace = "default" } = policy.metadata;
  const setName = policy.spec.targetRef.name;
  const budgetName = policy.spec.gpuBudget.sharedBudgetRef?.name;
  const profileName = policy.spec.performanceModel.profileRef?.name;
  const [policies = [], sets, horizontalPodAutoscalers = [], scaledObjects = [], budgets, templates, configMaps] =
    await Promise.all([
      list(SCALING_POLICIES, { namespace }),
      list(POD_CLIQUE_SETS, { namespace, fieldSelector: `metadata.name=${setName}` }),
      list(HORIZONTAL_POD_AUTOSCALERS, { namespace }),
      list(KEDA_SCALED_OBJECTS, { namespace }),
      budgetName === undefined ? undefined : list(GPU_BUDGETS, { fieldSelector: `metadata.name=${budgetName}` }),
      list(RESOURCE_CLAIM_TEMPLATES, {}),
      profileName === undefined
        ? undefined
        : list(CONFIG_MAPS, { namespace, fieldSelector: `metadata.name=${profileName}` }),
    ]);
  const read = configMaps?.[0] === undefined ? undefined : readConfigMap(configMaps[0]);
  const set = sets?.[0];
  const budget = budgets?.[0];
  const named = queuesOf(policy.spec, set);
  const isNamed = (scheduler: QueueName["scheduler"]): boolean => named.some((queue) => queue.scheduler === scheduler);
  const [kai, volcano] = await Promise.all([
    isNamed("KAI") ? list(KAI_QUEUES, {}) : undefined,
    isNamed("Volcano") ? list(VOLCANO_QUEUES, {}) : undefined,
  ]);
  const { errors, warnings } = reviewPolicy(policy, {
    policies,
    horizontalPodAutoscalers,
    scaledObjects,
    templateGpus: templateGpusOf(templates),
    queues: { kai: kai ?? [], volcano: volcano ?? [] },
    ...(read?.kind === "Profile" && { profile: read.profile }),
    ...(set !== undefined && { set }),
    ...(budget !== undefined && { budget }),
  });
  const missing: string[] = [];
  if (sets?.length === 0) {
    missing.push(`spec.targetRef.name: there is no PodCliqueSet "${setName}" in namespace ${namespace} yet`);
  }
  if (budgets?.length === 0) {
    missing.push(
      `spec.gpuBudget.sharedBudgetRef.name: there is no GPUBudget "${budgetName}" yet, and nothing grows until there is`,
    );
  }
  const queue = policy.spec.gpuBudget.queueRef?.name;
  if (queue !== undefined && kai?.every(({ metadata }) => metadata.name !== queue) === true) {
    missing.push(
      `spec.gpuBudget.queueRef.name: there is no KAI queue "${queue}" yet, and nothing grows until there is`,
    );
  }
  return { errors, warnings: [...missing, ...warnings] };
}

async function aroundOverride({ list }: Lookup, override: ScalingOverride): Promise<Findings> {
  const { namespace = "default" } = override.metadata;
  const { name } = override.spec.policyRef;
  const policies = await list(SCALING_POLICIES, { namespace, fieldSelector: `metadata.name=${name}` });
  if (policies?.length === 0) {
    const warning = `spec.policyRef.name: there is no ScalingPolicy "${name}" in namespace ${namespace} yet`;
    return { errors: [], warnings: [warning] };
  }
  const policy = policies?.[0];
  return policy === undefined ? NOTHING : reviewOverride(override, defaultObject(policy) as ScalingPolicy);
}

/** Enough for a person to notice a mistyped name; a budget over more namespaces is not worth so many requests. */
const NAMESPACES_MAX = 20;

async function aroundBudget({ list }: Lookup, { spec, metadata }: GPUBudget): Promise<Findings> {
  const namespaces = [...new Set(spec.members.map(({ namespace }) => namespace))].slice(0, NAMESPACES_MAX);
  const listed = await Promise.all(
    namespaces.map(async (namespace) => [namespace, await list(SCALING_POLICIES, { namespace })] as const),
  );
  const policies = new Map(listed);
  const warnings = spec.members.flatMap(({ namespace, policy }, index) => {
    const there = policies.get(namespace);
    if (there === undefined) return [];
    const found = there.find((one) => one.metadata.name === policy);
    if (found === undefined)
      return [`spec.members[${index}]: there is no ScalingPolicy "${policy}" in namespace ${namespace} yet`];
    return found.spec.gpuBudget?.sharedBudgetRef?.name === metadata.name
      ? []
      : [
          `spec.members[${index}]: ScalingPolicy ${policy} does not name this budget; set spec.gpuBudget.sharedBudgetRef.name: ${metadata.name} there`,
        ];
  });
  return { errors: [], warnings };
}

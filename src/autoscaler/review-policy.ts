/**
 * What is wrong with a policy, an override or a budget among the objects around it: the rules that admission and `lint` have beyond those of the object. Pure.
 *
 * What contradicts something that is there is an error; what is not there yet, or works with less than was asked for, is a warning.
 */
import { type AdmissionOptions, type AdmissionRequest, type AdmissionResult, admit } from "../api/admission.ts";
import type { GPUBudget } from "../api/autoscaling/gpu-budget.ts";
import type { PerformanceProfile } from "../api/autoscaling/performance-profile.ts";
import { MAX_SET_REPLICAS } from "../api/autoscaling/scale-target.ts";
import type { ScalingOverride } from "../api/autoscaling/scaling-override.ts";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { validateScalingPolicy } from "../api/autoscaling/scaling-policy-validation.ts";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import { defaultPodCliqueSet } from "../api/grove/pod-clique-set-defaults.ts";
import type { KedaScaledObject } from "../api/keda/scaled-object.ts";
import type { HorizontalPodAutoscaler } from "../api/kubernetes/core.ts";
import type { FieldError } from "../api/schema/validate.ts";
import { queryErrors } from "./check-queries.ts";
import { engineLimitFindings } from "./engine-limits.ts";
import type { TemplateGpus } from "./gpu-cost.ts";
import { otherAutoscalersOf } from "./other-autoscalers.ts";
import { leastLimit, type Queues, queuesOf } from "./queue-limits.ts";
import { minimumGpus, type Resolution, type ResolutionProblem, resolve } from "./resolve.ts";
import { scaledBy } from "./scaled-by.ts";

export interface Findings {
  readonly errors: readonly FieldError[];
  /** Each begins with its field. */
  readonly warnings: readonly string[];
}

/** The objects of the policy's namespace, and the budget that it names. */
export interface PolicySurroundings {
  /** The policy's target; absent: it does not exist. */
  readonly set?: PodCliqueSet;
  readonly policies: readonly ScalingPolicy[];
  readonly budget?: GPUBudget;
  readonly horizontalPodAutoscalers: readonly HorizontalPodAutoscaler[];
  readonly scaledObjects: readonly KedaScaledObject[];
  /** Of schedulers; absent: none is known. */
  readonly queues?: Queues;
  /** That the policy names; absent: it is not known. */
  readonly profile?: PerformanceProfile;
  /** Of the cluster's ResourceClaimTemplates; absent: none is known. */
  readonly templateGpus?: TemplateGpus;
}

/** What shows without any other object: shape, rules, and PromQL. */
export function reviewAlone(request: AdmissionRequest, options: AdmissionOptions = {}): AdmissionResult {
  const admitted = admit(request, options);
  // The queries of a policy that is broken elsewhere may not even have the shape of queries.
  if (admitted.errors.length > 0 || admitted.object.kind !== "ScalingPolicy") return admitted;
  return { ...admitted, errors: queryErrors((admitted.object as ScalingPolicy).spec) };
}

const NO_FINDINGS: Findings = { errors: [], warnings: [] };

/** @param policy with its defaults, sound by itself */
export function reviewPolicy(policy: ScalingPolicy, around: PolicySurroundings): Findings {
  const limits = around.profile === undefined ? NO_FINDINGS : engineLimitFindings(policy.spec, around.profile);
  const alone = [...rivalErrors(policy, around.policies), ...limits.errors];
  if (around.set === undefined) return { errors: alone, warnings: limits.warnings };
  const set = defaultPodCliqueSet(around.set);
  const { problems, resolution } = resolve(policy.spec, set, around.templateGpus);
  const isError = ({ isWarning, reason }: ResolutionProblem): boolean =>
    // A running policy keeps its floor above its budget; nobody should have to find that out from a condition.
    isWarning !== true || reason === "BudgetInfeasible";
  const errors = [...alone, ...problems.filter(isError).map(fieldError)];
  const warnings = [
    ...limits.warnings,
    ...problems.filter((problem) => !isError(problem)).map(({ message }) => message),
  ];
  if (resolution === undefined) return { errors, warnings };
  return {
    errors: [
      ...errors,
      ...floorErrors(policy, resolution),
      ...sharedBudgetErrors(policy, resolution, around.budget),
      ...otherAutoscalerErrors(policy, set, resolution, around),
    ],
    warnings: [
      ...warnings,
      ...costWarnings(policy, resolution),
      ...scheduledBudgetWarnings(policy, resolution),
      ...queueWarnings(policy, set, resolution, around.queues),
    ],
  };
}

function fieldError({ field, message }: ResolutionProblem): FieldError {
  return { field, message: message.slice(field.length).replace(/^:?\s*/u, "") };
}

function rivalErrors({ metadata, spec }: ScalingPolicy, policies: readonly ScalingPolicy[]): readonly FieldError[] {
  if (spec.mode === "Shadow") return [];
  const rival = policies.find(
    (other) =>
      other.metadata.name !== metadata.name &&
      (other.metadata.namespace ?? "default") === (metadata.namespace ?? "default") &&
      other.metadata.deletionTimestamp === undefined &&
      other.spec.targetRef.name === spec.targetRef.name &&
      other.spec.mode !== "Shadow",
  );
  if (rival === undefined) return [];
  const message = `ScalingPolicy ${rival.metadata.name} already scales PodCliqueSet ${spec.targetRef.name}; change that one or delete it, or set mode Shadow here`;
  return [{ field: "spec.targetRef.name", message }];
}

/** The gang floor raises minima: a maximum below it, or a ratio that only holds below it, is never kept. */
function floorErrors(policy: ScalingPolicy, { targets }: Resolution): readonly FieldError[] {
  const { spec } = policy;
  const floorOf = (name: string): number => targets.find((target) => target.name === name)?.minAvailable ?? 0;
  const tooLow = spec.scaleTargets.flatMap(({ name, ref, maxReplicas }, index) =>
    maxReplicas < floorOf(name)
      ? [
          {
            field: `spec.scaleTargets[${index}].maxReplicas`,
            message: `must not be below minAvailable ${floorOf(name)} of ${ref}; raise it, or lower minAvailable in the PodCliqueSet`,
          },
        ]
      : [],
  );
  if (tooLow.length > 0) return tooLow;
  const scaleTargets = spec.scaleTargets.map((target) => ({
    ...target,
    minReplicas: Math.max(target.minReplicas, floorOf(target.name)),
  }));
  const raised = scaleTargets.filter(({ minReplicas }, index) => minReplicas !== spec.scaleTargets[index]?.minReplicas);
  if (raised.length === 0) return [];
  const why = raised.map(({ name, minReplicas }) => `${name} keeps its minAvailable ${minReplicas}`).join(", ");
  return validateScalingPolicy({ ...policy, spec: { ...spec, scaleTargets } })
    .errors.filter(({ field }) => field.startsWith("spec.ratios") || field.startsWith("spec.coupling"))
    .map(({ field, message }) => ({ field, message: `${message} (${why})` }));
}

function sharedBudgetErrors(
  { spec }: ScalingPolicy,
  resolution: Resolution,
  budget: GPUBudget | undefined,
): readonly FieldError[] {
  const needed = minimumGpus(spec, resolution);
  if (budget === undefined || needed === undefined) return [];
  const { capacity, reserve = 0 } = budget.spec;
  if (needed <= capacity - reserve) return [];
  const message = `GPUBudget ${budget.metadata.name} has ${capacity - reserve} GPUs, but the minimum viable set needs ${needed}; raise its capacity, or lower minReplicas`;
  return [{ field: "spec.gpuBudget.sharedBudgetRef.name", message }];
}

function otherAutoscalerErrors(
  policy: ScalingPolicy,
  set: PodCliqueSet,
  resolution: Resolution,
  { horizontalPodAutoscalers, scaledObjects }: PolicySurroundings,
): readonly FieldError[] {
  const { scaleTargets } = policy.spec;
  const setTarget = scaleTargets.find(({ level }) => level === "PodCliqueSet");
  const objects = [
    ...(setTarget === undefined ? [] : [{ target: setTarget.name, objectName: set.metadata.name }]),
    ...resolution.targets.flatMap(({ name, objectName }) =>
      Array.from({ length: Math.min(set.spec.replicas, MAX_SET_REPLICAS) }, (_, index) => ({
        target: name,
        objectName: objectName(index),
      })),
    ),
  ];
  const indexed = <T extends HorizontalPodAutoscaler | KedaScaledObject>(items: readonly T[]) => ({
    byIndex: (_: string, key: string) => items.filter((item) => scaledBy(item).includes(key)),
  });
  const others = otherAutoscalersOf(policy, objects, {
    horizontalPodAutoscalers: indexed(horizontalPodAutoscalers),
    scaledObjects: indexed(scaledObjects),
  });
  return others.map(({ target, message }) => ({
    field: `spec.scaleTargets[${scaleTargets.findIndex(({ name }) => name === target)}]`,
    message,
  }));
}

function costWarnings({ spec }: ScalingPolicy, { targets, fixedGpus }: Resolution): readonly string[] {
  const { max, sharedBudgetRef } = spec.gpuBudget;
  if (max === undefined && sharedBudgetRef === undefined) return [];
  const unknown = targets
    .filter(({ gpusPerReplica }) => gpusPerReplica === undefined)
    .map(({ name }) => {
      const index = spec.scaleTargets.findIndex((one) => one.name === name);
      return `spec.scaleTargets[${index}].gpusPerReplica: unknown from the templates, so nothing grows under the GPU budget; set a number`;
    });
  if (fixedGpus !== undefined) return unknown;
  return [
    ...unknown,
    "spec.gpuBudget: the GPUs of a clique that is no target are unknown, so nothing grows under the budget; ask for them in its resources, or remove the budget",
  ];
}

function scheduledBudgetWarnings({ spec }: ScalingPolicy, resolution: Resolution): readonly string[] {
  const needed = minimumGpus(spec, resolution) ?? 0;
  return spec.schedules.flatMap(({ gpuBudgetMax }, index) =>
    gpuBudgetMax !== undefined && gpuBudgetMax < needed
      ? [
          `spec.schedules[${index}].gpuBudgetMax: ${gpuBudgetMax} is below the ${needed} GPUs of the minimum viable set, which is kept; raise it`,
        ]
      : [],
  );
}

/** A queue may get room later, and at run time it only keeps from growing: no reason to refuse. */
function queueWarnings(
  { spec }: ScalingPolicy,
  set: PodCliqueSet,
  resolution: Resolution,
  queues: Queues | undefined,
): readonly string[] {
  if (queues === undefined) return [];
  const needed = minimumGpus(spec, resolution) ?? 0;
  const { max = 0 } = spec.gpuBudget;
  return queuesOf(spec, set).flatMap((queue) => {
    const least = leastLimit(queue, queues);
    if (least === undefined) return [];
    const above = least.name === queue.name ? "" : ` above ${queue.name}`;
    const has = `${queue.scheduler} queue ${least.name}${above} has at most ${least.gpus} GPUs`;
    return [
      ...(needed > least.gpus
        ? [
            `${queue.field}: ${has}, but the minimum viable set needs ${needed}, so pods will wait for ever; raise the limit of the queue, or lower minReplicas`,
          ]
        : []),
      ...(max > least.gpus
        ? [
            `spec.gpuBudget.max: is ${max}, but ${has}, so more than those are never had; raise the limit of the queue, or lower max`,
          ]
        : []),
    ];
  });
}

/** @param policy with its defaults; undefined: it does not exist */
export function reviewOverride({ spec }: ScalingOverride, policy: ScalingPolicy | undefined): Findings {
  if (policy === undefined) return { errors: [], warnings: [] };
  const errors: FieldError[] = [];
  const warnings: string[] = [];
  const targets = new Map(policy.spec.scaleTargets.map((target) => [target.name, target]));
  for (const [name, { replicas, minReplicas = replicas, maxReplicas = replicas }] of Object.entries(
    spec.scaleTargets,
  )) {
    const field = `spec.scaleTargets.${name}`;
    const target = targets.get(name);
    if (target === undefined) {
      const known = [...targets.keys()].join(", ");
      const message = `is not a scale target of ScalingPolicy ${policy.metadata.name}; targets: ${known}`;
      errors.push({ field, message });
    } else if (spec.force !== true) {
      if (Math.max(minReplicas ?? 0, maxReplicas ?? 0) > target.maxReplicas)
        warnings.push(`${field}: ends at maxReplicas ${target.maxReplicas} of the policy; force: true lifts this`);
      if (Math.min(minReplicas ?? Infinity, maxReplicas ?? Infinity) < target.minReplicas)
        warnings.push(`${field}: ends at minReplicas ${target.minReplicas} of the policy; force: true lifts this`);
    }
  }
  return { errors, warnings };
}

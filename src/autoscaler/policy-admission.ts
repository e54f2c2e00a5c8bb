/**
 * The webhooks of our own kinds: the rules of `api/admission.ts`, and those that need other objects. What is not there yet is a warning, since a policy may be
 * applied before its workload; what contradicts something that is there is refused.
 */
import { defaultObject, validateObject } from "../api/admission.ts";
import type { ScalingOverride } from "../api/autoscaling/scaling-override.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import { defaultPodCliqueSet } from "../api/grove/pod-clique-set-defaults.ts";
import { diffJson } from "../api/json-patch.ts";
import type { KubeObject } from "../api/kubernetes/meta.ts";
import type { FieldError } from "../api/schema/validate.ts";
import { ALLOWED, type ReviewHandler, refuseFields } from "../grove/webhooks/admission-review.ts";
import type { KubeApi } from "../kube/kube-api.ts";
import { resolve } from "./resolve.ts";

interface Findings {
  readonly errors: readonly FieldError[];
  readonly warnings: readonly string[];
}

const NOTHING: Findings = { errors: [], warnings: [] };

export const defaultOurKinds: ReviewHandler = async ({ object, operation }) =>
  (operation === "CREATE" || operation === "UPDATE") && object
    ? { allowed: true, patch: diffJson(object, defaultObject(object)) }
    : ALLOWED;

/** @param nowMs wall time */
export const validateOurKinds =
  (api: KubeApi, nowMs: () => number): ReviewHandler =>
  async (request) => {
    const { object, oldObject, operation, namespace = "" } = request;
    if (
      (operation !== "CREATE" && operation !== "UPDATE") ||
      !object ||
      object.metadata.deletionTimestamp !== undefined
    ) {
      return ALLOWED;
    }
    const own = validateObject({ operation, object, ...(oldObject && { oldObject }) }, { nowMs: nowMs() });
    // The world may have changed since; labels and finalizers stay editable all the same.
    const isSame = JSON.stringify(specOf(object)) === JSON.stringify(specOf(oldObject));
    const around = own.errors.length > 0 || isSame ? NOTHING : await lookAround(api, object, namespace);
    const errors = [...own.errors, ...around.errors];
    const warnings = [...own.warnings, ...around.warnings];
    const answer = errors.length === 0 ? ALLOWED : refuseFields(request, errors);
    return warnings.length === 0 ? answer : { ...answer, warnings };
  };

const specOf = (object: KubeObject | null | undefined): unknown =>
  (object as { readonly spec?: unknown } | null | undefined)?.spec;

function lookAround(api: KubeApi, object: KubeObject, namespace: string): Promise<Findings> {
  if (object.kind === "ScalingPolicy") return aroundPolicy(api, object as ScalingPolicy, namespace);
  if (object.kind === "ScalingOverride") return aroundOverride(api, object as ScalingOverride, namespace);
  return Promise.resolve(NOTHING);
}

async function aroundPolicy(api: KubeApi, policy: ScalingPolicy, namespace: string): Promise<Findings> {
  const { spec, metadata } = policy;
  const { name } = spec.targetRef;
  const errors: FieldError[] = [];
  const warnings: string[] = [];
  const { items: policies } = await api.list(SCALING_POLICIES, { namespace });
  const rival = policies.find(
    (other) =>
      other.metadata.name !== metadata.name &&
      other.metadata.deletionTimestamp === undefined &&
      other.spec.targetRef.name === name &&
      other.spec.mode !== "Shadow",
  );
  if (rival !== undefined && spec.mode !== "Shadow") {
    errors.push({
      field: "spec.targetRef.name",
      message: `ScalingPolicy ${rival.metadata.name} already scales PodCliqueSet ${name}; change that one, or set mode Shadow here`,
    });
  }
  const set = await findSet(api, namespace, name);
  if (set === undefined) {
    warnings.push(`spec.targetRef.name: there is no PodCliqueSet "${name}" in namespace ${namespace} yet`);
    return { errors, warnings };
  }
  const { problems, resolution } = resolve(spec, defaultPodCliqueSet(set));
  for (const { isWarning, message, reason } of problems) {
    // More than the budget at the very least can never work; a minimum that is raised can.
    if (isWarning === true && reason !== "BudgetInfeasible") warnings.push(message);
    else errors.push(splitMessage(message));
  }
  const hasBudget = spec.gpuBudget.max !== undefined || spec.gpuBudget.sharedBudgetRef !== undefined;
  for (const { name: target, gpusPerReplica } of hasBudget ? (resolution?.targets ?? []) : []) {
    if (gpusPerReplica !== undefined) continue;
    const index = spec.scaleTargets.findIndex((one) => one.name === target);
    warnings.push(
      `spec.scaleTargets[${index}].gpusPerReplica: unknown from the templates, so nothing grows under the GPU budget; set a number`,
    );
  }
  return { errors, warnings };
}

/** Problems of a resolution begin with their field. */
function splitMessage(message: string): FieldError {
  const [field = "spec"] = message.split(/[\s:]/u, 1);
  return { field, message: message.slice(field.length).trim() };
}

async function aroundOverride(api: KubeApi, { spec }: ScalingOverride, namespace: string): Promise<Findings> {
  const { name } = spec.policyRef;
  const { items } = await api.list(SCALING_POLICIES, { namespace, fieldSelector: `metadata.name=${name}` });
  const [policy] = items;
  if (policy === undefined) {
    return {
      errors: [],
      warnings: [`spec.policyRef.name: there is no ScalingPolicy "${name}" in namespace ${namespace} yet`],
    };
  }
  const known = policy.spec.scaleTargets.map((target) => target.name);
  const errors = Object.keys(spec.scaleTargets)
    .filter((target) => !known.includes(target))
    .map((target) => ({
      field: `spec.scaleTargets.${target}`,
      message: `is not a scale target of ScalingPolicy ${name}; targets: ${known.join(", ")}`,
    }));
  return { errors, warnings: [] };
}

async function findSet(api: KubeApi, namespace: string, name: string): Promise<PodCliqueSet | undefined> {
  return (await api.list(POD_CLIQUE_SETS, { namespace, fieldSelector: `metadata.name=${name}` })).items[0];
}

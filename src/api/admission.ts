/**
 * Admission of all kinds of ours: what the webhooks answer, and what a client can ask without a server.
 * Pure; defaults first, then validates the result.
 */

import type { GPUBudget } from "./autoscaling/gpu-budget.ts";
import { validateGpuBudget, validateScalingOverride } from "./autoscaling/override-and-budget-validation.ts";
import type { ScalingOverride } from "./autoscaling/scaling-override.ts";
import type { ScalingPolicyInput } from "./autoscaling/scaling-policy.ts";
import { defaultScalingPolicy } from "./autoscaling/scaling-policy-defaults.ts";
import { validateScalingPolicy } from "./autoscaling/scaling-policy-validation.ts";
import { AUTOSCALING_GROUP } from "./autoscaling/shared.ts";
import { RESOURCE_DEFINITIONS } from "./crds/all.ts";
import { DEFAULT_GROVE_ADMISSION, type GroveAdmissionOptions } from "./grove/admission-options.ts";
import type { ClusterTopologyBinding } from "./grove/cluster-topology-binding.ts";
import { validateClusterTopologyBinding } from "./grove/cluster-topology-binding-validation.ts";
import type { PodCliqueSet, PodCliqueSetInput } from "./grove/pod-clique-set.ts";
import { defaultPodCliqueSet } from "./grove/pod-clique-set-defaults.ts";
import { validatePodCliqueSetUpdate } from "./grove/pod-clique-set-update.ts";
import { validatePodCliqueSet } from "./grove/pod-clique-set-validation.ts";
import { apiVersionOf, type KubeObject } from "./kubernetes/meta.ts";
import { applyDefaults } from "./schema/defaults.ts";
import type { ResourceDefinition } from "./schema/resource-definition.ts";
import { type FieldError, validateSchema } from "./schema/validate.ts";

export interface AdmissionRequest {
  readonly operation: "CREATE" | "UPDATE" | "DELETE";
  readonly object: KubeObject;
  readonly oldObject?: KubeObject;
}

export interface AdmissionResult {
  /** The object with its defaults. */
  readonly object: KubeObject;
  /** Empty: admitted. */
  readonly errors: readonly FieldError[];
  readonly warnings: readonly string[];
}

export interface AdmissionOptions {
  readonly grove?: GroveAdmissionOptions;
  /** Wall time, where known. */
  readonly nowMs?: number;
}

export function admit(request: AdmissionRequest, options: AdmissionOptions = {}): AdmissionResult {
  const { operation } = request;
  const definition = definitionOf(request.object);
  if (operation === "DELETE" || definition === undefined) return { object: request.object, errors: [], warnings: [] };
  const complete = applyDefaults(definition.schema, request.object);
  // Ours are checked for unknown fields too: a server drops them, and a mistyped limit would silently not hold.
  const rejectUnknown = definition.resource.group === AUTOSCALING_GROUP;
  const shape = validateSchema(definition.schema, complete, "", { rejectUnknown });
  if (shape.length > 0) return { object: complete, errors: shape, warnings: [] };
  const object = withDerivedDefaults(definition, complete);
  const { errors, warnings } = validate(definition, { ...request, operation, object }, options);
  return { object, errors, warnings };
}

/**
 * Only the defaults, as a mutating webhook fills them in. An object that has not the shape of its schema comes back as it is: the server refuses it
 * after all webhooks, with a better message.
 */
export function defaultObject(object: KubeObject): KubeObject {
  const definition = definitionOf(object);
  if (definition === undefined) return object;
  const complete = applyDefaults(definition.schema, object);
  return validateSchema(definition.schema, complete, "").length > 0
    ? object
    : withDerivedDefaults(definition, complete);
}

/** Only the rules, as a validating webhook applies them: what the mutating one should have filled in is missed. */
export function validateObject(
  request: AdmissionRequest,
  options: AdmissionOptions = {},
): Pick<AdmissionResult, "errors" | "warnings"> {
  const { operation, object } = request;
  const definition = definitionOf(object);
  if (operation === "DELETE" || definition === undefined) return { errors: [], warnings: [] };
  const shape = validateSchema(definition.schema, applyDefaults(definition.schema, object), "");
  if (shape.length > 0) return { errors: shape, warnings: [] };
  return validate(definition, { ...request, operation }, options);
}

function definitionOf({ apiVersion, kind }: KubeObject): ResourceDefinition | undefined {
  return RESOURCE_DEFINITIONS.find(({ resource }) => resource.kind === kind && apiVersionOf(resource) === apiVersion);
}

function withDerivedDefaults({ resource }: ResourceDefinition, object: KubeObject): KubeObject {
  switch (resource.kind) {
    case "PodCliqueSet":
      return defaultPodCliqueSet(object as PodCliqueSetInput);
    case "ScalingPolicy":
      return defaultScalingPolicy(object as ScalingPolicyInput);
    default:
      return object;
  }
}

function validate(
  { resource }: ResourceDefinition,
  { operation, object, oldObject }: AdmissionRequest & { readonly operation: "CREATE" | "UPDATE" },
  { grove = DEFAULT_GROVE_ADMISSION, nowMs }: AdmissionOptions,
): { readonly errors: readonly FieldError[]; readonly warnings: readonly string[] } {
  switch (resource.kind) {
    case "PodCliqueSet": {
      const set = object as PodCliqueSet;
      const old = operation === "UPDATE" ? (oldObject as PodCliqueSet | undefined) : undefined;
      const { errors, warnings } = validatePodCliqueSet(set, operation, grove);
      const fallback = grove.schedulerNames[0] ?? "default-scheduler";
      const changes = old === undefined ? [] : validatePodCliqueSetUpdate(set, old, fallback);
      return { errors: [...errors, ...changes, ...(grove.backendValidation?.(set, old) ?? [])], warnings };
    }
    case "ClusterTopologyBinding":
      return { errors: validateClusterTopologyBinding(object as ClusterTopologyBinding, grove), warnings: [] };
    case "ScalingPolicy":
      return validateScalingPolicy(object as Parameters<typeof validateScalingPolicy>[0]);
    case "ScalingOverride":
      return {
        errors: validateScalingOverride(object as ScalingOverride, operation === "CREATE" ? nowMs : undefined),
        warnings: [],
      };
    case "GPUBudget":
      return { errors: validateGpuBudget(object as GPUBudget), warnings: [] };
    default:
      // PodClique, PodCliqueScalingGroup and PodGang are scaled and edited freely (grove.md 1.1).
      return { errors: [], warnings: [] };
  }
}

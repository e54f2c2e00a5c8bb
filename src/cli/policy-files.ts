/** ScalingPolicies from files, checked as the cluster would check them and one step further: their PromQL too. */
import { GPU_BUDGETS, type GPUBudget } from "../api/autoscaling/gpu-budget.ts";
import { SCALING_OVERRIDES, type ScalingOverride } from "../api/autoscaling/scaling-override.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import { apiVersionOf, type KubeObject, type Resource } from "../api/kubernetes/meta.ts";
import type { FieldError } from "../api/schema/validate.ts";
import { reviewAlone } from "../autoscaler/review-policy.ts";
import { readManifests, resourceOf } from "./manifests.ts";

export interface CheckedObject<T extends KubeObject = KubeObject> {
  readonly file: string;
  /** With its defaults. */
  readonly object: T;
  readonly errors: readonly FieldError[];
  readonly warnings: readonly string[];
}

export interface CheckedFiles {
  readonly policies: readonly CheckedObject<ScalingPolicy>[];
  readonly sets: readonly CheckedObject<PodCliqueSet>[];
  readonly overrides: readonly CheckedObject<ScalingOverride>[];
  readonly budgets: readonly CheckedObject<GPUBudget>[];
  /** Of our kinds. */
  readonly all: readonly CheckedObject[];
  /** Objects of other kinds. */
  readonly ignored: readonly KubeObject[];
}

/** @throws UsageError for a file that cannot be read or is no manifest */
export function checkFiles(flag: string, files: readonly string[]): CheckedFiles {
  const objects = files.flatMap((file) => readManifests(flag, file).map((object) => ({ file, object })));
  const all = objects.filter(({ object }) => resourceOf(object) !== undefined).map(checkObject);
  return {
    all,
    policies: ofKind(all, SCALING_POLICIES),
    sets: ofKind(all, POD_CLIQUE_SETS),
    overrides: ofKind(all, SCALING_OVERRIDES),
    budgets: ofKind(all, GPU_BUDGETS),
    ignored: objects.map(({ object }) => object).filter((object) => resourceOf(object) === undefined),
  };
}

function checkObject({ file, object }: { readonly file: string; readonly object: KubeObject }): CheckedObject {
  return { file, ...reviewAlone({ operation: "CREATE", object }) };
}

const isOf = ({ kind, apiVersion }: KubeObject, resource: Resource): boolean =>
  kind === resource.kind && apiVersion === apiVersionOf(resource);

const ofKind = <T extends KubeObject>(
  all: readonly CheckedObject[],
  resource: Resource<T>,
): readonly CheckedObject<T>[] => all.filter((one): one is CheckedObject<T> => isOf(one.object, resource));

/** `policy.yaml: ScalingPolicy llama-70b: spec.interval: must be at least 1s`: one line for each. */
export function errorLines({ file, object, errors }: CheckedObject): readonly string[] {
  return errors.map(({ field, message }) => `${file}: ${object.kind} ${object.metadata.name}: ${field}: ${message}`);
}

export function warningLines({ file, object, warnings }: CheckedObject): readonly string[] {
  return warnings.map((warning) => `${file}: ${object.kind} ${object.metadata.name}: ${warning}`);
}

/** Admission rules of the scheduler that a PodCliqueSet uses (grove.md 3.7). Pure. */
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { equalJson } from "../../api/json.ts";
import { isTerminating } from "../../api/kubernetes/core.ts";
import type { FieldError } from "../../api/schema/validate.ts";
import type { OperatorSettings } from "../settings.ts";
import type { BackendFacts } from "./backend.ts";
import { backendOf, schedulerNameOf } from "./registry.ts";

export interface BackendValidation {
  readonly set: PodCliqueSet;
  /** Present on UPDATE. */
  readonly old?: PodCliqueSet;
  readonly settings: Pick<OperatorSettings, "schedulerProfiles" | "defaultSchedulerName">;
  readonly facts?: BackendFacts;
}

/**
 * Holds on create and on update. An update that says nothing new (a finalizer that comes or goes) always passes: a queue
 * that was closed in the meantime must not keep a set from being deleted. Schedulers that are not enabled are the
 * business of the rules of the set itself.
 */
export function validateBackends({ set, old, settings, facts = {} }: BackendValidation): readonly FieldError[] {
  if (isTerminating(set) || (old !== undefined && equalJson(intent(old), intent(set)))) return [];
  return backendOf(settings, schedulerNameOf(set, settings))?.validate(set, facts) ?? [];
}

const intent = ({ metadata: { labels = {}, annotations = {} }, spec }: PodCliqueSet) => ({ labels, annotations, spec });

/** What a stored policy asks for in its PodCliqueSet, or why it cannot be followed. Pure; remembered for as long as neither object changes. */
import { admit } from "../api/admission.ts";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import { defaultPodCliqueSet } from "../api/grove/pod-clique-set-defaults.ts";
import type { KubeObject } from "../api/kubernetes/meta.ts";
import { type Policy, readPolicy } from "../decide/policy.ts";
import { queryProblems } from "./check-queries.ts";
import type { TemplateGpus } from "./gpu-cost.ts";
import type { AutoscalerInformers } from "./informers.ts";
import { type Resolution, type ResolutionProblem, resolve } from "./resolve.ts";

export interface Understood {
  /** With its defaults. */
  readonly spec: ScalingPolicy["spec"];
  readonly model: Policy;
  readonly resolution: Resolution;
  /** Warnings: the policy works all the same. */
  readonly problems: readonly ResolutionProblem[];
}

export type Prepared = Understood | { readonly reason: string; readonly message: string };

/** @param set the policy's target; undefined: it does not exist */
function prepare(stored: ScalingPolicy, set: PodCliqueSet | undefined, templateGpus: TemplateGpus): Prepared {
  const { object, errors } = admit({ operation: "UPDATE", object: stored, oldObject: stored });
  const { spec, metadata } = object as ScalingPolicy;
  const [error] = errors;
  if (error !== undefined) return { reason: "InvalidSpec", message: `${error.field}: ${error.message}` };
  if (set === undefined) {
    const { namespace = "default" } = metadata;
    return {
      reason: "TargetNotFound",
      message: `spec.targetRef.name: there is no PodCliqueSet "${spec.targetRef.name}" in namespace ${namespace}: create it, or correct the name`,
    };
  }
  const [badQuery] = queryProblems(spec);
  if (badQuery !== undefined) return badQuery;
  const { resolution, problems } = resolve(spec, defaultPodCliqueSet(set), templateGpus);
  const problem = problems[0];
  if (resolution === undefined) return { reason: problem?.reason ?? "UnknownTarget", message: problem?.message ?? "" };
  return { spec, model: readPolicy(spec), resolution, problems };
}

/** The last answer of one policy: its spec and its set change rarely, and every turn asks. */
export class PreparedPolicy {
  #policy: string | undefined;
  #set: string | undefined;
  #templates = -1;
  #prepared: Prepared | undefined;

  of(
    policy: ScalingPolicy,
    set: PodCliqueSet | undefined,
    { templateGpus, templatesVersion }: Pick<AutoscalerInformers, "templateGpus" | "templatesVersion">,
  ): Prepared {
    const templates = templatesVersion();
    const policyVersion = versionOf(policy);
    const setVersion = set === undefined ? "" : versionOf(set);
    if (
      this.#prepared === undefined ||
      policyVersion === undefined ||
      setVersion === undefined ||
      policyVersion !== this.#policy ||
      setVersion !== this.#set ||
      templates !== this.#templates
    ) {
      this.#prepared = prepare(policy, set, templateGpus);
      this.#policy = policyVersion;
      this.#set = setVersion;
      this.#templates = templates;
    }
    return this.#prepared;
  }
}

/** The generation counts changes of the spec alone; replicas of a set change it too, which costs one more look. */
const versionOf = ({ metadata }: KubeObject): string | undefined =>
  metadata.generation === undefined ? undefined : `${metadata.uid}/${metadata.generation}`;

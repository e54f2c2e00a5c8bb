/**
 * What a stored policy asks for in its PodCliqueSet, or why it cannot be followed. A spec that is broken leaves the last good one in force. Pure;
 * remembered for as long as neither object changes.
 */
import { isDeepStrictEqual } from "node:util";
import { admit } from "../api/admission.ts";
import { MAX_SET_REPLICAS } from "../api/autoscaling/scale-target.ts";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import { defaultPodCliqueSet } from "../api/grove/pod-clique-set-defaults.ts";
import type { KubeObject } from "../api/kubernetes/meta.ts";
import { type Policy, readPolicy } from "../decide/policy.ts";
import { queryProblems } from "./check-queries.ts";
import type { TemplateGpus } from "./gpu-cost.ts";
import type { AutoscalerInformers } from "./informers.ts";
import { createInterner } from "./interned.ts";
import { type Resolution, type ResolutionProblem, resolve } from "./resolve.ts";

export interface Problem {
  readonly reason: string;
  readonly message: string;
}

export interface Understood {
  /** With its defaults. */
  readonly spec: ScalingPolicy["spec"];
  readonly model: Policy;
  readonly resolution: Resolution;
  /** Warnings: the policy works all the same. */
  readonly problems: readonly ResolutionProblem[];
  /** Why the spec is not the one that was asked for, but the last good one. */
  readonly invalid?: Problem;
}

export type Prepared = Understood | Problem;

interface GoodSpec {
  readonly spec: ScalingPolicy["spec"];
  readonly generation: number;
}

/** The last answer of one policy: its spec and its set change rarely, and every turn asks. */
export class PreparedPolicy {
  #policy: string | undefined;
  #set: string | undefined;
  #templates = -1;
  #prepared: Prepared | undefined;
  #lastGood: GoodSpec | undefined;

  /** @param setOf the PodCliqueSet of a name in the policy's namespace */
  of(
    policy: ScalingPolicy,
    setOf: (name: string) => PodCliqueSet | undefined,
    { templateGpus, templatesVersion }: Pick<AutoscalerInformers, "templateGpus" | "templatesVersion">,
  ): Prepared {
    const templates = templatesVersion();
    const policyVersion = versionOf(policy);
    const setVersion = setVersionOf(setOf(policy.spec.targetRef.name));
    if (
      this.#prepared === undefined ||
      policyVersion === undefined ||
      setVersion === undefined ||
      policyVersion !== this.#policy ||
      setVersion !== this.#set ||
      templates !== this.#templates ||
      // The set that is looked at may be the one of an older spec.
      ("invalid" in this.#prepared && this.#prepared.invalid !== undefined)
    ) {
      this.#prepared = this.#prepare(policy, setOf, templateGpus);
      this.#policy = policyVersion;
      this.#set = setVersion;
      this.#templates = templates;
    }
    return this.#prepared;
  }

  #prepare(
    stored: ScalingPolicy,
    setOf: (name: string) => PodCliqueSet | undefined,
    templateGpus: TemplateGpus,
  ): Prepared {
    const checked = checkSpec(stored);
    const lastGood = this.#lastGood;
    if ("invalid" in checked && lastGood === undefined) return checked.invalid;
    // The mode is a person's wish of now, and a typing error elsewhere in the spec must not keep a policy from being paused.
    const spec =
      "invalid" in checked
        ? { ...(lastGood as GoodSpec).spec, mode: modeOf(stored) ?? (lastGood as GoodSpec).spec.mode }
        : checked.spec;
    const { namespace = "default", generation = 0 } = stored.metadata;
    const set = setOf(spec.targetRef.name);
    if (set === undefined) {
      return {
        reason: "TargetNotFound",
        message: `spec.targetRef.name: there is no PodCliqueSet "${spec.targetRef.name}" in namespace ${namespace}: create it, or correct the name`,
      };
    }
    if (set.spec.replicas > MAX_SET_REPLICAS) {
      return {
        reason: "TooManySetReplicas",
        message: `spec.targetRef.name: PodCliqueSet "${spec.targetRef.name}" has ${set.spec.replicas} replicas, more than the ${MAX_SET_REPLICAS} that are planned: lower its spec.replicas`,
      };
    }
    const { resolution, problems } = resolve(spec, defaultPodCliqueSet(set), templateGpus);
    const problem = problems[0];
    if (resolution === undefined)
      return { reason: problem?.reason ?? "UnknownTarget", message: problem?.message ?? "" };
    const understood = { spec, model: sameModel(readPolicy(spec)), resolution, problems };
    if (!("invalid" in checked)) {
      this.#lastGood = { spec, generation };
      return understood;
    }
    const { reason, message } = checked.invalid;
    const kept = `${message}; generation ${lastGood?.generation} is decided with until this is mended`;
    return { ...understood, invalid: { reason, message: kept } };
  }
}

/** It does not say whose it is: policies of one template have one. */
const sameModel = createInterner<Policy>();

function checkSpec(stored: ScalingPolicy): Pick<GoodSpec, "spec"> | { readonly invalid: Problem } {
  const { object, errors } = admit({ operation: "UPDATE", object: stored, oldObject: stored });
  const [error] = errors;
  if (error !== undefined) return { invalid: { reason: "InvalidSpec", message: `${error.field}: ${error.message}` } };
  const defaulted = (object as ScalingPolicy).spec;
  // An API server has applied the defaults already: one copy of it is enough.
  const spec = isDeepStrictEqual(defaulted, stored.spec) ? stored.spec : defaulted;
  const [badQuery] = queryProblems(spec);
  return badQuery === undefined ? { spec } : { invalid: badQuery };
}

const MODES: readonly unknown[] = [
  "Active",
  "Advisory",
  "Paused",
  "Shadow",
] satisfies readonly ScalingPolicy["spec"]["mode"][];

function modeOf({ spec }: ScalingPolicy): ScalingPolicy["spec"]["mode"] | undefined {
  const mode: unknown = spec?.mode;
  return MODES.includes(mode) ? (mode as ScalingPolicy["spec"]["mode"]) : undefined;
}

/** The generation counts changes of the spec alone; replicas of a set change it too, which costs one more look. */
const versionOf = ({ metadata }: KubeObject): string | undefined =>
  metadata.generation === undefined ? undefined : `${metadata.uid}/${metadata.generation}`;

const setVersionOf = (set: PodCliqueSet | undefined): string | undefined => (set === undefined ? "" : versionOf(set));

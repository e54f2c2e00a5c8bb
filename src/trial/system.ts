/** The serving system of a trial, from the manifests that a user has: its policy, its set, the profile of its engines. */

import type { ScaleTarget } from "../api/autoscaling/scale-target.ts";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { parseWholeProfile, type WholeProfile } from "../api/autoscaling/whole-profile.ts";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import { defaultPodCliqueSet } from "../api/grove/pod-clique-set-defaults.ts";
import type { ConfigMap } from "../api/kubernetes/core.ts";
import { PROFILE_LABEL } from "../autoscaler/profile-of.ts";
import { BUILT_IN_PROFILES } from "../sim/engines/built-in-profiles.ts";
import { DEFAULT_PROFILE, type EngineProfile, parseEngineProfile } from "../sim/engines/profiles.ts";
import type { StartUpModel } from "./fleet/start-up.ts";

/** A profile as it was read, with its text. */
export interface ProfileText {
  readonly text: string;
  readonly profile: WholeProfile;
}

export interface SystemInput {
  /** With its defaults. */
  readonly policy: ScalingPolicy;
  /** Absent: made from the policy and the profile. */
  readonly set?: PodCliqueSet;
  readonly configMaps: readonly ConfigMap[];
  /** Of the simulated engines; absent: the one that the policy names, or that the set's annotations name. */
  readonly profile?: ProfileText;
  /** 90th percentile of start-up times over their median. */
  readonly startUpSpreadP90: number;
}

export interface ServingSystem {
  readonly policy: ScalingPolicy;
  readonly set: PodCliqueSet;
  readonly configMaps: readonly ConfigMap[];
  readonly profile: WholeProfile;
  readonly profiles: Readonly<Record<string, EngineProfile>>;
  readonly startUpOf: (clique: string) => StartUpModel;
  /** What was assumed, in sentences for people. */
  readonly assumptions: readonly string[];
}

/** What a field of the input makes impossible. The message begins with the field. */
export class SystemError extends Error {}

const ROLE = "sim.grove.io/role";
const PROFILE = "sim.grove.io/profile";
const FRONTEND_RATE = "sim.grove.io/requests-per-second";
const GIB = 2 ** 30;
/** An API server refuses a pod without one; nothing pulls it. */
const ASSUMED_IMAGE = "engine:simulated";
/** A router loads no weights. */
const FRONTEND_START_MS = 8_000;
/** Where a profile does not say: Llama-3.1-8B with its image on the node (`docs/simulate.md`). */
const ASSUMED_START_MS = 72_000;
/** Where a set is made up, its frontends are never the bottleneck. */
const AMPLE_REQUESTS_PER_SECOND = "1000";

/** @throws SystemError */
export function servingSystem(input: SystemInput): ServingSystem {
  const assumptions: string[] = [];
  const source = input.profile ?? profileOfPolicy(input) ?? profileOfSet(input, assumptions);
  const { profile } = source;
  const made = parseEngineProfile(source.text);
  if (!made.ok) throw new SystemError(`profile ${profile.name}: ${made.problem.field} ${made.problem.message}`);
  const given = input.set ?? assumedSet(input.policy, profile, assumptions);
  const set = withProfile(defaultPodCliqueSet(given), profile.name, input.policy);
  const configMaps = withConfigMap(input, source, assumptions);
  const startUp = startUpFrom(profile, input.startUpSpreadP90, assumptions);
  const frontends = new Set(
    set.spec.template.cliques.filter(({ annotations }) => annotations?.[ROLE] === "frontend").map(({ name }) => name),
  );
  const frontend = { ...startUp, fixedMedianMs: FRONTEND_START_MS, weightsGiB: 0 };
  return {
    policy: input.policy,
    set,
    configMaps,
    profile,
    profiles: { [profile.name]: made.profile },
    startUpOf: (clique) => (frontends.has(clique) ? frontend : startUp),
    assumptions,
  };
}

/** The one that sizes the policy's goals. @throws SystemError when it is there and broken */
function profileOfPolicy({ policy, configMaps }: SystemInput): ProfileText | undefined {
  const { profileRef } = policy.spec.performanceModel;
  const configMap = configMaps.find(({ metadata }) => metadata.name === profileRef?.name);
  const text = configMap?.data?.["profile.json"] ?? Object.values(configMap?.data ?? {})[0];
  if (configMap === undefined || text === undefined) return undefined;
  const parsed = parseWholeProfile(text);
  if (parsed.ok) return { text, profile: parsed.profile };
  throw new SystemError(`ConfigMap ${configMap.metadata.name}: ${parsed.problem.field} ${parsed.problem.message}`);
}

/** Without any word the built-in default. */
function profileOfSet({ set }: SystemInput, assumptions: string[]): ProfileText {
  const named = set?.spec.template.cliques
    .map(({ annotations }) => annotations?.[PROFILE])
    .find((one) => one !== undefined);
  const name = named ?? DEFAULT_PROFILE;
  const raw = BUILT_IN_PROFILES.find((one) => one.name === name);
  if (raw === undefined) {
    const known = BUILT_IN_PROFILES.map((one) => one.name).join(", ");
    throw new SystemError(
      `annotation ${PROFILE}: "${name}" is none of the built-in profiles (${known}): give --profile FILE`,
    );
  }
  if (named === undefined) assumptions.push(`engines are as fast as ${name}: give --profile FILE for yours`);
  const text = JSON.stringify(raw);
  const parsed = parseWholeProfile(text);
  if (parsed.ok) return { text, profile: parsed.profile };
  throw new SystemError(`${name}: ${parsed.problem.field} ${parsed.problem.message}`);
}

function startUpFrom({ name, coldStart }: WholeProfile, fixedSpreadP90: number, assumptions: string[]): StartUpModel {
  if (coldStart === undefined) {
    assumptions.push(
      `profile ${name} has no cold_start: a replica is ready after ${ASSUMED_START_MS / 1000} s (median)`,
    );
    return { fixedMedianMs: ASSUMED_START_MS, fixedSpreadP90, weightsGiB: 0, podGiBPerSecond: 1 };
  }
  const { scheduleMs, imagePullMs, processStartMs, compileMs, firstRequestMs, weightsLoadMs, weightsBytesPerNode } =
    coldStart;
  const otherMs = scheduleMs + imagePullMs + processStartMs + compileMs + firstRequestMs;
  const weightsGiB = weightsBytesPerNode / GIB;
  return weightsGiB > 0 && weightsLoadMs > 0
    ? { fixedMedianMs: otherMs, fixedSpreadP90, weightsGiB, podGiBPerSecond: weightsGiB / (weightsLoadMs / 1000) }
    : { fixedMedianMs: otherMs + weightsLoadMs, fixedSpreadP90, weightsGiB: 0, podGiBPerSecond: 1 };
}

/** Engines run as the profile says, whatever the manifest calls them; roles are those of the policy's targets. */
function withProfile(set: PodCliqueSet, profile: string, policy: ScalingPolicy): PodCliqueSet {
  const { cliques, podCliqueScalingGroups = [] } = set.spec.template;
  const roleOf = (clique: string): string | undefined => {
    const group = podCliqueScalingGroups.find(({ cliqueNames }) => cliqueNames.includes(clique));
    const target = policy.spec.scaleTargets.find(({ ref }) => ref === (group?.name ?? clique));
    return target?.role === "other" ? undefined : target?.role;
  };
  return {
    ...set,
    spec: {
      ...set.spec,
      template: {
        ...set.spec.template,
        cliques: cliques.map((clique) => {
          const role = clique.annotations?.[ROLE] ?? roleOf(clique.name);
          const own = { ...clique.annotations, ...(role === undefined ? {} : { [ROLE]: role }), [PROFILE]: profile };
          return { ...clique, annotations: own };
        }),
      },
    },
  };
}

/** A policy that names a ConfigMap which is not among the files gets the profile of the engines. */
function withConfigMap(
  { policy, configMaps }: SystemInput,
  { text }: ProfileText,
  assumptions: string[],
): readonly ConfigMap[] {
  const { profileRef } = policy.spec.performanceModel;
  const { namespace = "default" } = policy.metadata;
  const inNamespace = configMaps.map((one) => ({ ...one, metadata: { ...one.metadata, namespace } }));
  if (profileRef === undefined || configMaps.some(({ metadata }) => metadata.name === profileRef.name))
    return inNamespace;
  assumptions.push(
    `ConfigMap ${profileRef.name} is not among the files: the policy plans with the profile of the engines`,
  );
  return [
    ...inNamespace,
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: profileRef.name, namespace, labels: { [PROFILE_LABEL]: "true" } },
      data: { "profile.json": text },
    },
  ];
}

/** One pod for each node of a worker, with the GPUs that the profile gives it. */
function assumedSet(policy: ScalingPolicy, profile: WholeProfile, assumptions: string[]): PodCliqueSet {
  const { namespace = "default" } = policy.metadata;
  const targets = policy.spec.scaleTargets.filter(({ level }) => level !== "PodCliqueSet");
  const cliqueOf = (target: ScaleTarget, name: string, pods: number) => {
    const worker = target.role === "prefill" ? profile.workers.prefill : profile.workers.decode;
    const isFrontend = target.role === "frontend" || target.role === "other";
    const gpus = isFrontend ? 0 : Math.ceil(worker.gpus / worker.nodes);
    return {
      name,
      annotations: {
        [ROLE]: isFrontend ? "frontend" : target.role,
        ...(isFrontend ? { [FRONTEND_RATE]: AMPLE_REQUESTS_PER_SECOND } : {}),
      },
      spec: {
        roleName: name,
        replicas: pods,
        minAvailable: pods,
        podSpec: {
          terminationGracePeriodSeconds: 300,
          containers: [
            {
              name: "engine",
              image: ASSUMED_IMAGE,
              ...(gpus === 0 ? {} : { resources: { limits: { "nvidia.com/gpu": String(gpus) } } }),
            },
          ],
        },
      },
    };
  };
  const grouped = targets.filter(({ level }) => level === "PodCliqueScalingGroup");
  const nodesOf = ({ role }: ScaleTarget): number =>
    role === "prefill"
      ? profile.workers.prefill.nodes
      : role === "decode" || role === "aggregated"
        ? profile.workers.decode.nodes
        : 1;
  const cliques = [
    ...targets
      .filter(({ level }) => level === "PodClique")
      .map((target) => cliqueOf(target, target.ref ?? target.name, Math.max(1, target.minReplicas))),
    ...grouped.map((target) => cliqueOf(target, `${target.ref}-worker`, nodesOf(target))),
  ].map((clique) => (grouped.some(({ ref }) => clique.name === `${ref}-worker`) ? clique : withMinimumOfOne(clique)));
  assumptions.push(
    `no PodCliqueSet among the files: ${targets.map((target) => `${target.name} has ${target.role === "prefill" ? profile.workers.prefill.gpus : target.role === "decode" || target.role === "aggregated" ? profile.workers.decode.gpus : 0} GPUs a replica`).join(", ")}, as the profile says`,
  );
  return {
    apiVersion: "grove.io/v1alpha1",
    kind: "PodCliqueSet",
    metadata: { name: policy.spec.targetRef.name, namespace },
    spec: {
      replicas: 1,
      template: {
        cliques,
        ...(grouped.length === 0
          ? {}
          : {
              podCliqueScalingGroups: grouped.map(({ ref = "", minReplicas }) => ({
                name: ref,
                cliqueNames: [`${ref}-worker`],
                replicas: Math.max(1, minReplicas),
                minAvailable: 1,
              })),
            }),
      },
    },
  } as unknown as PodCliqueSet;
}

const withMinimumOfOne = <T extends { readonly spec: object }>(clique: T): T => ({
  ...clique,
  spec: { ...clique.spec, minAvailable: 1 },
});

/** What a policy's names mean in the PodCliqueSet it points to, or why they mean nothing. Pure. */
import { leastReplicas } from "../api/autoscaling/least-replicas.ts";
import type { ScaleTarget } from "../api/autoscaling/scale-target.ts";
import type { ScalingPolicySpec } from "../api/autoscaling/scaling-policy.ts";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import { scalingGroupName, standaloneCliqueName } from "../grove/names.ts";
import { sumOf } from "./device-gpus.ts";
import { gpusOfSet, noTemplates, plus, type SetGpus, type TemplateGpus, times } from "./gpu-cost.ts";

/** A target inside a set replica. */
export interface ResolvedTarget {
  readonly name: string;
  readonly level: "PodClique" | "PodCliqueScalingGroup";
  readonly objectName: (setIndex: number) => string;
  readonly minAvailable: number;
  readonly templateReplicas: number;
  /** Absent: unknown. */
  readonly gpusPerReplica?: number;
  /** Pods that make one replica: 1, or the minimum of the group's cliques together. */
  readonly minPodsPerReplica: number;
  /** Between the order to go and the kill of a pod, the least of the replica's cliques. */
  readonly gracePeriodMs: number;
}

export interface Resolution {
  readonly targets: readonly ResolvedTarget[];
  /** GPUs in one set replica of what is no target; absent: unknown. */
  readonly fixedGpus?: number;
}

export interface ResolutionProblem {
  readonly reason:
    | "InvalidQuery"
    | "UnknownTarget"
    | "MemberClique"
    | "ForeignController"
    | "MinBelowMinAvailable"
    | "BudgetInfeasible";
  readonly field: string;
  /** Begins with the field, and ends with the way out. */
  readonly message: string;
  /** The policy can work all the same. */
  readonly isWarning?: true;
}

/** @param templateGpus of the ResourceClaimTemplates of the cluster */
export function resolve(
  spec: ScalingPolicySpec,
  set: PodCliqueSet,
  templateGpus: TemplateGpus = noTemplates,
): { readonly resolution?: Resolution; readonly problems: readonly ResolutionProblem[] } {
  const gpus = gpusOfSet(set, templateGpus);
  const problems: ResolutionProblem[] = [];
  const targets: ResolvedTarget[] = [];
  spec.scaleTargets.forEach((target, index) => {
    if (target.level === "PodCliqueSet") return;
    const found = target.level === "PodClique" ? resolveClique(target, set, gpus) : resolveGroup(target, set, gpus);
    const field = `spec.scaleTargets[${index}]`;
    if ("reason" in found) {
      problems.push({ ...found, field: `${field}.ref`, message: `${field}.${found.message}` });
      return;
    }
    targets.push(found);
    if (target.minReplicas < found.minAvailable) {
      problems.push({
        reason: "MinBelowMinAvailable",
        isWarning: true,
        field: `${field}.minReplicas`,
        message: `${field}.minReplicas is ${target.minReplicas}, below minAvailable ${found.minAvailable} of ${target.ref}: ${found.minAvailable} is kept`,
      });
    }
  });
  if (problems.some(({ isWarning }) => isWarning !== true)) return { problems };
  const fixedGpus = fixedGpusOf(set, spec, gpus);
  const resolution = { targets, ...(fixedGpus === undefined ? {} : { fixedGpus }) };
  problems.push(...budgetProblems(spec, resolution));
  return { resolution, problems };
}

type Problem = Omit<ResolutionProblem, "isWarning" | "field">;

function resolveClique(target: ScaleTarget, set: PodCliqueSet, gpus: SetGpus): ResolvedTarget | Problem {
  const { cliques, podCliqueScalingGroups: groups = [] } = set.spec.template;
  const { name: setName } = set.metadata;
  const ref = target.ref ?? "";
  const clique = cliques.find(({ name }) => name === ref);
  if (clique === undefined) {
    const known = cliques.map(({ name }) => name).join(", ");
    return {
      reason: "UnknownTarget",
      message: `ref "${ref}": PodCliqueSet ${set.metadata.name} has no clique of that name; it has: ${known}`,
    };
  }
  const group = groups.find(({ cliqueNames }) => cliqueNames.includes(ref));
  if (group !== undefined) {
    const message = `ref "${ref}" is a member of scaling group ${group.name} and scales with it: use level PodCliqueScalingGroup and ref ${group.name}`;
    return { reason: "MemberClique", message };
  }
  if (clique.spec.autoScalingConfig !== undefined) {
    const message = `ref "${ref}": clique ${ref} has autoScalingConfig, so an HPA scales it too: remove autoScalingConfig from the PodCliqueSet`;
    return { reason: "ForeignController", message };
  }
  return {
    name: target.name,
    level: "PodClique",
    objectName: (setIndex) => standaloneCliqueName(setName, setIndex, ref),
    minAvailable: clique.spec.minAvailable ?? clique.spec.replicas,
    templateReplicas: clique.spec.replicas,
    minPodsPerReplica: 1,
    gracePeriodMs: gracePeriodMsOf([clique]),
    ...optional("gpusPerReplica", explicitGpus(target) ?? gpus.ofCliqueReplica(clique)),
  };
}

function resolveGroup(target: ScaleTarget, set: PodCliqueSet, gpus: SetGpus): ResolvedTarget | Problem {
  const { cliques, podCliqueScalingGroups: groups = [] } = set.spec.template;
  const { name: setName } = set.metadata;
  const ref = target.ref ?? "";
  const group = groups.find(({ name }) => name === ref);
  if (group === undefined) {
    const known = groups.map(({ name }) => name).join(", ") || "none";
    return {
      reason: "UnknownTarget",
      message: `ref "${ref}": PodCliqueSet ${set.metadata.name} has no scaling group of that name; it has: ${known}`,
    };
  }
  if (group.scaleConfig !== undefined) {
    const message = `ref "${ref}": scaling group ${ref} has scaleConfig, so an HPA scales it too: remove scaleConfig from the PodCliqueSet`;
    return { reason: "ForeignController", message };
  }
  const members = cliques.filter(({ name }) => group.cliqueNames.includes(name));
  return {
    name: target.name,
    level: "PodCliqueScalingGroup",
    objectName: (setIndex) => scalingGroupName(setName, setIndex, ref),
    minAvailable: group.minAvailable ?? 1,
    templateReplicas: group.replicas ?? 1,
    minPodsPerReplica: members.reduce((sum, { spec }) => sum + (spec.minAvailable ?? spec.replicas), 0),
    gracePeriodMs: gracePeriodMsOf(members),
    ...optional("gpusPerReplica", explicitGpus(target) ?? gpus.ofGroupReplica(group)),
  };
}

/** Kubernetes' own, where the pod template says nothing. */
const DEFAULT_GRACE_SECONDS = 30;

const gracePeriodMsOf = (cliques: PodCliqueSet["spec"]["template"]["cliques"]): number =>
  1_000 * Math.min(...cliques.map(({ spec }) => spec.podSpec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS));

function explicitGpus({ gpusPerReplica }: ScaleTarget): number | undefined {
  return gpusPerReplica === "auto" ? undefined : Number(gpusPerReplica);
}

/** GPUs in one set replica of what is no target, and what targets have once. */
function fixedGpusOf(set: PodCliqueSet, { scaleTargets }: ScalingPolicySpec, gpus: SetGpus): number | undefined {
  const { cliques, podCliqueScalingGroups: groups = [] } = set.spec.template;
  const isTarget = (level: ScaleTarget["level"], name: string): boolean =>
    scaleTargets.some((target) => target.level === level && target.ref === name);
  const members = new Set(groups.flatMap(({ cliqueNames }) => cliqueNames));
  const ofCliques = sumOf(
    cliques.filter(({ name }) => !members.has(name)),
    (clique) => {
      const replicas = isTarget("PodClique", clique.name) ? 0 : clique.spec.replicas;
      return plus(gpus.ofClique(clique), replicas === 0 ? 0 : times(replicas, gpus.ofCliqueReplica(clique)));
    },
  );
  const ofGroups = sumOf(groups, (group) => {
    const replicas = isTarget("PodCliqueScalingGroup", group.name) ? 0 : (group.replicas ?? 1);
    return plus(gpus.ofGroup(group), replicas === 0 ? 0 : times(replicas, gpus.ofGroupReplica(group)));
  });
  return plus(gpus.ofSetReplica, plus(ofCliques, ofGroups));
}

/** GPUs of the least that a policy keeps. @returns undefined where the cost of a part is unknown */
export function minimumGpus(spec: ScalingPolicySpec, { targets, fixedGpus }: Resolution): number | undefined {
  const isKnown = fixedGpus !== undefined && targets.every(({ gpusPerReplica }) => gpusPerReplica !== undefined);
  return isKnown ? knownMinimumGpus(spec, { targets, fixedGpus }) : undefined;
}

function knownMinimumGpus(spec: ScalingPolicySpec, { targets, fixedGpus = 0 }: Resolution): number {
  const leastOf = (isIt: (target: ScaleTarget) => boolean, otherwise: number): number => {
    const target = spec.scaleTargets.find(isIt);
    return target === undefined ? otherwise : leastReplicas(spec, target);
  };
  const sets = leastOf(({ level }) => level === "PodCliqueSet", 1);
  const inside = targets.reduce((sum, { name, minAvailable, gpusPerReplica = 0 }) => {
    const least = leastOf((target) => target.name === name, 0);
    return sum + Math.max(least, minAvailable) * gpusPerReplica;
  }, fixedGpus);
  return sets * inside;
}

function budgetProblems(spec: ScalingPolicySpec, resolution: Resolution): ResolutionProblem[] {
  const { gpuBudget } = spec;
  if (gpuBudget.max === undefined) return [];
  const needed = knownMinimumGpus(spec, resolution);
  if (needed <= gpuBudget.max) return [];
  return [
    {
      reason: "BudgetInfeasible",
      isWarning: true,
      field: "spec.gpuBudget.max",
      message: `spec.gpuBudget.max is ${gpuBudget.max}, but the minimum viable set needs ${needed} GPUs: raise it, or lower minReplicas; the minimum viable set is kept`,
    },
  ];
}

const optional = <K extends string>(key: K, value: number | undefined): { [P in K]?: number } =>
  (value === undefined ? {} : { [key]: value }) as { [P in K]?: number };

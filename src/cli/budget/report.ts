/** What GPU budgets say: who holds what, who wants more and does not get it. Pure. A number that nobody reports is absent, never 0. */
import type { GPUBudget } from "../../api/autoscaling/gpu-budget.ts";
import type { PolicyMode, ScalingPolicy } from "../../api/autoscaling/scaling-policy.ts";
import { conditionOf } from "../../api/kubernetes/conditions.ts";
import { keyOf } from "../../api/kubernetes/meta.ts";

/** All numbers are GPUs. */
export interface BudgetReport {
  readonly name: string;
  /** Absent when there is no GPUBudget of that name, but policies that refer to it. */
  readonly max?: number;
  /** Of `max`, kept free. */
  readonly reserve?: number;
  /** By all members; absent while one of them is unknown. */
  readonly used?: number;
  readonly requested?: number;
  /** `max` less the reserve and what is used; below 0 when more is used than there is. */
  readonly free?: number;
  readonly members: readonly MemberReport[];
}

interface GpuUse {
  /** `namespace/name`. */
  readonly policy: string;
  readonly used?: number;
  /** Of a member of a GPUBudget: to serve all of its demand. Else: of what the last decision wants within the limit. */
  readonly wanted?: number;
  /** Why it does not get what it wants; absent when nothing is held back. */
  readonly heldBack?: string;
  /** When the policy last decided. */
  readonly decidedAt?: string;
}

export interface MemberReport extends GpuUse {
  /** Absent when the policy cannot be read, or takes no part. */
  readonly mode?: PolicyMode;
  /** Named in the GPUBudget, but no policy of that name shares it. */
  readonly takesNoPart?: true;
  readonly priority?: number;
  readonly weight: number;
  readonly granted?: number;
}

/** A policy that is bounded by its own `gpuBudget.max` or by a queue of the scheduler. */
export interface OwnLimitReport extends GpuUse {
  readonly mode: PolicyMode;
  readonly limitedBy: readonly LimitSource[];
  /** What holds now: the least of all that bound it. Absent when unknown. */
  readonly limit?: number | "none";
}

export type LimitSource =
  | { readonly kind: "gpuBudget.max"; readonly gpus: number }
  | { readonly kind: "queue"; readonly name: string };

export interface Surroundings {
  readonly policies: readonly ScalingPolicy[];
  /** Whether these are the policies of all namespaces. */
  readonly isComplete: boolean;
}

/** @param name only this one */
export function budgetReports(
  budgets: readonly GPUBudget[],
  { policies, isComplete }: Surroundings,
  name?: string,
): readonly BudgetReport[] {
  const referring = Map.groupBy(
    // A shadow takes no part in the division.
    policies.filter(({ spec }) => spec.mode !== "Shadow"),
    ({ spec }) => spec.gpuBudget?.sharedBudgetRef?.name,
  );
  const names = new Set([...budgets.map(({ metadata }) => metadata.name), ...referring.keys()]);
  return [...names]
    .filter((one) => one !== undefined && (name === undefined || one === name))
    .toSorted()
    .map((one) =>
      budgetReport(
        one as string,
        budgets.find(({ metadata }) => metadata.name === one),
        { policies: referring.get(one) ?? [], isComplete },
      ),
    );
}

function budgetReport(name: string, budget: GPUBudget | undefined, surroundings: Surroundings): BudgetReport {
  const members = membersOf(budget, surroundings);
  const counted = members.filter(({ takesNoPart, used }) => takesNoPart !== true || used !== undefined);
  const isSeen = budget?.status?.members !== undefined;
  const used = isSeen ? sumOf(counted.map((member) => member.used)) : undefined;
  const requested = isSeen ? sumOf(counted.map(({ wanted }) => wanted)) : undefined;
  const { capacity: max, reserve = 0 } = budget?.spec ?? {};
  return {
    name,
    ...(max === undefined ? {} : { max, reserve }),
    ...defined({ used, requested, free: max === undefined || used === undefined ? undefined : max - reserve - used }),
    members,
  };
}

function membersOf(budget: GPUBudget | undefined, { policies, isComplete }: Surroundings): readonly MemberReport[] {
  const declared = new Map((budget?.spec.members ?? []).map((one) => [`${one.namespace}/${one.policy}`, one]));
  const reported = new Map((budget?.status?.members ?? []).map((one) => [`${one.namespace}/${one.policy}`, one]));
  const known = new Map(policies.map((policy) => [keyOf(policy), policy]));
  const members = [...new Set([...declared.keys(), ...reported.keys(), ...known.keys()])].map((key): MemberReport => {
    const policy = known.get(key);
    const status = reported.get(key);
    const own = policy === undefined ? undefined : useOf(policy);
    const isUncountable = own?.isUncountable === true;
    const granted = status?.granted;
    const use = isUncountable
      ? {}
      : defined({ used: status?.used ?? own?.used, wanted: status?.requested ?? own?.wanted });
    const why = [
      (policy?.spec.mode ?? "Active") === "Active" ? shortOf(use.wanted, granted) : undefined,
      budget === undefined
        ? `there is no GPUBudget ${policy?.spec.gpuBudget.sharedBudgetRef?.name}: nothing grows`
        : own?.why,
    ].filter((text) => text !== undefined);
    return {
      policy: key,
      ...defined({
        mode: policy?.spec.mode,
        priority: declared.get(key)?.priority ?? policy?.spec.gpuBudget.priority,
      }),
      ...(policy === undefined && isComplete ? { takesNoPart: true as const } : {}),
      weight: declared.get(key)?.weight ?? 1,
      ...use,
      ...(why.length === 0 ? {} : { heldBack: why.join("; ") }),
      ...defined({ granted, decidedAt: own?.decidedAt }),
    };
  });
  return members.toSorted(
    (a, b) => (b.priority ?? 0) - (a.priority ?? 0) || b.weight - a.weight || (a.policy < b.policy ? -1 : 1),
  );
}

const shortOf = (wanted: number | undefined, granted: number | undefined): string | undefined =>
  wanted !== undefined && granted !== undefined && granted < wanted
    ? `wants ${wanted} GPUs, is granted ${granted}`
    : undefined;

/** Policies with limits of their own, in the order of their names. */
export function ownLimitReports(policies: readonly ScalingPolicy[]): readonly OwnLimitReport[] {
  return policies
    .flatMap((policy): readonly OwnLimitReport[] => {
      const { max, queueRef, sharedBudgetRef } = policy.spec.gpuBudget ?? {};
      const limitedBy: readonly LimitSource[] = [
        ...(max === undefined || sharedBudgetRef !== undefined ? [] : [{ kind: "gpuBudget.max", gpus: max } as const]),
        ...(queueRef === undefined ? [] : [{ kind: "queue", name: queueRef.name } as const]),
      ];
      if (limitedBy.length === 0) return [];
      const { used, wanted, decidedAt, why, isUncountable } = useOf(policy);
      const isDecided = policy.status?.budget !== undefined;
      const limit =
        policy.status?.budget?.gpusMax ??
        (queueRef === undefined ? max : isDecided && !isUncountable ? ("none" as const) : undefined);
      return [
        {
          policy: keyOf(policy),
          mode: policy.spec.mode,
          limitedBy,
          ...(isUncountable ? {} : defined({ used, wanted, limit })),
          ...defined({ heldBack: why, decidedAt }),
        },
      ];
    })
    .toSorted((a, b) => (a.policy < b.policy ? -1 : 1));
}

/** What a policy says of itself. */
function useOf({ status }: ScalingPolicy): {
  readonly used: number | undefined;
  readonly wanted: number | undefined;
  readonly decidedAt: string | undefined;
  readonly why: string | undefined;
  /** Its figures leave out what cannot be counted. */
  readonly isUncountable: boolean;
} {
  const chain = status?.lastDecision?.chain ?? [];
  const uncountable = chain.find(({ reason }) => reason === "GPUCostUnknown");
  // Of another member: what this one holds is known.
  const beside = chain.find(({ reason }) => reason === "SharedGPUsUnknown");
  const limited = conditionOf(status?.conditions, "ScalingLimited");
  const satisfied = conditionOf(status?.conditions, "BudgetSatisfied");
  const isShort = status?.budget?.limited === true && limited?.status === "True";
  return {
    used: status?.budget?.gpusUsed,
    wanted: status?.budget?.gpusRequested,
    decidedAt: status?.lastDecision?.time,
    why:
      uncountable?.detail ??
      beside?.detail ??
      (satisfied?.reason === "BudgetInfeasible" ? satisfied.message : isShort ? limited.message : undefined),
    isUncountable: uncountable !== undefined,
  };
}

const sumOf = (parts: readonly (number | undefined)[]): number | undefined =>
  parts.reduce((sum, part) => (sum === undefined || part === undefined ? undefined : sum + part), 0);

type Defined<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}

/**
 * The joint solve: how many set replicas, and how many replicas of every target inside each of them.
 *
 * For a given number of set replicas `S` the demand is dealt to them evenly (`deal.ts`), and each takes the least vector above its share that
 * satisfies the ratios and couplings (`lattice.ts`): the cheapest one in GPUs and in any other monotone cost. What the budget cannot hold is
 * cut by one served fraction (`served-fraction.ts`). `S` itself is enumerated.
 *
 * What has piled up comes after the load (`backlog-last.ts`).
 *
 * Order of objectives: minimum viable set, GPU budget, hard ratios and couplings, served fraction, soft ratios, GPUs, churn, smaller `S`. Nothing is
 * spent past the served fraction: a replica more of one role than the next one can follow serves nobody.
 */
import { backlogLast } from "./backlog-last.ts";
import { deal, dealtGpus, expand, type Field, vectorGpus } from "./deal.ts";
import { growToFloor } from "./gpu-floor.ts";
import { greatestBelow, type LatticeConstraint, leastAbove, settlesSoon, type Vector } from "./lattice.ts";
import { canServe, EPSILON, greatestServed, type Served } from "./served-fraction.ts";

export interface SolveTarget {
  /** Replicas of this target that the whole set needs; real, ≥ 0. */
  readonly demandReplicas: number;
  /** What of it the load needs that comes; the rest has piled up, and comes last under a budget. Absent: all of it. */
  readonly loadReplicas?: number;
  readonly gpusPerReplica: number;
  /** Bounds inside one set replica. */
  readonly min: number;
  readonly max: number;
}

/** A ratio band or a coupling, under the name that the policy gives it. */
export interface Rule {
  readonly kind: "Ratio" | "Coupling";
  readonly name: string;
  readonly constraints: readonly LatticeConstraint[];
}

export interface SetRange {
  readonly min: number;
  readonly max: number;
  readonly current: number;
  /** GPUs a set replica uses for parts that are not targets. */
  readonly fixedGpus: number;
  /** Set replicas that are wanted for their own sake, as far as the budget goes; absent: none. */
  readonly asked?: number;
  /** Spill: targets that must be at their maximum in every set replica before one is added. */
  readonly growsAfter?: readonly number[];
}

export interface SolveInput {
  readonly targets: readonly SolveTarget[];
  /** In the order in which they are kept where not all can be. */
  readonly hard: readonly Rule[];
  /** In the order in which they are kept where not all can be. */
  readonly soft: readonly Rule[];
  readonly sets: SetRange;
  /** GPUs for everything; Infinity without a budget. */
  readonly gpuBudget: number;
  /** GPUs to hold whatever the demand is; absent: none. */
  readonly gpuFloor?: number;
  /** A set replica is only removed if what is left would serve this much more than the demand. */
  readonly removalHeadroomRatio: number;
}

export type Relaxation = "SoftRatios" | "GPUBudget" | "HardRatios";

/** One constraint that could not be kept: a band or a coupling by its name; the budget has none. */
export interface GivenUp {
  readonly relaxation: Relaxation;
  readonly kind: Rule["kind"] | "GPUBudget";
  readonly name: string;
}

export interface Solution {
  /** Per set replica, in the order of `targets`. */
  readonly perSet: readonly Vector[];
  readonly gpus: number;
  /** Least share of a target's demand that is met, in [0, 1]. */
  readonly servedRatio: number;
  /** The same of the load alone, without what has piled up. */
  readonly loadRatio: number;
  /** Demand that was cut because of it. */
  readonly limitedBy: readonly ("Max" | "GPUBudget")[];
  /** Targets whose own maximum cuts demand: theirs, or that of a target which a ratio ties to them. */
  readonly atMax: readonly number[];
  /** What could not be kept, in the order in which it was given up. */
  readonly relaxed: readonly Relaxation[];
  /** The same, constraint by constraint. */
  readonly givenUp: readonly GivenUp[];
  /** Constraints that every later stage has to keep. */
  readonly kept: readonly LatticeConstraint[];
  /** More than the demand asks for, to hold `gpuFloor`. */
  readonly isRaisedToFloor: boolean;
  /** Share of what has piled up that is served, in [0, 1]: below 1 where the budget has no room for it beside what comes. */
  readonly backlogRatio: number;
}

/** One problem under one choice of constraints. */
interface Attempt {
  readonly field: Field;
  readonly served: Served;
  readonly setsMax: number;
}

/**
 * Always gives a state. Where not everything can hold it keeps the minimum viable set, and of the rest as much as it can from the left of the
 * order of objectives; within one class the rules that come first in `hard` and `soft`. Each constraint that is given up is named.
 */
export const solve = (input: SolveInput): Solution => backlogLast(input, solveAlike(input), solveAlike);

/** All demand alike. */
function solveAlike(input: SolveInput): Solution {
  const demands = input.targets.map(({ demandReplicas }) => finite(demandReplicas));
  // The budget gives way to the minimum viable set, and to nothing else.
  const leastGpus = minViableGpus(input);
  const isOverBudget = leastGpus > input.gpuBudget;
  const gpuBudget = isOverBudget ? leastGpus : input.gpuBudget;
  const problem = { ...input, gpuBudget };

  const hard = keepable(problem);
  const kept = flat(hard);
  const { attempt, soft } = withSoft(problem, demands, kept);
  const givenUp = [
    ...input.soft.filter((rule) => !soft.includes(rule)).map((rule) => named("SoftRatios", rule)),
    ...input.hard.filter((rule) => !hard.includes(rule)).map((rule) => named("HardRatios", rule)),
    ...(isOverBudget ? [{ relaxation: "GPUBudget", kind: "GPUBudget", name: "gpuBudget" } as const] : []),
  ];
  return solutionOf(problem, demands, attempt, kept, givenUp);
}

const named = (relaxation: Relaxation, { kind, name }: Rule): GivenUp => ({ relaxation, kind, name });

function flat(rules: readonly Rule[]): readonly LatticeConstraint[] {
  if (rules.length === 1) return (rules[0] as Rule).constraints;
  const all: LatticeConstraint[] = [];
  for (const { constraints } of rules) for (const constraint of constraints) all.push(constraint);
  return all;
}

/** No demand that is not a number reaches the arithmetic; more than anything can serve stays more than that. */
const finite = (demand: number): number => (demand > 0 ? Math.min(demand, 1e12) : 0);

export const minViableGpus = ({ sets, targets }: Pick<SolveInput, "sets" | "targets">): number =>
  sets.min * (sets.fixedGpus + sumOfMins(targets));

function sumOfMins(targets: readonly SolveTarget[]): number {
  let gpus = 0;
  for (const { min, gpusPerReplica } of targets) gpus += min * gpusPerReplica;
  return gpus;
}

/** The hard rules that leave a state inside the bounds and the budget: all, or the first ones that do so together. */
function keepable(input: SolveInput): readonly Rule[] {
  const isPossible = (rules: readonly Rule[]): boolean => {
    const field = fieldOf(input, flat(rules));
    return field !== undefined && dealtGpus(field, input.sets.min, field.mins) <= input.gpuBudget;
  };
  if (input.hard.length === 0 || isPossible(input.hard)) return input.hard;
  return greedy(input.hard, isPossible);
}

/** Takes the rules one after the other and keeps each that can be kept beside those before it. */
function greedy(rules: readonly Rule[], isPossible: (rules: readonly Rule[]) => boolean): readonly Rule[] {
  let kept: readonly Rule[] = [];
  for (const rule of rules) if (isPossible([...kept, rule])) kept = [...kept, rule];
  return kept;
}

/** The best state under the hard rules, with as many soft ones as cost no served demand. */
function withSoft(
  input: SolveInput,
  demands: Vector,
  hard: readonly LatticeConstraint[],
): { readonly attempt: Attempt; readonly soft: readonly Rule[] } {
  const strict = input.soft.length === 0 ? undefined : bestOver(input, demands, [...hard, ...flat(input.soft)]);
  if (strict !== undefined && servesAll(strict.served)) return { attempt: strict, soft: input.soft };
  const loose = bestOver(input, demands, hard);
  if (loose === undefined) throw new RangeError("a target has min above max");
  const isAsGood = (one: Attempt | undefined): one is Attempt =>
    one !== undefined && compareService(one.served, loose.served) >= 0;
  if (isAsGood(strict)) return { attempt: strict, soft: input.soft };
  let attempt = loose;
  const soft = greedy(input.soft, (rules) => {
    const next = rules.length === input.soft.length ? strict : bestOver(input, demands, [...hard, ...flat(rules)]);
    if (!isAsGood(next)) return false;
    attempt = next;
    return true;
  });
  return { attempt, soft };
}

const servesAll = ({ servedRatio }: Served): boolean => servedRatio >= 1;

function compareService(a: Served, b: Served): number {
  const served = a.servedRatio - b.servedRatio;
  if (Math.abs(served) > EPSILON) return served;
  const fraction = a.fractionRatio - b.fractionRatio;
  return Math.abs(fraction) > EPSILON ? fraction : 0;
}

function fieldOf(
  { targets, sets: { fixedGpus } }: SolveInput,
  constraints: readonly LatticeConstraint[],
): Field | undefined {
  const gpusPerReplica: number[] = [];
  const mins: number[] = [];
  const maxs: number[] = [];
  for (const target of targets) {
    gpusPerReplica.push(target.gpusPerReplica);
    mins.push(target.min);
    maxs.push(target.max);
  }
  if (constraints.length > 1 && !settlesSoon(constraints, maxs)) return undefined;
  const ceiling = greatestBelow(maxs, constraints, mins);
  if (ceiling === undefined) return undefined;
  const least = constraints.length === 0 ? mins : leastAbove(mins, constraints, ceiling);
  if (least === undefined) return undefined;
  return { constraints, gpusPerReplica, mins: least, ceiling, fixedGpus, scratch: [...mins] };
}

/** @returns undefined when not even the minima hold the constraints inside bounds and budget */
function bestOver(input: SolveInput, demands: Vector, constraints: readonly LatticeConstraint[]): Attempt | undefined {
  const field = fieldOf(input, constraints);
  if (field === undefined) return undefined;
  const { gpuBudget, sets: range } = input;
  const leastGpus = range.fixedGpus + vectorGpus(field.mins, field.gpusPerReplica);
  const setsMax = Math.max(range.min, range.growsAfter === undefined ? range.max : spillMax(input, demands, field));
  const affordable = leastGpus > 0 ? Math.floor(gpuBudget / leastGpus) : Number.POSITIVE_INFINITY;
  const asked = Math.min(range.asked ?? 0, setsMax, affordable);
  const { current } = range;
  let best: Served | undefined;
  let isRemovable: ((sets: number) => boolean) | undefined;
  for (
    let sets = Math.max(range.min, asked, leastUsefulSets(input, demands, field, setsMax));
    sets <= setsMax;
    sets++
  ) {
    // More set replicas only take more than these.
    if (sets * leastGpus > gpuBudget) break;
    if (best !== undefined && servesAll(best) && sets > current && sets * leastGpus > best.gpus) break;
    const leastRatio = best?.servedRatio ?? 0;
    const candidate = greatestServed({ field, sets, demands, gpuBudget, leastRatio });
    if (candidate !== undefined) {
      if (sets < current && current <= setsMax) {
        isRemovable ??= removalRule(input, demands, field);
        if (!isRemovable(sets)) continue;
      }
      if (best === undefined || isBetter(candidate, best, current)) best = candidate;
    }
    // Every set replica from here on has at most one unit of anything: another one takes nothing off it.
    if (best !== undefined && sets >= current && sets >= mostUnits(demands)) break;
  }
  return best === undefined ? undefined : { field, served: best, setsMax };
}

const mostUnits = (demands: Vector): number => {
  let most = 1;
  for (const demand of demands) most = Math.max(most, Math.ceil(demand));
  return most;
};

/** Without a budget, fewer set replicas than hold all demand at their maxima serve less, unless one demand cannot be served at all. */
function leastUsefulSets({ gpuBudget }: SolveInput, demands: Vector, { ceiling }: Field, setsMax: number): number {
  if (gpuBudget !== Number.POSITIVE_INFINITY) return 0;
  let sets = 0;
  for (let index = 0; index < demands.length; index++) {
    const most = ceiling[index] as number;
    const needed = Math.ceil((demands[index] as number) - EPSILON);
    if (needed <= sets * most) continue;
    if (most === 0) return 0;
    sets = Math.ceil(needed / most);
  }
  return Math.min(sets, setsMax);
}

/** A set replica only goes when the others would serve as much of a demand with headroom as those that are there. */
function removalRule(input: SolveInput, demands: Vector, field: Field): (sets: number) => boolean {
  const { gpuBudget, removalHeadroomRatio } = input;
  const inflated = demands.map((demand) => demand * (1 + removalHeadroomRatio));
  const common = { field, demands: inflated, gpuBudget };
  const now = greatestServed({ ...common, sets: input.sets.current, leastRatio: 0 })?.servedRatio ?? 0;
  return (sets) => canServe({ ...common, sets, leastRatio: now });
}

/** Set replicas that may be there when one is only added where the named targets are at their maximum in all of them. */
function spillMax(
  { sets: { min, max, current, growsAfter }, gpuBudget }: SolveInput,
  demands: Vector,
  field: Field,
): number {
  let sets = Math.min(max, Math.max(min, current));
  for (; sets < max; sets++) {
    const served = greatestServed({ field, sets, demands, gpuBudget, leastRatio: 0 });
    const last = served === undefined ? undefined : deal(field, sets, served.units).at(-1);
    const isFull = growsAfter?.every((index) => (last?.vector[index] ?? 0) >= (field.ceiling[index] as number)) ?? true;
    if (sets > 0 && (last === undefined || !isFull)) break;
  }
  return sets;
}

function isBetter(a: Served, b: Served, currentSets: number): boolean {
  const service = compareService(a, b);
  if (service !== 0) return service > 0;
  if (a.gpus !== b.gpus) return a.gpus < b.gpus;
  return Math.abs(a.sets - currentSets) < Math.abs(b.sets - currentSets);
}

function solutionOf(
  input: SolveInput,
  demands: Vector,
  { field, served, setsMax }: Attempt,
  kept: readonly LatticeConstraint[],
  givenUp: readonly GivenUp[],
): Solution {
  const { gpuBudget, gpuFloor = 0 } = input;
  const grown =
    gpuFloor > served.gpus && !served.isCutByBudget
      ? growToFloor({ field, goal: served, floorGpus: gpuFloor, gpuBudget, setsMax })
      : served;
  const clipped = clippedTargets(demands, field, grown.sets);
  // At their maxima inside, with room for more set replicas: then it is the budget that kept those away.
  const isKeptSmall = clipped.length > 0 && grown.sets < setsMax && gpuBudget !== Number.POSITIVE_INFINITY;
  const isBudget = served.isCutByBudget || isKeptSmall || givenUp.some(({ kind }) => kind === "GPUBudget");
  return {
    perSet: expand(deal(field, grown.sets, grown.units)),
    gpus: grown.gpus,
    servedRatio: served.servedRatio,
    loadRatio: served.servedRatio,
    limitedBy: [...(clipped.length > 0 ? (["Max"] as const) : []), ...(isBudget ? (["GPUBudget"] as const) : [])],
    atMax: clipped.length === 0 ? [] : maximaBehind(clipped, input.targets, field),
    relaxed: givenUp.length === 0 ? [] : [...new Set(givenUp.map(({ relaxation }) => relaxation))],
    givenUp,
    kept,
    isRaisedToFloor: grown !== served && grown.gpus > served.gpus,
    backlogRatio: 1,
  };
}

function clippedTargets(demands: Vector, { ceiling }: Field, sets: number): number[] {
  const clipped: number[] = [];
  for (let index = 0; index < demands.length; index++) {
    if ((demands[index] as number) - EPSILON > sets * (ceiling[index] as number)) clipped.push(index);
  }
  return clipped;
}

/** The targets whose `max` holds the clipped ones down: their own, or through a ratio another's. */
function maximaBehind(
  clipped: readonly number[],
  targets: readonly SolveTarget[],
  { constraints, mins }: Field,
): number[] {
  const causes: number[] = [];
  greatestBelow(
    targets.map(({ max }) => max),
    constraints,
    mins,
    causes,
  );
  return [...new Set(clipped.map((index) => causes[index] as number))];
}

export function gpusOf(vector: Vector, targets: readonly Pick<SolveTarget, "gpusPerReplica">[]): number {
  let sum = 0;
  for (let index = 0; index < vector.length; index++) {
    sum += (vector[index] as number) * (targets[index]?.gpusPerReplica ?? 0);
  }
  return sum;
}

/**
 * The joint solve: how many set replicas, and how many replicas of every target inside each of them.
 *
 * For a given number of set replicas `S` the demand of each target is dealt evenly (shares differ by at most one, the larger ones to
 * the lower indices, so that one set replica is ever as large as or larger than the next), and each set replica takes the least
 * vector above its share that satisfies the ratios (`lattice.ts`). That is the cheapest one in GPUs and in any other monotone cost,
 * and dealing the larger shares of all targets to the same set replicas is the cheapest way to deal them, because the closure is
 * a maximum of monotone functions and so submodular. `S` itself is enumerated.
 *
 * Order of objectives: minimum viable set, GPU budget, hard ratios, served fraction, soft ratios, GPUs, churn, smaller `S`.
 */
import { greatestBelow, type LatticeConstraint, leastAbove, type Vector } from "./lattice.ts";

export interface SolveTarget {
  /** Replicas of this target that the whole set needs; real, ≥ 0. */
  readonly demandReplicas: number;
  readonly gpusPerReplica: number;
  /** Bounds inside one set replica. */
  readonly min: number;
  readonly max: number;
}

export interface SolveInput {
  readonly targets: readonly SolveTarget[];
  readonly hardRatios: readonly LatticeConstraint[];
  readonly softRatios: readonly LatticeConstraint[];
  readonly sets: {
    readonly min: number;
    readonly max: number;
    readonly current: number;
    /** GPUs a set replica uses for parts that are not targets. */
    readonly fixedGpus: number;
  };
  /** GPUs for everything; Infinity without a budget. */
  readonly gpuBudget: number;
  /** A set replica is only removed if what is left would serve this much more than the demand. */
  readonly removalHeadroomRatio: number;
}

export type Relaxation = "SoftRatios" | "GPUBudget" | "HardRatios";

export interface Solution {
  /** Per set replica, in the order of `targets`. */
  readonly perSet: readonly Vector[];
  readonly gpus: number;
  /** Least share of a target's demand that is met, in [0, 1]. */
  readonly servedRatio: number;
  /** Demand that was cut because of it. */
  readonly limitedBy: readonly ("Max" | "GPUBudget")[];
  /** What could not be kept, in the order in which it was given up. */
  readonly relaxed: readonly Relaxation[];
}

interface Candidate {
  readonly sets: number;
  readonly plan: Plan;
  readonly servedRatio: number;
  readonly limitedBy: readonly ("Max" | "GPUBudget")[];
}

/** Set replicas of equal content: `count` of them, in index order. */
interface Plan {
  readonly blocks: readonly { readonly count: number; readonly vector: Vector }[];
  readonly gpus: number;
}

/** Guards `⌈λ·d⌉` against 2.0000000001; far below any real difference in demand. */
const EPSILON = 1e-9;

/**
 * Always gives a state: where not everything can hold, it keeps the minimum viable set and gives up soft ratios, then the budget (down to
 * the minimum viable set only), then hard ratios, and says so in `relaxed`.
 */
export function solve(input: SolveInput): Solution {
  const strict = bestOver(input, [...input.hardRatios, ...input.softRatios]);
  if (input.softRatios.length === 0) return strict ?? solveWithout(input, []);
  const loose = bestOver(input, input.hardRatios);
  if (strict !== undefined && (loose === undefined || strict.servedRatio >= loose.servedRatio - EPSILON)) return strict;
  return loose === undefined ? solveWithout(input, ["SoftRatios"]) : { ...loose, relaxed: ["SoftRatios"] };
}

function solveWithout(input: SolveInput, relaxed: readonly Relaxation[]): Solution {
  const floor = { ...input, sets: { ...input.sets, max: input.sets.min }, gpuBudget: Number.POSITIVE_INFINITY };
  const noDemand = { ...floor, targets: floor.targets.map((target) => ({ ...target, demandReplicas: 0 })) };
  const minimumViable = bestOver(noDemand, input.hardRatios);
  if (minimumViable !== undefined && minimumViable.gpus > input.gpuBudget) {
    return { ...minimumViable, servedRatio: 0, limitedBy: ["GPUBudget"], relaxed: [...relaxed, "GPUBudget"] };
  }
  const unratioed = bestOver(input, []) ?? bestOver(noDemand, []);
  if (unratioed === undefined) throw new RangeError("a target has min above max");
  if (unratioed.gpus <= input.gpuBudget) return { ...unratioed, relaxed: [...relaxed, "HardRatios"] };
  return { ...unratioed, servedRatio: 0, limitedBy: ["GPUBudget"], relaxed: [...relaxed, "GPUBudget", "HardRatios"] };
}

function bestOver(input: SolveInput, ratios: readonly LatticeConstraint[]): Solution | undefined {
  const ceiling = greatestBelow(
    input.targets.map(({ max }) => max),
    ratios,
    input.targets.map(({ min }) => min),
  );
  if (ceiling === undefined) return undefined;
  const { current } = input.sets;
  const inflated = 1 + input.removalHeadroomRatio;
  let best: Candidate | undefined;
  let servedAtCurrent: number | undefined;
  for (let sets = input.sets.min; sets <= input.sets.max; sets++) {
    const candidate = bestFor(sets, input, ratios, ceiling, 1, best?.servedRatio ?? 0);
    if (candidate === undefined) continue;
    if (sets < current && current <= input.sets.max) {
      servedAtCurrent ??= bestFor(current, input, ratios, ceiling, inflated, 0)?.servedRatio ?? 0;
      if (!serves(servedAtCurrent, sets, input, ratios, ceiling, inflated)) continue;
    }
    if (best === undefined || isBetter(candidate, best, current)) best = candidate;
    // More set replicas only add fixed GPUs once all demand is served inside the targets' bounds.
    if (sets >= current && candidate.servedRatio >= 1) break;
  }
  if (best === undefined) return undefined;
  const { plan, servedRatio } = best;
  // At their maxima inside, with room for more set replicas: then it is the budget that kept those away.
  const isKeptSmall =
    best.limitedBy.includes("Max") && best.sets < input.sets.max && input.gpuBudget !== Number.POSITIVE_INFINITY;
  const limitedBy = isKeptSmall ? [...new Set([...best.limitedBy, "GPUBudget" as const])] : best.limitedBy;
  return { perSet: expand(plan), gpus: plan.gpus, servedRatio, limitedBy, relaxed: [] };
}

function isBetter(a: Candidate, b: Candidate, currentSets: number): boolean {
  if (Math.abs(a.servedRatio - b.servedRatio) > EPSILON) return a.servedRatio > b.servedRatio;
  if (a.plan.gpus !== b.plan.gpus) return a.plan.gpus < b.plan.gpus;
  return Math.abs(a.sets - currentSets) < Math.abs(b.sets - currentSets);
}

/** Whether `sets` set replicas can serve at least this fraction of the demand. */
function serves(
  fraction: number,
  sets: number,
  input: SolveInput,
  ratios: readonly LatticeConstraint[],
  ceiling: Vector,
  demandFactor: number,
): boolean {
  const units = input.targets.map(({ demandReplicas }) =>
    Math.ceil(fraction * (demandReplicas * demandFactor) - EPSILON),
  );
  if (units.some((count, index) => count > sets * (ceiling[index] as number))) return false;
  const plan = planSets(sets, units, input, ratios, ceiling);
  return plan !== undefined && plan.gpus <= input.gpuBudget;
}

/**
 * The best state with exactly `sets` set replicas; undefined when not even the minimum fits the budget, or when it serves less than
 * `leastFraction`.
 */
function bestFor(
  sets: number,
  input: SolveInput,
  ratios: readonly LatticeConstraint[],
  ceiling: Vector,
  demandFactor: number,
  leastFraction: number,
): Candidate | undefined {
  if (leastFraction > 0 && !serves(leastFraction, sets, input, ratios, ceiling, demandFactor)) return undefined;
  const demands = input.targets.map(({ demandReplicas }) => demandReplicas * demandFactor);
  // A maximum cuts its own target, and through the ratios those that are tied to it; the others keep what they are measured to need.
  const caps = ceiling.map((most) => sets * most);
  const unitsAt = (lambda: number): number[] =>
    demands.map((demand, index) => Math.min(Math.ceil(lambda * demand - EPSILON), caps[index] as number));
  const planFor = (units: readonly number[]): Plan | undefined => {
    const plan = planSets(sets, units, input, ratios, ceiling);
    return plan !== undefined && plan.gpus <= input.gpuBudget ? plan : undefined;
  };
  const isClipped = demands.some((demand, index) => demand > (caps[index] as number) + EPSILON);
  const limitedByMax = isClipped ? (["Max"] as const) : [];

  const full = planFor(unitsAt(1));
  if (full !== undefined) return { sets, plan: full, servedRatio: served(full, demands), limitedBy: limitedByMax };
  if (planFor(demands.map(() => 0)) === undefined) return undefined;

  // The served fraction only matters where some demand passes a whole replica: at k / demand. For each demand the greatest feasible k is
  // looked for above the best fraction so far, so all but the first few demands cost one question.
  let lambda = leastFraction;
  for (const [index, demand] of demands.entries()) {
    if (demand <= 0) continue;
    let feasible = Math.floor(lambda * demand + EPSILON);
    // One past the last k that changes anything: a target's demand, or its cap.
    let infeasible = Math.min(Math.ceil(demand - EPSILON), (caps[index] as number) + 1);
    for (let reach = 1; infeasible - feasible > 1; ) {
      const units = Math.min(feasible + reach, (feasible + infeasible + 1) >> 1);
      if (planFor(unitsAt(units / demand)) === undefined) infeasible = units;
      else {
        feasible = units;
        reach *= 4;
        // Only a fraction that was tried: one that is merely next to it may round another target's share up.
        lambda = Math.max(lambda, units / demand);
      }
    }
  }
  const wanted = unitsAt(1);
  const units = fillBudget(unitsAt(lambda), demands, wanted, (next) => planFor(next) !== undefined);
  const plan = planFor(units) as Plan;
  return { sets, plan, servedRatio: served(plan, demands), limitedBy: [...limitedByMax, "GPUBudget"] };
}

/**
 * Deals what the common served fraction left of the budget: one unit at a time to the target that binds next, until the one that binds
 * cannot grow any more; more of another one would serve nothing.
 */
function fillBudget(
  units: readonly number[],
  demands: readonly number[],
  wanted: readonly number[],
  fits: (units: readonly number[]) => boolean,
): number[] {
  let dealt = [...units];
  for (;;) {
    const open = dealt
      .map((count, index) => ({ index, next: count / (demands[index] as number) }))
      .filter(({ index }) => (dealt[index] as number) < (wanted[index] as number));
    const binding = Math.min(...open.map(({ next }) => next));
    const raised = open
      .filter(({ next }) => next <= binding + EPSILON)
      .map(({ index }) => dealt.map((count, at) => (at === index ? count + 1 : count)))
      .find(fits);
    if (raised === undefined) return dealt;
    dealt = raised;
  }
}

function planSets(
  sets: number,
  units: readonly number[],
  { targets, sets: { fixedGpus } }: SolveInput,
  ratios: readonly LatticeConstraint[],
  ceiling: Vector,
): Plan | undefined {
  const blocks: { count: number; vector: Vector }[] = [];
  let gpus = sets * fixedGpus;
  // Set replicas with the same shares make one block; shares only change where an index passes some target's remainder.
  for (let from = 0; from < sets; ) {
    let next = sets;
    const shares: number[] = [];
    for (let index = 0; index < units.length; index++) {
      const total = units[index] as number;
      const remainder = total % sets;
      if (remainder > from && remainder < next) next = remainder;
      const share = (total - remainder) / sets + (from < remainder ? 1 : 0);
      shares.push(Math.max(share, (targets[index] as SolveTarget).min));
    }
    const vector = leastAbove(shares, ratios, ceiling);
    if (vector === undefined) return undefined;
    blocks.push({ count: next - from, vector });
    gpus += (next - from) * gpusOf(vector, targets);
    from = next;
  }
  return { blocks, gpus };
}

function served({ blocks }: Plan, demands: readonly number[]): number {
  let least = 1;
  demands.forEach((demand, index) => {
    if (demand <= 0) return;
    const have = blocks.reduce((sum, { count, vector }) => sum + count * (vector[index] as number), 0);
    least = Math.min(least, have / demand);
  });
  return least;
}

const expand = ({ blocks }: Plan): Vector[] =>
  blocks.flatMap(({ count, vector }) => Array.from({ length: count }, () => vector));

export function gpusOf(vector: Vector, targets: readonly Pick<SolveTarget, "gpusPerReplica">[]): number {
  let sum = 0;
  for (let index = 0; index < vector.length; index++) {
    sum += (vector[index] as number) * (targets[index]?.gpusPerReplica ?? 0);
  }
  return sum;
}

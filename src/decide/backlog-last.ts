/**
 * Under a budget what has piled up takes no replica from the load that comes. Pure.
 *
 * A queue asks for more than its target's load. Were the budget dealt by what is asked for, a target that it cuts below its load would get a queue, get
 * replicas of others for it, lose the queue, and give them back: a cycle without end (docs/decisions/0007). So the load comes first, and with what is
 * left the same share of what is missing of every target with a queue, as far as the budget goes.
 */
import type { Solution, SolveInput, SolveTarget } from "./solve.ts";

/** The share is looked for until it is exact to this many replicas of every target. */
const PRECISION_REPLICAS = 1 / 8;

/**
 * @param whole the solution of `asked`, all demand alike
 * @param solve one problem, all demand alike
 * @returns what serves the load first; `servedRatio` is that of all that is asked for
 */
export function backlogLast(asked: SolveInput, whole: Solution, solve: (input: SolveInput) => Solution): Solution {
  if (!isCut(whole) || !asked.targets.some(hasBacklog)) return whole;
  const load = solve(loadOf(asked));
  const isLoadCut = isCut(load);
  const parts = asked.targets.map((target, index) => {
    const ownLoad = loadReplicasOf(target);
    const base = isLoadCut ? Math.min(ownLoad, totalOf(load, index)) : ownLoad;
    const most = Math.min(target.demandReplicas, asked.sets.max * target.max);
    return { base, missing: hasBacklog(target) ? Math.max(0, most - base) : 0 };
  });
  const attempt = (share: number): Solution => {
    const targets = asked.targets.map((target, index) => {
      const { base, missing } = parts[index] as (typeof parts)[number];
      return { ...target, demandReplicas: base + share * missing };
    });
    return solve({ ...unfloored(asked), targets });
  };
  const all = attempt(1);
  let best = isCut(all) ? attempt(0) : all;
  // The minimum viable set alone is over the budget.
  if (isCut(best)) best = load;
  else if (best !== all) {
    const widest = Math.max(...parts.map(({ missing }) => missing));
    for (let share = 0, step = 1 / 2; step * 2 * widest > PRECISION_REPLICAS; step /= 2) {
      const more = attempt(share + step);
      if (isCut(more)) continue;
      share += step;
      best = more;
    }
  }
  const isAtMax = [load, best].some(({ limitedBy }) => limitedBy.includes("Max"));
  return {
    ...best,
    servedRatio: leastShare(asked.targets, best, ({ demandReplicas }) => demandReplicas),
    loadRatio: leastShare(asked.targets, best, loadReplicasOf),
    backlogRatio: backlogShare(asked.targets, best),
    limitedBy: [...(isAtMax ? (["Max"] as const) : []), "GPUBudget"],
    atMax: [...new Set([...load.atMax, ...best.atMax])],
  };
}

/** The problem without what has piled up. */
export const loadOf = (asked: SolveInput): SolveInput => ({
  ...unfloored(asked),
  targets: asked.targets.map(({ loadReplicas: _, ...target }, index) => ({
    ...target,
    demandReplicas: loadReplicasOf(asked.targets[index] as SolveTarget),
  })),
});

/** A floor is for a demand that asks for less than it. */
const unfloored = ({ gpuFloor: _, ...asked }: SolveInput): SolveInput => asked;

const isCut = ({ limitedBy }: Solution): boolean => limitedBy.includes("GPUBudget");

export const hasBacklog = ({ demandReplicas, loadReplicas = demandReplicas }: SolveTarget): boolean =>
  Math.max(0, loadReplicas) < demandReplicas;

/** Replicas for what comes; all of the demand where that is not known. */
export const loadReplicasOf = (target: SolveTarget): number =>
  hasBacklog(target) ? Math.max(0, target.loadReplicas ?? 0) : target.demandReplicas;

const totalOf = ({ perSet }: Solution, index: number): number =>
  perSet.reduce((sum, vector) => sum + (vector[index] as number), 0);

/** Least share of what `of` says of a target, in [0, 1]. */
const leastShare = (targets: readonly SolveTarget[], solution: Solution, of: (target: SolveTarget) => number): number =>
  targets.reduce((least, target, index) => {
    const wanted = of(target);
    return wanted > 0 ? Math.min(least, totalOf(solution, index) / wanted) : least;
  }, 1);

/** Least share of what has piled up that is served beside the load, in [0, 1]. */
const backlogShare = (targets: readonly SolveTarget[], solution: Solution): number =>
  targets.reduce((least, target, index) => {
    if (!hasBacklog(target)) return least;
    const ownLoad = loadReplicasOf(target);
    return Math.min(least, Math.max(0, totalOf(solution, index) - ownLoad) / (target.demandReplicas - ownLoad));
  }, 1);

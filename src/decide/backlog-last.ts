/**
 * Under a budget what has piled up takes no replica from the load that comes. Pure.
 *
 * A queue asks for more than its target's load. Were the budget dealt by what is asked for, a target that it cuts below its load would get a queue, get
 * replicas of others for it, lose the queue, and give them back: a cycle without end (docs/decisions/0007). So the load comes first, and of what
 * has piled up the same share of every target as far as the budget goes.
 */
import type { Solution, SolveInput } from "./solve.ts";

/** The share is exact to 1 in 2 to the power of this. */
const HALVINGS = 6;

/**
 * @param whole the solution of `asked`, all demand alike
 * @param solve one problem, all demand alike
 * @returns what serves the load first; the served share and what limits it are those of all that is asked for
 */
export function backlogLast(asked: SolveInput, whole: Solution, solve: (input: SolveInput) => Solution): Solution {
  if (!isCut(whole) || !asked.targets.some(hasBacklog)) return whole;
  const attempt = (backlogRatio: number): Solution => {
    const targets = asked.targets.map((target) => {
      const all = Math.min(target.demandReplicas, Number.MAX_SAFE_INTEGER);
      const flow = hasBacklog(target) ? Math.max(0, target.flowReplicas ?? 0) : all;
      return { ...target, demandReplicas: flow + backlogRatio * (all - flow) };
    });
    return { ...solve({ ...asked, targets }), backlogRatio };
  };
  let best = attempt(0);
  if (!isCut(best)) {
    for (let step = 1 / 2, round = 0; round < HALVINGS; round++, step /= 2) {
      const more = attempt(best.backlogRatio + step);
      if (!isCut(more)) best = more;
    }
  }
  return { ...best, servedRatio: servedOf(asked, best), limitedBy: whole.limitedBy, atMax: whole.atMax };
}

const isCut = ({ limitedBy }: Solution): boolean => limitedBy.includes("GPUBudget");

const hasBacklog = ({ demandReplicas, flowReplicas = demandReplicas }: SolveInput["targets"][number]): boolean =>
  flowReplicas < demandReplicas;

/** Least share of what a target asks for, in [0, 1]. */
function servedOf({ targets }: SolveInput, { perSet }: Solution): number {
  return targets.reduce((least, { demandReplicas }, index) => {
    if (demandReplicas <= 0) return least;
    const replicas = perSet.reduce((sum, vector) => sum + (vector[index] as number), 0);
    return Math.min(least, replicas / demandReplicas);
  }, 1);
}

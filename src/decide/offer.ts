/** What a policy offers to the others that share its budget. */
import type { Decision } from "./decision.ts";
import { type SolveInput, solve } from "./solve.ts";

/** Points of the curve that is offered to a shared budget: 5 % steps of the served fraction. */
const OFFER_STEPS = 20;

/** What serving a fraction of the demand costs, whatever the budget is. */
export function offerOf(problem: SolveInput): NonNullable<Decision["offer"]> {
  const gpusAt = (fraction: number): number =>
    solve({
      ...problem,
      gpuBudget: Number.POSITIVE_INFINITY,
      targets: problem.targets.map((target) => ({ ...target, demandReplicas: target.demandReplicas * fraction })),
    }).gpus;
  const minimum = solve({
    ...problem,
    gpuBudget: Number.POSITIVE_INFINITY,
    sets: { ...problem.sets, max: problem.sets.min },
    targets: problem.targets.map((target) => ({ ...target, demandReplicas: 0 })),
  });
  const curve = Array.from(
    { length: OFFER_STEPS + 1 },
    (_, step) => [step / OFFER_STEPS, gpusAt(step / OFFER_STEPS)] as const,
  );
  return { minGpus: minimum.gpus, curve };
}

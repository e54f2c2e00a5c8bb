/** What a policy offers to the others that share its budget. */
import type { Decision } from "./decision.ts";
import { type SolveInput, solve } from "./solve.ts";

/** Points of the curve that is offered to a shared budget: 5 % steps of the served fraction. */
const OFFER_STEPS = 20;

/**
 * What serving a fraction of the demand takes, whatever the budget is. The curve never falls: where a smaller fraction takes more (another number of set
 * replicas rounds worse), so much is needed on the way to the greater one.
 */
export function offerOf(problem: SolveInput): NonNullable<Decision["offer"]> {
  const gpusAt = (fraction: number): number =>
    solve({
      ...problem,
      gpuBudget: Number.POSITIVE_INFINITY,
      targets: problem.targets.map((target) => ({ ...target, demandReplicas: target.demandReplicas * fraction })),
    }).gpus;
  const { gpuFloor: _, ...unfloored } = problem;
  const minimum = solve({
    ...unfloored,
    gpuBudget: Number.POSITIVE_INFINITY,
    sets: { ...problem.sets, max: problem.sets.min, asked: 0 },
    targets: problem.targets.map((target) => ({ ...target, demandReplicas: 0 })),
  });
  let gpus = minimum.gpus;
  const curve = Array.from({ length: OFFER_STEPS + 1 }, (_, step) => {
    gpus = Math.max(gpus, gpusAt(step / OFFER_STEPS));
    return [step / OFFER_STEPS, gpus] as const;
  });
  return { minGpus: minimum.gpus, curve };
}

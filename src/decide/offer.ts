/** What a policy offers to the others that share its budget. */
import type { Curve } from "./arbitrate.ts";
import { hasBacklog, loadReplicasOf } from "./backlog-last.ts";
import type { Decision } from "./decision.ts";
import { type SolveInput, type SolveTarget, solve } from "./solve.ts";

/** Points of the curve that is offered to a shared budget: 5 % steps of the served fraction. */
const LOAD_STEPS = 20;
/** What has piled up passes. */
const BACKLOG_STEPS = 10;

/**
 * What serving a fraction of the load takes, whatever the budget is, and beside all of it a share of what has piled up. The curves never fall: where a
 * smaller fraction takes more (another number of set replicas rounds worse), so much is needed on the way to the greater one.
 */
export function offerOf(problem: SolveInput): NonNullable<Decision["offer"]> {
  const { gpuFloor: _, ...unfloored } = problem;
  const minimum = gpusFor({ ...unfloored, sets: { ...problem.sets, max: problem.sets.min, asked: 0 } }, () => 0);
  let gpus = minimum;
  const curveOf = (steps: number, replicasOf: (target: SolveTarget, fraction: number) => number): Curve =>
    Array.from({ length: steps + 1 }, (__, step) => {
      const fraction = step / steps;
      gpus = Math.max(
        gpus,
        gpusFor(problem, (target) => replicasOf(target, fraction)),
      );
      return [fraction, gpus] as const;
    });
  const curve = curveOf(LOAD_STEPS, (target, fraction) => loadReplicasOf(target) * fraction);
  if (!problem.targets.some(hasBacklog)) return { minGpus: minimum, curve };
  const backlog = curveOf(BACKLOG_STEPS, (target, share) => {
    const load = loadReplicasOf(target);
    return load + (target.demandReplicas - load) * share;
  });
  return { minGpus: minimum, curve, backlog };
}

/** Without a budget. */
const gpusFor = (problem: SolveInput, replicasOf: (target: SolveTarget) => number): number =>
  solve({
    ...problem,
    gpuBudget: Number.POSITIVE_INFINITY,
    targets: problem.targets.map((target) => ({ ...target, demandReplicas: replicasOf(target) })),
  }).gpus;

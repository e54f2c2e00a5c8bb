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
 * What serving a fraction of the load takes, and beside all of it a share of what has piled up. The curves never fall: where a smaller fraction takes more
 * (another number of set replicas rounds worse), so much is needed on the way to the greater one.
 *
 * @param ownGpus what the policy may have whatever the others do: GPUs that it cannot use are not asked for
 */
export function offerOf(problem: SolveInput, ownGpus: number): NonNullable<Decision["offer"]> {
  const own = { ...problem, gpuBudget: ownGpus, targets: problem.targets.map((one) => withinMaxima(one, problem)) };
  const { gpuFloor: _, ...unfloored } = own;
  const minimum = gpusFor({ ...unfloored, sets: { ...own.sets, max: own.sets.min, asked: 0 } }, () => 0);
  let gpus = minimum;
  const curveOf = (steps: number, replicasOf: (target: SolveTarget, fraction: number) => number): Curve =>
    Array.from({ length: steps + 1 }, (__, step) => {
      const fraction = step / steps;
      gpus = Math.max(
        gpus,
        gpusFor(own, (target) => replicasOf(target, fraction)),
      );
      return [fraction, gpus] as const;
    });
  const curve = curveOf(LOAD_STEPS, (target, fraction) => loadReplicasOf(target) * fraction);
  if (!own.targets.some(hasBacklog)) return { minGpus: minimum, curve };
  const backlog = curveOf(BACKLOG_STEPS, (target, share) => {
    const load = loadReplicasOf(target);
    return load + (target.demandReplicas - load) * share;
  });
  return { minGpus: minimum, curve, backlog };
}

/** What a person has set is asked for as it is. */
export const offerOfOverride = (
  { minGpus }: NonNullable<Decision["offer"]>,
  gpus: number,
): NonNullable<Decision["offer"]> => ({
  minGpus: Math.min(minGpus, gpus),
  curve: [[0, gpus]],
});

const gpusFor = (problem: SolveInput, replicasOf: (target: SolveTarget) => number): number =>
  solve({
    ...problem,
    targets: problem.targets.map(({ loadReplicas: _, ...target }, index) => ({
      ...target,
      demandReplicas: replicasOf(problem.targets[index] as SolveTarget),
    })),
  }).gpus;

/** A fraction of more than the maxima can serve is a step that no budget has room for. */
function withinMaxima(target: SolveTarget, { sets }: SolveInput): SolveTarget {
  const most = Math.max(1, sets.max) * target.max;
  return {
    ...target,
    demandReplicas: Math.min(target.demandReplicas, most),
    ...(target.loadReplicas === undefined ? {} : { loadReplicas: Math.min(target.loadReplicas, most) }),
  };
}

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
 * @param asked the problem within what a person has set, where an override is in force: no minimum, and dealt before the load of peers
 */
export function offerOf(
  problem: SolveInput,
  ownGpus: number,
  asked: SolveInput = problem,
): NonNullable<Decision["offer"]> {
  const within = (one: SolveInput): SolveInput => ({
    ...one,
    gpuBudget: ownGpus,
    targets: one.targets.map((target) => withinMaxima(target, one)),
  });
  const own = within(asked);
  const { gpuFloor: _, ...unfloored } = within(problem);
  const minimum = gpusFor({ ...unfloored, sets: { ...problem.sets, max: problem.sets.min, asked: 0 } }, () => 0);
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
  const curve = gradual(
    minimum,
    curveOf(LOAD_STEPS, (target, fraction) => loadReplicasOf(target) * fraction),
    asked === problem ? 1 : AHEAD,
  );
  if (!own.targets.some(hasBacklog)) return { minGpus: minimum, curve };
  const backlog = curveOf(BACKLOG_STEPS, (target, share) => {
    const load = loadReplicasOf(target);
    return load + (target.demandReplicas - load) * share;
  });
  return { minGpus: minimum, curve, backlog };
}

/** What a person has set is dealt before the load of peers, in parts beside one another. */
const AHEAD = 1e-3;

/**
 * A floor, or what a person has set, is there from the first fraction on: as one step it would be had whole or not at all. It is asked for in parts: a
 * floor as what serves that part of what the whole curve serves.
 */
function gradual(minimum: number, curve: Curve, scale: number): Curve {
  const [, first] = curve[0] as readonly [number, number];
  const [, full] = curve.at(-1) as readonly [number, number];
  if (first <= minimum || full <= minimum) return curve;
  const shareOf = (gpus: number): number => (scale * (gpus - minimum)) / (full - minimum);
  const parts = Math.max(1, Math.ceil((LOAD_STEPS * (first - minimum)) / (full - minimum)));
  const steps = Array.from({ length: parts + 1 }, (_, part) => {
    const gpus = Math.round(minimum + ((first - minimum) * part) / parts);
    return [shareOf(gpus), gpus] as const;
  });
  return [...steps, ...curve.slice(1).map(([fraction, gpus]) => [Math.max(fraction, shareOf(gpus)), gpus] as const)];
}

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

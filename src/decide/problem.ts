/** The joint problem of one decision, as the solver takes it. */
import type { TargetBounds } from "./bounds.ts";
import { couplingConstraints } from "./coupling.ts";
import type { Demand } from "./demand.ts";
import type { Observation } from "./observation.ts";
import type { Policy } from "./policy.ts";
import { bandConstraints, type RatioBand } from "./ratio.ts";
import { setAsk } from "./set-demand.ts";
import type { Rule, SetRange, SolveInput } from "./solve.ts";

/** A set replica goes only when the others would serve 10 % more than the demand: HPA's default tolerance, on the solver's output. */
const REMOVAL_HEADROOM_RATIO = 0.1;

type IndexOf = (name: string) => number;

/**
 * What must hold, in the order in which it is kept where not all can be: couplings, whose parts are of no use without each other, before
 * ratios; each in the order of the policy.
 */
export function hardRules({ ratios, couplings = [] }: Policy, indexOf: IndexOf): readonly Rule[] {
  return [
    ...couplings.map(
      (coupling): Rule => ({
        kind: "Coupling",
        name: coupling.name,
        constraints: couplingConstraints(coupling, indexOf),
      }),
    ),
    ...bandRules(ratios, "Hard", indexOf),
  ];
}

function bandRules(
  bands: readonly RatioBand[],
  enforcement: RatioBand["enforcement"],
  indexOf: IndexOf,
): readonly Rule[] {
  return bands
    .filter((band) => band.enforcement === enforcement)
    .map((band) => ({ kind: "Ratio", name: band.name, constraints: bandConstraints(band, indexOf) }));
}

export interface ProblemInput {
  readonly demandReplicas: readonly number[];
  /** Of it what comes, without what has piled up; undefined where that is not known. */
  readonly loadReplicas: readonly (number | undefined)[];
  readonly demands: readonly Demand[];
  readonly bounds: readonly TargetBounds[];
  readonly setDemand: Demand | undefined;
  readonly gpus: number;
  readonly indexOf: IndexOf;
  readonly setBounds: { readonly min: number; readonly max: number };
  /** By target name: the most that can be had inside one set replica. */
  readonly caps: Readonly<Record<string, number>>;
}

export function solveInput(policy: Policy, observation: Observation, input: ProblemInput): SolveInput {
  const current = observation.set.replicas;
  return {
    targets: input.bounds.map((bound, index) => ({
      ...(input.loadReplicas[index] === undefined ? {} : { loadReplicas: input.loadReplicas[index] }),
      // What is held because it could not be measured must not order another instance where a person has gone past the bounds.
      demandReplicas:
        input.demands[index]?.isHold === true
          ? Math.min(input.demandReplicas[index] as number, current * bound.max)
          : (input.demandReplicas[index] as number),
      gpusPerReplica: observation.targets[index]?.gpusPerReplica ?? 0,
      min: bound.min,
      max: Math.max(bound.min, Math.min(bound.max, input.caps[policy.targets[index]?.name ?? ""] ?? bound.max)),
    })),
    hard: hardRules(policy, input.indexOf),
    soft: bandRules(policy.ratios, "Soft", input.indexOf),
    sets: setRange(policy, observation, input),
    gpuBudget: input.gpus,
    ...(policy.gpuBudgetMin === undefined ? {} : { gpuFloor: policy.gpuBudgetMin }),
    removalHeadroomRatio: REMOVAL_HEADROOM_RATIO,
  };
}

function setRange(policy: Policy, observation: Observation, input: ProblemInput): SetRange {
  const { demands, setDemand, indexOf } = input;
  const { min, max } = input.setBounds;
  const current = observation.set.replicas;
  const { replicas: measured } = setAsk(policy.set, setDemand, current, input.setBounds);
  const holdsDown = demands.some((demand) => demand.holdsDown) || setDemand?.holdsDown === true;
  const { overflowAfter } = policy.set ?? {};
  return {
    min,
    max,
    current,
    fixedGpus: observation.set.fixedGpus ?? 0,
    asked: Math.max(measured, holdsDown ? Math.min(current, max) : 0),
    ...(overflowAfter === undefined ? {} : { growsAfter: overflowAfter.map(indexOf).filter((index) => index >= 0) }),
  };
}

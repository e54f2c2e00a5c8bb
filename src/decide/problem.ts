/** The joint problem of one decision, as the solver takes it. */
import type { TargetBounds } from "./bounds.ts";
import type { Demand } from "./demand.ts";
import type { LatticeConstraint } from "./lattice.ts";
import type { Observation } from "./observation.ts";
import type { Policy } from "./policy.ts";
import { bandConstraints, type RatioBand } from "./ratio.ts";
import type { SolveInput } from "./solve.ts";

/** A set replica goes only when the others would serve 10 % more than the demand: HPA's default tolerance, on the solver's output. */
const REMOVAL_HEADROOM_RATIO = 0.1;

export function constraintsOf(
  bands: readonly RatioBand[],
  enforcement: RatioBand["enforcement"],
  indexOf: (name: string) => number,
): readonly LatticeConstraint[] {
  return bands.filter((band) => band.enforcement === enforcement).flatMap((band) => bandConstraints(band, indexOf));
}

export interface ProblemInput {
  readonly demandReplicas: readonly number[];
  readonly demands: readonly Demand[];
  readonly bounds: readonly TargetBounds[];
  readonly setDemand: Demand | undefined;
  readonly gpus: number;
  readonly ratios: readonly LatticeConstraint[];
  readonly indexOf: (name: string) => number;
  readonly setBounds: { readonly min: number; readonly max: number };
  /** By target name: the most that can be had inside one set replica. */
  readonly caps: Readonly<Record<string, number>>;
}

export function solveInput(policy: Policy, observation: Observation, input: ProblemInput): SolveInput {
  const { min, max } = input.setBounds;
  const current = observation.set.replicas;
  const asked = Math.min(max, Math.ceil((input.setDemand?.replicas ?? 0) - 1e-9));
  const holdsDown = input.demands.some((demand) => demand.holdsDown) || input.setDemand?.holdsDown === true;
  const floor = Math.max(min, asked, holdsDown ? Math.min(current, max) : 0);
  return {
    targets: input.bounds.map((bound, index) => ({
      // What is held because it could not be measured must not order another instance where a person has gone past the bounds.
      demandReplicas:
        input.demands[index]?.isHold === true
          ? Math.min(input.demandReplicas[index] as number, current * bound.max)
          : (input.demandReplicas[index] as number),
      gpusPerReplica: observation.targets[index]?.gpusPerReplica ?? 0,
      min: bound.min,
      max: Math.max(bound.min, Math.min(bound.max, input.caps[policy.targets[index]?.name ?? ""] ?? bound.max)),
    })),
    hardRatios: input.ratios,
    softRatios: constraintsOf(policy.ratios, "Soft", input.indexOf),
    sets: { min: floor, max, current, fixedGpus: observation.set.fixedGpus ?? 0 },
    gpuBudget: input.gpus,
    removalHeadroomRatio: REMOVAL_HEADROOM_RATIO,
  };
}

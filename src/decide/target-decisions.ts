/** Targets and ratios as the record of a decision shows them. */
import type { TargetBounds } from "./bounds.ts";
import { totalsOf } from "./current.ts";
import type { RatioDecision, TargetDecision } from "./decision.ts";
import type { Demand } from "./demand.ts";
import type { ForecastResult } from "./forecast/forecast.ts";
import type { Vector } from "./lattice.ts";
import type { Eased, LimitResult } from "./limit-step.ts";
import type { Observation } from "./observation.ts";
import type { Policy } from "./policy.ts";
import { isWithinBand, type RatioBand } from "./ratio.ts";
import type { Solution } from "./solve.ts";
import type { WhyNumbers } from "./why-numbers.ts";

export function ratioDecision(
  band: RatioBand,
  indexOf: (name: string) => number,
  observation: Observation,
  perSet: readonly Vector[],
): RatioDecision {
  const a = indexOf(band.between[0]);
  const b = indexOf(band.between[1]);
  const readyPairs = Array.from({ length: observation.set.replicas }, (_, set) => {
    const ready = (index: number): number =>
      observation.targets[index]?.objects.find(({ setIndex }) => setIndex === set)?.ready ?? 0;
    return [ready(a), ready(b)] as const;
  });
  const total = (at: 0 | 1): number => readyPairs.reduce((sum, pair) => sum + pair[at], 0);
  return {
    name: band.name,
    ready: `${total(0)}:${total(1)}`,
    ...(band.min === undefined ? {} : { min: `${band.min.numerator}:${band.min.denominator}` }),
    ...(band.max === undefined ? {} : { max: `${band.max.numerator}:${band.max.denominator}` }),
    desiredWithinBand: perSet.every((vector) => isWithinBand(band, vector[a] as number, vector[b] as number)),
    readyWithinSlack: readyPairs.every(([x, y]) => isWithinBand(band, x, y, band.transientSlackRatio)),
  };
}

export interface TargetsInput {
  readonly policy: Policy;
  readonly observation: Observation;
  readonly demands: readonly Demand[];
  readonly setDemand: Demand | undefined;
  readonly forecasts: readonly ForecastResult[];
  readonly bounds: readonly TargetBounds[];
  readonly goal: Solution;
  readonly why: WhyNumbers;
  readonly limited: Pick<LimitResult, "eased" | "easedSets">;
  readonly desired: { readonly sets: number; readonly perSet: readonly Vector[] };
}

export function targetDecisions({
  policy,
  observation,
  demands,
  setDemand,
  forecasts,
  bounds,
  goal,
  limited,
  desired,
  why,
}: TargetsInput): TargetDecision[] {
  const sum = (perSet: readonly Vector[], index: number): number =>
    perSet.reduce((total, vector) => total + (vector[index] as number), 0);
  const inside = policy.targets.map((target, index): TargetDecision => {
    const neighbours = why.inside[index];
    const { memory: _, ...forecast } = forecasts[index] as ForecastResult;
    return {
      name: target.name,
      level: target.level,
      ...totalsOf(observation, index),
      goal: sum(goal.perSet, index),
      ...(limited.eased[index] as Eased),
      desired: sum(desired.perSet, index),
      minViable: (bounds[index]?.minViable ?? 0) * observation.set.replicas,
      demand: demands[index] as Demand,
      forecast,
      ...(neighbours === undefined ? {} : { neighbours }),
    };
  });
  if (policy.set === undefined) return inside;
  const { replicas, ready } = observation.set;
  const set: TargetDecision = {
    name: policy.set.name,
    level: "PodCliqueSet",
    current: replicas,
    ready,
    starting: Math.max(0, replicas - ready),
    pending: 0,
    goal: goal.perSet.length,
    ...limited.easedSets,
    desired: desired.sets,
    minViable: Math.max(policy.set.minReplicas, policy.set.minViableOverride),
    ...(setDemand === undefined ? {} : { demand: setDemand }),
    ...(why.set === undefined ? {} : { neighbours: why.set }),
  };
  return [set, ...inside];
}

/** Targets and ratios as the record of a decision shows them. */
import type { TargetBounds } from "./bounds.ts";
import { totalsOf } from "./current.ts";
import type { RatioDecision, TargetDecision } from "./decision.ts";
import type { Demand } from "./demand.ts";
import type { ForecastResult } from "./forecast/forecast.ts";
import type { Vector } from "./lattice.ts";
import type { Eased, LimitResult } from "./limit-step.ts";
import type { Neighbours } from "./neighbours.ts";
import type { Observation, TargetObservation } from "./observation.ts";
import { once } from "./once.ts";
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

function drainOf(seen: TargetObservation | undefined): Pick<TargetDecision, "drain"> {
  const { load, gracePeriodMs: graceMs } = seen ?? {};
  if (load?.requestDuration === undefined || graceMs === undefined) return {};
  return { drain: { requestMs: 1_000 * load.requestDuration.value, graceMs } };
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
  readonly setMinViable: number;
}

/** As if it had been worked out: the same data to whoever reads, writes or compares it. */
function withNeighbours(target: TargetDecision, answer: () => Neighbours): TargetDecision {
  return Object.defineProperty(target, "neighbours", { enumerable: true, get: once(answer) });
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
  setMinViable,
  why,
}: TargetsInput): TargetDecision[] {
  const sum = (perSet: readonly Vector[], index: number): number =>
    perSet.reduce((total, vector) => total + (vector[index] as number), 0);
  const inside = policy.targets.map((target, index): TargetDecision => {
    const { inside: neighboursOf } = why;
    const { memory: _, ...forecast } = forecasts[index] as ForecastResult;
    const decided = {
      name: target.name,
      level: target.level,
      ...totalsOf(observation, index),
      goal: sum(goal.perSet, index),
      ...(limited.eased[index] as Eased),
      desired: sum(desired.perSet, index),
      minViable: (bounds[index]?.minViable ?? 0) * observation.set.replicas,
      demand: demands[index] as Demand,
      forecast,
      ...drainOf(observation.targets[index]),
    };
    return neighboursOf === undefined ? decided : withNeighbours(decided, () => neighboursOf(index));
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
    minViable: setMinViable,
    ...(setDemand === undefined ? {} : { demand: setDemand }),
  };
  return [why.set === undefined ? set : withNeighbours(set, why.set), ...inside];
}

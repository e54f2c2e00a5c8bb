/**
 * Why not one more and why not one less: the state of a decision with one replica of a target added or taken away, and the first constraint
 * which fails there in the order of objectives. Evaluated on the decision's own problem, never read off its chain. Pure.
 *
 * The neighbour is what keeps the ratios with the least change: the least vector above on the way up, the greatest one below on the way down.
 */
import { greatestBelow, leastAbove, satisfies, type Vector } from "./lattice.ts";
import type { GivenUp, Rule, SolveInput } from "./solve.ts";
import type { Box } from "./step.ts";

export type NeighbourConstraint =
  | "MinReplicas"
  | "MaxReplicas"
  /** More found no node within the pending timeout. */
  | "CapacityPending"
  /** There is a GPU budget and the GPUs of a replica are unknown. */
  | "GPUCostUnknown"
  | "GPUBudget"
  | "GPUFloor"
  | "HardRatios"
  | "Override"
  | "MetricUnknown"
  | "ServedFraction"
  /** Every constraint holds and no more demand is served: only GPUs speak against it. */
  | "NotNeeded"
  /** Windows, rate limits and holds of the step. */
  | "Step"
  /** Nothing of the problem speaks against it: tolerance, an override or an earlier state keeps it. */
  | "None";

export interface Neighbour {
  readonly constraint: NeighbourConstraint;
  readonly detail: string;
}

export interface Neighbours {
  readonly oneMore: Neighbour;
  readonly oneLess: Neighbour;
}

export interface NeighboursInput {
  readonly problem: SolveInput;
  readonly givenUp: readonly GivenUp[];
  readonly names: readonly string[];
  /** What the decision wants; not empty. */
  readonly perSet: readonly Vector[];
  /** Where the step may go; absent for a set replica that is new. */
  readonly boxes: readonly Box[];
  readonly isUnknown: (index: number) => boolean;
  /** The maximum is what could be had, below the policy's. */
  readonly isCapped: (index: number) => boolean;
  readonly isGrowthForbidden: boolean;
  /** What an override says of the target; absent: nothing. */
  readonly overrideOf: (index: number) => string | undefined;
  /** What the step noted for the target in a set replica; absent: nothing. */
  readonly holdOf: (index: number, set: number) => string | undefined;
}

const EPSILON = 1e-9;

export function neighboursOf(input: NeighboursInput, index: number): Neighbours {
  return { oneMore: oneMore(input, index), oneLess: oneLess(input, index) };
}

function oneMore(input: NeighboursInput, index: number): Neighbour {
  const { problem, perSet, names } = input;
  const set = extreme(perSet, index, (value, best) => value <= best);
  const present = perSet[set] as Vector;
  const wanted = changed(present, index, 1);
  const { max } = problem.targets[index] as SolveInput["targets"][number];
  const name = names[index] ?? "";
  if ((wanted[index] as number) > max) {
    return input.isCapped(index)
      ? { constraint: "CapacityPending", detail: `more than ${max} of ${name} found no node in time` }
      : { constraint: "MaxReplicas", detail: `${name} is at its maximum of ${max}` };
  }
  if (input.isGrowthForbidden)
    return {
      constraint: "GPUCostUnknown",
      detail: `nothing grows while the GPUs of a replica, or the budget, are unknown`,
    };
  const rules = keptRules(input);
  const closed = leastAbove(
    wanted,
    rules.flatMap(({ constraints }) => constraints),
    problem.targets.map((target, at) => Math.max(target.max, present[at] as number)),
  );
  const gpus = gpusWith(input, set, closed ?? wanted);
  if (gpus > problem.gpuBudget) {
    const detail = `${moves(input, present, closed ?? wanted)} takes ${gpus} GPUs, over the budget of ${problem.gpuBudget}`;
    return { constraint: "GPUBudget", detail };
  }
  if (closed === undefined) return { constraint: "HardRatios", detail: outside(input, rules, wanted, "maximum") };
  const override = input.overrideOf(index);
  if (override !== undefined) return { constraint: "Override", detail: override };
  if (input.isUnknown(index))
    return { constraint: "MetricUnknown", detail: `the demand of ${name} is unknown: nothing asks for more` };
  const before = servedBy(input, perSet);
  const after = servedBy(input, replaced(perSet, set, closed));
  const more = gpus - gpusWith(input, set, present);
  if (after <= before + EPSILON) {
    const detail = `demand asks for ${text(demandOf(input, index))}: ${moves(input, present, closed)} costs ${more} GPUs and serves no more`;
    return { constraint: "NotNeeded", detail };
  }
  const hi = input.boxes[set]?.hi;
  const held = hi === undefined ? -1 : closed.findIndex((value, at) => value > (hi[at] as number));
  if (held >= 0) return { constraint: "Step", detail: holdText(input, held, set, `at most ${hi?.[held]}`) };
  return {
    constraint: "None",
    detail: `${moves(input, present, closed)} would serve ${percent(after)} instead of ${percent(before)}`,
  };
}

function oneLess(input: NeighboursInput, index: number): Neighbour {
  const { problem, perSet, names } = input;
  const set = extreme(perSet, index, (value, best) => value > best);
  const present = perSet[set] as Vector;
  const wanted = changed(present, index, -1);
  const { min } = problem.targets[index] as SolveInput["targets"][number];
  const name = names[index] ?? "";
  if ((wanted[index] as number) < min)
    return { constraint: "MinReplicas", detail: `${name} is at its minimum of ${min}` };
  const rules = keptRules(input);
  const closed = greatestBelow(
    wanted,
    rules.flatMap(({ constraints }) => constraints),
    problem.targets.map((target, at) => Math.min(target.min, present[at] as number)),
  );
  if (closed === undefined) return { constraint: "HardRatios", detail: outside(input, rules, wanted, "minimum") };
  const override = input.overrideOf(index);
  if (override !== undefined) return { constraint: "Override", detail: override };
  if (input.isUnknown(index))
    return { constraint: "MetricUnknown", detail: `the demand of ${name} is unknown: what is unknown never shrinks` };
  const before = servedBy(input, perSet);
  const after = servedBy(input, replaced(perSet, set, closed));
  if (after < before - EPSILON) {
    const detail = `demand asks for ${text(demandOf(input, index))}: ${moves(input, present, closed)} would serve ${percent(after)} instead of ${percent(before)}`;
    return { constraint: "ServedFraction", detail };
  }
  const gpus = gpusWith(input, set, closed);
  if (problem.gpuFloor !== undefined && gpus < problem.gpuFloor)
    return { constraint: "GPUFloor", detail: `${gpus} GPUs would be below gpuBudget.min ${problem.gpuFloor}` };
  const lo = input.boxes[set]?.lo;
  const held = lo === undefined ? -1 : closed.findIndex((value, at) => value < (lo[at] as number));
  if (held >= 0) return { constraint: "Step", detail: holdText(input, held, set, `no fewer than ${lo?.[held]}`) };
  return { constraint: "None", detail: `${moves(input, present, closed)} would still serve ${percent(after)}` };
}

function holdText({ names, holdOf }: NeighboursInput, index: number, set: number, limit: string): string {
  const why = holdOf(index, set);
  return `${limit} of ${names[index]} now${why === undefined ? "" : ` (${why})`}`;
}

function keptRules({ problem, givenUp }: NeighboursInput): readonly Rule[] {
  return problem.hard.filter(({ kind, name }) => !givenUp.some((one) => one.kind === kind && one.name === name));
}

function outside(input: NeighboursInput, rules: readonly Rule[], wanted: Vector, bound: string): string {
  const broken = rules.filter(({ constraints }) => !satisfies(wanted, constraints)).map(({ name }) => name);
  const state = wanted.map((value, at) => `${input.names[at]} ${value}`).join(", ");
  return `${state} leaves ${broken.join(" and ")}, and what would follow passes a ${bound}`;
}

function moves({ names }: NeighboursInput, from: Vector, to: Vector): string {
  return to.flatMap((value, at) => (value === from[at] ? [] : [`${names[at]} ${from[at]}→${value}`])).join(" with ");
}

function extreme(perSet: readonly Vector[], index: number, isBetter: (value: number, best: number) => boolean): number {
  let best = 0;
  for (let set = 1; set < perSet.length; set++)
    if (isBetter(perSet[set]?.[index] as number, perSet[best]?.[index] as number)) best = set;
  return best;
}

const changed = (vector: Vector, index: number, by: number): Vector =>
  vector.map((value, at) => (at === index ? value + by : value));

const replaced = (perSet: readonly Vector[], set: number, vector: Vector): readonly Vector[] =>
  perSet.map((old, at) => (at === set ? vector : old));

function gpusWith({ problem, perSet }: NeighboursInput, set: number, vector: Vector): number {
  return replaced(perSet, set, vector).reduce(
    (sum, one) => one.reduce((part, value, at) => part + value * (problem.targets[at]?.gpusPerReplica ?? 0), sum),
    perSet.length * problem.sets.fixedGpus,
  );
}

const demandOf = ({ problem }: NeighboursInput, index: number): number => problem.targets[index]?.demandReplicas ?? 0;

/** Least share of a target's demand, in [0, 1]. */
function servedBy({ problem }: NeighboursInput, perSet: readonly Vector[]): number {
  return problem.targets.reduce((least, { demandReplicas }, at) => {
    if (!(demandReplicas > 0)) return least;
    const total = perSet.reduce((sum, vector) => sum + (vector[at] as number), 0);
    return Math.min(least, total / demandReplicas);
  }, 1);
}

const text = (value: number): string => String(Math.round(value * 100) / 100);
const percent = (ratio: number): string => `${Math.round(ratio * 1000) / 10} %`;

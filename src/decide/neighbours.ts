/**
 * Why not one more and why not one less: the state of a decision with one replica of a target added or taken away, and the first constraint
 * which fails there in the order of objectives. Evaluated on the decision's own problem, never read off its chain. Pure.
 *
 * The neighbour is what keeps the ratios with the least change: the least vector above on the way up, the greatest one below on the way down. Of
 * several set replicas the answer is that of the one that comes nearest to going: where it does not, none does.
 */
import { hasBacklog, loadReplicasOf } from "./backlog-last.ts";
import type { Hold } from "./behavior.ts";
import { greatestBelow, type LatticeConstraint, leastAbove, satisfies, type Vector } from "./lattice.ts";
import type { ObjectLimit } from "./limit-step.ts";
import type { GivenUp, Rule, SolveInput } from "./solve.ts";
import type { Box } from "./step.ts";
import type { Change } from "./what-would-change.ts";

/** In the order in which they are asked. */
const CONSTRAINTS = [
  "ScaledToZero",
  "MinReplicas",
  "MaxReplicas",
  /** More found no node within the pending timeout. */
  "CapacityPending",
  /** There is a GPU budget and the GPUs of a replica are unknown. */
  "GPUCostUnknown",
  "GPUBudget",
  "HardRatios",
  /** Another set replica comes only when named targets are at their maximum in all of them. */
  "Overflow",
  "Override",
  /** Another writer set the replicas, which is respected for now. */
  "ForeignController",
  "MetricUnknown",
  "ServedFraction",
  "SoftRatios",
  /** A set replica less serves the same, for more GPUs. */
  "MoreGPUs",
  /** A set replica goes only when the others would serve more than the demand. */
  "Headroom",
  "GPUFloor",
  /** Every constraint holds and no more demand is served: only GPUs speak against it. */
  "NotNeeded",
  /** The demand is so near to what is there that nothing is asked for. */
  "Tolerance",
  /** The goal that the step is on its way to asks for it, and what it needs beside it is not there yet. */
  "Goal",
  /** Windows, rate limits and holds of the step. */
  "Step",
  /** As good as what is there, and nothing changes for nothing. */
  "None",
] as const;
export type NeighbourConstraint = (typeof CONSTRAINTS)[number];

export interface Neighbour {
  readonly constraint: NeighbourConstraint;
  readonly detail: string;
  /** The nearest thing that would take it there. */
  readonly change?: Change;
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
  readonly limits: readonly (readonly ObjectLimit[])[];
  readonly isUnknown: (index: number) => boolean;
  /** The maximum is what could be had, below the policy's. */
  readonly isCapped: (index: number) => boolean;
  readonly isGrowthForbidden: boolean;
  /** Why it sleeps; absent: it does not. */
  readonly asleep?: string;
  /** Ups wait for GPUs that something else still holds. */
  readonly isStepCutByBudget: boolean;
  /** What an override says of the target; absent: nothing. */
  readonly overrideOf: (index: number) => string | undefined;
  /** Who else wrote the target; absent: nobody. */
  readonly foreignOf: (index: number) => string | undefined;
  readonly toleranceOf: (index: number, isUp: boolean) => number;
  /** Windows and rates that keep a target in a set replica from a value. */
  readonly holdsOf: (index: number, set: number, to: number) => readonly Hold[];
}

/** A neighbour with what it takes to say what would change it. */
export interface Weighed extends Neighbour {
  /** GPUs of the state with it; absent where there is none. */
  readonly gpus?: number;
  /** The target whose step is in the way, where it is one. */
  readonly heldBy?: number;
  /** When windows and rates let go; absent: not by time. */
  readonly endsInMs?: number;
  /** Replicas of every target with it, over the set replicas; absent where there is none. */
  readonly totals?: Vector;
}

const EPSILON = 1e-9;

/** @returns the answers for a target by its index */
export function neighbourhood(
  input: NeighboursInput,
): (index: number) => { readonly oneMore: Weighed; readonly oneLess: Weighed } {
  const { problem, givenUp, perSet } = input;
  const isKept = ({ kind, name }: Rule): boolean => !givenUp.some((one) => one.kind === kind && one.name === name);
  const hard = problem.hard.filter(isKept);
  const constraints = hard.flatMap((rule) => rule.constraints);
  const maxima = problem.targets.map(({ max }) => max);
  const minima = problem.targets.map(({ min }) => min);
  const ceiling = greatestBelow(maxima, constraints, minima) ?? maxima;
  const around: Around = {
    ...input,
    hard,
    soft: problem.soft.filter(isKept),
    constraints,
    ceiling,
    hasBacklog: problem.targets.some(hasBacklog),
  };
  const before = serviceOf(around, perSet);
  return (index) => {
    const values = perSet.map((vector) => vector[index] as number);
    const from = (isBetter: (value: number, best: number) => boolean): readonly number[] =>
      distinct(input, values, isBetter);
    return {
      oneMore: nearest(
        from((value, best) => value <= best),
        (set) => oneMore(around, before, index, set),
      ),
      oneLess: nearest(
        from((value, best) => value > best),
        (set) => oneLess(around, before, index, set),
      ),
    };
  };
}

interface Around extends NeighboursInput {
  readonly hard: readonly Rule[];
  readonly soft: readonly Rule[];
  readonly constraints: readonly LatticeConstraint[];
  /** The most that the maxima and the ratios allow inside one set replica. */
  readonly ceiling: Vector;
  readonly hasBacklog: boolean;
}

function nearest(sets: readonly number[], answerOf: (set: number) => Weighed): Weighed {
  let best: Weighed | undefined;
  for (const set of sets) {
    const answer = answerOf(set);
    if (best === undefined || CONSTRAINTS.indexOf(answer.constraint) > CONSTRAINTS.indexOf(best.constraint))
      best = answer;
  }
  return best as Weighed;
}

/** Set replicas that may differ in their answer, the one with the extreme value first. */
function distinct(
  { perSet, boxes, limits }: NeighboursInput,
  values: readonly number[],
  isBetter: (value: number, best: number) => boolean,
): readonly number[] {
  if (perSet.length === 1) return [0];
  let best = 0;
  values.forEach((value, set) => {
    if (set > 0 && isBetter(value, values[best] as number)) best = set;
  });
  const seen = new Set<string>();
  const order = [best, ...perSet.keys()];
  return order.filter((set) => {
    const key = JSON.stringify([perSet[set], boxes[set], limits[set]]);
    return !seen.has(key) && seen.add(key);
  });
}

function oneMore(around: Around, before: Service, index: number, set: number): Weighed {
  const { problem, perSet, names, constraints, hard } = around;
  const present = perSet[set] as Vector;
  const wanted = changed(present, index, 1);
  const { max } = problem.targets[index] as SolveInput["targets"][number];
  const name = names[index] ?? "";
  if (max === 0 && around.asleep !== undefined) return { constraint: "ScaledToZero", detail: around.asleep };
  if ((wanted[index] as number) > max) {
    return around.isCapped(index)
      ? { constraint: "CapacityPending", detail: `more than ${max} of ${name} found no node in time` }
      : { constraint: "MaxReplicas", detail: `${name} is at its maximum of ${max}` };
  }
  if (around.isGrowthForbidden)
    return {
      constraint: "GPUCostUnknown",
      detail: "nothing grows while the GPUs of a replica, or the budget, are unknown",
    };
  const closed = leastAbove(
    wanted,
    constraints,
    problem.targets.map((target, at) => Math.max(target.max, present[at] as number)),
  );
  const gpus = gpusWith(around, set, closed ?? wanted);
  if (gpus > problem.gpuBudget) {
    const broken = brokenBy(hard, wanted);
    const because = broken.length === 0 ? "" : `, as ${broken.join(" and ")} asks for,`;
    const detail = `${moves(around, set, closed ?? wanted)}${because} takes ${gpus} GPUs, over the budget of ${problem.gpuBudget}`;
    return { constraint: "GPUBudget", detail, gpus };
  }
  if (closed === undefined) return { constraint: "HardRatios", detail: outside(around, wanted, "maximum") };
  const word = wordOf(around, index);
  if (word !== undefined) return word;
  if (around.isUnknown(index))
    return { constraint: "MetricUnknown", detail: `the demand of ${name} is unknown: nothing asks for more` };
  const next = replaced(perSet, set, closed);
  const after = serviceOf(around, next);
  const rest = { gpus, totals: totals(next) };
  if (compareService(after, before) <= 0) {
    const more = gpus - gpusWith(around, set, present);
    const detail = `demand asks for ${text(demandOf(around, index))}: ${moves(around, set, closed)} costs ${more} GPUs and serves no more`;
    return { constraint: "NotNeeded", detail, ...rest };
  }
  const hi = around.boxes[set]?.hi;
  const held = hi === undefined ? -1 : closed.findIndex((value, at) => value > (hi[at] as number));
  if (held >= 0) return { ...stepAnswer(around, held, set, closed[held] as number, `at most ${hi?.[held]}`), ...rest };
  if (around.isStepCutByBudget)
    return { constraint: "Step", detail: "ups wait for GPUs that cannot be freed yet", ...rest };
  if (isNew(around, set)) return { ...startsAtGoal(around, index, set), ...rest };
  return {
    constraint: "None",
    detail: `${moves(around, set, closed)} would serve ${serviceText(after, before)}`,
    ...rest,
  };
}

function oneLess(around: Around, before: Service, index: number, set: number): Weighed {
  const { problem, perSet, names, constraints, soft } = around;
  const present = perSet[set] as Vector;
  const wanted = changed(present, index, -1);
  const { min } = problem.targets[index] as SolveInput["targets"][number];
  const name = names[index] ?? "";
  if ((wanted[index] as number) < min)
    return { constraint: "MinReplicas", detail: `${name} is at its minimum of ${min}` };
  const closed = greatestBelow(
    wanted,
    constraints,
    problem.targets.map((target, at) => Math.min(target.min, present[at] as number)),
  );
  if (closed === undefined) return { constraint: "HardRatios", detail: outside(around, wanted, "minimum") };
  const word = wordOf(around, index);
  if (word !== undefined) return word;
  if (around.isUnknown(index))
    return { constraint: "MetricUnknown", detail: `the demand of ${name} is unknown: what is unknown never shrinks` };
  const next = replaced(perSet, set, closed);
  const after = serviceOf(around, next);
  const gpus = gpusWith(around, set, closed);
  const rest = { gpus, totals: totals(next) };
  if (compareService(after, before) < 0) {
    const detail = `demand asks for ${text(demandOf(around, index))}: ${moves(around, set, closed)} would serve ${serviceText(after, before)}`;
    return { constraint: "ServedFraction", detail, ...rest };
  }
  const broken = brokenBy(soft, closed).filter((one) => !brokenBy(soft, present).includes(one));
  if (broken.length > 0) {
    const detail = `${moves(around, set, closed)} leaves soft ratio ${broken.join(" and ")}`;
    return { constraint: "SoftRatios", detail, ...rest };
  }
  if (problem.gpuFloor !== undefined && gpus < problem.gpuFloor)
    return { constraint: "GPUFloor", detail: `${gpus} GPUs would be below gpuBudget.min ${problem.gpuFloor}`, ...rest };
  const lo = around.boxes[set]?.lo;
  const held = lo === undefined ? -1 : closed.findIndex((value, at) => value < (lo[at] as number));
  if (held >= 0)
    return { ...stepAnswer(around, held, set, closed[held] as number, `no fewer than ${lo?.[held]}`), ...rest };
  if (isNew(around, set)) return { ...startsAtGoal(around, index, set), ...rest };
  return {
    constraint: "None",
    detail: `${moves(around, set, closed)} would still serve ${percent(after.all.servedRatio)}`,
    ...rest,
  };
}

/** A person's word, or another writer's. */
function wordOf({ overrideOf, foreignOf }: NeighboursInput, index: number): Neighbour | undefined {
  const override = overrideOf(index);
  if (override !== undefined) return { constraint: "Override", detail: override };
  const foreign = foreignOf(index);
  if (foreign === undefined) return undefined;
  return { constraint: "ForeignController", detail: `${foreign} wrote it: its value is respected for now` };
}

function stepAnswer(around: Around, index: number, set: number, to: number, limit: string): Weighed {
  const { names, limits, perSet } = around;
  const name = objectName(around, index, set);
  const { asked, recommended, loBy, hiBy } = limits[set]?.[index] ?? { asked: to, recommended: to };
  const isUp = to > (perSet[set]?.[index] as number);
  if (asked !== recommended) {
    const percentText = `${Math.round(around.toleranceOf(index, isUp) * 100)} %`;
    const demand = text(demandOf(around, index));
    return {
      constraint: "Tolerance",
      detail: `the demand of ${names[index]}, ${demand}, is within ${percentText} of what is there`,
      heldBy: index,
    };
  }
  const by = isUp ? hiBy : loBy;
  if (by !== undefined) return { constraint: "Step", detail: `${name}: ${by}` };
  const holds = around.holdsOf(index, set, to);
  const ends = holds.map(({ endsInMs }) => endsInMs);
  const detail = `${limit} of ${name} now${holds.length === 0 ? "" : ` (${holds.map((hold) => hold.detail).join("; ")})`}`;
  if (holds.length > 0)
    return {
      constraint: "Step",
      detail,
      ...(ends.every((endsInMs) => endsInMs !== undefined) ? { endsInMs: Math.max(...ends) } : {}),
    };
  return { constraint: "Goal", detail: `the goal asks for ${asked} of ${name}` };
}

const isNew = ({ boxes }: NeighboursInput, set: number): boolean => boxes.length > 0 && set >= boxes.length;

const startsAtGoal = (around: Around, index: number, set: number): Neighbour => ({
  constraint: "Goal",
  detail: `${objectName(around, index, set)} is new and starts at the goal`,
});

const brokenBy = (rules: readonly Rule[], vector: Vector): readonly string[] =>
  rules.filter(({ constraints }) => !satisfies(vector, constraints)).map(({ name }) => name);

function outside({ names, hard }: Around, wanted: Vector, bound: string): string {
  const state = wanted.map((value, at) => `${names[at]} ${value}`).join(", ");
  return `${state} leaves ${brokenBy(hard, wanted).join(" and ")}, and what would follow passes a ${bound}`;
}

const objectName = ({ names, perSet }: NeighboursInput, index: number, set: number): string =>
  perSet.length === 1 ? (names[index] ?? "") : `${names[index]}/${set}`;

function moves(around: Around, set: number, to: Vector): string {
  const from = around.perSet[set] as Vector;
  return to
    .flatMap((value, at) => (value === from[at] ? [] : [`${objectName(around, at, set)} ${from[at]}→${value}`]))
    .join(" with ");
}

const changed = (vector: Vector, index: number, by: number): Vector =>
  vector.map((value, at) => (at === index ? value + by : value));

const replaced = (perSet: readonly Vector[], set: number, vector: Vector): readonly Vector[] =>
  perSet.map((old, at) => (at === set ? vector : old));

const totals = (perSet: readonly Vector[]): Vector =>
  (perSet[0] ?? []).map((_, at) => perSet.reduce((sum, vector) => sum + (vector[at] as number), 0));

function gpusWith({ problem, perSet }: NeighboursInput, set: number, vector: Vector): number {
  return replaced(perSet, set, vector).reduce(
    (sum, one) => one.reduce((part, value, at) => part + value * (problem.targets[at]?.gpusPerReplica ?? 0), sum),
    perSet.length * problem.sets.fixedGpus,
  );
}

const demandOf = ({ problem }: NeighboursInput, index: number): number => problem.targets[index]?.demandReplicas ?? 0;

interface Shares {
  /** Least share of what is wanted of a target, in [0, 1]. */
  readonly servedRatio: number;
  /** The same over the targets that no maximum cuts. */
  readonly fractionRatio: number;
}

interface Service {
  /** What comes, which goes before what has piled up. */
  readonly load: Shares;
  readonly all: Shares;
}

function serviceOf(around: Around, perSet: readonly Vector[]): Service {
  const all = sharesOf(around, perSet, ({ demandReplicas }) => demandReplicas);
  return { load: around.hasBacklog ? sharesOf(around, perSet, loadReplicasOf) : all, all };
}

function sharesOf(
  { problem, ceiling }: Around,
  perSet: readonly Vector[],
  wantedOf: (target: SolveInput["targets"][number]) => number,
): Shares {
  let servedRatio = 1;
  let fractionRatio = 1;
  problem.targets.forEach((target, at) => {
    const wanted = wantedOf(target);
    if (!(wanted > 0)) return;
    let total = 0;
    for (const vector of perSet) total += vector[at] as number;
    servedRatio = Math.min(servedRatio, total / wanted);
    if (wanted - EPSILON <= perSet.length * (ceiling[at] as number))
      fractionRatio = Math.min(fractionRatio, total / wanted);
  });
  return { servedRatio, fractionRatio };
}

const compareService = (a: Service, b: Service): number =>
  (a.load === a.all ? 0 : compareShares(a.load, b.load)) || compareShares(a.all, b.all);

function compareShares(a: Shares, b: Shares): number {
  const served = a.servedRatio - b.servedRatio;
  if (Math.abs(served) > EPSILON) return served;
  const fraction = a.fractionRatio - b.fractionRatio;
  return Math.abs(fraction) > EPSILON ? fraction : 0;
}

const serviceText = (after: Service, before: Service): string =>
  after.load !== after.all && compareShares(after.load, before.load) !== 0
    ? `${sharesText(after.load, before.load)} of what comes`
    : sharesText(after.all, before.all);

const sharesText = (after: Shares, before: Shares): string =>
  Math.abs(after.servedRatio - before.servedRatio) > EPSILON
    ? `${percent(after.servedRatio)} instead of ${percent(before.servedRatio)}`
    : `${percent(after.fractionRatio)} instead of ${percent(before.fractionRatio)} of what no maximum cuts`;

const text = (value: number): string => String(Math.round(value * 100) / 100);
export const percent = (ratio: number): string => `${Math.round(ratio * 1000) / 10} %`;

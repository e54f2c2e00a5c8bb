/** Why not one set replica more and why not one less: the joint problem solved for that number, held against the decision. Pure. */
import { greatestBelow } from "./lattice.ts";
import { type Neighbour, percent, type Weighed } from "./neighbours.ts";
import type { SetAsk } from "./set-demand.ts";
import { type Solution, type SolveInput, solve } from "./solve.ts";

export interface SetNeighboursInput {
  readonly problem: SolveInput;
  readonly goal: Solution;
  readonly names: readonly string[];
  /** What is wanted. */
  readonly sets: number;
  /** Why it sleeps; absent: it does not. */
  readonly asleep?: string;
  readonly isGrowthForbidden: boolean;
  /** What an override or another writer says of the set; absent: nothing. */
  readonly word: Neighbour | undefined;
  /** What the metrics of the set itself say, and what is asked for by them; absent: it has none. */
  readonly ownDemand?: number;
  readonly ownAsk?: SetAsk;
  /** A target whose replicas are kept for want of a measurement, and why: nothing of the set goes either. */
  readonly heldDown?: string;
  /** What the step says of the set, with windows and rates. */
  readonly holdOf: (to: number) => { readonly detail: string; readonly endsInMs?: number } | undefined;
}

const EPSILON = 1e-9;

const solveFor = (problem: SolveInput, sets: number): Solution =>
  solve({ ...problem, sets: { ...problem.sets, min: sets, max: sets } });

export function setNeighboursOf(input: SetNeighboursInput): { readonly oneMore: Weighed; readonly oneLess: Weighed } {
  const { problem, goal, sets } = input;
  const base = goal.perSet.length === sets ? goal : solveFor(problem, sets);
  return { oneMore: oneMore(input, base), oneLess: oneLess(input, base) };
}

function oneMore(input: SetNeighboursInput, base: Solution): Weighed {
  const { problem } = input;
  const sets = input.sets + 1;
  if (problem.sets.max === 0 && input.asleep !== undefined) return { constraint: "ScaledToZero", detail: input.asleep };
  if (sets > problem.sets.max)
    return { constraint: "MaxReplicas", detail: `the set is at its maximum of ${problem.sets.max}` };
  if (input.isGrowthForbidden)
    return {
      constraint: "GPUCostUnknown",
      detail: "nothing grows while the GPUs of a replica, or the budget, are unknown",
    };
  const next = solveFor(problem, sets);
  const failed = newlyGivenUp(base, next);
  const rest = { gpus: next.gpus };
  const [after, before] = sharesOf(next, base);
  if (failed.isOverBudget)
    return {
      constraint: "GPUBudget",
      detail: `the least of ${sets} set replicas takes ${next.gpus} GPUs, over the budget of ${problem.gpuBudget}`,
      ...rest,
    };
  if (after < before - EPSILON)
    return {
      constraint: "GPUBudget",
      detail: `${sets} set replicas inside ${problem.gpuBudget} GPUs would serve ${percent(after)} instead of ${percent(before)}`,
      ...rest,
    };
  if (failed.rules !== "") return { constraint: "HardRatios", detail: `${sets} set replicas leave ${failed.rules}` };
  const waiting = notFull(input, base);
  if (waiting !== "")
    return { constraint: "Overflow", detail: `it grows only when ${waiting} is at its maximum in every set replica` };
  if (input.word !== undefined) return input.word;
  if ((input.ownAsk?.tolerated ?? 0) >= sets) return { constraint: "Tolerance", detail: toleratedText(input), ...rest };
  if (after <= before + EPSILON) {
    const more = next.gpus - base.gpus;
    const cost = more > 0 ? `cost ${more} GPUs and serve` : "serve";
    return { constraint: "NotNeeded", detail: `${input.sets}→${sets} set replicas ${cost} no more`, ...rest };
  }
  const hold = input.holdOf(sets);
  if (hold !== undefined) return { constraint: "Step", ...hold, ...rest };
  const detail = `${input.sets}→${sets} set replicas would serve ${percent(after)} instead of ${percent(before)}`;
  return { constraint: "None", detail, ...rest };
}

function oneLess(input: SetNeighboursInput, base: Solution): Weighed {
  const { problem, ownDemand = 0, ownAsk, heldDown } = input;
  const sets = input.sets - 1;
  if (sets < problem.sets.min)
    return { constraint: "MinReplicas", detail: `the set is at its minimum of ${problem.sets.min}` };
  const next = solveFor(problem, sets);
  const failed = newlyGivenUp(base, next);
  const rest = { gpus: next.gpus };
  const [after, before] = sharesOf(next, base);
  if (failed.rules !== "") return { constraint: "HardRatios", detail: `${sets} set replicas leave ${failed.rules}` };
  if (input.word !== undefined) return input.word;
  if (Math.ceil(ownDemand - EPSILON) > sets)
    return {
      constraint: "ServedFraction",
      detail: `the demand of the set itself asks for ${Math.round(ownDemand * 100) / 100}`,
      ...rest,
    };
  if (ownAsk?.tolerated !== undefined && ownAsk.replicas > sets)
    return { constraint: "Tolerance", detail: toleratedText(input), ...rest };
  if (heldDown !== undefined && (problem.sets.asked ?? 0) > sets)
    return { constraint: "MetricUnknown", detail: `no set replica goes while ${heldDown}`, ...rest };
  if (after < before - EPSILON)
    return {
      constraint: "ServedFraction",
      detail: `${sets} set replicas would serve ${percent(after)} instead of ${percent(before)}`,
      ...rest,
    };
  if (next.gpus > base.gpus)
    return {
      constraint: "MoreGPUs",
      detail: `${sets} set replicas take ${next.gpus} GPUs for the same demand instead of ${base.gpus}`,
      ...rest,
    };
  const headroom = headroomText(problem, sets);
  if (headroom !== undefined) return { constraint: "Headroom", detail: headroom, ...rest };
  const hold = input.holdOf(sets);
  if (hold !== undefined) return { constraint: "Step", ...hold, ...rest };
  const detail =
    next.gpus === base.gpus
      ? `${sets} set replicas would serve as much with as many GPUs: nothing changes for nothing`
      : `${sets} set replicas would serve as much with ${next.gpus} GPUs instead of ${base.gpus}`;
  return { constraint: "None", detail, ...rest };
}

const toleratedText = ({ ownDemand = 0, problem }: SetNeighboursInput): string =>
  `the demand of the set itself asks for ${Math.round(ownDemand * 100) / 100}, which its tolerance takes as the ${problem.sets.current} that are there`;

function newlyGivenUp(base: Solution, next: Solution): { readonly isOverBudget: boolean; readonly rules: string } {
  const fresh = next.givenUp.filter(
    (one) =>
      one.relaxation !== "SoftRatios" && !base.givenUp.some(({ kind, name }) => kind === one.kind && name === one.name),
  );
  return {
    isOverBudget: fresh.some(({ kind }) => kind === "GPUBudget"),
    rules: fresh.flatMap(({ kind, name }) => (kind === "GPUBudget" ? [] : [name])).join(" and "),
  };
}

/** Targets that spill over into set replicas and are not at the most that the maxima and the ratios allow. */
function notFull({ problem, names }: SetNeighboursInput, base: Solution): string {
  const { growsAfter } = problem.sets;
  if (growsAfter === undefined) return "";
  const maxima = problem.targets.map(({ max }) => max);
  const ceiling =
    greatestBelow(
      maxima,
      base.kept,
      problem.targets.map(({ min }) => min),
    ) ?? maxima;
  const last = base.perSet.at(-1);
  return growsAfter
    .filter((index) => (last?.[index] ?? 0) < (ceiling[index] as number))
    .map((index) => names[index])
    .join(" and ");
}

/** What two solutions serve: of what comes, which goes before what has piled up; of all where that is the same. */
const sharesOf = (a: Solution, b: Solution): readonly [number, number] =>
  Math.abs(a.loadRatio - b.loadRatio) > EPSILON ? [a.loadRatio, b.loadRatio] : [a.servedRatio, b.servedRatio];

/** The removal rule of the solver: with its headroom on top of the demand fewer must serve as much as those that are there. */
function headroomText(problem: SolveInput, sets: number): string | undefined {
  const { current } = problem.sets;
  if (sets >= current || current > problem.sets.max) return undefined;
  const share = 1 + problem.removalHeadroomRatio;
  const inflated = {
    ...problem,
    targets: problem.targets.map((target) => ({
      ...target,
      demandReplicas: target.demandReplicas * share,
      ...(target.loadReplicas === undefined ? {} : { loadReplicas: target.loadReplicas * share }),
    })),
  };
  const [then, now] = sharesOf(solveFor(inflated, sets), solveFor(inflated, current));
  return then < now - EPSILON
    ? `with ${percent(share - 1)} more demand ${sets} set replicas would serve ${percent(then)} of it instead of ${percent(now)}`
    : undefined;
}

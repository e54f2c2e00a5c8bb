/**
 * Stage 7: from the state that is to the state that is called for, as far as tolerance, stabilization windows and rate limits let it go now.
 *
 * Each object (a target in one set replica) may move inside an interval around its present value. The step is a ratio-feasible vector
 * inside these intervals, as near to the goal as rounding allows: on the way up the greatest one below, so that no part runs ahead of its
 * partners; on the way down the least one above, so that nothing falls short. If the intervals hold any feasible vector, the step is one.
 */
import {
  greatestBelow,
  type LatticeConstraint,
  leastAbove,
  permitted,
  required,
  satisfies,
  type Vector,
} from "./lattice.ts";

export interface Box {
  readonly lo: Vector;
  readonly hi: Vector;
}

export interface StepResult {
  readonly vector: Vector;
  /** False: the intervals hold no vector that satisfies the ratios; the step moves towards the goal as far as it widens nothing. */
  readonly isFeasible: boolean;
}

/**
 * On the way up (something of the wish is above what is there) the greatest feasible vector that passes the wish nowhere except where the least
 * feasible one does; on the way down the least one that falls short of it nowhere except where the greatest one does. Either
 * exists whenever the intervals hold any feasible vector, and is the wish itself where that is one.
 *
 * @param wish the goal, clamped into `box`
 */
export function stepInBox(current: Vector, wish: Vector, box: Box, ratios: readonly LatticeConstraint[]): StepResult {
  if (satisfies(wish, ratios)) return { vector: wish, isFeasible: true };
  const grows = wish.some((value, index) => value > (current[index] as number));
  const vector = grows ? upTo(wish, box, ratios) : downTo(wish, box, ratios);
  if (vector !== undefined) return { vector, isFeasible: true };
  return { vector: withoutWidening(current, wish, box, ratios), isFeasible: false };
}

function upTo(wish: Vector, { lo, hi }: Box, ratios: readonly LatticeConstraint[]): Vector | undefined {
  const below = greatestBelow(wish, ratios, lo);
  if (below !== undefined) return below;
  const least = leastAbove(lo, ratios, hi);
  return (
    least &&
    greatestBelow(
      wish.map((value, index) => Math.max(value, least[index] as number)),
      ratios,
      least,
    )
  );
}

function downTo(wish: Vector, { lo, hi }: Box, ratios: readonly LatticeConstraint[]): Vector | undefined {
  const above = leastAbove(wish, ratios, hi);
  if (above !== undefined) return above;
  const greatest = greatestBelow(hi, ratios, lo);
  return (
    greatest &&
    leastAbove(
      wish.map((value, index) => Math.min(value, greatest[index] as number)),
      ratios,
      greatest,
    )
  );
}

/** Where the intervals hold no feasible vector: what of the wish leads no part further out of its ratio than it is. */
function withoutWidening(current: Vector, wish: Vector, box: Box, ratios: readonly LatticeConstraint[]): Vector {
  const vector = [...wish];
  const at = (of: Vector, index: number): number => of[index] as number;
  for (let changed = true; changed; ) {
    changed = false;
    for (const constraint of ratios) {
      if (satisfies(vector, [constraint])) continue;
      const { raised, by } = constraint;
      const lower = Math.max(permitted(constraint, at(vector, raised)), at(current, by), at(box.lo, by));
      const least = required(constraint, at(vector, by));
      const higher = Math.min(least, at(current, raised), at(box.hi, raised));
      if (lower < at(vector, by)) vector[by] = lower;
      else if (higher > at(vector, raised)) vector[raised] = higher;
      else continue;
      changed = true;
    }
  }
  return vector;
}

export const clampInto = (vector: Vector, { lo, hi }: Box): Vector =>
  vector.map((value, index) => Math.min(Math.max(value, lo[index] as number), hi[index] as number));

export interface SetStep {
  readonly current: Vector;
  readonly wish: Vector;
  readonly box: Box;
}

/** Sizes of a cut that are tried one by one; an up that is larger than any cluster is halved before. */
const MAX_UNITS = 4_096;

/**
 * Steps of several set replicas under one GPU budget. When the ups do not fit beside what cannot go down yet, all ups are cut back by the
 * same share, exactly as far as needed.
 *
 * @param gpuLimit for the vectors together; Infinity without a budget
 * @param gpus of one replica of each target
 */
export function stepSets(
  sets: readonly SetStep[],
  ratios: readonly LatticeConstraint[],
  gpus: Vector,
  gpuLimit: number,
): { readonly steps: readonly StepResult[]; readonly isCutByBudget: boolean } {
  const full = sets.map(({ current, wish, box }) => stepInBox(current, wish, box, ratios));
  if (cost(full, gpus) <= gpuLimit) return { steps: full, isCutByBudget: false };
  const largestUp = Math.max(
    0,
    ...full.flatMap(({ vector }, set) => vector.map((value, index) => value - (sets[set]?.current[index] as number))),
  );
  const cutTo = (units: number): readonly StepResult[] =>
    sets.map(({ current, wish, box }) => {
      const hi = box.hi.map((value, index) => {
        const now = current[index] as number;
        return Math.min(value, Math.max(now, now + Math.floor(((value - now) * units) / largestUp)));
      });
      const smaller = { lo: box.lo, hi: hi.map((value, index) => Math.max(value, box.lo[index] as number)) };
      return stepInBox(current, clampInto(wish, smaller), smaller, ratios);
    });
  let fits = 0;
  for (let units = Math.ceil(largestUp); units > 0; units = units > MAX_UNITS ? Math.floor(units / 2) : units - 1) {
    if (cost(cutTo(units), gpus) <= gpuLimit) {
      fits = units;
      break;
    }
  }
  if (fits > 0) return { steps: cutTo(fits), isCutByBudget: true };
  // Not even the smallest up fits: only downs are left.
  const downsOnly = sets.map(({ current, wish, box }) => {
    const hi = box.hi.map((value, index) =>
      Math.max(Math.min(value, current[index] as number), box.lo[index] as number),
    );
    const smaller = { lo: box.lo, hi };
    return stepInBox(current, clampInto(wish, smaller), smaller, ratios);
  });
  return { steps: downsOnly, isCutByBudget: true };
}

function cost(steps: readonly StepResult[], gpus: Vector): number {
  return steps.reduce(
    (sum, { vector }) => sum + vector.reduce((one, replicas, index) => one + replicas * (gpus[index] as number), 0),
    0,
  );
}

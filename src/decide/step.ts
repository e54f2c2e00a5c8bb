/**
 * Stage 7: from the state that is to the state that is called for, as far as tolerance, stabilization windows and rate limits let it go now.
 *
 * Each object (a target in one set replica) may move inside an interval around its present value. The step is a ratio-feasible vector
 * inside these intervals, as near to the goal as rounding allows: on the way up the greatest one below, so that no part runs ahead of its
 * partners; on the way down the least one above, so that nothing falls short. If the intervals hold any feasible vector, the step is one.
 */
import { greatestBelow, type LatticeConstraint, leastAbove, satisfies, type Vector } from "./lattice.ts";

export interface Box {
  readonly lo: Vector;
  readonly hi: Vector;
}

export interface StepResult {
  readonly vector: Vector;
  /** False: the intervals hold no vector that satisfies the ratios; the step moves towards the goal as far as it widens nothing. */
  readonly isFeasible: boolean;
}

/** @param wish the goal, clamped into `box` */
export function stepInBox(current: Vector, wish: Vector, box: Box, ratios: readonly LatticeConstraint[]): StepResult {
  if (satisfies(wish, ratios)) return { vector: wish, isFeasible: true };
  const below = greatestBelow(wish, ratios, box.lo);
  const above = leastAbove(wish, ratios, box.hi);
  const grows = wish.some((value, index) => value > (current[index] as number));
  const preferred = grows ? [below, above] : [above, below];
  const near = preferred.find((vector) => vector !== undefined);
  if (near !== undefined) return { vector: near, isFeasible: true };
  const corners = [greatestBelow(box.hi, ratios, box.lo), leastAbove(box.lo, ratios, box.hi)].filter(
    (vector) => vector !== undefined,
  );
  const nearest = corners.toSorted((a, b) => distance(a, wish) - distance(b, wish))[0];
  if (nearest !== undefined) return { vector: nearest, isFeasible: true };
  return { vector: withoutWidening(current, wish, box, ratios), isFeasible: false };
}

/** Where the intervals hold no feasible vector: what of the wish leads no part further out of its ratio than it is. */
function withoutWidening(current: Vector, wish: Vector, box: Box, ratios: readonly LatticeConstraint[]): Vector {
  const vector = [...wish];
  const at = (of: Vector, index: number): number => of[index] as number;
  for (let changed = true; changed; ) {
    changed = false;
    for (const constraint of ratios) {
      if (satisfies(vector, [constraint])) continue;
      const { raised, by, numerator, denominator } = constraint;
      const most = Math.floor((denominator * at(vector, raised)) / numerator);
      const lower = Math.max(most, at(current, by), at(box.lo, by));
      const least = Math.ceil((numerator * at(vector, by)) / denominator);
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

const distance = (a: Vector, b: Vector): number =>
  a.reduce((sum, value, index) => sum + Math.abs(value - (b[index] as number)), 0);

export interface SetStep {
  readonly current: Vector;
  readonly wish: Vector;
  readonly box: Box;
}

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
  for (let units = Math.ceil(largestUp); units > 0; units--) {
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

/**
 * Integer vectors under ratio and coupling constraints.
 *
 * Each constraint has the form `x[raised] ≥ step · ⌈numerator · x[by] / denominator⌉`. The right side never falls when `x[by]` rises, so
 * the vectors that satisfy all constraints are closed under component-wise minimum and maximum: a lattice. Hence there is one
 * least vector above any start and one greatest below any ceiling, and both are found by changing components until nothing
 * changes (Tarski's fixed point). No search; the least vector is the cheapest in every cost that grows with the components.
 *
 * Each right side reads one component only, so the least vector above the maximum of two starts is the maximum of their least vectors.
 * What deals load to set replicas (`deal.ts`) relies on that.
 */

export interface LatticeConstraint {
  readonly raised: number;
  /** May be `raised` itself: with a step that admits multiples of the step only. */
  readonly by: number;
  /** Integers; a numerator of 0 asks for nothing, a denominator of 0 admits only `x[by] = 0`. */
  readonly numerator: number;
  readonly denominator: number;
  /** A positive integer; 1 in a ratio. */
  readonly step: number;
}

export type Vector = readonly number[];

/**
 * Of the loops below. Constraints of one policy take a few; ratios of six-digit sides that meet only at millions of replicas would take as many
 * as there are replicas.
 */
const MAX_ROUNDS = 1_000;
/** Of one search; many times what the constraints of a kept rule can take. */
const MOST_ROUNDS = 20 * MAX_ROUNDS;

/** What `x[raised]` must at least be for the constraint to hold at `x[by] = value`; Infinity where nothing suffices. */
export function required({ numerator, denominator, step }: LatticeConstraint, value: number): number {
  const product = numerator * value;
  // 0 / 0 asks for nothing. The quotient is exact enough for `⌈⌉` as long as the product is an exact integer, that is below 2^53.
  return product === 0 ? 0 : step * Math.ceil(product / denominator);
}

/** The most `x[by]` may be for the constraint to hold at `x[raised] = value`. */
export function permitted({ numerator, denominator, step }: LatticeConstraint, value: number): number {
  if (numerator === 0) return Number.POSITIVE_INFINITY;
  return Math.floor((denominator * Math.floor(value / step)) / numerator);
}

export function satisfies(vector: Vector, constraints: readonly LatticeConstraint[]): boolean {
  return constraints.every(
    (constraint) => at(vector, constraint.raised) >= required(constraint, at(vector, constraint.by)),
  );
}

/**
 * Whether the loops below end soon from wherever they start: what satisfies the constraints may be added up, so that none is further from
 * the next vector that does than the vector of ones is from the first. Without that a rule cannot be kept.
 */
export function settlesSoon(constraints: readonly LatticeConstraint[], ceiling: Vector): boolean {
  const vector = ceiling.map(() => 1);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    let changed = false;
    for (const constraint of constraints) {
      const needed = required(constraint, at(vector, constraint.by));
      if (at(vector, constraint.raised) >= needed) continue;
      if (needed > at(ceiling, constraint.raised)) return true;
      vector[constraint.raised] = needed;
      changed = true;
    }
    if (!changed) return true;
  }
  return false;
}

/**
 * The least vector that is ≥ `start` and satisfies the constraints.
 * @returns undefined when it would pass `ceiling` in some component; then no vector between `start` and `ceiling` satisfies them. Also
 *   when it is too far to be looked for, which it is not for constraints that {@link settlesSoon}
 */
export function leastAbove(
  start: Vector,
  constraints: readonly LatticeConstraint[],
  ceiling: Vector,
): Vector | undefined {
  const vector = [...start];
  if (vector.some((value, index) => value > at(ceiling, index))) return undefined;
  let rounds = 0;
  for (let changed = true; changed; ) {
    changed = false;
    if (++rounds > MOST_ROUNDS) return undefined;
    for (const constraint of constraints) {
      const needed = required(constraint, at(vector, constraint.by));
      if (at(vector, constraint.raised) >= needed) continue;
      if (needed > at(ceiling, constraint.raised)) return undefined;
      vector[constraint.raised] = needed;
      changed = true;
    }
  }
  return vector;
}

/**
 * `leastAbove` in place and without a ceiling, for the inner loop of the solver: the caller knows that some vector above satisfies the
 * constraints. A comparison of products tells that nothing is to be done without a division.
 */
export function raise(vector: number[], constraints: readonly LatticeConstraint[]): void {
  for (let changed = true; changed; ) {
    changed = false;
    for (let at = 0; at < constraints.length; at++) {
      const constraint = constraints[at] as LatticeConstraint;
      const { raised, by, numerator, denominator, step } = constraint;
      const have = vector[raised] as number;
      const product = numerator * (vector[by] as number);
      if (step === 1 && have * denominator >= product) continue;
      const needed = required(constraint, vector[by] as number);
      if (have >= needed) continue;
      vector[raised] = needed;
      changed = true;
    }
  }
}

/**
 * The greatest vector that is ≤ `start` and satisfies the constraints.
 * @param causes when given, is filled with the component whose start value holds each component down: itself where nothing else does
 * @returns undefined when it would fall below `floor` in some component; then no vector between `floor` and `start` satisfies them
 */
export function greatestBelow(
  start: Vector,
  constraints: readonly LatticeConstraint[],
  floor: Vector,
  causes?: number[],
): Vector | undefined {
  const vector = [...start];
  if (causes !== undefined) for (let index = 0; index < vector.length; index++) causes[index] = index;
  if (vector.some((value, index) => value < at(floor, index))) return undefined;
  let rounds = 0;
  for (let changed = true; changed; ) {
    changed = false;
    if (++rounds > MOST_ROUNDS) return undefined;
    for (const constraint of constraints) {
      const most = permitted(constraint, at(vector, constraint.raised));
      if (at(vector, constraint.by) <= most) continue;
      if (most < at(floor, constraint.by)) return undefined;
      vector[constraint.by] = most;
      if (causes !== undefined) causes[constraint.by] = causes[constraint.raised] as number;
      changed = true;
    }
  }
  return vector;
}

function at(vector: Vector, index: number): number {
  return vector[index] as number;
}

/**
 * Integer vectors under ratio constraints.
 *
 * Each constraint has the form `x[raised] ≥ ⌈numerator · x[by] / denominator⌉`. The right side never falls when `x[by]` rises, so
 * the vectors that satisfy all constraints are closed under component-wise minimum and maximum: a lattice. Hence there is one
 * least vector above any start and one greatest below any ceiling, and both are found by changing components until nothing
 * changes (Tarski's fixed point). No search; the least vector is the cheapest in every cost that grows with the components.
 */

export interface LatticeConstraint {
  readonly raised: number;
  readonly by: number;
  /** Positive integers. */
  readonly numerator: number;
  readonly denominator: number;
}

export type Vector = readonly number[];

/** What `x[raised]` must at least be for the constraint to hold at `x[by] = value`. */
function required({ numerator, denominator }: LatticeConstraint, value: number): number {
  return Math.ceil((numerator * value) / denominator);
}

/** The most `x[by]` may be for the constraint to hold at `x[raised] = value`. */
function permitted({ numerator, denominator }: LatticeConstraint, value: number): number {
  return Math.floor((denominator * value) / numerator);
}

export function satisfies(vector: Vector, constraints: readonly LatticeConstraint[]): boolean {
  return constraints.every(
    (constraint) => at(vector, constraint.raised) >= required(constraint, at(vector, constraint.by)),
  );
}

/**
 * The least vector that is ≥ `start` and satisfies the constraints.
 * @returns undefined when it would pass `ceiling` in some component; then no vector between `start` and `ceiling` satisfies them
 */
export function leastAbove(
  start: Vector,
  constraints: readonly LatticeConstraint[],
  ceiling: Vector,
): Vector | undefined {
  const vector = [...start];
  if (vector.some((value, index) => value > at(ceiling, index))) return undefined;
  for (let changed = true; changed; ) {
    changed = false;
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
 * The greatest vector that is ≤ `start` and satisfies the constraints.
 * @returns undefined when it would fall below `floor` in some component; then no vector between `floor` and `start` satisfies them
 */
export function greatestBelow(
  start: Vector,
  constraints: readonly LatticeConstraint[],
  floor: Vector,
): Vector | undefined {
  const vector = [...start];
  if (vector.some((value, index) => value < at(floor, index))) return undefined;
  for (let changed = true; changed; ) {
    changed = false;
    for (const constraint of constraints) {
      const most = permitted(constraint, at(vector, constraint.raised));
      if (at(vector, constraint.by) <= most) continue;
      if (most < at(floor, constraint.by)) return undefined;
      vector[constraint.by] = most;
      changed = true;
    }
  }
  return vector;
}

function at(vector: Vector, index: number): number {
  return vector[index] as number;
}

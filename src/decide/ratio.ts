import type { LatticeConstraint } from "./lattice.ts";

/** `p:q` as a fraction; integers from 0, not both 0. */
export interface Fraction {
  readonly numerator: number;
  readonly denominator: number;
}

/** `min ≤ x[a] : x[b] ≤ max`; an absent side is open. */
export interface RatioBand {
  readonly name: string;
  /** Names of the two targets. */
  readonly between: readonly [string, string];
  readonly min?: Fraction;
  readonly max?: Fraction;
  readonly enforcement: "Hard" | "Soft";
  /** Share by which ready replicas may leave the band while they catch up, in [0, ∞). */
  readonly transientSlackRatio: number;
}

/**
 * A band as lattice constraints. `p:q ≤ a:b` is `a ≥ ⌈p·b/q⌉`; `a:b ≤ u:v` is `b ≥ ⌈v·a/u⌉`.
 * Exact in integers: no float ratio is ever compared.
 */
export function bandConstraints(band: RatioBand, indexOf: (target: string) => number): readonly LatticeConstraint[] {
  const a = indexOf(band.between[0]);
  const b = indexOf(band.between[1]);
  const constraints: LatticeConstraint[] = [];
  if (band.min !== undefined) constraints.push({ raised: a, by: b, ...band.min, step: 1 });
  if (band.max !== undefined) {
    const { numerator, denominator } = band.max;
    constraints.push({ raised: b, by: a, numerator: denominator, denominator: numerator, step: 1 });
  }
  return constraints;
}

/** Whether `a : b` lies in the band, widened by `slackRatio` on both sides. Nothing against nothing is in every band. */
export function isWithinBand(band: RatioBand, a: number, b: number, slackRatio = 0): boolean {
  if (a === 0 && b === 0) return true;
  const { min, max } = band;
  const aboveMin = min === undefined || a * min.denominator * (1 + slackRatio) >= min.numerator * b;
  const belowMax = max === undefined || a * max.denominator <= max.numerator * b * (1 + slackRatio);
  return aboveMin && belowMax;
}

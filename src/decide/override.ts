/**
 * Stage 8: a person's word. It replaces what was decided for the targets it names, is floored by Grove's minimum viable set whoever asks,
 * and held inside the policy's bounds and GPU budget unless `force`. Targets it does not name follow as far as the ratios ask.
 */
import { greatestBelow, type LatticeConstraint, leastAbove, satisfies, type Vector } from "./lattice.ts";
import type { OverrideObservation } from "./observation.ts";

export interface OverrideTarget {
  readonly name: string;
  readonly minAvailable: number;
  readonly min: number;
  readonly max: number;
}

export interface OverrideNote {
  readonly target: string;
  readonly before: number;
  readonly after: number;
  readonly reason: "Override" | "MinimumViableSet" | "TooFewReplicas" | "TooManyReplicas" | "Ratio";
}

/** Where the override lets one target be; one value when it names replicas. */
interface Range {
  readonly lo: number;
  readonly hi: number;
  readonly reason: OverrideNote["reason"];
}

function rangeOf(
  { name, minAvailable, min, max }: OverrideTarget,
  { scaleTargets, force }: OverrideObservation,
): Range | undefined {
  const asked = scaleTargets[name];
  if (asked === undefined) return undefined;
  const floor = force ? minAvailable : Math.max(min, minAvailable);
  const cap = force ? Number.POSITIVE_INFINITY : max;
  const lo = Math.min(Math.max(asked.replicas ?? asked.minReplicas ?? floor, floor), cap);
  const hi = Math.max(lo, Math.min(Math.max(asked.replicas ?? asked.maxReplicas ?? cap, floor), cap));
  const wish = asked.replicas ?? asked.maxReplicas ?? asked.minReplicas ?? lo;
  if (wish < minAvailable) return { lo, hi, reason: "MinimumViableSet" };
  if (wish < floor) return { lo, hi, reason: "TooFewReplicas" };
  return { lo, hi, reason: wish > cap ? "TooManyReplicas" : "Override" };
}

/** What the override makes of one value of one target; undefined when it does not name the target. */
export function overriddenValue(
  value: number,
  target: OverrideTarget,
  override: OverrideObservation,
): { readonly value: number; readonly reason: OverrideNote["reason"] } | undefined {
  const range = rangeOf(target, override);
  return range === undefined
    ? undefined
    : { value: Math.min(Math.max(value, range.lo), range.hi), reason: range.reason };
}

/** The override on one set replica's vector. */
export function overrideVector(
  vector: Vector,
  targets: readonly OverrideTarget[],
  ratios: readonly LatticeConstraint[],
  override: OverrideObservation,
): { readonly vector: Vector; readonly notes: readonly OverrideNote[]; readonly satisfiesRatios: boolean } {
  const notes: OverrideNote[] = [];
  const floor: number[] = [];
  const ceiling: number[] = [];
  const next = vector.map((before, index) => {
    const target = targets[index] as OverrideTarget;
    const range = rangeOf(target, override);
    floor.push(range?.lo ?? Math.min(target.min, before));
    ceiling.push(range?.hi ?? Math.max(target.max, before));
    if (range === undefined) return before;
    const after = Math.min(Math.max(before, range.lo), range.hi);
    notes.push({ target: target.name, before, after, reason: range.reason });
    return after;
  });
  if (notes.length === 0) return { vector, notes, satisfiesRatios: satisfies(vector, ratios) };
  // The ranges stand; inside them, and inside the bounds of what is not named, the others follow: up to what was asked, else down to it.
  const followed =
    leastAbove(next, ratios, ceiling) ?? greatestBelow(next, ratios, floor) ?? leastAbove(floor, ratios, ceiling);
  if (followed === undefined) return { vector: next, notes, satisfiesRatios: false };
  followed.forEach((after, index) => {
    if (after !== next[index]) {
      notes.push({ target: targets[index]?.name ?? "", before: next[index] as number, after, reason: "Ratio" });
    }
  });
  return { vector: followed, notes, satisfiesRatios: true };
}

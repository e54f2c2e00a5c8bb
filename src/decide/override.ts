/**
 * Stage 8: a person's word. It replaces what was decided for the targets it names, is floored by Grove's minimum viable set whoever asks,
 * and held inside the policy's bounds and GPU budget unless `force`. Targets it does not name follow as far as the ratios ask.
 */
import { type LatticeConstraint, leastAbove, satisfies, type Vector } from "./lattice.ts";
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

/** What the override makes of one value of one target. */
export function overriddenValue(
  value: number,
  target: OverrideTarget,
  override: OverrideObservation,
): { readonly value: number; readonly reason: OverrideNote["reason"] } | undefined {
  const asked = override.scaleTargets[target.name];
  if (asked === undefined) return undefined;
  const wish =
    asked.replicas ?? Math.min(Math.max(value, asked.minReplicas ?? 0), asked.maxReplicas ?? Number.POSITIVE_INFINITY);
  if (wish < target.minAvailable) return { value: target.minAvailable, reason: "MinimumViableSet" };
  if (override.force) return { value: wish, reason: "Override" };
  if (wish < target.min) return { value: target.min, reason: "TooFewReplicas" };
  if (wish > target.max) return { value: target.max, reason: "TooManyReplicas" };
  return { value: wish, reason: "Override" };
}

/** The override on one set replica's vector. */
export function overrideVector(
  vector: Vector,
  targets: readonly OverrideTarget[],
  ratios: readonly LatticeConstraint[],
  override: OverrideObservation,
): { readonly vector: Vector; readonly notes: readonly OverrideNote[]; readonly satisfiesRatios: boolean } {
  const notes: OverrideNote[] = [];
  const pinned = new Set<number>();
  const next = vector.map((before, index) => {
    const target = targets[index] as OverrideTarget;
    const result = overriddenValue(before, target, override);
    if (result === undefined) return before;
    pinned.add(index);
    notes.push({ target: target.name, before, after: result.value, reason: result.reason });
    return result.value;
  });
  if (pinned.size === 0) return { vector, notes, satisfiesRatios: satisfies(vector, ratios) };
  // What is pinned may not move; the others rise to it, or come down to where the ratio allows if rising is not enough.
  const ceiling = targets.map(({ max }, index) =>
    pinned.has(index) ? (next[index] as number) : Math.max(max, next[index] as number),
  );
  const floor = targets.map(({ min }, index) => (pinned.has(index) ? (next[index] as number) : min));
  const followed = leastAbove(next, ratios, ceiling) ?? leastAbove(floor, ratios, ceiling);
  if (followed === undefined) return { vector: next, notes, satisfiesRatios: satisfies(next, ratios) };
  followed.forEach((after, index) => {
    if (after !== next[index]) {
      notes.push({ target: targets[index]?.name ?? "", before: next[index] as number, after, reason: "Ratio" });
    }
  });
  return { vector: followed, notes, satisfiesRatios: true };
}

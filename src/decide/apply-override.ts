/** Stage 8 for a whole policy: the override in force on every set replica, inside the budget unless it is forced. */
import { MAX_SET_REPLICAS } from "../api/autoscaling/scale-target.ts";
import type { TargetBounds } from "./bounds.ts";
import { nameOf, type StageRecord } from "./decision.ts";
import { fitBudget } from "./fit-override.ts";
import { type LatticeConstraint, leastAbove, type Vector } from "./lattice.ts";
import type { Observation, OverrideObservation } from "./observation.ts";
import { type OverrideTarget, overriddenValue, overrideVector } from "./override.ts";
import type { Policy } from "./policy.ts";

export interface OverrideContext {
  readonly policy: Policy;
  readonly observation: Observation;
  readonly bounds: readonly TargetBounds[];
  readonly ratios: readonly LatticeConstraint[];
  readonly gpuBudget: number;
  /** Nothing may grow unless it is forced. */
  readonly isGrowthForbidden: boolean;
}

export interface Desired {
  readonly sets: number;
  readonly perSet: readonly Vector[];
  readonly isForced: boolean;
}

export function applyOverride(
  { policy, observation, bounds, ratios, gpuBudget, isGrowthForbidden }: OverrideContext,
  decided: { readonly sets: number; readonly perSet: readonly Vector[] },
  stages: StageRecord[],
): Desired {
  const { ownedTargets = [] } = observation;
  if (observation.override === undefined) return { ...decided, isForced: false };
  const override = withoutOwned(observation.override, ownedTargets, stages);
  const names = policy.targets.map(({ name }, index) => ({
    name,
    minAvailable: observation.targets[index]?.minAvailable ?? 0,
    min: bounds[index]?.min ?? 0,
    max: bounds[index]?.max ?? 0,
  }));
  let { sets } = decided;
  if (policy.set !== undefined) {
    const { minReplicas: min, maxReplicas: max, name } = policy.set;
    const result = overriddenValue(sets, { name, minAvailable: min, min, max }, override);
    if (result !== undefined) {
      stages.push({
        stage: "override",
        target: name,
        before: sets,
        after: Math.min(result.value, Math.max(MAX_SET_REPLICAS, decided.sets)),
        reason: result.reason,
        detail: override.reason,
      });
      sets = Math.min(result.value, Math.max(MAX_SET_REPLICAS, decided.sets));
    }
  }
  if (!override.force && isGrowthForbidden && sets > decided.sets) {
    stages.push({
      stage: "override",
      reason: "GPUCostUnknown",
      detail: `${decided.sets} set replicas; --force lifts this`,
    });
    sets = decided.sets;
  }
  const vectors = Array.from({ length: sets }, (_, set) => {
    const known = decided.perSet[set];
    if (known !== undefined) return known;
    const copied = decided.perSet.at(-1) ?? least(names, ratios);
    return aroundOwned(copied, set, names, ratios, observation);
  });
  let perSet = vectors.map((vector, set) => {
    const here = names.map((one, index) => (ownedTargets.includes(one.name) ? fixedAt(one, vector[index] ?? 0) : one));
    const { vector: next, notes, satisfiesRatios } = overrideVector(vector, here, ratios, override);
    for (const note of notes)
      stages.push({ stage: "override", ...note, target: nameOf(note.target, set), detail: override.reason });
    if (!satisfiesRatios)
      stages.push({
        stage: "override",
        reason: "RatioViolated",
        detail: `set replica ${set}: the override leaves its ratio band`,
      });
    return next;
  });
  if (!override.force && isGrowthForbidden) {
    const held = perSet.map((vector, set) =>
      vector.map((value, index) => Math.min(value, vectors[set]?.[index] as number)),
    );
    if (JSON.stringify(held) !== JSON.stringify(perSet)) {
      stages.push({ stage: "override", reason: "GPUCostUnknown", detail: "nothing grows; --force lifts this" });
      perSet = held;
    }
  } else if (!override.force) {
    const isNamed = names.map(({ name }) => override.scaleTargets[name] !== undefined);
    const fitted = fitBudget(perSet, vectors, {
      names,
      isNamed,
      ratios,
      observation,
      gpuBudget,
      decidedSets: decided.sets,
    });
    sets = fitted.length;
    if (fitted !== perSet) {
      stages.push({
        stage: "override",
        reason: "GPUBudget",
        detail: `held inside ${gpuBudget} GPUs; --force lifts this`,
      });
      perSet = fitted;
    }
  }
  return { sets, perSet, isForced: override.force };
}

/** What another autoscaler owns is not ours to set, whoever asks. */
function withoutOwned(
  override: OverrideObservation,
  owned: readonly string[],
  stages: StageRecord[],
): OverrideObservation {
  const entries = Object.entries(override.scaleTargets);
  const ours = entries.filter(([name]) => !owned.includes(name));
  for (const [target] of entries.filter(([name]) => owned.includes(name))) {
    const detail = "another autoscaler scales this target: the override waits until it is removed";
    stages.push({ stage: "override", target, reason: "ForeignController", detail });
  }
  return ours.length === entries.length ? override : { ...override, scaleTargets: Object.fromEntries(ours) };
}

/**
 * A set replica that would go if the override did not keep it: its targets are made like those of the last one that stays, and what another autoscaler
 * owns is there already, at a number of its own.
 */
function aroundOwned(
  vector: Vector,
  set: number,
  targets: readonly OverrideTarget[],
  ratios: readonly LatticeConstraint[],
  { ownedTargets = [], targets: observed }: Observation,
): Vector {
  if (ownedTargets.length === 0) return vector;
  const isOwned = targets.map(({ name }) => ownedTargets.includes(name));
  const kept = vector.map((replicas, index) => {
    const there = observed[index]?.objects.find(({ setIndex }) => setIndex === set);
    return isOwned[index] === true && there !== undefined ? there.replicas : replicas;
  });
  const ceiling = kept.map((replicas, index) =>
    isOwned[index] === true ? replicas : Math.max(replicas, targets[index]?.max ?? 0),
  );
  return leastAbove(kept, ratios, ceiling) ?? kept;
}

const fixedAt = (target: OverrideTarget, replicas: number): OverrideTarget => ({
  ...target,
  minAvailable: replicas,
  min: replicas,
  max: replicas,
});

/** What a set replica starts from where none is there to copy. */
function least(targets: readonly OverrideTarget[], ratios: readonly LatticeConstraint[]): Vector {
  const start = targets.map(({ min }) => min);
  return (
    leastAbove(
      start,
      ratios,
      targets.map(({ min, max }) => Math.max(min, max)),
    ) ?? start
  );
}

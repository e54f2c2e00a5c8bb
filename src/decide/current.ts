/** The state that is, in the shape of the state that is decided. */
import type { Vector } from "./lattice.ts";
import type { Observation, ScaledObject } from "./observation.ts";
import { gpusOf } from "./solve.ts";

/** The object of target `index` in set replica `setIndex`; undefined while the operator has not created it. */
export function objectOf(observation: Observation, index: number, setIndex: number): ScaledObject | undefined {
  return observation.targets[index]?.objects.find((object) => object.setIndex === setIndex);
}

/** `spec.replicas` of every target in one set replica; what is not created yet will start from its template. */
export function vectorOf(observation: Observation, setIndex: number): readonly number[] {
  return observation.targets.map(
    ({ templateReplicas }, index) => objectOf(observation, index, setIndex)?.replicas ?? templateReplicas,
  );
}

export interface Totals {
  readonly current: number;
  readonly ready: number;
  readonly starting: number;
  readonly pending: number;
}

/** Sums of one target over the set replicas. */
export function totalsOf(observation: Observation, index: number): Totals {
  const { objects = [], templateReplicas = 0 } = observation.targets[index] ?? {};
  let current = 0;
  for (let set = 0; set < observation.set.replicas; set++)
    current += objectOf(observation, index, set)?.replicas ?? templateReplicas;
  let ready = 0;
  let starting = 0;
  let pending = 0;
  for (const object of objects) {
    ready += object.ready;
    starting += object.starting;
    pending += object.pending;
  }
  return { current, ready, starting, pending };
}

/** GPUs of a whole state, fixed parts included; unknown costs count as 0 and forbid growth elsewhere. */
export function gpusWanted({ set, targets }: Observation, perSet: readonly Vector[]): number {
  const costs = targets.map(({ gpusPerReplica }) => ({ gpusPerReplica: gpusPerReplica ?? 0 }));
  return perSet.reduce((sum, vector) => sum + gpusOf(vector, costs), perSet.length * (set.fixedGpus ?? 0));
}

/**
 * `gpuBudget.min`: GPUs that are held whatever the demand is.
 *
 * A goal below the floor grows by a common factor, so that its mix stays what it is, to the last state below the floor, and from there one unit
 * at a time, the target that is furthest behind first: in the set replicas there are, then in more of them. The hard budget stops what
 * passes it, so that the floor is missed by less than the next replica, with those the ratios bring along, would take.
 */
import { deal, dealtGpus, expand, type Field } from "./deal.ts";
import type { Vector } from "./lattice.ts";
import { EPSILON, greatestServed } from "./served-fraction.ts";

export interface Grown {
  readonly sets: number;
  readonly units: Vector;
  readonly gpus: number;
}

export interface FloorInput {
  readonly field: Field;
  /** The goal without the floor. */
  readonly goal: Grown;
  readonly floorGpus: number;
  readonly gpuBudget: number;
  /** Up to which set replicas may be added. */
  readonly setsMax: number;
}

export function growToFloor(input: FloorInput): Grown {
  const { field, goal, floorGpus, setsMax } = input;
  const perSet = expand(deal(field, goal.sets, goal.units));
  const totals = field.ceiling.map((_, index) => perSet.reduce((sum, vector) => sum + (vector[index] as number), 0));
  // What nothing asks for only grows where that which is there cannot.
  const everything = totals.map((total) => Math.max(1, total));
  let best = goal;
  for (const weights of [totals, everything]) {
    for (let sets = goal.sets; sets <= setsMax && best.gpus < floorGpus; sets++) {
      const grown = growWith(weights, sets, input);
      if (grown !== undefined && grown.gpus > best.gpus) best = grown;
    }
  }
  return best;
}

/** The gap that is left is about one replica of each target. One that has no GPUs would be raised without end and bring the floor no nearer. */
const MAX_RAISES = 1_000;

function growWith(weights: Vector, sets: number, { field, goal, floorGpus, gpuBudget }: FloorInput): Grown | undefined {
  const caps = field.ceiling.map((most) => most * sets);
  // With these demands every target that has a weight is at its maximum.
  const factor = Math.max(0, ...weights.map((weight, index) => (weight > 0 ? (caps[index] as number) / weight : 0)));
  const demands = weights.map((weight) => weight * factor);
  const gpusLimit = Math.min(gpuBudget, floorGpus - EPSILON);
  const below = greatestServed({ field, sets, demands, gpuBudget: gpusLimit, leastRatio: 0 });
  // So many set replicas take more than the floor by themselves: nothing in them need grow.
  if (below === undefined) {
    const gpus = dealtGpus(field, sets, goal.units);
    return gpus > gpuBudget ? undefined : { sets, units: goal.units, gpus };
  }
  // At least the goal's own demand, where the mix of its replicas is another one.
  let units = below.units.map((count, index) => Math.max(count, goal.units[index] as number));
  let gpus = dealtGpus(field, sets, units);
  if (gpus > gpuBudget) return undefined;
  for (let raises = 0; gpus < floorGpus && raises < MAX_RAISES; raises++) {
    const raised = raisedByOne(units, demands, caps)
      .map((next) => ({ next, needed: dealtGpus(field, sets, next) }))
      .find(({ needed }) => needed <= gpuBudget);
    if (raised === undefined) break;
    units = raised.next;
    gpus = raised.needed;
  }
  return { sets, units, gpus };
}

/** One unit more of each target that has room, the one furthest behind its weight first. */
function raisedByOne(units: Vector, demands: Vector, caps: Vector): readonly number[][] {
  const behind = (index: number): number => (units[index] as number) / (demands[index] as number);
  return units
    .map((_, index) => index)
    .filter((index) => (demands[index] as number) > 0 && (units[index] as number) < (caps[index] as number))
    .toSorted((a, b) => behind(a) - behind(b))
    .map((raised) => units.map((count, index) => (index === raised ? count + 1 : count)));
}

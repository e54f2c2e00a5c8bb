/**
 * How units of demand are dealt to set replicas, and what that takes.
 *
 * Each target's units are dealt evenly: shares differ by at most one, and the larger ones go to the lower indices, so that one set
 * replica is ever as large as or larger than the next. Each set replica then takes the least vector above its shares and minima. Dealing the
 * larger shares of all targets to the same set replicas costs least, because that least vector is a maximum over its components' own
 * least vectors and so submodular; and it fits the ceiling whenever any even dealing does, for the same reason.
 */
import { type LatticeConstraint, raise, type Vector } from "./lattice.ts";

/** What stays the same while the number of set replicas and the demand vary. */
export interface Field {
  readonly constraints: readonly LatticeConstraint[];
  readonly gpusPerReplica: Vector;
  readonly mins: Vector;
  /** The greatest vector in the bounds that satisfies the constraints. Units up to `sets` times it can be dealt. */
  readonly ceiling: Vector;
  readonly fixedGpus: number;
  /** The vector of the set replica that was looked at last; a place to work in, so that the search allocates nothing. */
  readonly scratch: number[];
}

/** Set replicas of equal content: `count` of them, in index order. */
export interface Block {
  readonly count: number;
  readonly vector: Vector;
}

/** GPUs of `sets` set replicas that are dealt `units`. */
export function dealtGpus(field: Field, sets: number, units: Vector): number {
  let gpus = sets * field.fixedGpus;
  for (let from = 0; from < sets; ) {
    const next = fillBlock(field, sets, units, from);
    gpus += (next - from) * vectorGpus(field.scratch, field.gpusPerReplica);
    from = next;
  }
  return gpus;
}

export function deal(field: Field, sets: number, units: Vector): readonly Block[] {
  const blocks: Block[] = [];
  for (let from = 0; from < sets; ) {
    const next = fillBlock(field, sets, units, from);
    blocks.push({ count: next - from, vector: [...field.scratch] });
    from = next;
  }
  return blocks;
}

export const expand = (blocks: readonly Block[]): Vector[] =>
  blocks.flatMap(({ count, vector }) => Array.from({ length: count }, () => vector));

export function vectorGpus(vector: Vector, gpusPerReplica: Vector): number {
  let sum = 0;
  for (let index = 0; index < vector.length; index++) {
    sum += (vector[index] as number) * (gpusPerReplica[index] ?? 0);
  }
  return sum;
}

/**
 * Leaves the vector of set replica `from` in `scratch`.
 * @returns the first set replica whose shares are others: shares only change where an index passes some target's remainder
 */
function fillBlock({ constraints, mins, scratch }: Field, sets: number, units: Vector, from: number): number {
  let next = sets;
  for (let index = 0; index < units.length; index++) {
    const total = units[index] as number;
    const remainder = total % sets;
    let share = (total - remainder) / sets;
    if (remainder > from) {
      share++;
      if (remainder < next) next = remainder;
    }
    const min = mins[index] as number;
    scratch[index] = share > min ? share : min;
  }
  raise(scratch, constraints);
  return next;
}

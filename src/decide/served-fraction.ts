/**
 * The greatest share of the demand that a number of set replicas can serve inside a budget.
 *
 * Under the fraction `λ` target `i` is dealt `min(⌈λ · demand⌉, cap)` units: a maximum cuts its own target, and through the ratios those that are
 * tied to it; the others keep what they are measured to need. The units only change at `λ = k / demand`, and the GPUs never fall when `λ` rises.
 * So the search is for the last of these points that fits: between one that does and one that does not, by interpolation of the GPUs, which
 * grow nearly in proportion, and by halving where that creeps. Of all states that serve the fraction the one that is returned is the least.
 */
import { dealtGpus, type Field } from "./deal.ts";
import type { Vector } from "./lattice.ts";

/** Guards `⌈λ·d⌉` against 2.0000000001; far below any real difference in demand. */
export const EPSILON = 1e-9;

/** Quotients of the same two numbers by two ways differ by less. */
const SAME = 1e-13;

/** Interpolations before halving takes turns with it. */
const INTERPOLATIONS = 4;

export interface Served {
  readonly sets: number;
  readonly units: Vector;
  readonly gpus: number;
  /** Least share of a target's demand that is dealt, in [0, 1]. */
  readonly servedRatio: number;
  /** The same over the targets that their own maximum does not cut. */
  readonly fractionRatio: number;
  readonly isCutByBudget: boolean;
}

export interface ServeInput {
  readonly field: Field;
  readonly sets: number;
  /** Real, ≥ 0, finite. */
  readonly demands: Vector;
  readonly gpuBudget: number;
  /** Only a result that serves at least this much is wanted. */
  readonly leastRatio: number;
}

/** @returns undefined when not even the minima fit the budget, or when less than `leastRatio` would be served */
export function greatestServed(input: ServeInput): Served | undefined {
  const { field, sets, demands, gpuBudget, leastRatio } = input;
  if (leastRatio > 0 && !canServe(input)) return undefined;
  const wanted = unitsAt(1, input, new Array<number>(demands.length));
  const wantedGpus = dealtGpus(field, sets, wanted);
  if (wantedGpus <= gpuBudget) return result(input, wanted, wantedGpus, 1);

  const units = unitsAt(leastRatio, input, new Array<number>(demands.length));
  let gpus = dealtGpus(field, sets, units);
  if (gpus > gpuBudget) return undefined;
  let best = [...units];
  let fits = Math.max(leastRatio, lastWith(units, wanted, demands));
  // All above this do not fit.
  let exceeds = lastBelow(wanted, demands);
  let exceedsGpus = wantedGpus;
  for (let round = 0; exceeds > fits + SAME; round++) {
    const halves = round >= INTERPOLATIONS && round % 2 === 0;
    const share = halves ? 0.5 : Math.min(Math.max((gpuBudget - gpus) / (exceedsGpus - gpus), 0.02), 1);
    const fraction = fits + (exceeds - fits) * share;
    if (fraction <= fits) break;
    unitsAt(fraction, input, units);
    const needed = dealtGpus(field, sets, units);
    if (needed <= gpuBudget) {
      fits = Math.max(fraction, lastWith(units, wanted, demands));
      gpus = needed;
      best = [...units];
    } else {
      exceeds = Math.min(lastBelow(units, demands), fraction);
      exceedsGpus = needed;
    }
  }
  return result(input, best, gpus, fits);
}

/** Whether the fraction `leastRatio` of the whole demand, no target excepted, fits the maxima and the budget. */
export function canServe(input: ServeInput): boolean {
  const { field, sets, demands, gpuBudget, leastRatio } = input;
  const units = new Array<number>(demands.length);
  for (let index = 0; index < demands.length; index++) {
    const count = Math.ceil(leastRatio * (demands[index] as number) - EPSILON);
    if (count > sets * (field.ceiling[index] as number)) return false;
    units[index] = count > 0 ? count : 0;
  }
  return dealtGpus(field, sets, units) <= gpuBudget;
}

function unitsAt(fraction: number, { field, sets, demands }: ServeInput, units: number[]): number[] {
  for (let index = 0; index < demands.length; index++) {
    const count = Math.ceil(fraction * (demands[index] as number) - EPSILON);
    const cap = sets * (field.ceiling[index] as number);
    units[index] = count <= 0 ? 0 : count < cap ? count : cap;
  }
  return units;
}

/** The greatest fraction that needs no more than these units. */
function lastWith(units: Vector, wanted: Vector, demands: Vector): number {
  let least = 1;
  for (let index = 0; index < units.length; index++) {
    const count = units[index] as number;
    if (count < (wanted[index] as number)) least = Math.min(least, count / (demands[index] as number));
  }
  return least;
}

/** The greatest fraction that needs fewer than these units of some target. */
function lastBelow(units: Vector, demands: Vector): number {
  let greatest = 0;
  for (let index = 0; index < units.length; index++) {
    const count = units[index] as number;
    if (count > 1) greatest = Math.max(greatest, (count - 1) / (demands[index] as number));
  }
  return greatest;
}

function result({ field, sets, demands }: ServeInput, units: Vector, gpus: number, fractionRatio: number): Served {
  let servedRatio = fractionRatio;
  for (let index = 0; index < demands.length; index++) {
    const demand = demands[index] as number;
    const cap = sets * (field.ceiling[index] as number);
    if (demand - EPSILON > cap) servedRatio = Math.min(servedRatio, (units[index] as number) / demand);
  }
  return { sets, units, gpus, servedRatio, fractionRatio, isCutByBudget: fractionRatio < 1 };
}

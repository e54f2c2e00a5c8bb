/** What an override asks for, inside a budget. Pure. */
import { gpusWanted } from "./current.ts";
import { greatestBelow, type LatticeConstraint, leastAbove, type Vector } from "./lattice.ts";
import type { Observation } from "./observation.ts";
import type { OverrideTarget } from "./override.ts";

export interface Fit {
  readonly names: readonly OverrideTarget[];
  /** By target: the override says something of it. */
  readonly isNamed: readonly boolean[];
  readonly ratios: readonly LatticeConstraint[];
  readonly observation: Observation;
  readonly gpuBudget: number;
  /** Set replicas that were there without the override. */
  readonly decidedSets: number;
}

/**
 * Brings what the override asks for into the budget: whole set replicas that it added go first, the last one first; then the targets that it does not name
 * give way, down to their minima, since what a person asks for goes before a demand; then what it added itself. One replica at a time, and with it what its
 * ratios and couplings no longer carry.
 */
export function fitBudget(
  perSet: readonly Vector[],
  before: readonly Vector[],
  { names, isNamed, ratios, observation, gpuBudget, decidedSets }: Fit,
): Vector[] {
  if (gpusWanted(observation, perSet) <= gpuBudget) return perSet as Vector[];
  const { ownedTargets = [] } = observation;
  const fitted = perSet.map((vector) => [...vector]);
  const isOver = (): boolean => gpusWanted(observation, fitted) > gpuBudget;
  while (fitted.length > decidedSets && isOver()) fitted.pop();
  const giveWay = (set: number, floor: Vector): void => {
    for (let index = 0; index < floor.length && isOver(); index++) {
      const now = fitted[set] as number[];
      const taken = (value: number): number[] => {
        const less = now.map((one, at) => (at === index ? value : one));
        return [...(greatestBelow(less, ratios, floor) ?? less)];
      };
      // Less of one target never costs more, so the most that fits is found by halving.
      let fits = floor[index] as number;
      for (let over = now[index] as number; over - fits > 1; ) {
        const middle = Math.floor((fits + over) / 2);
        fitted[set] = taken(middle);
        if (isOver()) over = middle;
        else fits = middle;
      }
      fitted[set] = taken(Math.min(fits, now[index] as number));
    }
  };
  const isGivingWay = (index: number): boolean =>
    isNamed[index] !== true && !ownedTargets.includes(names[index]?.name ?? "");
  for (let set = fitted.length - 1; set >= 0 && isOver(); set--) {
    const asked = fitted[set] as Vector;
    const least = asked.map((value, index) => {
      const { min = 0, minAvailable = 0 } = names[index] ?? {};
      return isGivingWay(index) ? Math.min(value, Math.max(min, minAvailable)) : value;
    });
    const floor = leastAbove(least, ratios, asked);
    if (floor !== undefined) giveWay(set, floor);
  }
  for (let set = fitted.length - 1; set >= 0; set--) {
    const asked = fitted[set] as Vector;
    giveWay(
      set,
      asked.map((value, index) => Math.min(value, before[set]?.[index] as number)),
    );
  }
  return fitted;
}

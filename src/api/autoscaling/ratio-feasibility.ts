/** Whether ratio bands and couplings leave any whole-number state inside the bounds of the targets. */
import type { Ratio } from "../ratio.ts";

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

export interface Band {
  readonly a: string;
  readonly b: string;
  readonly min?: Ratio;
  readonly max?: Ratio;
}

/** A coupling: replicas of each target that come and go together. */
export type Tuple = Readonly<Record<string, number>>;

/**
 * More rounds than any policy needs whose ratios somebody wrote by hand: 3:4 beside 5:7 takes a few dozen. Six-digit sides can take 2^31 of
 * them, and whoever looks for the state has the event loop meanwhile.
 */
const MAX_ROUNDS = 1_000;

/** `TooFar`: there may be a state, of so many replicas that nobody looks for it. */
export type Feasibility = "Possible" | "Impossible" | "TooFar";

/** Whether {@link leastState} finds a state, and if not why. */
export function feasibility(
  bounds: ReadonlyMap<string, Bounds>,
  bands: readonly Band[],
  couplings: readonly Tuple[] = [],
): Feasibility {
  const found = search(bounds, bands, couplings);
  return typeof found === "string" ? found : "Possible";
}

/**
 * The least state at or above every minimum that satisfies all bands and couplings, or undefined when none is below the maxima or within
 * {@link MAX_ROUNDS}.
 *
 * `p:q ≤ a:b` is `a ≥ ⌈p·b/q⌉` and `a:b ≤ u:v` is `b ≥ ⌈v·a/u⌉`; a coupling takes each target to its step times the greatest number of steps
 * that one of them has begun. All right sides are monotone, so raising components until nothing changes ends in the least solution
 * or passes a maximum; each round raises by at least one.
 */
export function leastState(
  bounds: ReadonlyMap<string, Bounds>,
  bands: readonly Band[],
  couplings: readonly Tuple[] = [],
): ReadonlyMap<string, number> | undefined {
  const found = search(bounds, bands, couplings);
  return typeof found === "string" ? undefined : found;
}

function search(
  bounds: ReadonlyMap<string, Bounds>,
  bands: readonly Band[],
  couplings: readonly Tuple[],
): ReadonlyMap<string, number> | "Impossible" | "TooFar" {
  const state = new Map([...bounds].map(([name, { min }]) => [name, min]));
  const raise = (name: string, floor: number): boolean => {
    if (floor <= state.get(name)!) return false;
    state.set(name, floor);
    return true;
  };
  const within = (): boolean => [...bounds].every(([name, { max }]) => state.get(name)! <= max);
  let rounds = 0;
  for (let changed = true; changed; ) {
    if (!within()) return "Impossible";
    if (++rounds > MAX_ROUNDS) return "TooFar";
    changed = false;
    for (const { a, b, min, max } of bands) {
      if (min !== undefined) changed = raise(a, ceilDivide(min.first * state.get(b)!, min.second)) || changed;
      if (max !== undefined) changed = raise(b, ceilDivide(max.second * state.get(a)!, max.first)) || changed;
    }
    for (const coupling of couplings) {
      const steps = Object.entries(coupling);
      const multiple = Math.max(...steps.map(([name, step]) => Math.ceil(state.get(name)! / step)));
      for (const [name, step] of steps) changed = raise(name, multiple * step) || changed;
    }
  }
  return state;
}

/** 0 / 0 asks for nothing; anything else over 0 cannot be reached. */
const ceilDivide = (dividend: number, divisor: number): number => (dividend === 0 ? 0 : Math.ceil(dividend / divisor));

/** Targets that scale as one tuple: inside each set replica they are `k` times their steps, for one whole number `k`. */
import type { LatticeConstraint } from "./lattice.ts";

export interface Coupling {
  readonly name: string;
  /** Replicas of each target that come and go together. */
  readonly steps: readonly { readonly target: string; readonly replicas: number }[];
}

/**
 * `x[next] ≥ s[next] · ⌈x[one] / s[one]⌉` round the ring of the targets. With `k = x / s` that reads `⌈k[one]⌉ ≤ k[next]` all the way round,
 * so every `k` is the same whole number. With one target it reads "a multiple of its step". `k ≥ 1` follows from a minimum above 0.
 */
export function couplingConstraints(
  { steps }: Coupling,
  indexOf: (target: string) => number,
): readonly LatticeConstraint[] {
  return steps.map(({ target, replicas }, index) => {
    const next = steps[(index + 1) % steps.length] as Coupling["steps"][number];
    return {
      raised: indexOf(next.target),
      by: indexOf(target),
      numerator: 1,
      denominator: replicas,
      step: next.replicas,
    };
  });
}

import type { Random } from "../random.ts";

export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
  readonly random?: Random;
}

/**
 * Delay before attempt `failures + 1`: `baseMs × 2^(failures − 1)`, at most `maxMs`.
 * With `random`, spread over [50 %, 100 %] of that, so that many clients do not come back together.
 */
export function backoffMs(failures: number, { baseMs, maxMs, random }: BackoffOptions): number {
  const full = Math.min(maxMs, baseMs * 2 ** Math.min(30, Math.max(0, failures - 1)));
  return random === undefined ? full : full * (0.5 + random.next() / 2);
}

/** Requests as columns: one row a request, by arrival. Times in milliseconds of virtual time. */

export const OUTCOME = { unfinished: 0, completed: 1, failed: 2 } as const;

export interface RequestColumns {
  readonly count: number;
  readonly arrivedMs: Float64Array;
  /** From the arrival at the gateway. NaN: it never had a first token. */
  readonly ttftMs: Float32Array;
  /** Mean time between its tokens after the first. NaN until it has ended; 0 for an answer of one token. */
  readonly itlMs: Float32Array;
  readonly inputTokens: Uint32Array;
  /** What it asked for; of a completed request what it got. */
  readonly outputTokens: Uint32Array;
  /** Of {@link OUTCOME}. */
  readonly outcome: Uint8Array;
}

/** When the next turn of each policy is due. Pure but for what it remembers. */

export interface TurnTimes {
  /** Monotonic, like the next. */
  readonly startedMs: number;
  readonly endedMs: number;
  /** From one turn to the next. */
  readonly delayMs: number;
}

/**
 * A turn that waited for a worker or for its metrics does not push those after it: an interval of 15 s is four turns a minute in a busy autoscaler as
 * well. What is late by more than a whole delay has missed turns, which are not made up for.
 */
export class Pace {
  readonly #dueMs = new Map<string, number>();

  /** @returns milliseconds from the end of the turn to the next one */
  next(key: string, { startedMs, endedMs, delayMs }: TurnTimes): number {
    const due = this.#dueMs.get(key);
    // A turn before its time, of a policy that was changed, starts the pace anew.
    const base = due !== undefined && due <= startedMs && startedMs - due < delayMs ? due : startedMs;
    const next = Math.max(base + delayMs, endedMs);
    this.#dueMs.set(key, next);
    return next - endedMs;
  }

  forget(key: string): void {
    this.#dueMs.delete(key);
  }
}

/**
 * When a status is written that differs only in times and the checkpoint: every minute, and for a large fleet so seldom that all of them together stay
 * below a rate that an API server does not notice. What a person would see is written at once and does not wait here. Pure but for what it remembers.
 */

/** What a restart of a small fleet may lose. */
const INTERVAL_MS = 60_000;
/** 25 a second: 10,000 policies take 400 s. With its checkpoint a status has up to tens of kilobytes, every write of which etcd keeps for a while. */
const EACH_MS = 40;
/** Policies that turn in the same moment need not wait for one another. */
const BURST = 100;

export class StatusPace {
  readonly #writtenMs = new Map<string, number>();
  /** The time up to which writes have used up what they may. */
  #usedUpToMs = Number.NEGATIVE_INFINITY;

  /** It is one of those that share the rate. */
  know(key: string): void {
    if (!this.#writtenMs.has(key)) this.#writtenMs.set(key, Number.NEGATIVE_INFINITY);
  }

  /** @returns whether to write it now, which counts as one of those that may be written */
  take(key: string, nowMs: number): boolean {
    this.know(key);
    if (nowMs - (this.#writtenMs.get(key) as number) < this.#intervalMs) return false;
    // Those of a process that has just started are all due at once.
    if (this.#usedUpToMs > nowMs) return false;
    this.#usedUpToMs = Math.max(this.#usedUpToMs, nowMs - BURST * EACH_MS) + EACH_MS;
    return true;
  }

  get #intervalMs(): number {
    return Math.max(INTERVAL_MS, this.#writtenMs.size * EACH_MS);
  }

  /**
   * How long after a status the next one comes at the latest, turns aside: in a process that takes over a large fleet all are due at once, and one that was
   * about to be written by the last process may be the last of them.
   */
  get withinMs(): number {
    return 2 * this.#intervalMs - INTERVAL_MS;
  }

  /** For whatever reason it was. */
  wrote(key: string, nowMs: number): void {
    this.#writtenMs.set(key, nowMs);
  }

  forget(key: string): void {
    this.#writtenMs.delete(key);
  }
}

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

  /** @returns whether to write it now, which counts as one of those that may be written */
  take(key: string, nowMs: number): boolean {
    const writtenMs = this.#writtenMs.get(key);
    if (writtenMs === undefined) this.#writtenMs.set(key, Number.NEGATIVE_INFINITY);
    const intervalMs = Math.max(INTERVAL_MS, this.#writtenMs.size * EACH_MS);
    if (writtenMs !== undefined && nowMs - writtenMs < intervalMs) return false;
    // Those of a process that has just started are all due at once.
    if (this.#usedUpToMs > nowMs) return false;
    this.#usedUpToMs = Math.max(this.#usedUpToMs, nowMs - BURST * EACH_MS) + EACH_MS;
    return true;
  }

  /** For whatever reason it was. */
  wrote(key: string, nowMs: number): void {
    this.#writtenMs.set(key, nowMs);
  }

  forget(key: string): void {
    this.#writtenMs.delete(key);
  }
}

/**
 * The queue behind every controller, with client-go's contract: a key that is added many times before it is taken is
 * processed once; a key that is added while it is processed is processed once more afterwards; no key is ever processed
 * by two workers at the same time; no added key is lost.
 */
import type { Clock, Timer } from "../clock.ts";
import type { Random } from "../random.ts";
import { backoffMs } from "./backoff.ts";

/** client-go's per-item limiter: 5 ms doubling up to 1,000 s. */
const BACKOFF = { baseMs: 5, maxMs: 1_000_000 } as const;

/** Fresh events overtake resyncs, so that a periodic pass over everything does not delay a reaction. */
export type Priority = "fresh" | "resync";

interface Delayed {
  readonly dueMs: number;
  readonly timer: Timer;
}

export class WorkQueue {
  readonly #clock: Clock;
  readonly #random: Random | undefined;
  readonly #maxBackoffMs: number;
  readonly #dirty = new Map<string, Priority>();
  readonly #processing = new Set<string>();
  readonly #ready: Record<Priority, Set<string>> = { fresh: new Set(), resync: new Set() };
  readonly #delayed = new Map<string, Delayed>();
  readonly #failures = new Map<string, number>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #closed = false;

  constructor(clock: Clock, options: { readonly random?: Random; readonly maxBackoffMs?: number } = {}) {
    this.#clock = clock;
    this.#random = options.random;
    this.#maxBackoffMs = options.maxBackoffMs ?? BACKOFF.maxMs;
  }

  /** Keys that wait to be taken, without the delayed ones. */
  get depth(): number {
    return this.#ready.fresh.size + this.#ready.resync.size;
  }

  /** Whether nothing is ready, processed or about to be taken; delayed keys do not count. */
  get isIdle(): boolean {
    return this.#dirty.size === 0 && this.#processing.size === 0;
  }

  add(key: string, priority: Priority = "fresh"): void {
    if (this.#closed) return;
    const known = this.#dirty.get(key);
    if (known === "fresh" || known === priority) return;
    this.#dirty.set(key, priority);
    if (this.#processing.has(key)) return;
    this.#ready.resync.delete(key);
    this.#ready[priority].add(key);
    this.#hand();
  }

  /** Adds after a delay. Of several delayed adds of one key the earliest counts; it does not cancel an immediate one. */
  addAfter(key: string, delayMs: number): void {
    if (this.#closed) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const dueMs = this.#clock.monotonicMs() + delayMs;
    const waiting = this.#delayed.get(key);
    if (waiting !== undefined) {
      if (waiting.dueMs <= dueMs) return;
      waiting.timer.cancel();
    }
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { dueMs, timer });
  }

  /** Adds after the key's own back-off: 5 ms × 2ⁿ for its n-th failure in a row. @returns the delay in milliseconds */
  addRateLimited(key: string): number {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const limits = { ...BACKOFF, maxMs: this.#maxBackoffMs };
    const delayMs = backoffMs(failures, this.#random === undefined ? limits : { ...limits, random: this.#random });
    this.addAfter(key, delayMs);
    return delayMs;
  }

  /** The key succeeded: its back-off starts anew. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** Resolves with the next key, or undefined once the queue is closed. Call `done(key)` when it is processed. */
  take(): Promise<string | undefined> {
    return new Promise((resolve) => {
      this.#takers.push(resolve);
      this.#hand();
    });
  }

  done(key: string): void {
    this.#processing.delete(key);
    const priority = this.#dirty.get(key);
    if (priority === undefined || this.#closed) return;
    this.#ready[priority].add(key);
    this.#hand();
  }

  /** Drops what waits and releases every worker. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#delayed.values()) timer.cancel();
    this.#delayed.clear();
    this.#dirty.clear();
    this.#ready.fresh.clear();
    this.#ready.resync.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  #hand(): void {
    if (this.#closed) {
      for (const taker of this.#takers.splice(0)) taker(undefined);
      return;
    }
    while (this.#takers.length > 0) {
      const key = first(this.#ready.fresh) ?? first(this.#ready.resync);
      if (key === undefined) return;
      this.#ready.fresh.delete(key);
      this.#ready.resync.delete(key);
      this.#dirty.delete(key);
      this.#processing.add(key);
      this.#takers.shift()?.(key);
    }
  }
}

function first(keys: ReadonlySet<string>): string | undefined {
  for (const key of keys) return key;
  return undefined;
}

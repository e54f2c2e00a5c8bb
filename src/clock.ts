/**
 * The Clock port: every wait and every reading of time in the product goes through it, so that the whole
 * system runs on wall, accelerated or virtual time without knowing which.
 */

/** A pending callback. `cancel` after the callback ran is harmless. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall time in milliseconds since the Unix epoch; may jump when the machine's clock is set. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start; never goes back. Durations and windows are measured with this one. */
  monotonicMs(): number;
  /** Runs `callback` once after `delayMs` of this clock's time (0 or less: as soon as possible). */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Resolves after `delayMs` of this clock's time; rejects with the signal's reason when it aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** Real time. */
export function wallClock(): Clock {
  return acceleratedClock({ speed: 1 });
}

export interface AcceleratedClockOptions {
  /** Seconds of this clock per real second, > 0. */
  readonly speed: number;
  /**
   * After how much real time `nowMs` reads the real time; default 0, now. Until then it is behind, so that what it stamps is not in the future for
   * a program that reads the real time, such as kubectl.
   */
  readonly catchesUpAfterMs?: number;
}

/** Longest delay a Node timer takes; longer ones are chained. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Real time made `speed` times faster: `setTimer(1000)` fires after `1000 / speed` real milliseconds. */
export function acceleratedClock({ speed, catchesUpAfterMs = 0 }: AcceleratedClockOptions): Clock {
  if (!(speed > 0 && Number.isFinite(speed))) throw new RangeError(`speed must be a positive number, got ${speed}`);
  const origin = performance.now();
  const startMs = Date.now() - catchesUpAfterMs * (speed - 1);
  const elapsedMs = (): number => (performance.now() - origin) * speed;
  const clock: Clock = {
    nowMs: () => (speed === 1 ? Date.now() : startMs + elapsedMs()),
    monotonicMs: elapsedMs,
    setTimer(delayMs, callback) {
      const dueMs = elapsedMs() + Math.max(0, delayMs);
      let handle: NodeJS.Timeout;
      const arm = (): void => {
        const realMs = Math.max(0, (dueMs - elapsedMs()) / speed);
        handle = setTimeout(() => (realMs > MAX_TIMER_MS ? arm() : callback()), Math.min(realMs, MAX_TIMER_MS));
      };
      arm();
      return { cancel: () => clearTimeout(handle) };
    },
    sleep: (delayMs, signal) => sleepOn(clock, delayMs, signal),
  };
  return clock;
}

interface VirtualTimer {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
  cancelled: boolean;
}

/**
 * Time that only moves when `advance` is called, and then jumps from one timer to the next.
 *
 * Between two timers all promise callbacks run to their end, so a system whose I/O is in memory is deterministic:
 * timers fire by due time, then by the order in which they were set.
 */
export class VirtualClock implements Clock {
  readonly #startMs: number;
  #elapsedMs = 0;
  #order = 0;
  readonly #heap: VirtualTimer[] = [];

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#startMs = startMs;
  }

  nowMs(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer: VirtualTimer = {
      dueMs: this.#elapsedMs + Math.max(0, delayMs),
      order: this.#order++,
      callback,
      cancelled: false,
    };
    push(this.#heap, timer);
    return {
      cancel: () => {
        timer.cancelled = true;
      },
    };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }

  /** Moves time forward by `durationMs`, firing every timer that falls due on the way. */
  async advance(durationMs: number): Promise<void> {
    await this.advanceUntil(() => false, durationMs);
  }

  /**
   * Moves time forward until `done()` holds, checked after every timer, or until `limitMs` has passed.
   * @returns whether `done()` held
   */
  async advanceUntil(done: () => boolean, limitMs: number): Promise<boolean> {
    const endMs = this.#elapsedMs + limitMs;
    await this.settle();
    while (!done()) {
      const next = this.#heap[0];
      if (next === undefined || next.dueMs > endMs) {
        this.#elapsedMs = endMs;
        return done();
      }
      pop(this.#heap);
      if (next.cancelled) continue;
      this.#elapsedMs = Math.max(this.#elapsedMs, next.dueMs);
      next.callback();
      await this.settle();
    }
    return true;
  }

  /** Lets every promise callback that is ready run, without moving time. */
  settle(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}

function sleepOn(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

const before = (a: VirtualTimer, b: VirtualTimer): boolean =>
  a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);

function push(heap: VirtualTimer[], timer: VirtualTimer): void {
  let index = heap.length;
  heap.push(timer);
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (!before(timer, heap[parent]!)) break;
    heap[index] = heap[parent]!;
    index = parent;
  }
  heap[index] = timer;
}

function pop(heap: VirtualTimer[]): void {
  const last = heap.pop()!;
  if (heap.length === 0) return;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, last)) break;
    heap[index] = heap[child]!;
    index = child;
  }
  heap[index] = last;
}

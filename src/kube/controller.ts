/** Runs a reconcile function over a work queue. */
import type { Clock } from "../clock.ts";
import { type Logger, silentLogger } from "../log.ts";
import type { Random } from "../random.ts";
import { isConflict } from "./api-error.ts";
import { noRuntimeMetrics, type RuntimeMetrics } from "./runtime-metrics.ts";
import { type Priority, WorkQueue } from "./work-queue.ts";

/**
 * What a reconcile asks for. Level-based: a reconcile gets a key, never an event, and reads the present state.
 *
 * - returns nothing: done; the next event brings the key back;
 * - returns `requeueAfterMs`: done for now, look again after that time;
 * - throws: try again after the key's exponential back-off. A conflict is a normal outcome and is not logged as an error.
 */
export interface ReconcileResult {
  readonly requeueAfterMs?: number;
}

export interface ControllerOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<ReconcileResult | undefined>;
  /** Reconciles that run at the same time, for different keys. */
  readonly workers?: number;
  /** A reconcile that takes longer is aborted and tried again. */
  readonly timeoutMs?: number;
  /** Longest wait before a reconcile that failed is tried again; default that of the work queue. */
  readonly maxBackoffMs?: number;
  readonly random?: Random;
  readonly log?: Logger;
  readonly metrics?: RuntimeMetrics;
}

export interface Controller {
  enqueue(key: string, priority?: Priority): void;
  enqueueAfter(key: string, delayMs: number): void;
  /** No key is ready or being reconciled; delayed keys do not count. */
  readonly isIdle: boolean;
}

/** Starts the workers at once; they stop when `signal` aborts. */
export function startController(options: ControllerOptions): Controller {
  const { clock, signal, workers = 1, metrics = noRuntimeMetrics, name, random, maxBackoffMs } = options;
  const queue = new WorkQueue(clock, {
    ...(random === undefined ? {} : { random }),
    ...(maxBackoffMs === undefined ? {} : { maxBackoffMs }),
  });
  signal.addEventListener("abort", () => queue.close(), { once: true });
  for (let i = 0; i < workers; i++) void work(queue, options);
  return {
    enqueue(key, priority) {
      queue.add(key, priority);
      metrics.queueDepth(name, queue.depth);
    },
    enqueueAfter: (key, delayMs) => queue.addAfter(key, delayMs),
    get isIdle() {
      return queue.isIdle;
    },
  };
}

async function work(queue: WorkQueue, options: ControllerOptions): Promise<void> {
  const { name, clock, signal, log = silentLogger, metrics = noRuntimeMetrics } = options;
  while (!signal.aborted) {
    const key = await queue.take();
    if (key === undefined) return;
    metrics.queueDepth(name, queue.depth);
    const startMs = clock.monotonicMs();
    const seconds = (): number => (clock.monotonicMs() - startMs) / 1000;
    metrics.started(name);
    try {
      const result = await withTimeout(key, options);
      queue.forget(key);
      if (result?.requeueAfterMs !== undefined) {
        queue.addAfter(key, result.requeueAfterMs);
        metrics.reconciled(name, "requeue_after", seconds());
      } else {
        metrics.reconciled(name, "success", seconds());
      }
    } catch (error) {
      if (signal.aborted) return;
      const retryMs = queue.addRateLimited(key);
      metrics.queueRetry(name);
      metrics.reconciled(name, isConflict(error) ? "requeue" : "error", seconds());
      const fields = { controller: name, key, error: describe(error), retryMs, failures: queue.failures(key) };
      if (isConflict(error)) log.debug(fields, "conflict, trying again from fresh state");
      else log.error(fields, "reconcile failed");
    } finally {
      metrics.ended(name);
      queue.done(key);
    }
  }
}

async function withTimeout(key: string, options: ControllerOptions): Promise<ReconcileResult | undefined> {
  const { clock, signal, timeoutMs = 120_000, reconcile } = options;
  const attempt = new AbortController();
  const stop = (): void => attempt.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  const timer = clock.setTimer(timeoutMs, () => attempt.abort(new Error(`reconcile took longer than ${timeoutMs} ms`)));
  try {
    const aborted = new Promise<never>((_, reject) => {
      attempt.signal.addEventListener("abort", () => reject(attempt.signal.reason), { once: true });
    });
    return await Promise.race([reconcile(key, attempt.signal), aborted]);
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", stop);
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** What became of every request, in compact columns, so that any objective can be judged afterwards. */
import { OUTCOME, type RequestColumns } from "./request-columns.ts";

export interface LatencyTargets {
  readonly ttftMs: number;
  /** Mean time between the output tokens of one request. */
  readonly itlMs: number;
}

export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
}

export interface TrafficSummary {
  readonly arrived: number;
  readonly completed: number;
  readonly failed: number;
  readonly inFlight: number;
  /** Attempts beyond the first. */
  readonly retried: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Of completed requests; NaN when there are none. */
  readonly ttftMs: Percentiles;
  readonly itlMs: Percentiles;
  /**
   * Share of all arrived requests that completed within both targets, in [0, 1]; failed and unfinished ones count as
   * missed. NaN before the first arrival.
   */
  readonly sloAttainmentRatio: number;
}

const FIRST_CAPACITY = 1_024;

export class RequestLog {
  #capacity = FIRST_CAPACITY;
  #arrivedMs = new Float64Array(FIRST_CAPACITY);
  #ttftMs = new Float32Array(FIRST_CAPACITY);
  #itlMs = new Float32Array(FIRST_CAPACITY);
  #inputTokens = new Uint32Array(FIRST_CAPACITY);
  #outputTokens = new Uint32Array(FIRST_CAPACITY);
  #outcome = new Uint8Array(FIRST_CAPACITY);
  #arrived = 0;
  #completed = 0;
  #failed = 0;
  retried = 0;

  /** @returns the row of the request: 0, 1, 2, ... */
  arrive(request: { readonly arrivedMs: number; readonly inputTokens: number; readonly outputTokens: number }): number {
    if (this.#arrived === this.#capacity) this.#grow();
    const row = this.#arrived++;
    this.#arrivedMs[row] = request.arrivedMs;
    this.#inputTokens[row] = request.inputTokens;
    this.#outputTokens[row] = request.outputTokens;
    this.#ttftMs[row] = Number.NaN;
    this.#itlMs[row] = Number.NaN;
    return row;
  }

  /** @param ttftMs since the arrival */
  firstToken(row: number, ttftMs: number): void {
    this.#ttftMs[row] = ttftMs;
  }

  complete(row: number, { itlMs, outputTokens }: { readonly itlMs: number; readonly outputTokens: number }): void {
    this.#itlMs[row] = itlMs;
    this.#outputTokens[row] = outputTokens;
    this.#outcome[row] = OUTCOME.completed;
    this.#completed++;
  }

  fail(row: number): void {
    this.#outcome[row] = OUTCOME.failed;
    this.#failed++;
  }

  /** Views, not copies: they show what happens later too, until the log has to grow. */
  columns(): RequestColumns {
    const count = this.#arrived;
    return {
      count,
      arrivedMs: this.#arrivedMs.subarray(0, count),
      ttftMs: this.#ttftMs.subarray(0, count),
      itlMs: this.#itlMs.subarray(0, count),
      inputTokens: this.#inputTokens.subarray(0, count),
      outputTokens: this.#outputTokens.subarray(0, count),
      outcome: this.#outcome.subarray(0, count),
    };
  }

  summary(targets: LatencyTargets): TrafficSummary {
    const completed = { ttftMs: new Float32Array(this.#completed), itlMs: new Float32Array(this.#completed) };
    let [next, met, inputTokens, outputTokens] = [0, 0, 0, 0];
    for (let row = 0; row < this.#arrived; row++) {
      if (this.#outcome[row] !== OUTCOME.completed) continue;
      const ttftMs = this.#ttftMs[row] as number;
      const itlMs = this.#itlMs[row] as number;
      completed.ttftMs[next] = ttftMs;
      completed.itlMs[next++] = itlMs;
      inputTokens += this.#inputTokens[row] as number;
      outputTokens += this.#outputTokens[row] as number;
      if (ttftMs <= targets.ttftMs && itlMs <= targets.itlMs) met++;
    }
    return {
      arrived: this.#arrived,
      completed: this.#completed,
      failed: this.#failed,
      inFlight: this.#arrived - this.#completed - this.#failed,
      retried: this.retried,
      inputTokens,
      outputTokens,
      ttftMs: percentiles(completed.ttftMs),
      itlMs: percentiles(completed.itlMs),
      sloAttainmentRatio: met / this.#arrived,
    };
  }

  #grow(): void {
    this.#capacity *= 2;
    this.#arrivedMs = copied(this.#arrivedMs, new Float64Array(this.#capacity));
    this.#ttftMs = copied(this.#ttftMs, new Float32Array(this.#capacity));
    this.#itlMs = copied(this.#itlMs, new Float32Array(this.#capacity));
    this.#inputTokens = copied(this.#inputTokens, new Uint32Array(this.#capacity));
    this.#outputTokens = copied(this.#outputTokens, new Uint32Array(this.#capacity));
    this.#outcome = copied(this.#outcome, new Uint8Array(this.#capacity));
  }
}

function copied<T extends { set(from: T): void }>(from: T, into: T): T {
  into.set(from);
  return into;
}

/** Nearest rank. */
function percentiles(values: Float32Array): Percentiles {
  const sorted = values.sort();
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) };
}

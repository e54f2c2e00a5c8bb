/** What became of every request, in compact columns, so that any objective can be judged afterwards. */

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

export class RequestLog {
  #ttftMs = new Float32Array(1024);
  #itlMs = new Float32Array(1024);
  #completed = 0;
  arrived = 0;
  failed = 0;
  retried = 0;
  #inputTokens = 0;
  #outputTokens = 0;

  get completed(): number {
    return this.#completed;
  }

  complete(request: { ttftMs: number; itlMs: number; inputTokens: number; outputTokens: number }): void {
    if (this.#completed === this.#ttftMs.length) {
      this.#ttftMs = doubled(this.#ttftMs);
      this.#itlMs = doubled(this.#itlMs);
    }
    this.#ttftMs[this.#completed] = request.ttftMs;
    this.#itlMs[this.#completed] = request.itlMs;
    this.#completed++;
    this.#inputTokens += request.inputTokens;
    this.#outputTokens += request.outputTokens;
  }

  summary(targets: LatencyTargets): TrafficSummary {
    const ttftMs = this.#ttftMs.subarray(0, this.#completed);
    const itlMs = this.#itlMs.subarray(0, this.#completed);
    let met = 0;
    for (let i = 0; i < this.#completed; i++) {
      if ((ttftMs[i] as number) <= targets.ttftMs && (itlMs[i] as number) <= targets.itlMs) met++;
    }
    return {
      arrived: this.arrived,
      completed: this.#completed,
      failed: this.failed,
      inFlight: this.arrived - this.#completed - this.failed,
      retried: this.retried,
      inputTokens: this.#inputTokens,
      outputTokens: this.#outputTokens,
      ttftMs: percentiles(ttftMs),
      itlMs: percentiles(itlMs),
      sloAttainmentRatio: met / this.arrived,
    };
  }
}

function doubled(values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const larger = new Float32Array(values.length * 2);
  larger.set(values);
  return larger;
}

/** Nearest rank. */
function percentiles(values: Float32Array): Percentiles {
  const sorted = values.slice().sort();
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) };
}

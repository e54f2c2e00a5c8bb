/** One frontend pod: takes requests at a limited rate, hands them to engines, and measures what the client sees. */
import { Fifo } from "./fifo.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import type { Attempt } from "./request.ts";

/** Dynamo's bucket edges; times in seconds, lengths in tokens. */
const TTFT_BOUNDS = [0.0022, 0.0047, 0.01, 0.022, 0.047, 0.1, 0.22, 0.47, 1, 2.2, 4.7, 10, 22, 47, 100, 220, 480];
const ITL_BOUNDS = [0.0019, 0.0035, 0.0067, 0.013, 0.024, 0.045, 0.084, 0.16, 0.3, 0.56, 1.1, 2];
const DURATION_BOUNDS = [1, 1.9, 3.4, 6.3, 12, 22, 40, 75, 140, 260];
const LENGTH_BOUNDS = [50, 100, 220, 470, 1_000, 2_200, 4_700, 10_000, 22_000, 46_000, 100_000];

type Outcome =
  | { readonly success: false }
  | { readonly success: true; readonly durationMs: number; readonly itlMs: number };

export class Frontend {
  readonly key: string;
  readonly serviceMs: number;
  readonly timeToFirstToken = new LatencyHistogram(TTFT_BOUNDS);
  readonly interTokenLatency = new LatencyHistogram(ITL_BOUNDS);
  readonly requestDuration = new LatencyHistogram(DURATION_BOUNDS);
  readonly inputTokens = new LatencyHistogram(LENGTH_BOUNDS);
  readonly outputTokens = new LatencyHistogram(LENGTH_BOUNDS);
  startedRequests = 0;
  succeededRequests = 0;
  failedRequests = 0;
  awaitingFirstToken = 0;
  draining = false;
  /** Everything that came through here and has not ended. */
  readonly inFlight = new Set<Attempt>();
  /** Routed nowhere yet: no engine is ready. */
  readonly unrouted = new Fifo<Attempt>();
  #freeAtMs = 0;

  constructor(key: string, requestsPerSecond: number) {
    this.key = key;
    this.serviceMs = 1000 / requestsPerSecond;
  }

  /** When this frontend would be done with one more request. */
  readyAtMs(nowMs: number): number {
    return Math.max(nowMs, this.#freeAtMs) + this.serviceMs;
  }

  /** @returns when the request leaves for an engine */
  accept(attempt: Attempt, nowMs: number): number {
    this.#freeAtMs = this.readyAtMs(nowMs);
    this.startedRequests++;
    this.awaitingFirstToken++;
    this.inFlight.add(attempt);
    return this.#freeAtMs;
  }

  firstToken(attempt: Attempt, nowMs: number): void {
    this.awaitingFirstToken--;
    this.timeToFirstToken.observe((nowMs - attempt.request.arrivedMs) / 1000);
    this.inputTokens.observe(attempt.request.inputTokens);
  }

  end(attempt: Attempt, outcome: Outcome): void {
    if (!this.inFlight.delete(attempt)) return;
    if (attempt.firstTokenMs === undefined) this.awaitingFirstToken--;
    if (!outcome.success) {
      this.failedRequests++;
      return;
    }
    this.succeededRequests++;
    this.requestDuration.observe(outcome.durationMs / 1000);
    this.outputTokens.observe(attempt.generatedTokens);
    if (attempt.generatedTokens > 1) {
      this.interTokenLatency.observe(outcome.itlMs / 1000, attempt.generatedTokens - 1);
    }
  }
}

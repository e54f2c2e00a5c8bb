/**
 * A metrics server that does not answer is left alone for a while: waiting for it would cost every decision its time-out, and asking would keep it down.
 *
 * After some failures in a row the circuit is open and questions are refused at once. When the pause is over one question is let through (half open);
 * its answer closes the circuit, its failure doubles the pause. An answer that says no is an answer: only what did not answer counts.
 */
import type { Clock } from "../clock.ts";
import { MetricsError, type MetricsSource } from "./metrics-source.ts";

export interface CircuitBreakerOptions {
  readonly source: MetricsSource;
  readonly clock: Clock;
  /** Failures in a row that open the circuit. */
  readonly maxFailures?: number;
  readonly firstPauseMs?: number;
  readonly maxPauseMs?: number;
  /** In [0, 1): shortens each pause by up to a quarter, so that replicas do not come back together. Absent: no jitter. */
  readonly random?: () => number;
}

export type CircuitState = "closed" | "open" | "half-open";

export interface CircuitBreaker extends MetricsSource {
  readonly state: CircuitState;
}

const MAX_FAILURES = 5;
const FIRST_PAUSE_MS = 5_000;
/** A minute: four decisions at the default interval. */
const MAX_PAUSE_MS = 60_000;
const JITTER_RATIO = 0.25;

export function breakCircuit({
  source,
  clock,
  maxFailures = MAX_FAILURES,
  firstPauseMs = FIRST_PAUSE_MS,
  maxPauseMs = MAX_PAUSE_MS,
  random = () => 0,
}: CircuitBreakerOptions): CircuitBreaker {
  let failures = 0;
  let pauses = 0;
  /** Absent while the circuit is closed. */
  let openUntilMs: number | undefined;
  let isProbing = false;
  let lastMessage = "";

  function state(): CircuitState {
    if (openUntilMs === undefined) return "closed";
    return isProbing || clock.monotonicMs() >= openUntilMs ? "half-open" : "open";
  }

  async function through<T>(ask: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const wasProbe = openUntilMs !== undefined;
    if (openUntilMs !== undefined) {
      if (isProbing || clock.monotonicMs() < openUntilMs) throw refusal(openUntilMs);
      isProbing = true;
    }
    try {
      const answer = await ask();
      answered();
      return answer;
    } catch (error) {
      if (signal?.aborted !== true) {
        if (error instanceof MetricsError && error.kind === "Unreachable") failed(error, wasProbe);
        else answered();
      }
      throw error;
    } finally {
      if (wasProbe) isProbing = false;
    }
  }

  function answered(): void {
    failures = 0;
    pauses = 0;
    openUntilMs = undefined;
  }

  function failed({ message }: MetricsError, wasProbe: boolean): void {
    failures++;
    lastMessage = message;
    // Questions that were under way when the circuit opened say nothing new.
    if (openUntilMs !== undefined ? !wasProbe : failures < maxFailures) return;
    const pauseMs = Math.min(maxPauseMs, firstPauseMs * 2 ** pauses) * (1 - JITTER_RATIO * random());
    pauses = Math.min(pauses + 1, 30);
    openUntilMs = clock.monotonicMs() + pauseMs;
  }

  function refusal(untilMs: number): MetricsError {
    const seconds = Math.max(0, Math.ceil((untilMs - clock.monotonicMs()) / 1000));
    const next = isProbing ? "one question is under way to find out" : `next try in ${seconds} s`;
    return new MetricsError(
      "Unreachable",
      `not asked after ${failures} failures in a row, ${next}; the last was: ${lastMessage}`,
    );
  }

  return {
    get state() {
      return state();
    },
    query: (promql, options) => through(() => source.query(promql, options), options?.signal),
    queryRange: (promql, range) => through(() => source.queryRange(promql, range), range.signal),
  };
}

/** Quantiles of what was measured. Requests without a measurement are counted beside them: a system that drops its slowest looks fast. */
import { quantileSorted } from "simple-statistics";
import type { RequestColumns } from "../record.ts";
import { isInside, type Window } from "./window.ts";

export interface LatencyQuantiles {
  readonly p50Ms: number | undefined;
  readonly p90Ms: number | undefined;
  readonly p99Ms: number | undefined;
  /** Requests of the window that have no such latency. */
  readonly unmeasuredRequests: number;
}

export function ttftQuantiles(requests: RequestColumns, window: Window): LatencyQuantiles {
  return quantiles(requests, window, (row) => requests.ttftMs[row]!);
}

/** An answer of one token has no time between tokens: it is neither measured nor missing. */
export function itlQuantiles(requests: RequestColumns, window: Window): LatencyQuantiles {
  return quantiles(requests, window, (row) => (requests.outputTokens[row]! <= 1 ? undefined : requests.itlMs[row]!));
}

function quantiles(
  requests: RequestColumns,
  window: Window,
  latencyMs: (row: number) => number | undefined,
): LatencyQuantiles {
  // Typed arrays sort numbers as numbers, and fast.
  const measured = new Float64Array(requests.count);
  let measuredRequests = 0;
  let unmeasuredRequests = 0;
  for (let row = 0; row < requests.count; row++) {
    if (!isInside(requests.arrivedMs[row]!, window)) continue;
    const ms = latencyMs(row);
    if (ms === undefined) continue;
    if (Number.isNaN(ms)) unmeasuredRequests++;
    else measured[measuredRequests++] = ms;
  }
  const sorted = measured.subarray(0, measuredRequests).sort();
  return {
    p50Ms: quantileOfSorted(sorted, 0.5),
    p90Ms: quantileOfSorted(sorted, 0.9),
    p99Ms: quantileOfSorted(sorted, 0.99),
    unmeasuredRequests,
  };
}

/** @returns undefined for no values */
export function quantileOfSorted(sorted: Float64Array, quantile: number): number | undefined {
  // It only indexes.
  return sorted.length === 0 ? undefined : quantileSorted(sorted as unknown as number[], quantile);
}

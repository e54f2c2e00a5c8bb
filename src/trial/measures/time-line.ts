/** A trial as lines over time, short enough to be drawn. */
import type { TrialRecord } from "../record.ts";
import { quantileOfSorted } from "./latency.ts";
import { clippedMs } from "./window.ts";

/** One value a bucket. */
export interface TimeLine {
  /** Milliseconds since the start of the window; bucket `i` begins `i` times this later. */
  readonly bucketMs: number;
  /** Arrivals per second. */
  readonly offeredPerSecond: readonly number[];
  /** Of the requests that arrive in the bucket and were measured; null: none was. */
  readonly ttftP90Ms: readonly (number | null)[];
  readonly itlP90Ms: readonly (number | null)[];
  /** Mean over the bucket. */
  readonly allocatedGpus: readonly number[];
  /** At the start of the bucket; null: not known yet. */
  readonly targets: readonly {
    readonly name: string;
    readonly role: string;
    readonly spec: readonly (number | null)[];
    readonly ready: readonly (number | null)[];
  }[];
}

/** Enough for a line as wide as a page. */
const MAX_BUCKETS = 240;
/** Less than a scrape holds nothing that anybody saw. */
const STEP_MS = 15_000;

export function timeLine(record: TrialRecord, maxBuckets = MAX_BUCKETS): TimeLine {
  const { window, requests, counts, lives, targets } = record;
  const lengthMs = window.endMs - window.startMs;
  const bucketMs = Math.max(1, Math.ceil(lengthMs / maxBuckets / STEP_MS)) * STEP_MS;
  const buckets = Array.from({ length: Math.ceil(lengthMs / bucketMs) }, (_, index) => {
    const startMs = window.startMs + index * bucketMs;
    return {
      startMs,
      endMs: Math.min(startMs + bucketMs, window.endMs),
      ttft: [] as number[],
      itl: [] as number[],
      arrived: 0,
    };
  });
  for (let row = 0; row < requests.count; row++) {
    const bucket = buckets[Math.floor((requests.arrivedMs[row]! - window.startMs) / bucketMs)];
    if (bucket === undefined || requests.arrivedMs[row]! >= window.endMs) continue;
    bucket.arrived++;
    const ttftMs = requests.ttftMs[row]!;
    const itlMs = requests.itlMs[row]!;
    if (!Number.isNaN(ttftMs)) bucket.ttft.push(ttftMs);
    if (!Number.isNaN(itlMs) && requests.outputTokens[row]! > 1) bucket.itl.push(itlMs);
  }
  const p90 = (latencies: readonly number[]): number | null => {
    const value = quantileOfSorted(Float64Array.from(latencies).sort(), 0.9);
    return value === undefined ? null : rounded(value);
  };
  const held = buckets.map(({ startMs }) => counts.findLast(({ atMs }) => atMs <= startMs));
  return {
    bucketMs,
    offeredPerSecond: buckets.map(({ arrived, startMs, endMs }) => rounded(arrived / ((endMs - startMs) / 1000))),
    ttftP90Ms: buckets.map(({ ttft }) => p90(ttft)),
    itlP90Ms: buckets.map(({ itl }) => p90(itl)),
    allocatedGpus: buckets.map((bucket) =>
      rounded(
        lives.reduce((sum, { gpus, placedMs, goneMs }) => sum + gpus * clippedMs(placedMs, goneMs, bucket), 0) /
          (bucket.endMs - bucket.startMs),
      ),
    ),
    targets: targets.map(({ name, role }, target) => ({
      name,
      role,
      spec: held.map((sample) => sample?.spec[target] ?? null),
      ready: held.map((sample) => sample?.ready[target] ?? null),
    })),
  };
}

/** Lines are looked at: a thousandth is too thin to be seen, and sixteen digits of each point make a large page. */
const rounded = (value: number): number => Number(value.toPrecision(4));

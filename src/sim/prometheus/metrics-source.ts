/** The MetricsSource port by direct calls: what a simulation uses instead of HTTP. */
import type { Clock } from "../../clock.ts";
import { MetricsError, type MetricsSource, type Sample } from "../../observe/metrics-source.ts";
import { PromqlError } from "../../observe/promql-ast.ts";
import type { PromqlEngine } from "./promql-engine.ts";
import { ExecutionError, type Value } from "./vector.ts";

export function createMetricsSource(engine: PromqlEngine, clock: Clock): MetricsSource {
  return {
    query: (promql, { timeSeconds = clock.nowMs() / 1000 } = {}) =>
      settled(() => samplesOf(engine.query(promql, Math.round(timeSeconds * 1000)), timeSeconds)),
    queryRange: (promql, { startSeconds, endSeconds, stepSeconds }) =>
      settled(() =>
        engine
          .queryRange(promql, {
            startMs: Math.round(startSeconds * 1000),
            endMs: Math.round(endSeconds * 1000),
            stepMs: Math.round(stepSeconds * 1000),
          })
          .map(({ labels, points }) => ({
            labels: labels.record,
            points: points.map(([timeMs, value]) => [timeMs / 1000, value] as const),
          })),
      ),
  };
}

function samplesOf(value: Value, timestampSeconds: number): Sample[] {
  switch (value.kind) {
    case "scalar":
      return [{ labels: {}, timestampSeconds, value: value.value }];
    case "vector":
      return value.elements.map(({ labels, value: number }) => ({
        labels: labels.record,
        timestampSeconds,
        value: number,
      }));
    case "string":
    case "matrix":
      throw new MetricsError("QueryInvalid", `the query gives a ${value.kind}, not an instant vector`);
  }
}

async function settled<T>(compute: () => T): Promise<T> {
  try {
    return compute();
  } catch (error) {
    if (error instanceof PromqlError) throw new MetricsError("QueryInvalid", error.message);
    if (error instanceof ExecutionError) {
      const kinds = { "bad-data": "QueryInvalid", "too-large": "TooLarge", execution: "Failed" } as const;
      // As the status 422 of a real server: this question fails, and another one need not.
      throw new MetricsError(kinds[error.kind], error.message, true);
    }
    throw error;
  }
}

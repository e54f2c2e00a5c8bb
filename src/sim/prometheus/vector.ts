/** Values that PromQL expressions evaluate to at one instant. */
import type { LabelSet } from "./labels.ts";

export interface Element {
  readonly labels: LabelSet;
  readonly value: number;
  /** Time of the underlying sample, in ms: only elements straight from a selector have one. */
  readonly timeMs?: number;
}

export interface RangeSeries {
  readonly labels: LabelSet;
  readonly times: readonly number[];
  readonly values: readonly number[];
}

export type Value =
  | { readonly kind: "scalar"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "vector"; readonly elements: readonly Element[] }
  | {
      readonly kind: "matrix";
      readonly series: readonly RangeSeries[];
      readonly rangeStartMs: number;
      readonly rangeEndMs: number;
    };

/** A query that parses but cannot be executed: errorType "execution" of the HTTP API. */
export class ExecutionError extends Error {
  readonly kind: "execution" | "bad-data" | "too-large";
  constructor(message: string, kind: ExecutionError["kind"] = "execution") {
    super(message);
    this.name = "ExecutionError";
    this.kind = kind;
  }
}

/** Dropping labels can make two elements equal; Prometheus refuses such a result. @throws ExecutionError */
export function assertDistinct(all: readonly LabelSet[]): void {
  const seen = new Set<string>();
  for (const { key } of all) {
    if (seen.has(key)) throw new ExecutionError("vector cannot contain metrics with the same labelset");
    seen.add(key);
  }
}

/** PromQL text in, samples or series out: instant and range queries over a store. */
import type { Expr } from "../../observe/promql-ast.ts";
import { parseExpression, typeOf } from "../../observe/promql-parse.ts";
import { remember } from "../remember.ts";
import { Evaluation, type EvaluationOptions } from "./evaluate.ts";
import { type LabelSet, NO_LABELS } from "./labels.ts";
import { ExecutionError, type Value } from "./vector.ts";

export type EngineOptions = Omit<EvaluationOptions, "startMs" | "endMs">;

export interface QueryRange {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

export interface ResultSeries {
  readonly labels: LabelSet;
  /** `[ms, value]`, by time. */
  readonly points: readonly (readonly [number, number])[];
}

export interface PromqlEngine {
  /** @throws PromqlError, ExecutionError */
  query(promql: string, timeMs: number): Value;
  /** @throws PromqlError, ExecutionError */
  queryRange(promql: string, range: QueryRange): readonly ResultSeries[];
}

/** Bound of the cache of parsed queries: policies repeat a few hundred texts for ever. */
const MAX_PARSED = 1_000;

export function createPromqlEngine(options: EngineOptions): PromqlEngine {
  const parsed = new Map<string, Expr>();
  const parse = (promql: string): Expr => {
    if (parsed.size >= MAX_PARSED) parsed.clear();
    return remember(parsed, promql, parseExpression);
  };
  return {
    query: (promql, timeMs) => new Evaluation({ ...options, startMs: timeMs, endMs: timeMs }).at(parse(promql), timeMs),

    queryRange(promql, { startMs, endMs, stepMs }) {
      const expr = parse(promql);
      const type = typeOf(expr);
      if (type !== "scalar" && type !== "vector") {
        throw new ExecutionError(
          `invalid expression type "${type}" for range query, must be Scalar or instant Vector`,
          "bad-data",
        );
      }
      const evaluation = new Evaluation({ ...options, startMs, endMs });
      const found = new Map<string, { labels: LabelSet; points: [number, number][] }>();
      for (let timeMs = startMs; timeMs <= endMs; timeMs += stepMs) {
        const value = evaluation.at(expr, timeMs);
        const elements =
          value.kind === "scalar"
            ? [{ labels: NO_LABELS, value: value.value }]
            : value.kind === "vector"
              ? value.elements
              : [];
        for (const { labels, value: number } of elements) {
          remember(found, labels.key, () => ({ labels, points: [] })).points.push([timeMs, number]);
        }
      }
      return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, series]) => series);
    },
  };
}

/** Evaluates a PromQL tree at one instant against a store. One `Evaluation` serves all the steps of one query. */
import type { Expr, LabelMatcher, Selector, TimeShift } from "../../observe/promql-ast.ts";
import { remember } from "../remember.ts";
import { aggregate, type Grouping, groupBy, grouper } from "./aggregate.ts";
import { scalarOperation, setOperation, vectorWithScalar, vectorWithVector } from "./binary.ts";
import { type Histogram, histogramQuantile, histogramsOf } from "./histogram-quantile.ts";
import { type LabelSet, labelSet, METRIC_NAME } from "./labels.ts";
import { PerLabels } from "./per-labels.ts";
import {
  type Change,
  type ChangeFunction,
  extrapolated,
  isChangeFunction,
  RANGE_FUNCTIONS,
} from "./range-functions.ts";
import type { SeriesStore, StoredSeries } from "./series-store.ts";
import { assertDistinct, type Element, ExecutionError, type RangeSeries, type Value } from "./vector.ts";
import { elementsOf, scalarOf, VECTOR_FUNCTIONS } from "./vector-functions.ts";

export interface EvaluationOptions {
  readonly store: SeriesStore;
  /** First and last instant of the query: what `@ start()` and `@ end()` mean. */
  readonly startMs: number;
  readonly endMs: number;
  /** How old a sample may be for an instant selector. */
  readonly lookbackMs: number;
  /** Step of subqueries that name none: the global evaluation interval. */
  readonly defaultStepMs: number;
  /** Prometheus 3 leaves out samples exactly at the old end of a range or of the lookback; 2 takes them. */
  readonly dialect: 2 | 3;
  /** Samples one query may read. */
  readonly maxSamples: number;
}

export class Evaluation {
  readonly #options: EvaluationOptions;
  readonly #selected = new Map<Selector, readonly StoredSeries[]>();
  #samplesRead = 0;

  constructor(options: EvaluationOptions) {
    this.#options = options;
  }

  /** @throws ExecutionError */
  at(expr: Expr, timeMs: number): Value {
    switch (expr.kind) {
      case "number":
        return { kind: "scalar", value: expr.value };
      case "string":
        return { kind: "string", value: expr.value };
      case "paren":
        return this.at(expr.expr, timeMs);
      case "vector":
        return { kind: "vector", elements: this.#instant(expr.selector, timeMs) };
      case "matrix":
        return this.#range(expr.selector, expr.rangeMs, timeMs);
      case "subquery":
        return this.#subquery(expr, timeMs);
      case "negate":
        return this.#negate(expr, this.at(expr.expr, timeMs));
      case "aggregate":
        return this.#aggregate(expr, timeMs);
      case "binary":
        return this.#binary(expr, timeMs);
      case "call":
        return this.#call(expr, timeMs);
    }
  }

  #instant(selector: Selector, timeMs: number): Element[] {
    const at = this.#shift(selector, timeMs);
    const { lookbackMs, dialect } = this.#options;
    const elements: Element[] = [];
    for (const { labels, samples } of this.#select(selector)) {
      const index = samples.firstAtOrAfter(at + 1) - 1;
      if (index < 0 || samples.isStale(index)) continue;
      const sampleMs = samples.timeAt(index);
      if (sampleMs < at - lookbackMs || (dialect === 3 && sampleMs === at - lookbackMs)) continue;
      elements.push({ labels, value: samples.valueAt(index), timeMs: sampleMs });
    }
    this.#count(elements.length);
    return elements;
  }

  #range(selector: Selector, rangeMs: number, timeMs: number): Value {
    const rangeEndMs = this.#shift(selector, timeMs);
    const rangeStartMs = rangeEndMs - rangeMs;
    const from = this.#options.dialect === 3 ? rangeStartMs + 1 : rangeStartMs;
    const series: RangeSeries[] = [];
    for (const { labels, samples } of this.#select(selector)) {
      const times: number[] = [];
      const values: number[] = [];
      for (let i = samples.firstAtOrAfter(from); i < samples.length; i++) {
        const sampleMs = samples.timeAt(i);
        if (sampleMs > rangeEndMs) break;
        if (samples.isStale(i)) continue;
        times.push(sampleMs);
        values.push(samples.valueAt(i));
      }
      if (times.length > 0) series.push({ labels, times, values });
      this.#count(times.length);
    }
    return { kind: "matrix", series, rangeStartMs, rangeEndMs };
  }

  /** The steps of a subquery lie on multiples of its step, whatever the time of the query. */
  #subquery(expr: Expr & { kind: "subquery" }, timeMs: number): Value {
    const rangeEndMs = this.#shift(expr.shift, timeMs);
    const rangeStartMs = rangeEndMs - expr.rangeMs;
    const stepMs = expr.stepMs ?? this.#options.defaultStepMs;
    let first = stepMs * Math.trunc(rangeStartMs / stepMs);
    if (first < rangeStartMs || (this.#options.dialect === 3 && first === rangeStartMs)) first += stepMs;
    const collected = new Map<string, { labels: LabelSet; times: number[]; values: number[] }>();
    for (let stepAt = first; stepAt <= rangeEndMs; stepAt += stepMs) {
      for (const { labels, value } of elementsOf(this.at(expr.expr, stepAt))) {
        const key = labels.key;
        const series = remember(collected, key, () => ({ labels, times: [], values: [] }));
        series.times.push(stepAt);
        series.values.push(value);
      }
    }
    return { kind: "matrix", series: [...collected.values()], rangeStartMs, rangeEndMs };
  }

  #negate(expr: Expr, value: Value): Value {
    if (value.kind === "scalar") return { kind: "scalar", value: -value.value };
    const elements = elementsOf(value).map((element) => ({ labels: element.labels.nameless, value: -element.value }));
    return distinctVector(expr, elements);
  }

  #aggregate(expr: Expr & { kind: "aggregate" }, timeMs: number): Value {
    const { op, grouping, without } = expr;
    const parameter = expr.param === undefined ? undefined : this.at(expr.param, timeMs);
    const aggregation = {
      op,
      grouping,
      without,
      ...(parameter?.kind === "scalar" ? { scalar: parameter.value } : {}),
      ...(parameter?.kind === "string" ? { text: parameter.value } : {}),
    };
    const known = remember(groupings, expr, groupingsOf);
    const elements = elementsOf(this.at(expr.expr, timeMs));
    return { kind: "vector", elements: aggregate(elements, aggregation, (of) => known.of(of)) };
  }

  #binary(expr: Expr & { kind: "binary" }, timeMs: number): Value {
    const { op, left, right, returnBool, matching } = expr;
    const a = this.at(left, timeMs);
    const b = this.at(right, timeMs);
    if (a.kind === "scalar" && b.kind === "scalar") {
      return { kind: "scalar", value: scalarOperation(op, a.value, b.value) };
    }
    let elements: readonly Element[];
    if (op === "and" || op === "or" || op === "unless") {
      elements = setOperation(op, elementsOf(a), elementsOf(b), matching);
    } else if (a.kind === "scalar") {
      elements = vectorWithScalar(op, elementsOf(b), a.value, { scalarIsLeft: true, returnBool });
    } else if (b.kind === "scalar") {
      elements = vectorWithScalar(op, elementsOf(a), b.value, { scalarIsLeft: false, returnBool });
    } else elements = vectorWithVector(op, elementsOf(a), elementsOf(b), matching, returnBool);
    return distinctVector(expr, elements);
  }

  #call(expr: Expr & { kind: "call" }, timeMs: number): Value {
    const { name, args } = expr;
    if (name === "time") return { kind: "scalar", value: timeMs / 1000 };
    if (name === "pi") return { kind: "scalar", value: Math.PI };
    if (isChangeFunction(name) && args[0]?.kind === "matrix") return this.#change(expr, name, args[0], timeMs);
    const values = args.map((arg) => this.at(arg, timeMs));
    if (name === "scalar") {
      const elements = elementsOf(values[0]);
      return { kind: "scalar", value: elements.length === 1 ? (elements[0] as Element).value : Number.NaN };
    }
    if (name === "absent" || name === "absent_over_time") {
      const [input] = values;
      const empty = input?.kind === "matrix" ? input.series.length === 0 : elementsOf(input).length === 0;
      return { kind: "vector", elements: empty ? [{ labels: absentLabels(args[0]), value: 1 }] : [] };
    }
    if (name === "timestamp" && withoutParens(args[0])?.kind !== "vector") {
      // Only a selector's elements carry the time of their sample; any other vector has the time of the evaluation.
      const elements = elementsOf(values[0]).map(({ labels, value }) => ({ labels, value }));
      values[0] = { kind: "vector", elements };
    }
    if (name === "histogram_quantile") {
      const elements = elementsOf(values[1]);
      const known = remember(histograms, expr, () => new PerLabels(histogramsOf));
      return { kind: "vector", elements: histogramQuantile(scalarOf(values[0]), elements, known.of(elements)) };
    }
    const overVector = VECTOR_FUNCTIONS[name];
    if (overVector !== undefined) return distinctVector(expr, overVector(values, { evaluationMs: timeMs }));
    return this.#rangeCall(expr, values, timeMs);
  }

  /** What most queries are about, without a copy of the samples. */
  #change(expr: Expr, name: ChangeFunction, { selector, rangeMs }: Expr & { kind: "matrix" }, timeMs: number): Value {
    const { dialect } = this.#options;
    const rangeEndMs = this.#shift(selector, timeMs);
    const rangeStartMs = rangeEndMs - rangeMs;
    const range = { rangeStartMs, rangeEndMs, dialect };
    const from = dialect === 3 ? rangeStartMs + 1 : rangeStartMs;
    const elements: Element[] = [];
    const change: Change = { samples: 0, firstMs: 0, lastMs: 0, firstValue: 0, change: 0 };
    for (const { labels, samples } of this.#select(selector)) {
      samples.changeBetween(from, rangeEndMs, name !== "delta", change);
      this.#count(change.samples);
      const value = extrapolated(change, range, name);
      if (value !== undefined) elements.push({ labels: labels.nameless, value });
    }
    return distinctVector(expr, elements);
  }

  #rangeCall(expr: Expr & { kind: "call" }, values: readonly Value[], timeMs: number): Value {
    const { name } = expr;
    const compute = RANGE_FUNCTIONS[name];
    const matrix = values.find((value) => value.kind === "matrix");
    if (compute === undefined || matrix === undefined) {
      throw new ExecutionError(`function ${name}() is not supported`, "bad-data");
    }
    const parameters = values.filter((value) => value.kind === "scalar").map(scalarOf);
    const { rangeStartMs, rangeEndMs } = matrix;
    const { dialect } = this.#options;
    const keepsName = name === "last_over_time" || name === "first_over_time";
    const elements: Element[] = [];
    for (const { labels, times, values: points } of matrix.series) {
      const range = { times, values: points, rangeStartMs, rangeEndMs, evaluationMs: timeMs, dialect };
      const value = compute(range, parameters);
      if (value !== undefined) elements.push({ labels: keepsName ? labels : labels.nameless, value });
    }
    return distinctVector(expr, elements);
  }

  #shift({ at, offsetMs }: TimeShift, timeMs: number): number {
    const base =
      at === undefined ? timeMs : at === "start" ? this.#options.startMs : at === "end" ? this.#options.endMs : at;
    return base - offsetMs;
  }

  #select(selector: Selector): readonly StoredSeries[] {
    return remember(this.#selected, selector, () => this.#options.store.select(selector.matchers));
  }

  #count(samples: number): void {
    this.#samplesRead += samples;
    if (this.#samplesRead > this.#options.maxSamples) {
      throw new ExecutionError(
        "query processing would load too many samples into memory in query execution",
        "too-large",
      );
    }
  }
}

const groupings = new WeakMap<Expr, PerLabels<Grouping>>();

/** A group keeps its label set for as long as its members do, for what is remembered of it in turn. */
function groupingsOf(expr: Expr & { kind: "aggregate" }): PerLabels<Grouping> {
  const groupOf = grouper(expr);
  const known = new WeakMap<LabelSet, LabelSet>();
  return new PerLabels((labels) => groupBy(labels, (set) => remember(known, set, groupOf)));
}

const distinct = new WeakMap<Expr, PerLabels<void>>();

/** @throws ExecutionError */
function distinctVector(expr: Expr, elements: readonly Element[]): Value {
  if (elements.length > 1) remember(distinct, expr, () => new PerLabels(assertDistinct)).of(elements);
  return { kind: "vector", elements };
}

const histograms = new WeakMap<Expr, PerLabels<readonly Histogram[]>>();

function withoutParens(expr: Expr | undefined): Expr | undefined {
  return expr?.kind === "paren" ? withoutParens(expr.expr) : expr;
}

/**
 * The labels of an absent selector: those of its equality matchers. A label that several matchers name is left out,
 * unless the last of them is its only equality so far (Prometheus's own rule, `createLabelsForAbsentFunction`).
 */
function absentLabels(arg: Expr | undefined): LabelSet {
  const expr = withoutParens(arg);
  const matchers: readonly LabelMatcher[] =
    expr?.kind === "vector" || expr?.kind === "matrix" ? expr.selector.matchers : [];
  const labels = new Map<string, string>();
  const named = new Set<string>([METRIC_NAME]);
  for (const { label, op, value } of matchers) {
    if (op === "=" && !named.has(label)) {
      labels.set(label, value);
      named.add(label);
    } else labels.delete(label);
  }
  return labelSet(labels);
}

/** The syntax tree of a PromQL expression, as `promql-parse.ts` builds it. Durations are milliseconds. */

export type ValueType = "scalar" | "string" | "vector" | "matrix";

export interface LabelMatcher {
  readonly label: string;
  readonly op: "=" | "!=" | "=~" | "!~";
  readonly value: string;
}

/** `foo{a="b"} offset 5m @ 10`: `atMs` is an instant, or the start or end of the query. */
export interface TimeShift {
  readonly offsetMs: number;
  readonly at?: number | "start" | "end";
}

export interface Selector extends TimeShift {
  /** Every matcher, the metric name included (label `__name__`). */
  readonly matchers: readonly LabelMatcher[];
}

export type BinaryOperator =
  | "+"
  | "-"
  | "*"
  | "/"
  | "%"
  | "^"
  | "atan2"
  | "=="
  | "!="
  | ">"
  | "<"
  | ">="
  | "<="
  | "and"
  | "or"
  | "unless";

export interface VectorMatching {
  readonly on: boolean;
  readonly labels: readonly string[];
  readonly cardinality: "one-to-one" | "many-to-one" | "one-to-many";
  /** Labels copied from the "one" side. */
  readonly include: readonly string[];
}

/** Where the node stands in the query text. */
interface Positioned {
  readonly position: number;
}

export type Expr = Positioned &
  (
    | { readonly kind: "number"; readonly value: number }
    | { readonly kind: "string"; readonly value: string }
    | { readonly kind: "vector"; readonly selector: Selector }
    | { readonly kind: "matrix"; readonly selector: Selector; readonly rangeMs: number }
    | {
        readonly kind: "subquery";
        readonly expr: Expr;
        readonly rangeMs: number;
        /** The global evaluation interval when absent. */
        readonly stepMs?: number;
        readonly shift: TimeShift;
      }
    | { readonly kind: "call"; readonly name: string; readonly args: readonly Expr[] }
    | {
        readonly kind: "aggregate";
        readonly op: string;
        readonly expr: Expr;
        readonly param?: Expr;
        readonly grouping: readonly string[];
        readonly without: boolean;
      }
    | {
        readonly kind: "binary";
        readonly op: BinaryOperator;
        readonly left: Expr;
        readonly right: Expr;
        readonly returnBool: boolean;
        readonly matching: VectorMatching;
      }
    | { readonly kind: "negate"; readonly expr: Expr }
    | { readonly kind: "paren"; readonly expr: Expr }
  );

/** A syntax or type error; `position` is an offset into the query text. */
export class PromqlError extends Error {
  readonly position: number;
  constructor(message: string, position: number) {
    super(message);
    this.name = "PromqlError";
    this.position = position;
  }
}

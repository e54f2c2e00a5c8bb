/** A syntax tree as PromQL text. Parsing the text again gives the same tree. */
import type { Expr, Selector, TimeShift, VectorMatching } from "./promql-ast.ts";

export function printExpression(expr: Expr): string {
  switch (expr.kind) {
    case "number":
      return printNumber(expr.value);
    case "string":
      return JSON.stringify(expr.value);
    case "vector":
      return `${matchersOf(expr.selector)}${shiftOf(expr.selector)}`;
    case "matrix":
      return `${matchersOf(expr.selector)}[${duration(expr.rangeMs)}]${shiftOf(expr.selector)}`;
    case "subquery":
      return `${operand(expr.expr)}[${duration(expr.rangeMs)}:${expr.stepMs === undefined ? "" : duration(expr.stepMs)}]${shiftOf(expr.shift)}`;
    case "call":
      return `${expr.name}(${expr.args.map(printExpression).join(", ")})`;
    case "aggregate": {
      const by = expr.without
        ? `without (${labels(expr.grouping)}) `
        : expr.grouping.length > 0
          ? `by (${labels(expr.grouping)}) `
          : "";
      const param = expr.param === undefined ? "" : `${printExpression(expr.param)}, `;
      return `${expr.op} ${by}(${param}${printExpression(expr.expr)})`;
    }
    case "binary":
      return `${operand(expr.left)} ${expr.op}${expr.returnBool ? " bool" : ""}${matchingOf(expr.matching)} ${operand(expr.right)}`;
    case "negate":
      return `-${operand(expr.expr)}`;
    case "paren":
      return `(${printExpression(expr.expr)})`;
    default:
      return expr satisfies never;
  }
}

/** In parentheses where the text could bind differently. */
function operand(expr: Expr): string {
  const text = printExpression(expr);
  const isAtom =
    (expr.kind === "vector" && shiftOf(expr.selector) === "") ||
    expr.kind === "call" ||
    expr.kind === "aggregate" ||
    expr.kind === "paren" ||
    (expr.kind === "number" && expr.value >= 0);
  return isAtom ? text : `(${text})`;
}

const printNumber = (value: number): string =>
  Number.isNaN(value)
    ? "NaN"
    : value === Number.POSITIVE_INFINITY
      ? "Inf"
      : value === Number.NEGATIVE_INFINITY
        ? "-Inf"
        : String(value);

/** Every matcher in braces, the name too: a name may hold any character there. */
const matchersOf = ({ matchers }: Selector): string =>
  `{${matchers.map(({ label, op, value }) => `${labelName(label)}${op}${JSON.stringify(value)}`).join(",")}}`;

function shiftOf({ offsetMs, at }: TimeShift): string {
  const shift = offsetMs === 0 ? "" : ` offset ${offsetMs < 0 ? "-" : ""}${duration(Math.abs(offsetMs))}`;
  return `${at === undefined ? "" : typeof at === "number" ? ` @ ${(at / 1000).toFixed(3)}` : ` @ ${at}()`}${shift}`;
}

const duration = (ms: number): string => `${ms}ms`;
const labelName = (name: string): string => (/^[a-zA-Z_]\w*$/.test(name) ? name : JSON.stringify(name));
const labels = (names: readonly string[]): string => names.map(labelName).join(", ");

function matchingOf({ on, labels: names, cardinality, include }: VectorMatching): string {
  const match = on ? ` on (${labels(names)})` : names.length > 0 ? ` ignoring (${labels(names)})` : "";
  if (cardinality === "one-to-one") return match;
  // Grouping needs a clause in front of it.
  return `${match === "" ? " ignoring ()" : match} ${cardinality === "many-to-one" ? "group_left" : "group_right"} (${labels(include)})`;
}

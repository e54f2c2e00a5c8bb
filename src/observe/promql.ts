/** Is this text PromQL, and which metrics does it read? Asked when a policy is admitted, not at its first query. */
import { type Expr, PromqlError } from "./promql-ast.ts";
import { parseExpression } from "./promql-parse.ts";

export type ParsedPromql =
  | {
      readonly ok: true;
      /** Names that the selectors ask for by equality, sorted, without duplicates. */
      readonly metricNames: readonly string[];
    }
  | {
      readonly ok: false;
      /** Prometheus's own words where it has some. */
      readonly message: string;
      /** Offset into the text. */
      readonly position: number;
    };

export function parsePromql(query: string): ParsedPromql {
  try {
    const names = new Set<string>();
    collectNames(parseExpression(query), names);
    return { ok: true, metricNames: [...names].sort() };
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error;
    return { ok: false, message: error.message, position: error.position };
  }
}

function collectNames(expr: Expr, names: Set<string>): void {
  switch (expr.kind) {
    case "vector":
    case "matrix":
      for (const { label, op, value } of expr.selector.matchers) {
        if (label === "__name__" && op === "=") names.add(value);
      }
      return;
    case "call":
      for (const arg of expr.args) collectNames(arg, names);
      return;
    case "binary":
      collectNames(expr.left, names);
      collectNames(expr.right, names);
      return;
    case "aggregate":
      if (expr.param !== undefined) collectNames(expr.param, names);
      collectNames(expr.expr, names);
      return;
    case "subquery":
    case "negate":
    case "paren":
      collectNames(expr.expr, names);
      return;
    case "number":
    case "string":
      return;
    default:
      expr satisfies never;
  }
}

/** Is this text PromQL, and which metrics does it read? Asked when a policy is admitted, not at its first query. */
import { type Expr, PromqlError } from "./promql-ast.ts";
import { parseExpression } from "./promql-parse.ts";

export type ParsedPromql =
  | {
      readonly ok: true;
      /** Names that the selectors ask for by equality, sorted, without duplicates. */
      readonly metricNames: readonly string[];
      /** Some selector asks for no name by equality: it may read any metric. */
      readonly readsAny: boolean;
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
    const readsAny = collectNames(parseExpression(query), names);
    return { ok: true, metricNames: [...names].sort(), readsAny };
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error;
    return { ok: false, message: error.message, position: error.position };
  }
}

/** @returns whether a selector asks for no name */
function collectNames(expr: Expr, names: Set<string>): boolean {
  const ofAll = (parts: readonly Expr[]): boolean => parts.map((part) => collectNames(part, names)).includes(true);
  switch (expr.kind) {
    case "vector":
    case "matrix": {
      const named = expr.selector.matchers.filter(({ label, op }) => label === "__name__" && op === "=");
      for (const { value } of named) names.add(value);
      return named.length === 0;
    }
    case "call":
      return ofAll(expr.args);
    case "binary":
      return ofAll([expr.left, expr.right]);
    case "aggregate":
      return ofAll(expr.param === undefined ? [expr.expr] : [expr.param, expr.expr]);
    case "subquery":
    case "negate":
    case "paren":
      return ofAll([expr.expr]);
    case "number":
    case "string":
      return false;
    default:
      return expr satisfies never;
  }
}

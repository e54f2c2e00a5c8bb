/**
 * How old what a policy's own PromQL reads is: a query for each of its selectors, derived from the query. Pure.
 *
 * The value of a query is always dated at its evaluation, however old the samples are, for up to five minutes. A selector with `offset` or `@` reads
 * the past on purpose and is not dated.
 */
import type { Expr, Selector } from "./promql-ast.ts";
import { printExpression } from "./promql-print.ts";
import { hasStrayMark, isScoped, MARKED_SCOPE, parseMarked, withoutScope } from "./query-plan.ts";
import type { QueryScope } from "./query-text.ts";

export interface DatedSelector {
  /** Time of the latest sample of each pod, for all pods; absent where the selector does not hold the placeholders. */
  readonly ofAllPods?: string;
  /** The same for the pods of one policy; one value for the whole selector where it does not hold the placeholders. */
  readonly ofScope: (scope: QueryScope) => string;
}

export interface FreshnessPlan {
  readonly selectors: readonly DatedSelector[];
  /** A value without a dated sample says nothing about its age: the query answers absence too, or a date stands for another series. */
  readonly mayBeUndated: boolean;
}

/** A query of more selectors is dated by its first ones: each is another question to the server. */
const MAX_SELECTORS = 4;

export function freshnessOf(template: string): FreshnessPlan {
  const expr = parseMarked(template);
  if (expr === undefined) return { selectors: [], mayBeUndated: false };
  const found = new Map<string, DatedSelector>();
  let mayBeUndated = false;
  visit(expr, (node) => {
    if (node.kind === "call" && ABSENCE.has(node.name)) mayBeUndated = true;
    if (node.kind !== "vector" && node.kind !== "matrix") return;
    const { selector } = node;
    if (selector.offsetMs !== 0 || selector.at !== undefined || found.size === MAX_SELECTORS) return;
    const counted = countOf(selector);
    if (counted !== selector) mayBeUndated = true;
    const one = dated(counted);
    const key = one.ofScope(MARKED_SCOPE);
    if (!found.has(key)) found.set(key, one);
  });
  return { selectors: [...found.values()], mayBeUndated };
}

const ABSENCE: ReadonlySet<string> = new Set(["absent", "absent_over_time", "vector"]);

function dated(selector: Selector): DatedSelector {
  const isByPod = isScoped(selector) && !hasStrayMark(selector);
  const by = isByPod ? "by (namespace, pod) " : "";
  const ofScope = (scope: QueryScope): string => `max ${by}(timestamp(${print(filled(selector, scope))}))`;
  const bare = withoutScope(selector);
  const isNamed = bare.matchers.some(({ label }) => label === "__name__");
  return isByPod && isNamed ? { ofScope, ofAllPods: `max ${by}(timestamp(${print(bare)}))` } : { ofScope };
}

/** Of a histogram the count: its buckets are many and come with it. */
function countOf(selector: Selector): Selector {
  const isBucket = selector.matchers.some(
    ({ label, op, value }) => label === "__name__" && op === "=" && value.endsWith("_bucket"),
  );
  if (!isBucket || selector.matchers.some(({ label }) => label === "le")) return selector;
  const matchers = selector.matchers.map((matcher) =>
    matcher.label === "__name__" && matcher.op === "="
      ? { ...matcher, value: matcher.value.replace(/_bucket$/, "_count") }
      : matcher,
  );
  return { ...selector, matchers };
}

const filled = (selector: Selector, { namespace, podRegex }: QueryScope): Selector => ({
  ...selector,
  matchers: selector.matchers.map((matcher) => ({
    ...matcher,
    value: matcher.value
      .replaceAll(MARKED_SCOPE.namespace, () => namespace)
      .replaceAll(MARKED_SCOPE.podRegex, () => podRegex),
  })),
});

const print = (selector: Selector): string => printExpression({ kind: "vector", selector, position: 0 });

function visit(expr: Expr, see: (expr: Expr) => void): void {
  see(expr);
  switch (expr.kind) {
    case "call":
      for (const arg of expr.args) visit(arg, see);
      return;
    case "binary":
      visit(expr.left, see);
      visit(expr.right, see);
      return;
    case "aggregate":
      if (expr.param !== undefined) visit(expr.param, see);
      visit(expr.expr, see);
      return;
    case "subquery":
    case "negate":
    case "paren":
      visit(expr.expr, see);
      return;
    case "vector":
    case "matrix":
    case "number":
    case "string":
      return;
    default:
      expr satisfies never;
  }
}

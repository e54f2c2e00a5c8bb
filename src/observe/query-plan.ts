/**
 * One question for many policies: a policy's own PromQL without its selector, split afterwards by the pods of each policy. Pure.
 *
 * `sum(rate(x{ {{selector}} }[1m]))` differs from policy to policy only in its selector, so a server would be asked as many questions as there are
 * policies. Where every selector of the query holds the placeholder and nothing in it lets series of different pods meet, the answer for a policy is
 * part of the answer without the selector: `sum by (namespace, pod) (rate(x[1m]))`, summed over the policy's pods. Such a query is rewritten; every
 * other one is sent as it is.
 */
import type { Expr, LabelMatcher, Selector } from "./promql-ast.ts";
import { parseExpression, typeOf } from "./promql-parse.ts";
import { printExpression } from "./promql-print.ts";
import { fillQuery } from "./query-text.ts";

type Fold = "sum" | "max" | "min" | "count" | "avg";

/** How the answers for all pods become the answer for some. */
export type PlanNode =
  /** `queries` are asked for all pods; their samples of the policy's pods are folded into one. `avg` has the sums, then the counts. */
  | { readonly kind: "fold"; readonly fold: Fold; readonly queries: readonly string[] }
  /** Samples of the policy's pods as they are. */
  | { readonly kind: "each"; readonly queries: readonly [string] }
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "binary"; readonly op: Arithmetic; readonly left: PlanNode; readonly right: PlanNode };

export type Arithmetic = "+" | "-" | "*" | "/";

/** @returns undefined when the query cannot be rewritten soundly */
export function planQuery(template: string): PlanNode | undefined {
  const expr = parseMarked(template);
  return expr === undefined ? undefined : planOf(expr);
}

/** The queries of a plan, for all pods. */
export function queriesOfPlan(plan: PlanNode): readonly string[] {
  switch (plan.kind) {
    case "fold":
    case "each":
      return plan.queries;
    case "number":
      return [];
    case "binary":
      return [...queriesOfPlan(plan.left), ...queriesOfPlan(plan.right)];
    default:
      return plan satisfies never;
  }
}

/** Stands for a policy's namespace and pods; no name of Kubernetes and no query of a person has it. */
export const MARKED_SCOPE = { namespace: "\u0001namespace", podRegex: "\u0001pods" };
const POD_LABELS = ["namespace", "pod"];

/** The tree of the query with the marked scope in it. */
export function parseMarked(template: string): Expr | undefined {
  try {
    return parseExpression(fillQuery(template, MARKED_SCOPE));
  } catch {
    // What does not parse is reported when it is sent.
    return undefined;
  }
}

export const isScoped = ({ matchers }: Selector): boolean => matchers.some(isNamespaceMark) && matchers.some(isPodMark);
const isNamespaceMark = ({ label, op, value }: LabelMatcher): boolean =>
  label === "namespace" && op === "=" && value === MARKED_SCOPE.namespace;
const isPodMark = ({ label, op, value }: LabelMatcher): boolean =>
  label === "pod" && op === "=~" && value === MARKED_SCOPE.podRegex;
const isMarked = (text: string): boolean => text.includes("\u0001");

export const withoutScope = (selector: Selector): Selector => ({
  ...selector,
  matchers: selector.matchers.filter((matcher) => !isNamespaceMark(matcher) && !isPodMark(matcher)),
});

function planOf(expr: Expr): PlanNode | undefined {
  switch (expr.kind) {
    case "paren":
      return planOf(expr.expr);
    case "number":
      return { kind: "number", value: expr.value };
    case "aggregate":
      return isFold(expr) ? foldOf(expr) : eachOf(expr);
    case "binary":
      return arithmeticOf(expr) ?? eachOf(expr);
    case "negate": {
      const inner = planOf(expr.expr);
      const isOne = inner?.kind === "fold" || inner?.kind === "binary";
      return isOne ? { kind: "binary", op: "-", left: { kind: "number", value: 0 }, right: inner } : eachOf(expr);
    }
    default:
      return eachOf(expr);
  }
}

type Aggregate = Extract<Expr, { kind: "aggregate" }>;
const FOLDS: ReadonlySet<string> = new Set<Fold>(["sum", "max", "min", "count", "avg"]);
const isFold = ({ op, grouping, without }: Aggregate): boolean => FOLDS.has(op) && grouping.length === 0 && !without;

function foldOf(expr: Aggregate): PlanNode | undefined {
  const inner = unscoped(expr.expr);
  if (inner === undefined) return undefined;
  const byPod = (op: string): string =>
    printExpression({ ...expr, op, expr: inner, grouping: POD_LABELS, without: false });
  const fold = expr.op as Fold;
  return { kind: "fold", fold, queries: fold === "avg" ? [byPod("sum"), byPod("count")] : [byPod(fold)] };
}

function eachOf(expr: Expr): PlanNode | undefined {
  if (typeOf(expr) !== "vector") return undefined;
  const inner = unscoped(expr);
  return inner === undefined ? undefined : { kind: "each", queries: [printExpression(inner)] };
}

/** Between values that have no labels, and numbers: one value each. */
function arithmeticOf(expr: Extract<Expr, { kind: "binary" }>): PlanNode | undefined {
  const { op, matching } = expr;
  if (op !== "+" && op !== "-" && op !== "*" && op !== "/") return undefined;
  // Between vectors without labels these say nothing, and one may not copy labels.
  if (matching.cardinality !== "one-to-one") return undefined;
  const [left, right] = [planOf(expr.left), planOf(expr.right)];
  if (left === undefined || right === undefined || left.kind === "each" || right.kind === "each") return undefined;
  return left.kind === "number" && right.kind === "number" ? undefined : { kind: "binary", op, left, right };
}

/**
 * The expression for all pods, where restricting its result to a pod is the same as restricting its selectors to that pod; otherwise undefined. Each
 * sample it gives has the labels `namespace` and `pod`.
 */
function unscoped(expr: Expr): Expr | undefined {
  switch (expr.kind) {
    case "vector":
    case "matrix":
      return isScoped(expr.selector) && !hasStrayMark(expr.selector) && isNamed(expr.selector)
        ? { ...expr, selector: withoutScope(expr.selector) }
        : undefined;
    case "paren":
    case "negate":
    case "subquery": {
      const inner = unscoped(expr.expr);
      return inner === undefined ? undefined : { ...expr, expr: inner };
    }
    case "call":
      return unscopedCall(expr);
    case "aggregate":
      return unscopedAggregate(expr);
    case "binary":
      return unscopedBinary(expr);
    case "number":
    case "string":
      return undefined;
    default:
      return expr satisfies never;
  }
}

/** Without its scope a selector without a name would ask for all series there are. */
const isNamed = ({ matchers }: Selector): boolean => matchers.some(({ label }) => label === "__name__");

export const hasStrayMark = (selector: Selector): boolean =>
  withoutScope(selector).matchers.some(({ value }) => isMarked(value));

/** They look at a vector as a whole, or give samples without a pod, or choose by chance. */
const WHOLE: ReadonlySet<string> = new Set(["absent", "absent_over_time", "scalar", "vector", "info", "time", "pi"]);

function unscopedCall(expr: Extract<Expr, { kind: "call" }>): Expr | undefined {
  if (WHOLE.has(expr.name)) return undefined;
  if ((expr.name === "label_replace" || expr.name === "label_join") && writesPod(expr.args[1])) return undefined;
  let vectors = 0;
  const args: Expr[] = [];
  for (const arg of expr.args) {
    if (isConstant(arg)) args.push(arg);
    else {
      const inner = unscoped(arg);
      if (inner === undefined) return undefined;
      vectors++;
      args.push(inner);
    }
  }
  return vectors === 1 ? { ...expr, args } : undefined;
}

const writesPod = (target: Expr | undefined): boolean => target?.kind !== "string" || POD_LABELS.includes(target.value);

/** The same for every policy. */
function isConstant(expr: Expr): boolean {
  switch (expr.kind) {
    case "number":
      return true;
    case "string":
      return !isMarked(expr.value);
    case "paren":
    case "negate":
      return isConstant(expr.expr);
    case "binary":
      return isConstant(expr.left) && isConstant(expr.right);
    case "call":
      return typeOf(expr) === "scalar" && expr.args.length === 0;
    default:
      return false;
  }
}

function unscopedAggregate(expr: Aggregate): Expr | undefined {
  const { op, grouping, without, param } = expr;
  // Both choose by a hash of the labels or by order of arrival.
  if (op === "limitk" || op === "limit_ratio") return undefined;
  const keepsPod = without
    ? POD_LABELS.every((label) => !grouping.includes(label))
    : POD_LABELS.every((label) => grouping.includes(label));
  if (!keepsPod || (param !== undefined && !isConstant(param))) return undefined;
  if (op === "count_values" && param?.kind === "string" && POD_LABELS.includes(param.value)) return undefined;
  const inner = unscoped(expr.expr);
  return inner === undefined ? undefined : { ...expr, expr: inner };
}

function unscopedBinary(expr: Extract<Expr, { kind: "binary" }>): Expr | undefined {
  const { matching } = expr;
  const sides = [expr.left, expr.right].map((side) => (isConstant(side) ? side : unscoped(side)));
  const [left, right] = sides;
  if (left === undefined || right === undefined) return undefined;
  const isBetweenVectors = !isConstant(expr.left) && !isConstant(expr.right);
  if (isBetweenVectors) {
    const meetsPodByPod = matching.on
      ? POD_LABELS.every((label) => matching.labels.includes(label))
      : POD_LABELS.every((label) => !matching.labels.includes(label));
    if (!meetsPodByPod || POD_LABELS.some((label) => matching.include.includes(label))) return undefined;
  }
  return { ...expr, left, right };
}

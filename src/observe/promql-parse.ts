/**
 * PromQL text to a checked syntax tree: Prometheus's own grammar (lezer-promql), then the type rules of its parser
 * (`promql/parser/parse.go`, `checkAST`), so that what passes here is what a real server accepts.
 */
import type { SyntaxNode } from "@lezer/common";
import { parser } from "@prometheus-io/lezer-promql";
import {
  type BinaryOperator,
  type Expr,
  type LabelMatcher,
  PromqlError,
  type Selector,
  type TimeShift,
  type ValueType,
  type VectorMatching,
} from "./promql-ast.ts";
import { signatureOf } from "./promql-functions.ts";
import { numberOf, unquote } from "./promql-literals.ts";
import { compileRe2 } from "./re2.ts";

/** @throws PromqlError naming the construct that is wrong */
export function parseExpression(query: string): Expr {
  if (query.trim() === "") throw new PromqlError("no expression found in input", 0);
  const tree = parser.parse(query);
  rejectErrorNodes(tree.topNode, query);
  const root = tree.topNode.firstChild === null ? undefined : expressionIn(tree.topNode);
  if (root === undefined) throw new PromqlError("no expression found in input", 0);
  return build(root, query);
}

/** The type an expression evaluates to. */
export function typeOf(expr: Expr): ValueType {
  switch (expr.kind) {
    case "number":
      return "scalar";
    case "string":
      return "string";
    case "vector":
    case "aggregate":
      return "vector";
    case "matrix":
    case "subquery":
      return "matrix";
    case "call":
      return signatureOf(expr.name)?.returns ?? "vector";
    case "binary":
      return typeOf(expr.left) === "scalar" && typeOf(expr.right) === "scalar" ? "scalar" : "vector";
    case "negate":
    case "paren":
      return typeOf(expr.expr);
  }
}

const BINARY_TOKENS: Readonly<Record<string, BinaryOperator>> = {
  Add: "+",
  Sub: "-",
  Mul: "*",
  Div: "/",
  Mod: "%",
  Pow: "^",
  Atan2: "atan2",
  Eql: "==",
  Neq: "!=",
  Gtr: ">",
  Lss: "<",
  Gte: ">=",
  Lte: "<=",
  And: "and",
  Or: "or",
  Unless: "unless",
};
const COMPARISONS: ReadonlySet<string> = new Set(["==", "!=", ">", "<", ">=", "<="]);
const SET_OPERATORS: ReadonlySet<string> = new Set(["and", "or", "unless"]);
const EXPRESSIONS: ReadonlySet<string> = new Set([
  "AggregateExpr",
  "BinaryExpr",
  "FunctionCall",
  "MatrixSelector",
  "NumberDurationLiteral",
  "OffsetExpr",
  "AnchoredExpr",
  "SmoothedExpr",
  "ParenExpr",
  "StringLiteral",
  "SubqueryExpr",
  "UnaryExpr",
  "VectorSelector",
  "StepInvariantExpr",
]);

function rejectErrorNodes(top: SyntaxNode, query: string): void {
  const cursor = top.cursor();
  do {
    if (!cursor.type.isError) continue;
    const called = /([a-zA-Z_][a-zA-Z0-9_]*)\s*$/.exec(query.slice(0, cursor.from));
    if (called?.[1] !== undefined && /^\s*\(/.test(query.slice(cursor.from)) && signatureOf(called[1]) === undefined) {
      throw new PromqlError(`unknown function with name "${called[1]}"`, called.index);
    }
    const found = query.slice(cursor.from).trim().slice(0, 20);
    throw new PromqlError(
      found === "" ? "unexpected end of input" : `unexpected input near ${JSON.stringify(found)}`,
      cursor.from,
    );
  } while (cursor.next());
}

function childrenOf(node: SyntaxNode): SyntaxNode[] {
  const children: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (child.name !== "LineComment") children.push(child);
  }
  return children;
}

const expressionIn = (node: SyntaxNode): SyntaxNode | undefined =>
  childrenOf(node).find((c) => EXPRESSIONS.has(c.name));

function inner(node: SyntaxNode): SyntaxNode {
  const found = expressionIn(node);
  if (found === undefined) throw new PromqlError(`incomplete expression in ${node.name}`, node.from);
  return found;
}

function build(node: SyntaxNode, text: string): Expr {
  const position = node.from;
  switch (node.name) {
    case "NumberDurationLiteral":
      return { kind: "number", value: numberOf(slice(node, text), position), position };
    case "StringLiteral":
      return { kind: "string", value: unquote(slice(node, text), position), position };
    case "ParenExpr":
      return { kind: "paren", expr: build(inner(node), text), position };
    case "UnaryExpr":
      return unary(node, text);
    case "VectorSelector":
      return { kind: "vector", selector: selectorOf(node, text), position };
    case "MatrixSelector":
      return matrix(node, text);
    case "SubqueryExpr":
      return subquery(node, text);
    case "OffsetExpr":
    case "StepInvariantExpr":
      return shifted(node, text);
    case "FunctionCall":
      return call(node, text);
    case "AggregateExpr":
      return aggregate(node, text);
    case "BinaryExpr":
      return binary(node, text);
    default:
      throw new PromqlError(`${node.name} is not supported`, position);
  }
}

function unary(node: SyntaxNode, text: string): Expr {
  const expr = build(inner(node), text);
  const type = typeOf(expr);
  if (type !== "scalar" && type !== "vector") {
    throw new PromqlError(
      `unary expression only allowed on expressions of type scalar or instant vector, got "${spell(type)}"`,
      node.from,
    );
  }
  const operator = childrenOf(node).find((child) => child.name === "UnaryOp");
  const negative = operator !== undefined && slice(operator, text) === "-";
  return negative ? { kind: "negate", expr, position: node.from } : expr;
}

function selectorOf(node: SyntaxNode, text: string): Selector {
  const matchers: LabelMatcher[] = [];
  const name = node.getChild("Identifier");
  if (name !== null) matchers.push({ label: "__name__", op: "=", value: slice(name, text) });
  for (const matcher of childrenOf(node.getChild("LabelMatchers") ?? node)) {
    if (matcher.name === "QuotedLabelName") {
      matchers.push({ label: "__name__", op: "=", value: unquote(slice(matcher, text), matcher.from) });
    } else if (matcher.name === "UnquotedLabelMatcher" || matcher.name === "QuotedLabelMatcher") {
      matchers.push(matcherOf(matcher, text));
    }
  }
  const named = matchers.filter((matcher) => matcher.label === "__name__");
  if (name !== null && named.length > 1) {
    throw new PromqlError(`metric name must not be set twice: "${named[0]?.value}" or "${named[1]?.value}"`, node.from);
  }
  if (matchers.every(matchesEmpty)) {
    throw new PromqlError("vector selector must contain at least one non-empty matcher", node.from);
  }
  return { matchers, offsetMs: 0 };
}

function matcherOf(node: SyntaxNode, text: string): LabelMatcher {
  const [labelNode, opNode, valueNode] = childrenOf(node);
  if (labelNode === undefined || opNode === undefined || valueNode === undefined) {
    throw new PromqlError("incomplete label matcher", node.from);
  }
  const label = slice(labelNode, text);
  const matcher: LabelMatcher = {
    label: labelNode.name === "QuotedLabelName" ? unquote(label, labelNode.from) : label,
    op: slice(opNode, text) as LabelMatcher["op"],
    value: unquote(slice(valueNode, text), valueNode.from),
  };
  if (matcher.op === "=~" || matcher.op === "!~") compilePattern(matcher.value, valueNode.from);
  return matcher;
}

function compilePattern(pattern: string, position: number): RegExp {
  try {
    return compileRe2(pattern);
  } catch (error) {
    throw new PromqlError(`error parsing regexp: ${error instanceof Error ? error.message : String(error)}`, position);
  }
}

function matchesEmpty({ op, value }: LabelMatcher): boolean {
  if (op === "=") return value === "";
  if (op === "!=") return value !== "";
  return compileRe2(value).test("") === (op === "=~");
}

function matrix(node: SyntaxNode, text: string): Expr {
  const of = inner(node);
  const vector = build(of, text);
  if (of.name === "OffsetExpr") {
    throw new PromqlError("no offset modifiers allowed before range", node.from);
  }
  if (vector.kind !== "vector") throw new PromqlError("ranges only allowed for vector selectors", node.from);
  const rangeMs = durationIn(node, text, "DurationExpr")[0] ?? 0;
  if (rangeMs <= 0) throw new PromqlError("duration must be greater than 0", node.from);
  return { kind: "matrix", selector: vector.selector, rangeMs, position: node.from };
}

function subquery(node: SyntaxNode, text: string): Expr {
  const expr = build(inner(node), text);
  if (typeOf(expr) !== "vector") {
    throw new PromqlError(
      `subquery is only allowed on instant vector, got "${spell(typeOf(expr))}" instead`,
      node.from,
    );
  }
  const [rangeMs = 0, stepMs] = durationIn(node, text, "DurationExpr");
  if (rangeMs <= 0) throw new PromqlError("duration must be greater than 0", node.from);
  return {
    kind: "subquery",
    expr,
    rangeMs,
    ...(stepMs === undefined ? {} : { stepMs }),
    shift: { offsetMs: 0 },
    position: node.from,
  };
}

function shifted(node: SyntaxNode, text: string): Expr {
  const expr = build(inner(node), text);
  const what = node.name === "OffsetExpr" ? "offset" : "@";
  if (expr.kind !== "vector" && expr.kind !== "matrix" && expr.kind !== "subquery") {
    throw new PromqlError(
      `${what} modifier must be preceded by an instant vector selector or range vector selector or a subquery`,
      node.from,
    );
  }
  const before: TimeShift = expr.kind === "subquery" ? expr.shift : expr.selector;
  let change: Partial<TimeShift>;
  if (what === "offset") {
    if (before.offsetMs !== 0) throw new PromqlError("offset may not be set multiple times", node.from);
    change = { offsetMs: durationIn(node, text, "OffsetDurationExpr")[0] ?? 0 };
  } else {
    if (before.at !== undefined) throw new PromqlError("@ <timestamp> may not be set multiple times", node.from);
    const literal = node.getChildren("NumberDurationLiteral").at(-1);
    const preprocessor = node.getChild("AtModifierPreprocessors");
    if (preprocessor !== null) change = { at: preprocessor.getChild("AtStart") === null ? "end" : "start" };
    else change = { at: Math.round(numberOf(literal ? slice(literal, text) : "", node.from) * 1000) };
  }
  return expr.kind === "subquery"
    ? { ...expr, shift: { ...expr.shift, ...change } }
    : { ...expr, selector: { ...expr.selector, ...change } };
}

function call(node: SyntaxNode, text: string): Expr {
  const nameNode = node.getChild("FunctionIdentifier");
  const name = nameNode === null ? "" : slice(nameNode, text);
  const signature = signatureOf(name);
  if (signature === undefined) throw new PromqlError(`function ${name}() is not supported`, node.from);
  const args = argumentsOf(node).map((arg) => build(arg, text));
  const least = signature.args.length - signature.optional;
  if (args.length < least || (!signature.variadic && args.length > signature.args.length)) {
    const wanted =
      least === signature.args.length && !signature.variadic
        ? `expected ${least}`
        : args.length < least
          ? `expected at least ${least}`
          : `expected at most ${signature.args.length}`;
    throw new PromqlError(`${wanted} argument(s) in call to "${name}", got ${args.length}`, node.from);
  }
  args.forEach((arg, index) => {
    const want = signature.args[Math.min(index, signature.args.length - 1)] ?? "vector";
    expectType(arg, want, `call to function "${name}"`);
  });
  return { kind: "call", name, args, position: node.from };
}

const WITH_PARAMETER: Readonly<Record<string, ValueType>> = {
  topk: "scalar",
  bottomk: "scalar",
  quantile: "scalar",
  limitk: "scalar",
  limit_ratio: "scalar",
  count_values: "string",
};

function aggregate(node: SyntaxNode, text: string): Expr {
  const opNode = node.getChild("AggregateOp");
  const op = opNode === null ? "" : slice(opNode, text).toLowerCase();
  const modifier = node.getChild("AggregateModifier");
  const labels = modifier?.getChild("GroupingLabels");
  const args = argumentsOf(node).map((arg) => build(arg, text));
  const paramType = WITH_PARAMETER[op];
  const wanted = paramType === undefined ? 1 : 2;
  if (args.length !== wanted) {
    throw new PromqlError(
      `wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${args.length}`,
      node.from,
    );
  }
  const expr = args[wanted - 1] as Expr;
  expectType(expr, "vector", `aggregation expression "${op}"`);
  const param = wanted === 2 ? args[0] : undefined;
  if (param !== undefined && paramType !== undefined) expectType(param, paramType, `aggregation parameter of "${op}"`);
  return {
    kind: "aggregate",
    op,
    expr,
    ...(param === undefined ? {} : { param }),
    grouping: labels ? labelNames(labels, text) : [],
    without: modifier?.getChild("Without") != null,
    position: node.from,
  };
}

const argumentsOf = (node: SyntaxNode): SyntaxNode[] => {
  const body = node.getChild("FunctionCallBody");
  return body === null ? [] : childrenOf(body).filter((child) => EXPRESSIONS.has(child.name));
};

function binary(node: SyntaxNode, text: string): Expr {
  const parts = childrenOf(node);
  const [leftNode, rightNode] = parts.filter((part) => EXPRESSIONS.has(part.name));
  const token = parts.find((part) => BINARY_TOKENS[part.name] !== undefined);
  if (leftNode === undefined || rightNode === undefined || token === undefined) {
    const other = parts.find((part) => !EXPRESSIONS.has(part.name));
    throw new PromqlError(`operator "${other ? slice(other, text) : ""}" is not supported`, node.from);
  }
  if (node.getChild("FillModifier") !== null) throw new PromqlError("fill modifiers are not supported", node.from);
  const op = BINARY_TOKENS[token.name] as BinaryOperator;
  const left = build(leftNode, text);
  const right = build(rightNode, text);
  // The grammar takes the sign into the literal, but -1^2 is -(1^2).
  if (op === "^" && left.kind === "number" && slice(leftNode, text).startsWith("-")) {
    const power = checkedBinary(op, { ...left, value: -left.value }, right, node, text);
    return { kind: "negate", expr: power, position: node.from };
  }
  return checkedBinary(op, left, right, node, text);
}

function checkedBinary(op: BinaryOperator, left: Expr, right: Expr, node: SyntaxNode, text: string): Expr {
  const returnBool = node.getChild("BoolModifier") !== null;
  const clause = node.getChild("MatchingModifierClause");
  for (const side of [left, right]) {
    const type = typeOf(side);
    if (type !== "scalar" && type !== "vector") {
      throw new PromqlError("binary expression must contain only scalar and instant vector types", side.position);
    }
  }
  const scalars = [left, right].filter((side) => typeOf(side) === "scalar").length;
  if (returnBool && !COMPARISONS.has(op)) {
    throw new PromqlError("bool modifier can only be used on comparison operators", node.from);
  }
  if (scalars === 2 && COMPARISONS.has(op) && !returnBool) {
    throw new PromqlError("comparisons between scalars must use BOOL modifier", node.from);
  }
  if (scalars > 0 && SET_OPERATORS.has(op)) {
    throw new PromqlError(`set operator "${op}" not allowed in binary scalar expression`, node.from);
  }
  if (scalars > 0 && clause !== null) {
    throw new PromqlError("vector matching only allowed between instant vectors", node.from);
  }
  const matching = matchingOf(clause, text);
  if (SET_OPERATORS.has(op) && matching.cardinality !== "one-to-one") {
    throw new PromqlError(`no grouping allowed for "${op}" operation`, node.from);
  }
  if (matching.on) {
    const both = matching.include.find((label) => matching.labels.includes(label));
    if (both !== undefined) {
      throw new PromqlError(`label "${both}" must not occur in ON and GROUP clause at once`, node.from);
    }
  }
  return { kind: "binary", op, left, right, returnBool, matching, position: node.from };
}

function matchingOf(clause: SyntaxNode | null, text: string): VectorMatching {
  if (clause === null) return { on: false, labels: [], cardinality: "one-to-one", include: [] };
  const [labels, include] = clause.getChildren("GroupingLabels");
  const left = clause.getChild("GroupLeft") !== null;
  const right = clause.getChild("GroupRight") !== null;
  return {
    on: clause.getChild("On") !== null,
    labels: labels === undefined ? [] : labelNames(labels, text),
    cardinality: left ? "many-to-one" : right ? "one-to-many" : "one-to-one",
    include: include === undefined ? [] : labelNames(include, text),
  };
}

function labelNames(node: SyntaxNode, text: string): string[] {
  return childrenOf(node)
    .filter((child) => child.name === "LabelName" || child.name === "QuotedLabelName")
    .map((child) => {
      const name = slice(child, text);
      return child.name === "LabelName" ? name : unquote(name, child.from);
    });
}

function expectType(expr: Expr, want: ValueType, context: string): void {
  const got = typeOf(expr);
  if (got !== want) {
    throw new PromqlError(`expected type ${spell(want)} in ${context}, got ${spell(got)}`, expr.position);
  }
}

const spell = (type: ValueType): string =>
  type === "vector" ? "instant vector" : type === "matrix" ? "range vector" : type;

const slice = (node: SyntaxNode, text: string): string => text.slice(node.from, node.to);

function durationIn(node: SyntaxNode, text: string, name: string): number[] {
  return node.getChildren(name).map((child) => {
    const written = slice(child, text).replaceAll(/\s+/g, "");
    if (!/^[+-]?[0-9._a-zA-Z]+$/.test(written)) {
      throw new PromqlError(`duration expression "${written}" is not supported: write a plain duration`, child.from);
    }
    return Math.round(numberOf(written, child.from) * 1000);
  });
}

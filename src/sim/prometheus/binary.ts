/** PromQL's binary operators. Semantics: `VectorBinop` and its neighbours in Prometheus's `promql/engine.go`. */
import type { BinaryOperator, VectorMatching } from "../../observe/promql-ast.ts";
import { remember } from "../remember.ts";
import { type LabelSet, METRIC_NAME, only, spellLabels, withLabel, without } from "./labels.ts";
import { type Element, ExecutionError } from "./vector.ts";

type Elements = readonly Element[];

export function scalarOperation(op: BinaryOperator, a: number, b: number): number {
  switch (op) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    case "%":
      return a % b;
    case "^":
      return power(a, b);
    case "atan2":
      return Math.atan2(a, b);
    default:
      return holds(op, a, b) ? 1 : 0;
  }
}

/** Go's `math.Pow` knows 1^NaN = 1 and (-1)^±Inf = 1; JavaScript gives NaN. */
function power(a: number, b: number): number {
  if (a === 1 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY)) return 1;
  return a ** b;
}

function holds(op: BinaryOperator, a: number, b: number): boolean {
  switch (op) {
    case "==":
      return a === b;
    case "!=":
      return a !== b;
    case ">":
      return a > b;
    case "<":
      return a < b;
    case ">=":
      return a >= b;
    case "<=":
      return a <= b;
    default:
      throw new ExecutionError(`operator "${op}" is not a comparison`);
  }
}

const COMPARISONS: ReadonlySet<BinaryOperator> = new Set(["==", "!=", ">", "<", ">=", "<="]);

/** A vector and a scalar, on either side. A comparison without `bool` keeps elements as they are. */
export function vectorWithScalar(
  op: BinaryOperator,
  elements: Elements,
  scalar: number,
  { scalarIsLeft, returnBool }: { scalarIsLeft: boolean; returnBool: boolean },
): Elements {
  const result: Element[] = [];
  for (const { labels, value } of elements) {
    const [a, b] = scalarIsLeft ? [scalar, value] : [value, scalar];
    if (COMPARISONS.has(op) && !returnBool) {
      if (holds(op, a, b)) result.push({ labels, value });
    } else result.push({ labels: labels.nameless, value: scalarOperation(op, a, b) });
  }
  return result;
}

/** `and`, `or`, `unless`: elements pass unchanged, by whether the other side has their signature. */
export function setOperation(
  op: "and" | "or" | "unless",
  left: Elements,
  right: Elements,
  matching: VectorMatching,
): Elements {
  const signature = signatureFunction(matching);
  const plain = ({ labels, value }: Element): Element => ({ labels, value });
  if (op === "or") {
    const inLeft = new Set(left.map(({ labels }) => signature(labels)));
    return [...left, ...right.filter(({ labels }) => !inLeft.has(signature(labels)))].map(plain);
  }
  const inRight = new Set(right.map(({ labels }) => signature(labels)));
  return left.filter(({ labels }) => inRight.has(signature(labels)) === (op === "and")).map(plain);
}

/** Arithmetic and comparison between vectors. @throws ExecutionError when an element has several partners */
export function vectorWithVector(
  op: BinaryOperator,
  left: Elements,
  right: Elements,
  matching: VectorMatching,
  returnBool: boolean,
): Elements {
  if (left.length === 0 || right.length === 0) return [];
  const swapped = matching.cardinality === "one-to-many";
  const [many, one] = swapped ? [right, left] : [left, right];
  const signature = signatureFunction(matching);
  const partners = partnersOf(one, signature, swapped ? "left" : "right", matching);
  const oneToOne = matching.cardinality === "one-to-one";
  const used = new Set<string>();
  const result: Element[] = [];
  for (const element of many) {
    const group = signature(element.labels);
    const partner = partners.get(group);
    if (partner === undefined) continue;
    const [a, b] = swapped ? [partner.value, element.value] : [element.value, partner.value];
    const filter = COMPARISONS.has(op) && !returnBool;
    if (filter && !holds(op, a, b)) continue;
    const labels = resultLabels(element.labels, partner.labels, op, matching, returnBool);
    const once = oneToOne ? group : `${group}\u0003${labels.key}`;
    if (used.has(once)) {
      throw new ExecutionError(
        oneToOne
          ? "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
          : "multiple matches for labels: grouping labels must ensure unique matches",
      );
    }
    used.add(once);
    result.push({ labels, value: filter ? a : scalarOperation(op, a, b) });
  }
  return result;
}

function partnersOf(
  one: Elements,
  signature: (labels: LabelSet) => string,
  side: "left" | "right",
  matching: VectorMatching,
): Map<string, Element> {
  const partners = new Map<string, Element>();
  for (const element of one) {
    const key = signature(element.labels);
    const duplicate = partners.get(key);
    if (duplicate !== undefined) {
      const group = matching.on
        ? only(element.labels, new Set(matching.labels))
        : without(element.labels, new Set([...matching.labels, METRIC_NAME]));
      throw new ExecutionError(
        `found duplicate series for the match group ${spellLabels(group)} on the ${side} hand-side of the operation: ` +
          `[${spellLabels(element.labels)}, ${spellLabels(duplicate.labels)}];` +
          "many-to-many matching not allowed: matching labels must be unique on one side",
      );
    }
    partners.set(key, element);
  }
  return partners;
}

const signatures = new WeakMap<VectorMatching, (labels: LabelSet) => string>();

function signatureFunction(matching: VectorMatching): (labels: LabelSet) => string {
  return remember(signatures, matching, ({ on, labels }) => {
    const names = new Set(on ? labels : [...labels, METRIC_NAME]);
    const known = new WeakMap<LabelSet, string>();
    return (set) => remember(known, set, () => (on ? only(set, names) : without(set, names)).key);
  });
}

function resultLabels(
  many: LabelSet,
  one: LabelSet,
  op: BinaryOperator,
  matching: VectorMatching,
  returnBool: boolean,
): LabelSet {
  let labels = COMPARISONS.has(op) && !returnBool ? many : many.nameless;
  if (matching.cardinality === "one-to-one") {
    const names = new Set(matching.labels);
    labels = matching.on ? only(labels, names) : without(labels, names);
  }
  for (const name of matching.include) labels = withLabel(labels, name, one.get(name) ?? "");
  return labels;
}

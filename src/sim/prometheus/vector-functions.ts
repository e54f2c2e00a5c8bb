/** PromQL functions over instant vectors. Semantics: Prometheus's `promql/functions.go`. */
import { compileRe2 } from "../../observe/re2.ts";
import { CALENDAR_FUNCTIONS } from "./calendar.ts";
import { NO_LABELS, withLabel } from "./labels.ts";
import { type Element, ExecutionError, type Value } from "./vector.ts";

type Elements = readonly Element[];

export interface CallContext {
  readonly evaluationMs: number;
}

export type VectorFunction = (args: readonly Value[], context: CallContext) => Elements;

/** Value of each element, without the metric name. */
const each =
  (compute: (value: number, parameters: readonly number[]) => number): VectorFunction =>
  (args) => {
    const parameters = args.slice(1).map(scalarOf);
    return elementsOf(args[0]).map(({ labels, value }) => ({
      labels: labels.nameless,
      value: compute(value, parameters),
    }));
  };

export const VECTOR_FUNCTIONS: Readonly<Record<string, VectorFunction>> = {
  abs: each(Math.abs),
  ceil: each(Math.ceil),
  floor: each(Math.floor),
  exp: each(Math.exp),
  ln: each(Math.log),
  log2: each(Math.log2),
  log10: each(Math.log10),
  sqrt: each(Math.sqrt),
  sgn: each(Math.sign),
  deg: each((v) => (v * 180) / Math.PI),
  rad: each((v) => (v * Math.PI) / 180),
  sin: each(Math.sin),
  cos: each(Math.cos),
  tan: each(Math.tan),
  asin: each(Math.asin),
  acos: each(Math.acos),
  atan: each(Math.atan),
  sinh: each(Math.sinh),
  cosh: each(Math.cosh),
  tanh: each(Math.tanh),
  asinh: each(Math.asinh),
  acosh: each(Math.acosh),
  atanh: each(Math.atanh),
  round: each((v, [nearest = 1]) => Math.floor(v * (1 / nearest) + 0.5) / (1 / nearest)),
  clamp_min: each((v, [least = Number.NaN]) => Math.max(least, v)),
  clamp_max: each((v, [most = Number.NaN]) => Math.min(most, v)),
  clamp: (args, context) => {
    const [, least, most] = args;
    if (scalarOf(most) < scalarOf(least)) return [];
    return each((v, [a = Number.NaN, b = Number.NaN]) => Math.max(a, Math.min(b, v)))(args, context);
  },
  timestamp: (args, { evaluationMs }) =>
    elementsOf(args[0]).map(({ labels, timeMs = evaluationMs }) => ({
      labels: labels.nameless,
      value: timeMs / 1000,
    })),
  sort: (args) => elementsOf(args[0]).toSorted((a, b) => order(a.value, b.value)),
  sort_desc: (args) => elementsOf(args[0]).toSorted((a, b) => order(-a.value, -b.value)),
  vector: (args) => [{ labels: NO_LABELS, value: scalarOf(args[0]) }],
  label_replace: (args) => labelReplace(args),
  label_join: (args) => labelJoin(args),
  ...CALENDAR_FUNCTIONS,
};

export function elementsOf(value: Value | undefined): Elements {
  if (value?.kind !== "vector") throw new ExecutionError(`expected an instant vector, got ${value?.kind}`);
  return value.elements;
}

export function scalarOf(value: Value | undefined): number {
  if (value?.kind !== "scalar") throw new ExecutionError(`expected a scalar, got ${value?.kind}`);
  return value.value;
}

function stringOf(value: Value | undefined): string {
  if (value?.kind !== "string") throw new ExecutionError(`expected a string, got ${value?.kind}`);
  return value.value;
}

/** Ascending with NaN at the end. */
const order = (a: number, b: number): number =>
  Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) ? -1 : a - b;

const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

function labelReplace(args: readonly Value[]): Elements {
  const [target = "", replacement = "", source = "", pattern = ""] = args.slice(1).map(stringOf);
  let regex: RegExp;
  try {
    regex = compileRe2(pattern);
  } catch {
    throw new ExecutionError(`invalid regular expression in label_replace(): ${pattern}`);
  }
  if (!LABEL_NAME.test(target)) {
    throw new ExecutionError(`invalid destination label name in label_replace(): ${target}`);
  }
  return elementsOf(args[0]).map((element) => {
    const match = regex.exec(element.labels.get(source) ?? "");
    return match === null
      ? element
      : { ...element, labels: withLabel(element.labels, target, expand(replacement, match)) };
  });
}

/** Go's `Regexp.Expand`: `$1`, `$name` (as many word characters as there are) and `${name}`; `$$` is a dollar. */
function expand(template: string, match: RegExpExecArray): string {
  return template.replaceAll(/\$(?:(\$)|\{(\w+)\}|(\w+))/g, (_, dollar?: string, braced?: string, bare?: string) => {
    if (dollar !== undefined) return "$";
    const name = braced ?? bare ?? "";
    return (/^\d+$/.test(name) ? match[Number(name)] : match.groups?.[name]) ?? "";
  });
}

function labelJoin(args: readonly Value[]): Elements {
  const [target = "", separator = "", ...sources] = args.slice(1).map(stringOf);
  if (!LABEL_NAME.test(target)) throw new ExecutionError(`invalid destination label name in label_join(): ${target}`);
  return elementsOf(args[0]).map((element) => {
    const joined = sources.map((source) => element.labels.get(source) ?? "").join(separator);
    return { ...element, labels: withLabel(element.labels, target, joined) };
  });
}

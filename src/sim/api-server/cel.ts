/**
 * `x-kubernetes-validations`: CEL rules of a CRD, compiled when the CRD is accepted.
 *
 * Source: https://kubernetes.io/docs/reference/using-api/cel/ and the KEP-2876 semantics of `self` and `oldSelf`.
 */
import { Environment, type ParseResult } from "@marcbachmann/cel-js";
import { isObject, type JsonObject } from "./json.ts";

export interface CelRule {
  readonly rule: string;
  readonly message: string;
  readonly messageExpression: ParseResult | undefined;
  /** `.spec.replicas`, relative to the place of the rule. */
  readonly fieldPath: string;
  readonly reason: string | undefined;
  /** Uses `oldSelf`: only checked on updates, unless `optionalOldSelf`. */
  readonly isTransition: boolean;
  readonly optionalOldSelf: boolean;
  readonly evaluate: ParseResult;
}

/** @throws Error naming the rule that does not compile */
export function compileRules(source: unknown, schema: JsonObject, path: string): CelRule[] {
  if (!Array.isArray(source)) return [];
  return source.filter(isObject).map((entry, index) => {
    const at = `${path}.x-kubernetes-validations[${index}]`;
    const rule = String(entry["rule"] ?? "");
    const optionalOldSelf = entry["optionalOldSelf"] === true;
    const evaluate = compile(rule, schema, `${at}.rule`, "bool");
    const expression = entry["messageExpression"];
    return {
      rule,
      message: String(entry["message"] ?? `failed rule: ${rule.trim()}`),
      messageExpression:
        typeof expression === "string" ? compile(expression, schema, `${at}.messageExpression`, "string") : undefined,
      fieldPath: String(entry["fieldPath"] ?? ""),
      reason: typeof entry["reason"] === "string" ? entry["reason"] : undefined,
      isTransition: usesOldSelf(evaluate.ast),
      optionalOldSelf,
      evaluate,
    };
  });
}

/** What values of the store came to; they are never changed, and most of an object is the same after a write. */
const known = new WeakMap<object, { readonly schema: JsonLikeSchema | undefined; readonly cel: unknown }>();

/** JSON as CEL sees it: whole numbers of integer fields are `int`, others `double`. */
export function celValue(value: unknown, schema: JsonLikeSchema | undefined): unknown {
  if (typeof value === "number") {
    if (schema?.type === "number") return value;
    return Number.isInteger(value) ? BigInt(value) : value;
  }
  if (typeof value !== "object" || value === null) return value;
  const seen = known.get(value);
  if (seen !== undefined && seen.schema === schema) return seen.cel;
  const cel = Array.isArray(value)
    ? value.map((item) => celValue(item, schema?.items))
    : celObject(value as JsonObject, schema);
  known.set(value, { schema, cel });
  return cel;
}

function celObject(value: JsonObject, schema: JsonLikeSchema | undefined): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const field of Object.keys(value)) {
    const cel = celValue(value[field], schema?.properties.get(field) ?? schema?.additional);
    const escaped = escapeField(field);
    result[escaped] = cel;
    if (escaped !== field) result[field] = cel;
  }
  return result;
}

interface JsonLikeSchema {
  readonly type: string;
  readonly properties: ReadonlyMap<string, JsonLikeSchema>;
  readonly additional: JsonLikeSchema | undefined;
  readonly items: JsonLikeSchema | undefined;
}

function compile(text: string, schema: JsonObject, path: string, wanted: "bool" | "string"): ParseResult {
  let parsed: ParseResult;
  try {
    parsed = environment().parse(text);
  } catch (error) {
    throw new Error(`${path}: Invalid value: ${JSON.stringify(text)}: compilation failed: ${firstLine(error)}`);
  }
  const checked = parsed.check();
  if (!checked.valid) {
    throw new Error(`${path}: Invalid value: ${JSON.stringify(text)}: compilation failed: ${firstLine(checked.error)}`);
  }
  if (checked.type !== wanted && checked.type !== "dyn") {
    throw new Error(`${path}: Invalid value: ${JSON.stringify(text)}: must evaluate to a ${wanted}`);
  }
  const missing = undefinedField(parsed.ast, schema);
  if (missing !== undefined) {
    throw new Error(
      `${path}: Invalid value: ${JSON.stringify(text)}: compilation failed: undefined field '${missing}'`,
    );
  }
  return parsed;
}

let shared: Environment | undefined;

/** The functions Kubernetes adds to CEL, as far as the language library does not have them. */
function environment(): Environment {
  if (shared !== undefined) return shared;
  const ordered = (list: readonly never[]): boolean =>
    list.every((item, index) => index === 0 || list[index - 1]! <= item);
  const extreme = (list: readonly never[], better: (a: never, b: never) => boolean): unknown => {
    if (list.length === 0) throw new Error("the list is empty");
    return list.reduce((best, item) => (better(item, best) ? item : best));
  };
  shared = new Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false })
    .registerVariable("self", "dyn")
    .registerVariable("oldSelf", "dyn")
    .registerFunction("list.isSorted(): bool", ordered)
    .registerFunction("list.sum(): dyn", (list: readonly never[]) =>
      list.length === 0 ? 0n : list.reduce((sum: never, item: never) => ((sum as bigint) + (item as bigint)) as never),
    )
    .registerFunction("list.min(): dyn", (list: readonly never[]) => extreme(list, (a, b) => a < b))
    .registerFunction("list.max(): dyn", (list: readonly never[]) => extreme(list, (a, b) => a > b))
    .registerFunction("list.indexOf(dyn): int", (list: readonly unknown[], item: unknown) => BigInt(list.indexOf(item)))
    .registerFunction("list.lastIndexOf(dyn): int", (list: readonly unknown[], item: unknown) =>
      BigInt(list.lastIndexOf(item)),
    )
    .registerFunction("string.replace(string, string): string", (text: string, from: string, to: string) =>
      text.replaceAll(from, () => to),
    )
    .registerFunction("string.find(string): string", (text: string, pattern: string) => {
      return new RegExp(pattern, "u").exec(text)?.[0] ?? "";
    })
    .registerFunction("string.findAll(string): list<string>", (text: string, pattern: string) =>
      [...text.matchAll(new RegExp(pattern, "gu"))].map(([match]) => match),
    )
    .registerFunction("isQuantity(string): bool", (text: string) => QUANTITY.test(text))
    .registerFunction("isURL(string): bool", (text: string) => URL.canParse(text));
  return shared;
}

const QUANTITY = /^[+-]?(\d+\.?\d*|\.\d+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?\d+))?$/;

type Ast = ParseResult["ast"];

function usesOldSelf(node: unknown): boolean {
  let found = false;
  visit(node, (ast) => {
    if (ast.op === "id" && ast.args === "oldSelf") found = true;
  });
  return found;
}

/** First field selected from `self` or `oldSelf` that a closed schema does not have. */
function undefinedField(root: unknown, schema: JsonObject): string | undefined {
  let missing: string | undefined;
  visit(root, (node) => {
    const path = selection(node);
    if (path === undefined || missing !== undefined) return;
    let current: JsonObject | undefined = schema;
    for (const field of path) {
      if (current === undefined || current["x-kubernetes-preserve-unknown-fields"] === true) return;
      if (isObject(current["additionalProperties"])) {
        current = current["additionalProperties"];
        continue;
      }
      if (current["type"] !== "object" || !isObject(current["properties"])) return;
      const found: [string, unknown] | undefined = Object.entries(current["properties"]).find(
        ([name]) => escapeField(name) === field,
      );
      if (found === undefined) {
        if (field === "metadata" || field === "apiVersion" || field === "kind") return;
        missing = field;
        return;
      }
      current = isObject(found[1]) ? found[1] : undefined;
    }
  });
  return missing;
}

/** The fields of `self.a.b`, or undefined for another expression. */
function selection(node: Ast): string[] | undefined {
  if (node.op === "id") return node.args === "self" || node.args === "oldSelf" ? [] : undefined;
  if (node.op !== ".") return undefined;
  const [target, field] = node.args;
  return selection(target)?.concat(field);
}

function visit(value: unknown, look: (node: Ast) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) visit(item, look);
  } else if (typeof value === "object" && value !== null && "op" in value && "args" in value) {
    look(value as Ast);
    visit(value.args, look);
  }
}

const RESERVED = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
);

/** Names that are not CEL identifiers are written escaped: `foo-bar` is `foo__dash__bar`. */
function escapeField(name: string): string {
  if (RESERVED.has(name)) return `__${name}__`;
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !name.includes("__")) return name;
  return name
    .replaceAll("__", "__underscores__")
    .replaceAll(".", "__dot__")
    .replaceAll("-", "__dash__")
    .replaceAll("/", "__slash__");
}

const firstLine = (error: unknown): string => (error instanceof Error ? error.message.split("\n")[0]! : String(error));

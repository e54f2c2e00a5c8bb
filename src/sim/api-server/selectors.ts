/** Label and field selectors, parsed once into a predicate. */
import { badRequest } from "./failure.ts";
import { type StoredObject, valueAt } from "./json.ts";

export type Matcher = (object: StoredObject) => boolean;

/** `a=b,c!=d,e in (f,g),!h,i`. @returns undefined when everything matches */
export function labelMatcher(selector: string | undefined): Matcher | undefined {
  if (selector === undefined || selector.trim() === "") return undefined;
  const tests = splitOutsideParentheses(selector).map(labelTest);
  return ({ metadata: { labels } }) => tests.every((test) => test(labels ?? {}));
}

/**
 * `metadata.name=x,spec.nodeName!=y`.
 * @param selectable the paths this kind can be selected by, besides name and namespace
 */
export function fieldMatcher(selector: string | undefined, selectable: readonly string[]): Matcher | undefined {
  if (selector === undefined || selector.trim() === "") return undefined;
  const tests = selector.split(",").map((term) => {
    const found = /^\s*([^!=\s]+)\s*(==|!=|=)\s*(.*?)\s*$/.exec(term);
    if (found === null) throw badRequest(`invalid selector: '${selector}'; can't understand '${term}'`);
    const [, path = "", operator, wanted = ""] = found;
    if (path !== "metadata.name" && path !== "metadata.namespace" && !selectable.includes(path)) {
      throw badRequest(`field label not supported: ${path}`);
    }
    const fields = path.split(".");
    const equal = operator !== "!=";
    return (object: StoredObject): boolean => {
      const value = valueAt(object, fields);
      const text =
        value === undefined || value === null ? (path === "spec.unschedulable" ? "false" : "") : String(value);
      return (text === wanted) === equal;
    };
  });
  return (object) => tests.every((test) => test(object));
}

/** Both, as one predicate. */
export function bothMatch(a: Matcher | undefined, b: Matcher | undefined): Matcher | undefined {
  if (a === undefined) return b;
  if (b === undefined) return a;
  return (object) => a(object) && b(object);
}

type Labels = Readonly<Record<string, string>>;

function labelTest(term: string): (labels: Labels) => boolean {
  const set = /^\s*([^\s!=<>(),]+)\s+(in|notin)\s*\(([^()]*)\)\s*$/.exec(term);
  if (set !== null) {
    const [, key = "", operator, list = ""] = set;
    const values = new Set(list.split(",").map((value) => value.trim()));
    return operator === "in"
      ? (labels) => labels[key] !== undefined && values.has(labels[key])
      : (labels) => labels[key] === undefined || !values.has(labels[key]);
  }
  const compared = /^\s*([^\s!=<>(),]+)\s*(==|!=|=|>|<)\s*([^\s!=<>(),]*)\s*$/.exec(term);
  if (compared !== null) {
    const [, key = "", operator, value = ""] = compared;
    if (operator === "!=") return (labels) => labels[key] !== value;
    if (operator === ">") return (labels) => labels[key] !== undefined && Number(labels[key]) > Number(value);
    if (operator === "<") return (labels) => labels[key] !== undefined && Number(labels[key]) < Number(value);
    return (labels) => labels[key] === value;
  }
  const exists = /^\s*(!?)\s*([^\s!=<>(),]+)\s*$/.exec(term);
  if (exists === null)
    throw badRequest(`unable to parse requirement: found '${term.trim()}', expected a label selector`);
  const [, not, key = ""] = exists;
  return not === "!" ? (labels) => labels[key] === undefined : (labels) => labels[key] !== undefined;
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === "(") depth++;
    else if (character === ")") depth--;
    else if (character === "," && depth === 0) {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

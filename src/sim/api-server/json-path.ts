/**
 * The JSONPath of printer columns: `.spec.replicas`, `.metadata.labels.app\.kubernetes\.io/name`, `.items[*].name`,
 * `.status.conditions[?(@.type=="Ready")].status`, `['field']`, `[0]`, `[-1:]`.
 */
import { isObject } from "./json.ts";

type Step = (value: unknown) => readonly unknown[];

const compiled = new Map<string, readonly Step[]>();

/** All values the path finds, in order. @throws Error when the path cannot be read */
export function jsonPathValues(path: string, value: unknown): readonly unknown[] {
  let steps = compiled.get(path);
  if (steps === undefined) {
    steps = parse(path);
    compiled.set(path, steps);
  }
  let found: readonly unknown[] = [value];
  for (const step of steps) found = found.flatMap(step);
  return found;
}

function parse(path: string): Step[] {
  const text = path.replace(/^\{(.*)\}$/, "$1").replace(/^\$/, "");
  const steps: Step[] = [];
  let at = 0;
  while (at < text.length) {
    const rest = text.slice(at);
    const bracket = /^\[(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(\*)|(-?\d+)|(-?\d*):(-?\d*)|\?\((.*?)\))\]/.exec(
      rest,
    );
    const field = /^\.?((?:[^.[\]\\]|\\.)+)/.exec(rest);
    if (bracket !== null) {
      steps.push(bracketStep(bracket));
      at += bracket[0].length;
    } else if (field !== null) {
      const name = field[1]!.replaceAll(/\\(.)/g, "$1");
      steps.push(name === "*" ? allOf : fieldStep(name));
      at += field[0].length;
    } else if (rest === ".") at = text.length;
    else throw new Error(`cannot read the JSONPath ${JSON.stringify(path)} at ${JSON.stringify(rest)}`);
  }
  return steps;
}

function bracketStep(match: RegExpExecArray): Step {
  const [, single, double, star, index, from, to, filter] = match;
  if (star !== undefined) return allOf;
  if (index !== undefined) return (value) => pick(value, (list) => [list.at(Number(index))]);
  if (filter !== undefined) return filterStep(filter);
  if (from !== undefined || to !== undefined) {
    return (value) =>
      pick(value, (list) => list.slice(Number(from || 0), to === "" || to === undefined ? undefined : Number(to)));
  }
  return fieldStep((single ?? double ?? "").replaceAll(/\\(.)/g, "$1"));
}

const fieldStep =
  (name: string): Step =>
  (value) =>
    isObject(value) && value[name] !== undefined ? [value[name]] : [];

const allOf: Step = (value) => (Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []);

const pick = (value: unknown, choose: (list: readonly unknown[]) => readonly unknown[]): readonly unknown[] =>
  Array.isArray(value) ? choose(value).filter((item) => item !== undefined) : [];

function filterStep(filter: string): Step {
  const compared = /^\s*@(.*?)\s*(==|!=|>=|<=|>|<)\s*(.+?)\s*$/.exec(filter);
  if (compared === null) {
    const path = filter.trim().replace(/^@/, "");
    return (value) => pick(value, (list) => list.filter((item) => jsonPathValues(path, item).length > 0));
  }
  const [, path = "", operator = "==", literal = ""] = compared;
  const wanted: unknown = /^'.*'$/.test(literal) ? literal.slice(1, -1) : JSON.parse(literal);
  return (value) =>
    pick(value, (list) =>
      list.filter((item) => {
        const [found] = jsonPathValues(path, item);
        return found !== undefined && compare(found, operator, wanted);
      }),
    );
}

function compare(found: unknown, operator: string, wanted: unknown): boolean {
  if (operator === "==") return found === wanted;
  if (operator === "!=") return found !== wanted;
  if (typeof found !== "number" || typeof wanted !== "number") return false;
  return operator === ">"
    ? found > wanted
    : operator === "<"
      ? found < wanted
      : operator === ">="
        ? found >= wanted
        : found <= wanted;
}

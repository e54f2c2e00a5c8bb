/** The part of an answer for all pods that belongs to one policy, folded as its query says. Pure. */
import type { Sample } from "./metrics-source.ts";
import type { Arithmetic, PlanNode } from "./query-plan.ts";
import type { QueryScope } from "./query-text.ts";
import { compileRe2 } from "./re2.ts";
import type { SharedAnswer } from "./shared-answer.ts";

/** @param answers to the plan's queries, by text */
export function splitAnswer(
  plan: PlanNode,
  answers: ReadonlyMap<string, SharedAnswer>,
  scope: QueryScope,
): readonly Sample[] {
  if (plan.kind === "each") return ofScope(answers.get(plan.queries[0]), scope);
  const one = evaluate(plan, answers, scope);
  return one === undefined ? [] : [{ labels: {}, ...one }];
}

type Value = Pick<Sample, "value" | "timestampSeconds">;

function evaluate(plan: PlanNode, answers: ReadonlyMap<string, SharedAnswer>, scope: QueryScope): Value | undefined {
  switch (plan.kind) {
    case "number":
      return { value: plan.value, timestampSeconds: Number.NEGATIVE_INFINITY };
    case "fold": {
      const [samples = [], counts = []] = plan.queries.map((query) => ofScope(answers.get(query), scope));
      const [first] = samples;
      if (first === undefined) return undefined;
      return { value: folded(plan.fold, samples, counts), timestampSeconds: first.timestampSeconds };
    }
    case "binary": {
      const left = evaluate(plan.left, answers, scope);
      const right = evaluate(plan.right, answers, scope);
      if (left === undefined || right === undefined) return undefined;
      const timestampSeconds = Math.max(left.timestampSeconds, right.timestampSeconds);
      return { value: ARITHMETIC[plan.op](left.value, right.value), timestampSeconds };
    }
    case "each":
      return undefined;
    default:
      return plan satisfies never;
  }
}

const ARITHMETIC: Readonly<Record<Arithmetic, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
};

function folded(
  fold: Extract<PlanNode, { kind: "fold" }>["fold"],
  samples: readonly Sample[],
  counts: readonly Sample[],
): number {
  switch (fold) {
    case "sum":
    case "count":
      return sumOf(samples);
    case "avg":
      return sumOf(samples) / sumOf(counts);
    case "max":
      return samples.reduce((most, { value }) => (value > most || Number.isNaN(most) ? value : most), Number.NaN);
    case "min":
      return samples.reduce((least, { value }) => (value < least || Number.isNaN(least) ? value : least), Number.NaN);
    default:
      return fold satisfies never;
  }
}

const sumOf = (samples: readonly Sample[]): number => samples.reduce((sum, { value }) => sum + value, 0);

function ofScope(answer: SharedAnswer | undefined, { namespace, podRegex }: QueryScope): readonly Sample[] {
  if (answer === undefined) return [];
  const bucket = answer.ofNamespace(namespace);
  const matches = podMatcher(podRegex);
  const prefix = literalPrefix(podRegex);
  const found: Sample[] = [];
  for (let at = firstFrom(bucket, prefix); at < bucket.length; at++) {
    const entry = bucket[at] as (typeof bucket)[number];
    if (!entry.pod.startsWith(prefix)) break;
    if (matches(entry.pod)) found.push(answer.samples.at(entry.at) as Sample);
  }
  return found;
}

const SET_PODS = /^((?:[\w-]|\\[.-])+-)\[0-9\]\+(-(?:[\w-]|\\[.-])*)(\.\*|\[0-9\]\+-\.\*|\[a-z0-9\]\+)$/;

/** The pods of a set and of a target have patterns of three forms, which are read by hand: thousands of policies would each have theirs compiled. */
function podMatcher(podRegex: string): (pod: string) => boolean {
  const form = SET_PODS.exec(podRegex);
  if (form === null) {
    const pattern = compileRe2(podRegex);
    return (pod) => pattern.test(pod);
  }
  const [before = "", after = ""] = form.slice(1, 3).map((literal) => literal.replace(/\\(.)/g, "$1"));
  const isRest = REST[form[3] ?? ""] ?? isLine;
  return (pod) => {
    if (!pod.startsWith(before)) return false;
    let at = before.length;
    while (isDigit(pod.charCodeAt(at))) at++;
    return at > before.length && pod.startsWith(after, at) && isRest(pod, at + after.length);
  };
}

/** A dot does not match the end of a line. */
const isLine = (text: string, from: number): boolean => !text.includes("\n", from);

/** What follows the name of a target, from a place in the pod's. */
const REST: Readonly<Record<string, (pod: string, from: number) => boolean>> = {
  ".*": isLine,
  "[0-9]+-.*": (pod, from) => {
    let at = from;
    while (isDigit(pod.charCodeAt(at))) at++;
    return at > from && pod[at] === "-" && isLine(pod, at);
  },
  "[a-z0-9]+": (pod, from) => {
    let at = from;
    while (isDigit(pod.charCodeAt(at)) || isSmallLetter(pod.charCodeAt(at))) at++;
    return at > from && at === pod.length;
  },
};

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
const isSmallLetter = (code: number): boolean => code >= 0x61 && code <= 0x7a;

/** Index of the first pod that is not before `prefix`. */
function firstFrom(bucket: readonly { readonly pod: string }[], prefix: string): number {
  let low = 0;
  let high = bucket.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((bucket[middle]?.pod ?? "") < prefix) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What every match of the anchored pattern begins with; empty when that is not plain to see. */
export function literalPrefix(pattern: string): string {
  if (pattern.includes("|") || pattern.startsWith("(?")) return "";
  const found = /^(?:[\w -]|\\[.\-+*?^$(){}[\]|\\])*/.exec(pattern)?.[0] ?? "";
  const next = pattern[found.length];
  // The last character may be repeated or left out.
  const sure = next === "*" || next === "?" || next === "{" ? found.replace(/(?:\\.|.)$/, "") : found;
  return sure.replace(/\\(.)/g, "$1");
}

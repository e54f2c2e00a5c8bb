/** PromQL's aggregation operators. Semantics: `aggregation` in Prometheus's `promql/engine.go`. */
import { remember } from "../remember.ts";
import { formatValue } from "./exposition.ts";
import { type LabelSet, METRIC_NAME, only, withLabel, without } from "./labels.ts";
import { extreme, quantile, variance } from "./range-functions.ts";
import { type Element, ExecutionError } from "./vector.ts";

export interface Aggregation {
  readonly op: string;
  readonly grouping: readonly string[];
  readonly without: boolean;
  readonly scalar?: number;
  readonly text?: string;
}

/** Which elements of a vector belong together: it follows from their labels. */
export interface Grouping {
  /** Of each group. */
  readonly labels: readonly LabelSet[];
  /** The group of each element. */
  readonly groupAt: readonly number[];
}

const REDUCERS: Readonly<Record<string, (values: readonly number[], parameter: number) => number>> = {
  avg: (values) => values.reduce((total, value) => total + value, 0) / values.length,
  min: (values) => extreme(values, (a, b) => a < b),
  max: (values) => extreme(values, (a, b) => a > b),
  count: (values) => values.length,
  group: () => 1,
  stddev: (values) => Math.sqrt(variance(values)),
  stdvar: variance,
  quantile: (values, q) => quantile(q, values),
};

export function aggregate(
  elements: readonly Element[],
  aggregation: Aggregation,
  groupingOf: (elements: readonly Element[]) => Grouping,
): readonly Element[] {
  const { op, scalar = Number.NaN } = aggregation;
  if (op === "count_values") return countValues(elements, aggregation);
  const grouping = groupingOf(elements);
  if (op === "sum") return sums(elements, grouping);
  if (op === "topk" || op === "bottomk")
    return membersOf(elements, grouping).flatMap((members) => extremes(members, op, scalar));
  const reduce = REDUCERS[op];
  if (reduce === undefined) throw new ExecutionError(`aggregation operator "${op}" is not supported`, "bad-data");
  return membersOf(elements, grouping).map((members, group) => ({
    labels: grouping.labels[group] as LabelSet,
    value: reduce(
      members.map(({ value }) => value),
      scalar,
    ),
  }));
}

/** The commonest, often over as many groups as elements. */
function sums(elements: readonly Element[], { labels, groupAt }: Grouping): Element[] {
  const totals = new Float64Array(labels.length);
  for (let at = 0; at < elements.length; at++) {
    const group = groupAt[at] as number;
    totals[group] = (totals[group] as number) + (elements[at] as Element).value;
  }
  return labels.map((set, group) => ({ labels: set, value: totals[group] as number }));
}

/** The function from an element's labels to its group's. */
export function grouper({
  grouping,
  without: excluding,
}: Pick<Aggregation, "grouping" | "without">): (labels: LabelSet) => LabelSet {
  const names = new Set(grouping);
  if (!excluding) return (labels) => only(labels, names);
  names.add(METRIC_NAME);
  return (labels) => without(labels, names);
}

export function groupBy(all: readonly LabelSet[], groupOf: (labels: LabelSet) => LabelSet): Grouping {
  const known = new Map<string, number>();
  const labels: LabelSet[] = [];
  const groupAt = all.map((set) => {
    const own = groupOf(set);
    return remember(known, own.key, () => labels.push(own) - 1);
  });
  return { labels, groupAt };
}

function membersOf(elements: readonly Element[], { labels, groupAt }: Grouping): Element[][] {
  const groups: Element[][] = labels.map(() => []);
  for (const [at, element] of elements.entries()) groups[groupAt[at] as number]?.push(element);
  return groups;
}

/** The k elements, best first, with their own labels; NaN is worse than any number. */
function extremes(members: readonly Element[], op: "topk" | "bottomk", k: number): Element[] {
  if (Number.isNaN(k) || Math.abs(k) > Number.MAX_SAFE_INTEGER) {
    throw new ExecutionError(`Scalar value ${formatValue(k)} overflows int64`);
  }
  const count = Math.trunc(k);
  if (count < 1) return [];
  const sign = op === "topk" ? 1 : -1;
  return members
    .toSorted(({ value: a }, { value: b }) => {
      if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1;
      return Number.isNaN(b) ? -1 : sign * (b - a) || 0;
    })
    .slice(0, count)
    .map(({ labels, value }) => ({ labels, value }));
}

function countValues(elements: readonly Element[], { text = "", ...aggregation }: Aggregation): readonly Element[] {
  const groupOf = grouper(aggregation);
  const counted = elements.map(({ labels, value }) => withLabel(groupOf(labels), text, spellValue(value)));
  const { labels, groupAt } = groupBy(counted, (set) => set);
  return labels.map((set, group) => ({ labels: set, value: groupAt.filter((own) => own === group).length }));
}

/** Go's `FormatFloat(value, 'f', -1, 64)`: the shortest digits, never an exponent. */
function spellValue(value: number): string {
  const [mantissa = "", exponent] = formatValue(value).split("e");
  if (exponent === undefined) return mantissa;
  const [, sign = "", whole = "", fraction = ""] = /^(-?)(\d+)\.?(\d*)$/.exec(mantissa) ?? [];
  const shift = Number(exponent);
  if (shift < 0) return `${sign}0.${"0".repeat(-shift - 1)}${whole}${fraction}`;
  return `${sign}${whole}${fraction.padEnd(shift, "0")}`;
}

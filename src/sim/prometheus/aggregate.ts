/** PromQL's aggregation operators. Semantics: `aggregation` in Prometheus's `promql/engine.go`. */
import { formatValue } from "./exposition.ts";
import { type LabelSet, labelKey, METRIC_NAME, only, withLabel, without } from "./labels.ts";
import { extreme, quantile, variance } from "./range-functions.ts";
import { type Element, ExecutionError } from "./vector.ts";

export interface Aggregation {
  readonly op: string;
  readonly grouping: readonly string[];
  readonly without: boolean;
  readonly scalar?: number;
  readonly text?: string;
}

interface Group {
  readonly labels: LabelSet;
  readonly members: Element[];
}

const REDUCERS: Readonly<Record<string, (values: readonly number[], parameter: number) => number>> = {
  sum: (values) => values.reduce((total, value) => total + value, 0),
  avg: (values) => values.reduce((total, value) => total + value, 0) / values.length,
  min: (values) => extreme(values, (a, b) => a < b),
  max: (values) => extreme(values, (a, b) => a > b),
  count: (values) => values.length,
  group: () => 1,
  stddev: (values) => Math.sqrt(variance(values)),
  stdvar: variance,
  quantile: (values, q) => quantile(q, values),
};

/** `groupOf` maps an element's labels to those of its group; it is given so that a caller can remember the answers. */
export function aggregate(
  elements: readonly Element[],
  aggregation: Aggregation,
  groupOf: (labels: LabelSet) => LabelSet,
): readonly Element[] {
  const { op, scalar = Number.NaN } = aggregation;
  if (op === "count_values") return countValues(elements, aggregation);
  const groups = groupsOf(elements, groupOf);
  if (op === "topk" || op === "bottomk") return groups.flatMap((group) => extremes(group.members, op, scalar));
  const reduce = REDUCERS[op];
  if (reduce === undefined) throw new ExecutionError(`aggregation operator "${op}" is not supported`, "bad-data");
  return groups.map(({ labels, members }) => ({
    labels,
    value: reduce(
      members.map(({ value }) => value),
      scalar,
    ),
  }));
}

/** The function from an element's labels to its group's. */
export function grouper({ grouping, without: excluding }: Aggregation): (labels: LabelSet) => LabelSet {
  const names = new Set(grouping);
  if (!excluding) return (labels) => only(labels, names);
  names.add(METRIC_NAME);
  return (labels) => without(labels, names);
}

function groupsOf(elements: readonly Element[], groupOf: (labels: LabelSet) => LabelSet): Group[] {
  const groups = new Map<string, Group>();
  for (const element of elements) {
    const labels = groupOf(element.labels);
    const key = labelKey(labels);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { labels, members: [element] });
    else group.members.push(element);
  }
  return [...groups.values()];
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
  const groups = groupsOf(elements, (labels) => labels);
  const counted = groups.flatMap(({ members }) =>
    members.map(({ labels, value }) => ({ labels: withLabel(groupOf(labels), text, spellValue(value)), value: 1 })),
  );
  return groupsOf(counted, (labels) => labels).map(({ labels, members }) => ({ labels, value: members.length }));
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

/** Label sets of series: maps whose entries are sorted by name and never empty, so equal sets have equal keys. */

import { remember } from "../remember.ts";

export type LabelSet = ReadonlyMap<string, string>;

export const METRIC_NAME = "__name__";
export const NO_LABELS: LabelSet = new Map();

export function labelSet(entries: Iterable<readonly [string, string]>): LabelSet {
  const kept = [...entries].filter(([, value]) => value !== "");
  return new Map(kept.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** The same for the same set. Keys are remembered: sets are immutable and live long. */
export function labelKey(labels: LabelSet): string {
  return remember(keys, labels, (set) => {
    let key = "";
    for (const [name, value] of set) key += `${name}\u0001${value}\u0002`;
    return key;
  });
}
const keys = new WeakMap<LabelSet, string>();

/** Without the names; the metric name is a label like any other here. */
export function without(labels: LabelSet, names: ReadonlySet<string>): LabelSet {
  const kept = new Map<string, string>();
  for (const [name, value] of labels) if (!names.has(name)) kept.set(name, value);
  return kept;
}

export function only(labels: LabelSet, names: ReadonlySet<string>): LabelSet {
  const kept = new Map<string, string>();
  for (const [name, value] of labels) if (names.has(name)) kept.set(name, value);
  return kept;
}

/** With one label set, or removed when the value is empty. */
export function withLabel(labels: LabelSet, name: string, value: string): LabelSet {
  return labelSet([...[...labels].filter(([other]) => other !== name), [name, value]]);
}

const NAME_ONLY: ReadonlySet<string> = new Set([METRIC_NAME]);

/** The set without its metric name; the result is remembered with the set. */
export function dropName(labels: LabelSet): LabelSet {
  if (!labels.has(METRIC_NAME)) return labels;
  return remember(namelessSets, labels, (named) => without(named, NAME_ONLY));
}
const namelessSets = new WeakMap<LabelSet, LabelSet>();

/** `{a="b", c="d"}`, as Prometheus's error texts write it. */
export function spellLabels(labels: LabelSet): string {
  const pairs = [...labels].filter(([name]) => name !== METRIC_NAME).map(([name, v]) => `${name}=${JSON.stringify(v)}`);
  return `${labels.get(METRIC_NAME) ?? ""}{${pairs.join(", ")}}`;
}

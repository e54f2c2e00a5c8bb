import { type LabelSet, labelSet } from "./labels.ts";

/** Labels of the target win: what a series calls the same comes back as `exported_*`, as in Prometheus's `scrape/target.go`. */
export function withTargetLabels(exposed: Iterable<readonly [string, string]>, targetLabels: LabelSet): LabelSet {
  const labels = new Map<string, string>(targetLabels);
  for (const [name, value] of exposed) {
    let free = name;
    while (targetLabels.has(free)) free = `exported_${free}`;
    labels.set(free, value);
  }
  return labelSet(labels);
}

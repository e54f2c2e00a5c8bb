/** Label sets of series: maps whose entries are sorted by name and never empty, so equal sets have equal keys. */

/** Immutable once made. What follows from it is kept with it: sets live long and are asked again and again. */
export class LabelSet extends Map<string, string> {
  #key: string | undefined;
  #nameless: LabelSet | undefined;
  #record: Readonly<Record<string, string>> | undefined;

  /** The same for the same set. */
  get key(): string {
    if (this.#key === undefined) {
      let key = "";
      for (const [name, value] of this) key += `${name}\u0001${value}\u0002`;
      this.#key = key;
    }
    return this.#key;
  }

  /** The set without its metric name. */
  get nameless(): LabelSet {
    this.#nameless ??= this.has(METRIC_NAME) ? without(this, NAME_ONLY) : this;
    return this.#nameless;
  }

  get record(): Readonly<Record<string, string>> {
    this.#record ??= Object.fromEntries(this);
    return this.#record;
  }
}

export const METRIC_NAME = "__name__";
export const NO_LABELS = new LabelSet();
const NAME_ONLY: ReadonlySet<string> = new Set([METRIC_NAME]);

export function labelSet(entries: Iterable<readonly [string, string]>): LabelSet {
  const kept = [...entries].filter(([, value]) => value !== "");
  return new LabelSet(kept.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** Without the names; the metric name is a label like any other here. */
export function without(labels: LabelSet, names: ReadonlySet<string>): LabelSet {
  const kept = new LabelSet();
  for (const [name, value] of labels) if (!names.has(name)) kept.set(name, value);
  return kept;
}

export function only(labels: LabelSet, names: ReadonlySet<string>): LabelSet {
  const kept = new LabelSet();
  for (const [name, value] of labels) if (names.has(name)) kept.set(name, value);
  return kept;
}

/** With one label set, or removed when the value is empty. */
export function withLabel(labels: LabelSet, name: string, value: string): LabelSet {
  return labelSet([...[...labels].filter(([other]) => other !== name), [name, value]]);
}

/** `{a="b", c="d"}`, as Prometheus's error texts write it. */
export function spellLabels(labels: LabelSet): string {
  const pairs = [...labels].filter(([name]) => name !== METRIC_NAME).map(([name, v]) => `${name}=${JSON.stringify(v)}`);
  return `${labels.get(METRIC_NAME) ?? ""}{${pairs.join(", ")}}`;
}

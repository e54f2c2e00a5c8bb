/**
 * Samples by series, in memory: per series one array of times and one of values, an inverted index over labels, and a
 * retention after which samples and then empty series go.
 */
import type { LabelMatcher } from "../../observe/promql-ast.ts";
import { compileRe2 } from "../../observe/re2.ts";
import { remember } from "../remember.ts";
import type { LabelSet } from "./labels.ts";
import { SampleRing } from "./sample-ring.ts";

export interface StoredSeries {
  readonly labels: LabelSet;
  readonly samples: SampleRing;
}

export interface SeriesStoreOptions {
  readonly retentionMs: number;
  /** A scrape that would create more series than this fails, as with Prometheus's own limits. */
  readonly maxSeries: number;
}

interface Selection {
  readonly version: number;
  readonly series: readonly StoredSeries[];
}

/** Garbage is collected when this part of the retention has passed since the last time. */
const GARBAGE_SHARE = 1 / 32;

export class SeriesStore {
  readonly #options: SeriesStoreOptions;
  readonly #byKey = new Map<string, StoredSeries>();
  /** label name -> value -> series. */
  readonly #postings = new Map<string, Map<string, Set<StoredSeries>>>();
  /** Queries ask the same again and again, while series come and go with pods. */
  readonly #selections = new WeakMap<readonly LabelMatcher[], Selection>();
  /** Goes up when a series comes or goes. */
  #version = 0;
  #collectedMs = Number.NEGATIVE_INFINITY;

  constructor(options: SeriesStoreOptions) {
    this.#options = options;
  }

  get seriesCount(): number {
    return this.#byKey.size;
  }

  /** The series with exactly these labels, created when it is new. */
  seriesOf(labels: LabelSet): StoredSeries {
    const key = labels.key;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    if (this.#byKey.size >= this.#options.maxSeries) {
      throw new Error(`series limit exceeded: ${this.#options.maxSeries}`);
    }
    const series: StoredSeries = { labels, samples: new SampleRing() };
    this.#byKey.set(key, series);
    this.#version++;
    for (const [name, value] of labels) {
      const values = remember(this.#postings, name, () => new Map<string, Set<StoredSeries>>());
      remember(values, value, () => new Set<StoredSeries>()).add(series);
    }
    return series;
  }

  /** Is the series still in the store, or has retention taken it? A scraper that kept a reference asks before use. */
  holds(series: StoredSeries): boolean {
    return this.#byKey.get(series.labels.key) === series;
  }

  /** Series that satisfy every matcher, in the order in which they came. */
  select(matchers: readonly LabelMatcher[]): readonly StoredSeries[] {
    const known = this.#selections.get(matchers);
    if (known?.version === this.#version) return known.series;
    const series = this.#find(matchers);
    this.#selections.set(matchers, { version: this.#version, series });
    return series;
  }

  #find(matchers: readonly LabelMatcher[]): readonly StoredSeries[] {
    let candidates: Iterable<StoredSeries> = this.#byKey.values();
    let smallest = this.#byKey.size;
    for (const { label, op, value } of matchers) {
      if (op !== "=" || value === "") continue;
      const posting = this.#postings.get(label)?.get(value);
      if (posting === undefined) return [];
      if (posting.size <= smallest) {
        smallest = posting.size;
        candidates = posting;
      }
    }
    const tests = matchers.map(compileMatcher);
    const found: StoredSeries[] = [];
    for (const series of candidates) if (tests.every((test) => test(series.labels))) found.push(series);
    return found;
  }

  /** Every label name, sorted. */
  labelNames(): string[] {
    return [...this.#postings.keys()].sort();
  }

  /** Every value of a label, sorted. */
  labelValues(name: string): string[] {
    return [...(this.#postings.get(name)?.keys() ?? [])].sort();
  }

  /** Now and then: drops samples older than the retention, and series left without samples. */
  collectGarbage(nowMs: number): void {
    const { retentionMs } = this.#options;
    if (nowMs < this.#collectedMs + GARBAGE_SHARE * retentionMs) return;
    this.#collectedMs = nowMs;
    const oldestMs = nowMs - retentionMs;
    for (const [key, series] of this.#byKey) {
      series.samples.dropBefore(oldestMs);
      if (series.samples.length > 0) continue;
      this.#byKey.delete(key);
      this.#version++;
      for (const [name, value] of series.labels) this.#unpost(name, value, series);
    }
  }

  #unpost(name: string, value: string, series: StoredSeries): void {
    const values = this.#postings.get(name);
    const posting = values?.get(value);
    posting?.delete(series);
    if (posting?.size === 0) values?.delete(value);
    if (values?.size === 0) this.#postings.delete(name);
  }
}

function compileMatcher({ label, op, value }: LabelMatcher): (labels: LabelSet) => boolean {
  const read = (labels: LabelSet): string => labels.get(label) ?? "";
  switch (op) {
    case "=":
      return (labels) => read(labels) === value;
    case "!=":
      return (labels) => read(labels) !== value;
    case "=~":
    case "!~": {
      const pattern = compileRe2(value);
      return (labels) => pattern.test(read(labels)) === (op === "=~");
    }
  }
}

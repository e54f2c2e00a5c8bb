/**
 * The series of one target in the same process, without the text between: an exporter writes the same series in the same order each time, so the series of
 * the last scrape are found again by their place, and looked up by their labels only where one differs.
 */
import type { LatencyHistogram } from "../engines/latency-histogram.ts";
import type { MetricLabels, MetricWriter } from "../engines/metric-writer.ts";
import { type LabelSet, METRIC_NAME } from "./labels.ts";
import type { SeriesStore, StoredSeries } from "./series-store.ts";
import { withTargetLabels } from "./target-labels.ts";

interface Family {
  readonly name: string;
  readonly labels: MetricLabels;
  readonly series: readonly StoredSeries[];
}

export class WrittenSeries implements MetricWriter {
  readonly #targetLabels: LabelSet;
  readonly #store: SeriesStore;
  readonly takes: (family: string) => boolean;
  readonly #families: Family[] = [];
  #next = 0;
  /** As many as `#written` count; the rest is of another time. */
  readonly #values: number[] = [];
  #written = 0;
  #live: readonly StoredSeries[] = [];
  #isSame = true;

  /** @param takes families that are stored; what is written of others is dropped */
  constructor(targetLabels: LabelSet, store: SeriesStore, takes: (family: string) => boolean) {
    this.#targetLabels = targetLabels;
    this.#store = store;
    this.takes = takes;
  }

  /** What was written since the last one is dropped. */
  begin(): void {
    this.#next = 0;
    this.#written = 0;
    this.#isSame = true;
  }

  /** @returns the series that have a sample of this time; the same list as before when they are the same */
  append(timeMs: number): readonly StoredSeries[] {
    if (!this.#isSame || this.#written !== this.#live.length) {
      this.#families.length = this.#next;
      this.#live = this.#families.flatMap(({ series }) => series);
    }
    const live = this.#live;
    const values = this.#values;
    for (let at = 0; at < live.length; at++) (live[at] as StoredSeries).samples.append(timeMs, values[at] as number);
    return live;
  }

  gauge(name: string, labels: MetricLabels, value: number): this {
    if (!this.takes(name)) return this;
    this.#family(name, labels, undefined);
    this.#values[this.#written++] = value;
    return this;
  }

  counter(name: string, labels: MetricLabels, value: number): this {
    return this.gauge(name, labels, value);
  }

  histogram(name: string, labels: MetricLabels, histogram: LatencyHistogram): this {
    if (!this.takes(name)) return this;
    this.#family(name, labels, histogram);
    this.#written = histogram.cumulativeInto(this.#values, this.#written);
    this.#values[this.#written++] = histogram.sumSeconds;
    this.#values[this.#written++] = histogram.count;
    return this;
  }

  #family(name: string, labels: MetricLabels, histogram: LatencyHistogram | undefined): void {
    const at = this.#next++;
    const before = this.#families[at];
    const isKnown =
      before !== undefined &&
      before.name === name &&
      hasSame(before.labels, labels) &&
      // Retention takes a series that had no sample for long.
      (before.series[0] as StoredSeries).samples.length > 0;
    if (isKnown) return;
    this.#isSame = false;
    const seriesOf = (full: string, le?: string): StoredSeries =>
      this.#store.seriesOf(
        withTargetLabels(
          [[METRIC_NAME, full], ...Object.entries(labels), ...(le === undefined ? [] : [["le", le] as const])],
          this.#targetLabels,
        ),
      );
    const series =
      histogram === undefined
        ? [seriesOf(name)]
        : [
            ...histogram.buckets().map(([le]) => seriesOf(`${name}_bucket`, le)),
            seriesOf(`${name}_sum`),
            seriesOf(`${name}_count`),
          ];
    this.#families[at] = { name, labels, series };
  }
}

function hasSame(a: MetricLabels, b: MetricLabels): boolean {
  if (a === b) return true;
  let count = 0;
  for (const name in a) {
    if (a[name] !== b[name]) return false;
    count++;
  }
  for (const _ in b) count--;
  return count === 0;
}

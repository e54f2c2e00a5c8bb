/** Builds the text exposition format: https://prometheus.io/docs/instrumenting/exposition_formats/ */
import { escapeLabelValue, formatValue } from "../prometheus/exposition.ts";
import { remember } from "../remember.ts";
import type { LatencyHistogram } from "./latency-histogram.ts";
import type { MetricLabels, MetricWriter } from "./metric-writer.ts";

export class MetricText implements MetricWriter {
  #text = "";
  readonly #families = new Set<string>();
  readonly #pairs = new Map<MetricLabels, string>();

  takes(): boolean {
    return true;
  }

  gauge(name: string, labels: MetricLabels, value: number): this {
    return this.#family(name, "gauge").#line(name, this.#pairsOf(labels), value);
  }

  /** `name` carries its `_total`. */
  counter(name: string, labels: MetricLabels, value: number): this {
    return this.#family(name, "counter").#line(name, this.#pairsOf(labels), value);
  }

  histogram(name: string, labels: MetricLabels, histogram: LatencyHistogram): this {
    this.#family(name, "histogram");
    const pairs = this.#pairsOf(labels);
    const before = pairs === "" ? "" : `${pairs},`;
    for (const [le, count] of histogram.buckets()) this.#line(`${name}_bucket`, `${before}le="${le}"`, count);
    this.#line(`${name}_sum`, pairs, histogram.sumSeconds);
    return this.#line(`${name}_count`, pairs, histogram.count);
  }

  toString(): string {
    return this.#text;
  }

  #family(name: string, type: string): this {
    if (this.#families.has(name)) return this;
    this.#families.add(name);
    this.#text += `# TYPE ${name} ${type}\n`;
    return this;
  }

  #line(name: string, pairs: string, value: number): this {
    this.#text += `${name}{${pairs}} ${formatValue(value)}\n`;
    return this;
  }

  #pairsOf(labels: MetricLabels): string {
    return remember(this.#pairs, labels, () => {
      let pairs = "";
      for (const label in labels) {
        pairs += `${pairs === "" ? "" : ","}${label}="${escapeLabelValue(labels[label] as string)}"`;
      }
      return pairs;
    });
  }
}

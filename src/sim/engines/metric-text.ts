/** Builds the text exposition format: https://prometheus.io/docs/instrumenting/exposition_formats/ */
import { escapeLabelValue, formatValue } from "../prometheus/exposition.ts";
import type { LatencyHistogram } from "./latency-histogram.ts";

type Labels = Readonly<Record<string, string>>;

export class MetricText {
  #text = "";
  readonly #families = new Set<string>();

  gauge(name: string, labels: Labels, value: number): this {
    return this.#sample(name, "gauge", name, labels, value);
  }

  /** `name` carries its `_total`. */
  counter(name: string, labels: Labels, value: number): this {
    return this.#sample(name, "counter", name, labels, value);
  }

  histogram(name: string, labels: Labels, histogram: LatencyHistogram): this {
    for (const [le, count] of histogram.buckets()) {
      this.#sample(name, "histogram", `${name}_bucket`, { ...labels, le }, count);
    }
    this.#sample(name, "histogram", `${name}_sum`, labels, histogram.sumSeconds);
    return this.#sample(name, "histogram", `${name}_count`, labels, histogram.count);
  }

  toString(): string {
    return this.#text;
  }

  #sample(family: string, type: string, name: string, labels: Labels, value: number): this {
    if (!this.#families.has(family)) {
      this.#families.add(family);
      this.#text += `# TYPE ${family} ${type}\n`;
    }
    let pairs = "";
    for (const label in labels) {
      pairs += `${pairs === "" ? "" : ","}${label}="${escapeLabelValue(labels[label] as string)}"`;
    }
    this.#text += `${name}{${pairs}} ${formatValue(value)}\n`;
    return this;
  }
}

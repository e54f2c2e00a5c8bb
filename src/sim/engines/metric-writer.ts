/** Where an exporter writes: the text exposition, or straight into a time series store. */
import type { LatencyHistogram } from "./latency-histogram.ts";

export type MetricLabels = Readonly<Record<string, string>>;

export interface MetricWriter {
  /** False: nobody reads this family, and what is in it need not be found out. */
  takes(family: string): boolean;
  gauge(name: string, labels: MetricLabels, value: number): this;
  /** `name` carries its `_total`. */
  counter(name: string, labels: MetricLabels, value: number): this;
  histogram(name: string, labels: MetricLabels, histogram: LatencyHistogram): this;
}

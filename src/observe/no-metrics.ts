/** The MetricsSource of a decision that no metric can change: it knows nothing, so every target that has metrics holds. */
import { MetricsError, type MetricsSource } from "./metrics-source.ts";

const refuse = (): Promise<never> => Promise.reject(new MetricsError("Unreachable", "no metrics server was asked"));

export const noMetrics: MetricsSource = { query: refuse, queryRange: refuse };

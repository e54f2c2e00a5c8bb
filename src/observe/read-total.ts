/** A query as one number: the sum of whatever series it returns. */
import type { MetricReading } from "../decide/observation.ts";
import { MetricsError } from "./metrics-source.ts";
import type { QueryScope } from "./query-text.ts";
import { totalAgeMs } from "./read-metric.ts";
import type { SharedQueries } from "./shared-queries.ts";

/** Never throws. No series is no sample, which is unknown and not 0. */
export async function readTotal(query: string, queries: SharedQueries, scope: QueryScope): Promise<MetricReading> {
  try {
    const answer = await queries.ask(query, scope);
    const { samples } = answer;
    if (samples.length === 0) return { kind: "Total" };
    const ageMs = totalAgeMs(answer, queries);
    return {
      kind: "Total",
      sample: {
        value: Array.from(samples).reduce((sum, { value }) => sum + value, 0),
        ...(ageMs === undefined ? {} : { ageMs }),
      },
    };
  } catch (error) {
    if (error instanceof MetricsError) return { kind: "Error", reason: error.kind, message: error.message };
    if (error instanceof RangeError) return { kind: "Error", reason: "QueryInvalid", message: error.message };
    throw error;
  }
}

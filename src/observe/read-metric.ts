/** From a policy's metric to a reading: query, join with the live pods, add up per replica. */
import type { PolicyMetric, ScaleTargetRole } from "../api/autoscaling/scale-target.ts";
import type { MetricReading } from "../decide/observation.ts";
import { MetricsError } from "./metrics-source.ts";
import type { Engine } from "./packs/packs.ts";
import { presetOf } from "./presets.ts";
import type { QueryScope } from "./query-text.ts";
import { addUp, ageOf, type ReadSignalOptions, type ReplicaPods, readSignal, sampleOf } from "./read-signal.ts";
import type { OwnAnswer, SharedQueries } from "./shared-queries.ts";

export type { ReplicaPods } from "./read-signal.ts";

export interface ReadMetricOptions extends ReadSignalOptions {
  readonly engine: Engine;
  /** Of the target. */
  readonly role: ScaleTargetRole;
  readonly scope: QueryScope;
}

/** Never throws: what goes wrong is part of the reading. */
export async function readMetric(metric: PolicyMetric, options: ReadMetricOptions): Promise<MetricReading> {
  try {
    const { preset, prometheus } = metric;
    if (preset !== undefined) return await readSignal(presetOf(options.engine, preset.name, options.role), options);
    return await readOwn(prometheus?.query ?? "", options);
  } catch (error) {
    if (error instanceof MetricsError) return { kind: "Error", reason: error.kind, message: error.message };
    if (error instanceof RangeError) return { kind: "Error", reason: "QueryInvalid", message: error.message };
    throw error;
  }
}

async function readOwn(query: string, { queries, scope, replicas }: ReadMetricOptions): Promise<MetricReading> {
  const answer = await queries.ask(query, scope);
  const { samples, byPod } = answer;
  const only = samples.at(0);
  if (only === undefined) return { kind: "Total" };
  if (samples.length === 1 && byPod.size === 0) {
    const ageMs = totalAgeMs(answer, queries);
    return { kind: "Total", sample: { value: only.value, ...(ageMs === undefined ? {} : { ageMs }) } };
  }
  const { podless, mostOfOnePod: most } = byPod;
  if (podless > 0) {
    const message = `the query returns ${podless} series without a pod label: aggregate them to one, or keep the labels namespace and pod`;
    return { kind: "Error", reason: "QueryInvalid", message };
  }
  if (most > 1) {
    const message = `the query returns ${most} series for one pod: aggregate them by (namespace, pod)`;
    return { kind: "Error", reason: "QueryInvalid", message };
  }
  return {
    kind: "PerReplica",
    samples: replicas.map((replica) =>
      sampleOf(
        replica.replica,
        addUp(replica.pods, answer, { perReplica: "mean" }),
        replicaAgeMs(replica, answer, queries),
      ),
    ),
  };
}

/** Prometheus forgets a series that has no sample for so long. */
const LOOKBACK_MS = 300_000;

/** Of several selectors the oldest; of the pods of one selector the newest, since one that ended has a last sample for minutes. */
export function totalAgeMs(
  { times, isBeyondLookback }: Pick<OwnAnswer, "times" | "isBeyondLookback">,
  { heldMs }: Pick<SharedQueries, "heldMs">,
): number | undefined {
  if (isBeyondLookback) return LOOKBACK_MS;
  const agesMs = times.flatMap((answer) => {
    const ages = Array.from(answer.samples, ({ value, timestampSeconds }) => (timestampSeconds - value) * 1000);
    return ages.length === 0 ? [] : [ages.reduce((least, age) => Math.min(least, age)) + heldMs(answer)];
  });
  return agesMs.length === 0 ? undefined : Math.max(...agesMs);
}

function replicaAgeMs(
  { pods }: ReplicaPods,
  { times, isBeyondLookback }: OwnAnswer,
  queries: Pick<SharedQueries, "heldMs">,
): number | undefined {
  if (isBeyondLookback) return LOOKBACK_MS;
  const agesMs = times.flatMap((one) =>
    one.byPod.size > 0
      ? (ageOf(pods, one, queries) ?? [])
      : (totalAgeMs({ times: [one], isBeyondLookback }, queries) ?? []),
  );
  return agesMs.length === 0 ? undefined : Math.max(...agesMs);
}

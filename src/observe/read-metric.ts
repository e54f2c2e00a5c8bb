/** From a policy's metric to a reading: query, join with the live pods, add up per replica. */
import type { PolicyMetric } from "../api/autoscaling/scale-target.ts";
import type { MetricReading, ReplicaSample } from "../decide/observation.ts";
import { MetricsError } from "./metrics-source.ts";
import { type Engine, type Preset, presetOf } from "./presets.ts";
import { fillQuery, type QueryScope } from "./query-text.ts";
import type { SharedAnswer, SharedQueries } from "./shared-queries.ts";

/** One ready replica of a target and the pods it is made of, as `namespace/pod`. */
export interface ReplicaPods {
  readonly replica: string;
  readonly pods: readonly string[];
}

export interface ReadMetricOptions {
  readonly queries: SharedQueries;
  readonly engine: Engine;
  readonly scope: QueryScope;
  /** The ready replicas of the target, over all set replicas. */
  readonly replicas: readonly ReplicaPods[];
}

/** Never throws: what goes wrong is part of the reading. */
export async function readMetric(metric: PolicyMetric, options: ReadMetricOptions): Promise<MetricReading> {
  try {
    if (metric.preset !== undefined) return await readPreset(metric.preset.name, options);
    return await readOwn(metric.prometheus?.query ?? "", options);
  } catch (error) {
    if (error instanceof MetricsError) return { kind: "Error", reason: error.kind, message: error.message };
    if (error instanceof RangeError) return { kind: "Error", reason: "QueryInvalid", message: error.message };
    throw error;
  }
}

async function readPreset(
  name: NonNullable<PolicyMetric["preset"]>["name"],
  options: ReadMetricOptions,
): Promise<MetricReading> {
  const { queries, engine, replicas } = options;
  return readSamples(presetOf(engine, name), queries, replicas);
}

/** One sample per ready replica. Rejects with {@link MetricsError}. */
export async function readSamples(
  preset: Preset,
  queries: SharedQueries,
  replicas: readonly ReplicaPods[],
): Promise<Extract<MetricReading, { kind: "PerReplica" }>> {
  const [values, times, idle] = await Promise.all([
    queries.query(preset.query),
    queries.query(preset.freshnessQuery),
    preset.idleQuery === undefined ? undefined : queries.query(preset.idleQuery),
  ]);
  return {
    kind: "PerReplica",
    samples: replicas.map((replica) => {
      const value = addUp(replica, values, preset.perReplica);
      const ageMs = ageOf(replica, times);
      const isIdle = value !== undefined && !Number.isFinite(value) && addUp(replica, idle, "sum") === 0;
      return sampleOf(replica.replica, isIdle ? 0 : value, ageMs);
    }),
  };
}

async function readOwn(query: string, { queries, scope, replicas }: ReadMetricOptions): Promise<MetricReading> {
  const { samples, byPod } = await queries.query(fillQuery(query, scope));
  const [only] = samples;
  if (only === undefined) return { kind: "Total" };
  if (samples.length === 1 && byPod.size === 0) return { kind: "Total", sample: { value: only.value, ageMs: 0 } };
  const ofPods = [...byPod.values()];
  const podless = samples.length - ofPods.reduce((sum, { length }) => sum + length, 0);
  if (podless > 0) {
    const message = `the query returns ${podless} series without a pod label: aggregate them to one, or keep the labels namespace and pod`;
    return { kind: "Error", reason: "QueryInvalid", message };
  }
  const most = Math.max(...ofPods.map(({ length }) => length));
  if (most > 1) {
    const message = `the query returns ${most} series for one pod: aggregate them by (namespace, pod)`;
    return { kind: "Error", reason: "QueryInvalid", message };
  }
  const answer: SharedAnswer = { samples, byPod };
  return {
    kind: "PerReplica",
    samples: replicas.map((replica) => sampleOf(replica.replica, addUp(replica, answer, "mean"), 0)),
  };
}

/** Age of the replica's latest sample when the query was evaluated, both by the clock of the metrics server: ours may be off. */
function ageOf({ pods }: ReplicaPods, times: SharedAnswer): number | undefined {
  const agesMs = pods.flatMap((pod) =>
    (times.byPod.get(pod) ?? []).map(({ value, timestampSeconds }) => (timestampSeconds - value) * 1000),
  );
  return agesMs.length === 0 ? undefined : Math.min(...agesMs);
}

function addUp({ pods }: ReplicaPods, answer: SharedAnswer | undefined, how: "sum" | "mean"): number | undefined {
  const values = pods.flatMap((pod) => (answer?.byPod.get(pod) ?? []).map(({ value }) => value));
  if (values.length === 0) return undefined;
  const sum = values.reduce((total, value) => total + value, 0);
  return how === "sum" ? sum : sum / values.length;
}

const sampleOf = (replica: string, value: number | undefined, ageMs: number | undefined): ReplicaSample => ({
  replica,
  ...(value === undefined ? {} : { value }),
  ...(ageMs === undefined ? {} : { ageMs: Math.max(0, ageMs) }),
});

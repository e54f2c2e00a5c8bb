/** What loads a target and how fast it answers: the input of its latency goals. Reads the same shared queries as the metrics do. */
import type { ScaleTarget } from "../api/autoscaling/scale-target.ts";
import type { ScalingPolicySpec } from "../api/autoscaling/scaling-policy.ts";
import { parseDurationMs } from "../api/duration.ts";
import { parsePercentRatio } from "../api/ratio.ts";
import type { Measured, ReplicaSample, TargetLoad } from "../decide/observation.ts";
import { type LoadSignal, loadSignal } from "../observe/load-signals.ts";
import { MetricsError } from "../observe/metrics-source.ts";
import { type ReadSignalOptions, type ReplicaPods, readSignal } from "../observe/read-signal.ts";
import type { RequestDurations } from "./request-durations.ts";

export interface ObserveLoadOptions {
  readonly spec: ScalingPolicySpec;
  readonly target: ScaleTarget;
  readonly readers: Pick<ReadSignalOptions, "queries" | "setPods">;
  /** The ready replicas of the target. */
  readonly replicas: readonly ReplicaPods[];
  /** Of the policy. */
  readonly durations: RequestDurations;
  /** Monotonic. */
  readonly nowMs: number;
}

type How = "Total" | "Mean" | "Latency";
type Reading = readonly [key: keyof TargetLoad & LoadSignal, how: How];

const RATES: readonly Reading[] = [
  ["requestsPerSecond", "Total"],
  ["promptTokensPerSecond", "Total"],
  ["computedPromptTokensPerSecond", "Total"],
  ["runningRequests", "Total"],
  ["waitingRequests", "Total"],
];
const DECODE: readonly Reading[] = [
  ["generationTokensPerSecond", "Total"],
  ["kvCacheUsage", "Mean"],
];
const SPREAD: Reading = ["promptSpread", "Latency"];
const TTFT: Reading = ["timeToFirstToken", "Latency"];
const ITL: Reading = ["interTokenLatency", "Latency"];
const DURATION: Reading = ["requestDuration", "Latency"];

/** Of the requests that a pod holds when it is told to go, one in a hundred may take longer. */
const DURATION_QUANTILE = 0.99;

/** Longer than the interval within which all policies have their turn, shorter than a minute. */
const SELDOM_MS = 30_000;

/** By role; a target of another role takes no part in latency goals. */
const READINGS: Readonly<Partial<Record<NonNullable<ScaleTarget["role"]>, readonly Reading[]>>> = {
  prefill: [...RATES, SPREAD, TTFT, DURATION],
  decode: [...RATES, ...DECODE, ITL, DURATION],
  aggregated: [...RATES, ...DECODE, SPREAD, TTFT, ITL, DURATION],
  frontend: [TTFT, DURATION],
};

/**
 * Never throws: what cannot be read is absent, and absent is unknown. Undefined for a role or an engine that nothing is known of. Without latency goals only
 * how long requests take is read, for the time that pods have to end in.
 */
export async function observeLoad(options: ObserveLoadOptions): Promise<TargetLoad | undefined> {
  const { spec, target, durations, nowMs } = options;
  const readings = target.level === "PodCliqueSet" ? undefined : READINGS[target.role ?? "other"];
  if (readings === undefined || spec.engine === "custom") return undefined;
  if (spec.slo === undefined) {
    const requestDuration = await durations.of(target.name, nowMs, () => readOne(seldom(options), DURATION));
    return requestDuration === undefined ? undefined : { requestDuration };
  }
  const entries = await Promise.all(readings.map(async (one) => [one[0], await readOne(options, one)] as const));
  return Object.fromEntries(entries.filter(([, measured]) => measured !== undefined)) as TargetLoad;
}

/** Policies that ask in the same seconds of a minute are content with the answer that the first of them got. */
function seldom({ readers, ...options }: ObserveLoadOptions): ObserveLoadOptions {
  const { queries } = readers;
  const query: typeof queries.query = (promql) => queries.query(promql, SELDOM_MS);
  return { ...options, readers: { ...readers, queries: { ...queries, query } } };
}

async function readOne(
  { spec, target, readers, replicas }: ObserveLoadOptions,
  [key, how]: Reading,
): Promise<Measured | undefined> {
  const { role = "other" } = target;
  const quantile =
    key === "requestDuration"
      ? DURATION_QUANTILE
      : quantileOf(key === "interTokenLatency" ? spec.slo?.itl?.quantile : spec.slo?.ttft?.quantile);
  try {
    const signal = loadSignal(spec.engine, key, { role, quantile });
    if (signal === undefined) return undefined;
    const { samples } = await readSignal(signal, { ...readers, replicas });
    // What sleeps carries no load and is no capacity; what is new and has no value yet has had no time to carry any.
    const counted = samples.filter(
      ({ isAsleep, value }, index) => isAsleep !== true && !(value === undefined && replicas[index]?.isNew === true),
    );
    // Of a latency, whose window is longer than that of a rate, one replica that is scraped no more must not make the others' too old to be used.
    const staleAfterMs = parseDurationMs(spec.metricsPolicy.staleAfter) ?? Number.POSITIVE_INFINITY;
    const fresh =
      how !== "Latency"
        ? counted
        : counted.map((one) => ((one.ageMs ?? 0) > staleAfterMs ? { replica: one.replica } : one));
    return add(fresh, how, parsePercentRatio(spec.metricsPolicy.minCoverage) ?? 1);
  } catch (error) {
    if (error instanceof MetricsError || error instanceof RangeError) return undefined;
    throw error;
  }
}

/** `p90` is 0.9; without a goal the usual one. */
function quantileOf(text: string | undefined): number {
  return text === undefined ? 0.9 : Number(text.slice(1)) / 100;
}

/** Fewer say nothing about the others. */
const MIN_PARTIAL_RATIO = 0.5;

/**
 * One number for the whole target. Replicas that do not report are taken to have as much to do as the others; below the policy's coverage a total is
 * partial, as long as half of them report, and anything else unknown. A latency is the mean over the replicas that had requests.
 */
function add(samples: readonly ReplicaSample[], how: How, minCoverageRatio: number): Measured | undefined {
  const good = samples.filter(({ value }) => value !== undefined && Number.isFinite(value) && value >= 0);
  const coverageRatio = good.length / samples.length;
  const isPartial = coverageRatio < minCoverageRatio;
  if (good.length === 0 || (isPartial && (how !== "Total" || coverageRatio < MIN_PARTIAL_RATIO))) return undefined;
  const counted = how === "Latency" ? good.filter(({ value = 0 }) => value > 0) : good;
  if (counted.length === 0) return undefined;
  const sum = counted.reduce((total, { value = 0 }) => total + value, 0);
  return {
    value: how === "Total" ? sum / coverageRatio : sum / counted.length,
    ageMs: Math.max(...counted.map(({ ageMs = 0 }) => ageMs)),
    ...(isPartial ? { isPartial: true as const } : {}),
  };
}

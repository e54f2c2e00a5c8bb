/** What loads a target and how fast it answers: the input of its latency goals. Reads the same shared queries as the metrics do. */
import type { ScaleTarget } from "../api/autoscaling/scale-target.ts";
import type { ScalingPolicySpec } from "../api/autoscaling/scaling-policy.ts";
import { parsePercentRatio } from "../api/ratio.ts";
import type { Measured, ReplicaSample, TargetLoad } from "../decide/observation.ts";
import { type LoadSignal, loadSignal } from "../observe/load-signals.ts";
import { MetricsError } from "../observe/metrics-source.ts";
import { type ReadSignalOptions, type ReplicaPods, readSignal } from "../observe/read-signal.ts";

export interface ObserveLoadOptions {
  readonly spec: ScalingPolicySpec;
  readonly target: ScaleTarget;
  readonly readers: Pick<ReadSignalOptions, "queries" | "setPods">;
  /** The ready replicas of the target. */
  readonly replicas: readonly ReplicaPods[];
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

/** By role; a target of another role takes no part in latency goals. */
const READINGS: Readonly<Partial<Record<NonNullable<ScaleTarget["role"]>, readonly Reading[]>>> = {
  prefill: [...RATES, SPREAD, TTFT, DURATION],
  decode: [...RATES, ...DECODE, ITL, DURATION],
  aggregated: [...RATES, ...DECODE, SPREAD, TTFT, ITL, DURATION],
  frontend: [TTFT, DURATION],
};

/** Never throws: what cannot be read is absent, and absent is unknown. Undefined where the policy has no goal for the target. */
export async function observeLoad(options: ObserveLoadOptions): Promise<TargetLoad | undefined> {
  const { spec, target, readers, replicas } = options;
  const { role = "other" } = target;
  const readings = spec.slo === undefined || target.level === "PodCliqueSet" ? undefined : READINGS[role];
  if (readings === undefined) return undefined;
  const minCoverageRatio = parsePercentRatio(spec.metricsPolicy.minCoverage) ?? 1;
  const entries = await Promise.all(
    readings.map(async ([key, how]): Promise<readonly [keyof TargetLoad, Measured | undefined]> => {
      const quantile =
        key === "requestDuration"
          ? DURATION_QUANTILE
          : quantileOf(key === "interTokenLatency" ? spec.slo?.itl?.quantile : spec.slo?.ttft?.quantile);
      try {
        const signal = loadSignal(spec.engine, key, { role, quantile });
        if (signal === undefined) return [key, undefined];
        const { samples } = await readSignal(signal, { ...readers, replicas });
        // What sleeps carries no load and is no capacity; what is new and has no value yet has had no time to carry any.
        const counted = samples.filter(
          ({ isAsleep, value }, index) =>
            isAsleep !== true && !(value === undefined && replicas[index]?.isNew === true),
        );
        return [key, add(counted, how, minCoverageRatio)];
      } catch (error) {
        if (error instanceof MetricsError || error instanceof RangeError) return [key, undefined];
        throw error;
      }
    }),
  );
  return Object.fromEntries(entries.filter(([, measured]) => measured !== undefined)) as TargetLoad;
}

/** `p90` is 0.9; without a goal the usual one. */
function quantileOf(text: string | undefined): number {
  return text === undefined ? 0.9 : Number(text.slice(1)) / 100;
}

/**
 * One number for the whole target. Replicas that do not report are taken to have as much to do as the others; below the policy's coverage the
 * total is unknown. A latency is the mean over the replicas that had requests.
 */
function add(samples: readonly ReplicaSample[], how: How, minCoverageRatio: number): Measured | undefined {
  const good = samples.filter(({ value }) => value !== undefined && Number.isFinite(value) && value >= 0);
  if (good.length === 0 || good.length / samples.length < minCoverageRatio) return undefined;
  const counted = how === "Latency" ? good.filter(({ value = 0 }) => value > 0) : good;
  if (counted.length === 0) return undefined;
  const sum = counted.reduce((total, { value = 0 }) => total + value, 0);
  return {
    value: how === "Total" ? (sum * samples.length) / good.length : sum / counted.length,
    ageMs: Math.max(...counted.map(({ ageMs = 0 }) => ageMs)),
  };
}

/** Stage 1: how far each reading can be trusted. Missing is unknown, never 0. */
import type { MetricReading } from "./observation.ts";

export type Quality = "Ok" | "Partial" | "Missing" | "NeverSeen" | "Stale" | "NonFinite" | "Error";

/** A reading that was judged. `load` is in the metric's unit times replicas. */
export interface CollectedMetric {
  readonly quality: Quality;
  /** Values of the ready replicas that reported, or the one total. */
  readonly values: readonly number[];
  readonly isTotal: boolean;
  /** Ready replicas without a usable value. */
  readonly missingReplicas: number;
  /** Ready replicas whose engine sleeps: they have no value, and none is missing. */
  readonly asleepReplicas?: number;
  /** Reporting over ready replicas, in [0, 1]. */
  readonly coverageRatio: number;
  readonly detail: string;
}

export interface CollectOptions {
  readonly staleAfterMs: number;
}

export function collect(reading: MetricReading, { staleAfterMs }: CollectOptions): CollectedMetric {
  switch (reading.kind) {
    case "Error":
      return { ...NOTHING, quality: "Error", detail: `${reading.reason}: ${reading.message}` };
    case "Total": {
      const { sample } = reading;
      if (sample === undefined) return { ...NOTHING, isTotal: true, detail: "the query returned nothing" };
      const quality = judge(sample.value, sample.ageMs ?? 0, staleAfterMs);
      if (quality !== "Ok") return { ...NOTHING, isTotal: true, quality, detail: `the query's value is ${quality}` };
      return { ...NOTHING, quality, values: [sample.value], isTotal: true, coverageRatio: 1 };
    }
    case "PerReplica":
      return collectReplicas(reading.samples, staleAfterMs);
    default:
      return reading satisfies never;
  }
}

const NOTHING: CollectedMetric = {
  quality: "Missing",
  values: [],
  isTotal: false,
  missingReplicas: 0,
  coverageRatio: 0,
  detail: "",
};

function collectReplicas(
  samples: Extract<MetricReading, { kind: "PerReplica" }>["samples"],
  staleAfterMs: number,
): CollectedMetric {
  const values: number[] = [];
  const faults = new Map<Quality, string[]>();
  const awake = samples.filter(({ isAsleep }) => isAsleep !== true);
  for (const { replica, value, ageMs = 0 } of awake) {
    const quality = value === undefined ? "Missing" : judge(value, ageMs, staleAfterMs);
    if (quality === "Ok" && value !== undefined) values.push(value);
    else faults.set(quality, [...(faults.get(quality) ?? []), replica]);
  }
  const asleepReplicas = samples.length - awake.length;
  if (samples.length === 0) return { ...NOTHING, detail: "no replica is ready" };
  if (awake.length === 0) return { ...NOTHING, asleepReplicas, detail: "every ready replica is asleep" };
  const missingReplicas = awake.length - values.length;
  const detail = [...faults].map(([quality, replicas]) => `${quality}: ${some(replicas)}`).join("; ");
  const worst = [...faults].toSorted(([, a], [, b]) => b.length - a.length)[0]?.[0] ?? "Ok";
  return {
    quality: values.length === 0 ? worst : missingReplicas > 0 ? "Partial" : "Ok",
    values,
    isTotal: false,
    missingReplicas,
    asleepReplicas,
    coverageRatio: values.length / awake.length,
    detail,
  };
}

/** Rounding of times, and no more: a sample is dated by the clock that says what time it is now. */
const MAX_FUTURE_MS = 5_000;

/** A sample from the future is as good as one of which nobody knows how old it is. */
function judge(value: number, ageMs: number, staleAfterMs: number): Quality {
  if (!Number.isFinite(value)) return "NonFinite";
  return ageMs <= staleAfterMs && ageMs >= -MAX_FUTURE_MS ? "Ok" : "Stale";
}

const some = (names: readonly string[]): string =>
  names.length <= 3 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;

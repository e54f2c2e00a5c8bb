/** From a ready-made signal to a reading: query, join with the live pods, add up per replica. */
import type { MetricReading, ReplicaSample } from "../decide/observation.ts";
import type { Sample } from "./metrics-source.ts";
import type { SharedAnswer } from "./shared-answer.ts";
import type { SharedQueries } from "./shared-queries.ts";
import type { SignalQuery } from "./signal-query.ts";

/** One ready replica of a target and the pods it is made of, as `namespace/pod`. */
export interface ReplicaPods {
  readonly replica: string;
  readonly pods: readonly string[];
  /** Ready for so short a time that its rates are not there yet. */
  readonly isNew?: true;
}

export interface ReadSignalOptions {
  readonly queries: SharedQueries;
  /** The ready replicas of the target, over all set replicas. */
  readonly replicas: readonly ReplicaPods[];
  /** All pods of the set, its frontends among them; asked for when a signal needs it. */
  readonly setPods?: () => readonly string[];
}

type PerReplicaReading = Extract<MetricReading, { kind: "PerReplica" }>;

/** @throws MetricsError */
export async function readSignal(signal: SignalQuery, options: ReadSignalOptions): Promise<PerReplicaReading> {
  const { queries, replicas } = options;
  const ask = (query: string | undefined): Promise<SharedAnswer | undefined> | undefined =>
    query === undefined ? undefined : queries.query(query);
  const { query, freshnessQuery, idleQuery, asleepQuery, ofSet } = signal;
  const [values, times, idle, asleep, setValues, setTimes] = await Promise.all(
    [query, freshnessQuery, idleQuery, asleepQuery, ofSet?.query, ofSet?.freshnessQuery].map(ask),
  );
  const awake = replicas.map(({ pods }) => !sleeps(pods, asleep, values));
  const own = replicas.map(({ replica, pods }): ReplicaSample => {
    const value = addUp(pods, values, signal);
    const isIdle = value !== undefined && !Number.isFinite(value) && addUp(pods, idle, IDLE) === 0;
    return sampleOf(replica, isIdle ? 0 : value, ageOf(pods, times, queries));
  });
  const samples =
    ofSet === undefined ? own : withSet(own, awake, ofSet.how, () => readSet(options, setValues, setTimes, ofSet.how));
  return {
    kind: "PerReplica",
    samples: samples.map((sample, index) =>
      awake[index] === true ? sample : { replica: sample.replica, isAsleep: true },
    ),
  };
}

const IDLE = { perReplica: "sum" } as const;

interface SetValue {
  readonly value: number;
  readonly ageMs?: number;
}

function readSet(
  { queries, setPods }: ReadSignalOptions,
  values: SharedAnswer | undefined,
  times: SharedAnswer | undefined,
  how: "add" | "share" | "same",
): SetValue | undefined {
  const pods = setPods?.() ?? [];
  const found = valuesOf(pods, values);
  if (found.length === 0) return undefined;
  const value = how === "same" ? Math.max(...found) : found.reduce((sum, one) => sum + one, 0);
  const ageMs = ageOf(pods, times, queries);
  return { value, ...(ageMs === undefined ? {} : { ageMs }) };
}

/** Without a word from the frontends, what the pods say themselves. */
function withSet(
  own: readonly ReplicaSample[],
  awake: readonly boolean[],
  how: "add" | "share" | "same",
  read: () => SetValue | undefined,
): readonly ReplicaSample[] {
  const isKnown = own.some(({ value }) => value !== undefined);
  if (how !== "add" && isKnown) return own;
  const set = read();
  if (set === undefined) return own;
  // A replica that is silent stays unknown: what waits in front of it says nothing about what it does.
  const sharers = own.filter(({ value }, index) => awake[index] === true && (value !== undefined || !isKnown)).length;
  const part = how === "same" ? set.value : set.value / Math.max(1, sharers);
  return own.map((sample) => {
    if (sample.value === undefined && isKnown) return sample;
    return { ageMs: set.ageMs ?? 0, ...sample, value: (sample.value ?? 0) + part };
  });
}

/** A replica of several pods sleeps when all of them that report do. */
function sleeps(pods: readonly string[], asleep: SharedAnswer | undefined, values: SharedAnswer | undefined): boolean {
  const isAsleep = (pod: string): boolean => asleep?.byPod.has(pod) === true;
  return pods.some(isAsleep) && pods.every((pod) => isAsleep(pod) || values?.byPod.has(pod) !== true);
}

/**
 * Age of the latest sample of these pods: when the query was evaluated, both by the clock of the metrics server, since ours may be off; and what has passed
 * since.
 */
export function ageOf(
  pods: readonly string[],
  times: SharedAnswer | undefined,
  { heldMs }: Pick<SharedQueries, "heldMs">,
): number | undefined {
  if (times === undefined) return undefined;
  let latestMs: number | undefined;
  for (const pod of pods) {
    for (const { value, timestampSeconds } of times.byPod.get(pod)) {
      const ageMs = (timestampSeconds - value) * 1000;
      latestMs = latestMs === undefined ? ageMs : Math.min(latestMs, ageMs);
    }
  }
  return latestMs === undefined ? undefined : latestMs + heldMs(times);
}

function valuesOf(
  pods: readonly string[],
  answer: SharedAnswer | undefined,
  labelProducts: SignalQuery["labelProducts"] = [],
): readonly number[] {
  if (answer === undefined) return [];
  const values: number[] = [];
  for (const pod of pods) for (const sample of answer.byPod.get(pod)) values.push(readingOf(sample, labelProducts));
  return values;
}

function readingOf({ labels, value }: Sample, labelProducts: NonNullable<SignalQuery["labelProducts"]>): number {
  if (labelProducts.length === 0) return value;
  const names = labelProducts.find((one) => one.every((name) => (labels[name] ?? "") !== ""));
  return names === undefined ? value : names.reduce((product, name) => product * Number(labels[name]), 1);
}

export function addUp(
  pods: readonly string[],
  answer: SharedAnswer | undefined,
  { perReplica, labelProducts }: Pick<SignalQuery, "perReplica" | "labelProducts">,
): number | undefined {
  const values = valuesOf(pods, answer, labelProducts);
  if (values.length === 0) return undefined;
  const sum = values.reduce((total, value) => total + value, 0);
  return perReplica === "sum" ? sum : sum / values.length;
}

export const sampleOf = (replica: string, value: number | undefined, ageMs: number | undefined): ReplicaSample => ({
  replica,
  ...(value === undefined ? {} : { value }),
  ...(ageMs === undefined ? {} : { ageMs }),
});

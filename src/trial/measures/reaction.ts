/** How a known step of the load was answered. */
import { OUTCOME, type TrialRecord } from "../record.ts";
import type { SloTargets } from "./slo.ts";

export interface KnownStep {
  readonly atMs: number;
  /** What the load needs from then on, per target. */
  readonly requiredReplicas: readonly number[];
  /** The answer is looked for until here: the next step, or the end. */
  readonly untilMs: number;
}

export interface RecoveryRule {
  /** Of the requests of a bucket, in (0, 1]. */
  readonly attainmentRatio: number;
  readonly bucketMs: number;
  /** It has recovered when every bucket of this time keeps the ratio. */
  readonly sustainedMs: number;
}

const RECOVERY: RecoveryRule = { attainmentRatio: 0.95, bucketMs: 15_000, sustainedMs: 120_000 };

/** Milliseconds since the step; undefined: it did not happen. */
export interface TargetReaction {
  readonly target: string;
  readonly firstOrderMs: number | undefined;
  readonly specReachedMs: number | undefined;
  readonly readyReachedMs: number | undefined;
  /** The most that was asked for beyond what is required; after a step down, the most that was missing. */
  readonly overshootReplicas: number;
}

export interface Reaction {
  /** Targets whose replicas were already what is required are left out. */
  readonly targets: readonly TargetReaction[];
  /** 0: the requests never suffered. */
  readonly sloRecoveryMs: number | undefined;
}

export function reaction(
  record: TrialRecord,
  step: KnownStep,
  slo: SloTargets,
  recovery: RecoveryRule = RECOVERY,
): Reaction {
  return {
    targets: record.targets.flatMap(({ name }, target) => reactionOf(record, step, target, name) ?? []),
    sloRecoveryMs: recoveryMs(record, step, slo, recovery),
  };
}

function reactionOf(
  { counts, orders }: TrialRecord,
  { atMs, untilMs, requiredReplicas }: KnownStep,
  target: number,
  name: string,
): TargetReaction | undefined {
  const required = requiredReplicas[target]!;
  const before = counts.findLast((sample) => sample.atMs <= atMs)?.spec[target];
  if (before === undefined) throw new RangeError(`nothing is known of ${name} at the step (${atMs} ms)`);
  const direction = Math.sign(required - before);
  if (direction === 0) return undefined;
  const reaches = (replicas: number): boolean => (replicas - required) * direction >= 0;
  // The entry before the step is what holds at the step.
  const during = counts.filter(
    (sample, index) => sample.atMs < untilMs && (counts[index + 1]?.atMs ?? Number.POSITIVE_INFINITY) > atMs,
  );
  const since = (found: { readonly atMs: number } | undefined): number | undefined =>
    found && Math.max(0, found.atMs - atMs);
  return {
    target: name,
    firstOrderMs: since(
      orders.find(
        (order) =>
          order.target === target &&
          order.atMs >= atMs &&
          order.atMs < untilMs &&
          Math.sign(order.to - order.from) === direction,
      ),
    ),
    specReachedMs: since(during.find(({ spec }) => reaches(spec[target]!))),
    readyReachedMs: since(during.find(({ ready }) => reaches(ready[target]!))),
    overshootReplicas: Math.max(0, ...during.map(({ spec }) => (spec[target]! - required) * direction)),
  };
}

/** Buckets in which nothing arrives neither make nor break a recovery. */
function recoveryMs(
  { requests }: TrialRecord,
  { atMs, untilMs }: KnownStep,
  slo: SloTargets,
  { attainmentRatio, bucketMs, sustainedMs }: RecoveryRule,
): number | undefined {
  const buckets = Math.ceil((untilMs - atMs) / bucketMs);
  const arrived = new Uint32Array(buckets);
  const met = new Uint32Array(buckets);
  for (let row = 0; row < requests.count; row++) {
    const arrivedMs = requests.arrivedMs[row]!;
    if (!(arrivedMs >= atMs && arrivedMs < untilMs)) continue;
    const bucket = Math.floor((arrivedMs - atMs) / bucketMs);
    arrived[bucket]!++;
    if (
      requests.outcome[row] === OUTCOME.completed &&
      requests.ttftMs[row]! <= slo.ttftMs &&
      requests.itlMs[row]! <= slo.itlMs
    ) {
      met[bucket]!++;
    }
  }
  const needed = Math.ceil(sustainedMs / bucketMs);
  let from = 0;
  let seen = 0;
  for (let bucket = 0; bucket < buckets; bucket++) {
    if (met[bucket]! < attainmentRatio * arrived[bucket]!) {
      from = bucket + 1;
      seen = 0;
      continue;
    }
    seen += arrived[bucket]!;
    if (bucket + 1 - from >= needed && seen > 0) return from * bucketMs;
  }
  return undefined;
}

/** Small records by hand: what is not said is uneventful. */
import {
  type CountsSample,
  OUTCOME,
  type ReplicaLife,
  type RequestColumns,
  type TrialRecord,
  type TrialTarget,
} from "../record.ts";

export interface RequestRow {
  readonly atMs: number;
  readonly ttftMs?: number;
  readonly itlMs?: number;
  readonly outputTokens?: number;
  readonly outcome?: keyof typeof OUTCOME;
}

export function requestsOf(rows: readonly RequestRow[]): RequestColumns {
  return {
    count: rows.length,
    arrivedMs: Float64Array.from(rows, ({ atMs }) => atMs),
    ttftMs: Float32Array.from(rows, ({ ttftMs = Number.NaN }) => ttftMs),
    itlMs: Float32Array.from(rows, ({ itlMs = Number.NaN }) => itlMs),
    inputTokens: Uint32Array.from(rows, () => 100),
    outputTokens: Uint32Array.from(rows, ({ outputTokens = 10 }) => outputTokens),
    outcome: Uint8Array.from(rows, ({ outcome = "completed" }) => OUTCOME[outcome]),
  };
}

export const lifeOf = (life: Partial<ReplicaLife> = {}): ReplicaLife => ({
  target: 0,
  name: "replica",
  setIndex: 0,
  gpus: 1,
  createdMs: 0,
  placedMs: 0,
  readyMs: 0,
  stoppedMs: Number.NaN,
  goneMs: Number.NaN,
  busyMs: 0,
  servedRequests: 10,
  lostRequests: 0,
  ...life,
});

/** Specs and ready replicas; all ready unless said. */
export const countsOf = (
  atMs: number,
  spec: readonly number[],
  ready: readonly number[] = spec,
  overdue: readonly number[] = spec.map(() => 0),
): CountsSample => ({
  atMs,
  spec,
  ready,
  starting: spec.map(() => 0),
  pending: overdue,
  overdue,
});

export const targetOf = (target: Partial<TrialTarget> = {}): TrialTarget => ({
  name: "decode",
  role: "decode",
  gpusPerReplica: 1,
  minReplicas: 1,
  medianStartupMs: 60_000,
  ...target,
});

/** An hour. */
export const HOUR = { startMs: 0, endMs: 3_600_000 };

export const recordOf = (record: Partial<TrialRecord> = {}): TrialRecord => ({
  autoscaler: "ours",
  seed: 1,
  window: HOUR,
  targets: [targetOf()],
  bands: [],
  requests: requestsOf([]),
  lives: [],
  counts: [countsOf(0, [1])],
  orders: [],
  decisionMicros: new Float64Array(),
  ...record,
});

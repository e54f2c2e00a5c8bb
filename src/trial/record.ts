/** What a trial leaves behind: every request, every life of a replica, every order, as plain columns. All times are milliseconds of virtual time. */
import type { RequestColumns } from "../sim/engines/request-columns.ts";

export { OUTCOME, type RequestColumns } from "../sim/engines/request-columns.ts";

export interface TrialTarget {
  readonly name: string;
  readonly role: "frontend" | "prefill" | "decode" | "aggregated" | "other";
  readonly gpusPerReplica: number;
  /** Below it the set is not viable. */
  readonly minReplicas: number;
  /** Of a start from placement to readiness: the flap window follows from it. */
  readonly medianStartupMs: number;
}

/** From its creation until its GPUs are free again. NaN: it did not happen, or not before the end. */
export interface ReplicaLife {
  /** Index into the targets. */
  readonly target: number;
  readonly name: string;
  readonly setIndex: number;
  readonly gpus: number;
  readonly createdMs: number;
  /** On nodes: from here it holds its GPUs. */
  readonly placedMs: number;
  readonly readyMs: number;
  /** Told to go. NaN with a `goneMs`: its node was lost. */
  readonly stoppedMs: number;
  /** Its GPUs are free. */
  readonly goneMs: number;
  /** Computing, inside the window. */
  readonly busyMs: number;
  readonly servedRequests: number;
  /** In flight when it was killed. */
  readonly lostRequests: number;
}

/** Counts of every target from `atMs` until the next entry. */
export interface CountsSample {
  readonly atMs: number;
  readonly spec: readonly number[];
  readonly ready: readonly number[];
  /** Placed, not ready. */
  readonly starting: readonly number[];
  readonly pending: readonly number[];
  /** Pending for longer than the pending timeout. */
  readonly overdue: readonly number[];
}

/** One write of one `spec.replicas`. */
export interface Order {
  readonly atMs: number;
  readonly target: number;
  readonly from: number;
  readonly to: number;
}

/** `min ≤ a / b ≤ max`, of ready replicas and of the specs. */
export interface RatioBand {
  readonly name: string;
  readonly a: number;
  readonly b: number;
  readonly min: number;
  readonly max: number;
}

export interface TrialRecord {
  readonly autoscaler: string;
  readonly seed: number;
  /** Requests that arrive in here are judged, GPUs that are held in here are paid. The trial begins before and ends after. */
  readonly window: { readonly startMs: number; readonly endMs: number };
  readonly targets: readonly TrialTarget[];
  readonly bands: readonly RatioBand[];
  readonly gpuBudget?: number;
  readonly requests: RequestColumns;
  readonly lives: readonly ReplicaLife[];
  /** On every change, by time. */
  readonly counts: readonly CountsSample[];
  readonly orders: readonly Order[];
  /** Of each decision: microseconds of computing. The only numbers here that differ from run to run. */
  readonly decisionMicros: Float64Array;
}

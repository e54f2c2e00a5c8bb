/**
 * Panic: demand so far above what is there that windows and rate limits would only cost time.
 *
 * After Knative's KPA (`pkg/autoscaler/scaling/autoscaler.go`): demand is averaged over a short window, so that one odd sample is no panic. A target
 * enters when the average reaches the threshold over what it has, is never asked for less than the most that was wanted in this panic, and leaves when
 * the threshold was not reached for the hold time. What cannot be measured neither starts a panic nor keeps one.
 */
import type { PanicPolicy } from "./policy.ts";

export interface PanicMemory {
  /** `[monotonic ms, replicas]`: measured demand inside the window, by time. */
  readonly demands: readonly (readonly [number, number])[];
  /** Until when the panic lasts, monotonic ms; absent: there is none. */
  readonly untilMs?: number;
  /** Most replicas that were wanted in this panic. */
  readonly peakReplicas?: number;
}

export interface PanicInput {
  readonly nowMs: number;
  /** Sum of `spec.replicas` over the set replicas. */
  readonly currentReplicas: number;
  /** Absent: not measured this time. */
  readonly demandReplicas?: number;
}

/** An hour, the longest window, at the shortest useful interval would be thousands; a mean over 256 is as good. */
const MAX_DEMANDS = 256;

/** @param known of the last decision; absent at the first */
export function panicStep(
  { thresholdRatio, windowMs, holdMs }: PanicPolicy,
  { nowMs, currentReplicas, demandReplicas }: PanicInput,
  known: PanicMemory = { demands: [] },
): PanicMemory {
  const seen = demandReplicas === undefined ? known.demands : [...known.demands, [nowMs, demandReplicas] as const];
  const demands = seen.filter(([atMs]) => atMs > nowMs - windowMs && atMs <= nowMs).slice(-MAX_DEMANDS);
  // A clock that was set back would make a panic last for as long as it was set back.
  const lastingMs = Math.min(known.untilMs ?? Number.NEGATIVE_INFINITY, nowMs + holdMs);
  const isLasting = lastingMs > nowMs;
  const isOver = demandReplicas !== undefined && mean(demands) >= thresholdRatio * Math.max(1, currentReplicas);
  if (!isOver && !isLasting) return { demands };
  const peakReplicas = Math.max(isLasting ? (known.peakReplicas ?? 0) : 0, demandReplicas ?? 0);
  return { demands, untilMs: isOver ? nowMs + holdMs : lastingMs, peakReplicas };
}

/** What the target is asked for: in panic at least the peak. */
export const panicDemand = (demandReplicas: number, panic: PanicMemory | undefined): number =>
  Math.max(demandReplicas, panic?.peakReplicas ?? 0);

export const isInPanic = (panic: PanicMemory | undefined, nowMs: number): boolean =>
  panic?.untilMs !== undefined && panic.untilMs > nowMs;

function mean(demands: PanicMemory["demands"]): number {
  const sum = demands.reduce((total, [, replicas]) => total + replicas, 0);
  return demands.length === 0 ? 0 : sum / demands.length;
}

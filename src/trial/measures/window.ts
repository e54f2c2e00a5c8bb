import type { TrialRecord } from "../record.ts";

export type Window = TrialRecord["window"];

export const MS_PER_HOUR = 3_600_000;

/** How much of `[fromMs, toMs)` is in the window. NaN as the end: not over yet; NaN as the beginning: it never began. */
export function clippedMs(fromMs: number, toMs: number, { startMs, endMs }: Window): number {
  if (Number.isNaN(fromMs)) return 0;
  const end = Number.isNaN(toMs) ? endMs : Math.min(toMs, endMs);
  return Math.max(0, end - Math.max(fromMs, startMs));
}

export const isInside = (atMs: number, { startMs, endMs }: Window): boolean => atMs >= startMs && atMs < endMs;

/** Unknown when there is nothing to divide by. */
export const quotient = (dividend: number, divisor: number): number | undefined =>
  divisor > 0 ? dividend / divisor : undefined;

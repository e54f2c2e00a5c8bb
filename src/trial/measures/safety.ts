/** Time in states that should not be. */
import type { CountsSample, RatioBand, TrialRecord } from "../record.ts";
import { overBudgetMs } from "./gpu-time.ts";
import { clippedMs, type Window } from "./window.ts";

export interface BandSeconds {
  readonly band: string;
  /** The specs were outside: what the autoscaler asked for. */
  readonly specSeconds: number;
  /** The ready replicas were outside: what the requests met. */
  readonly readySeconds: number;
}

export interface Safety {
  readonly bands: readonly BandSeconds[];
  /** Undefined without a budget. */
  readonly overBudgetSeconds: number | undefined;
  readonly belowFloorSpecSeconds: number;
  /** After the minimum viable set was first there; undefined when it never was. */
  readonly belowFloorReadySeconds: number | undefined;
  /** With a replica that has been pending for longer than the pending timeout. */
  readonly overduePendingSeconds: number;
}

/** @throws RangeError when the counts do not reach back to the start of the window */
export function safety(record: TrialRecord): Safety {
  const { counts, window, targets, lives, gpuBudget } = record;
  const isBelowFloor = (replicas: readonly number[]): boolean =>
    targets.some(({ minReplicas }, target) => replicas[target]! < minReplicas);
  const viable = counts.findIndex(({ ready }) => !isBelowFloor(ready));
  return {
    bands: record.bands.map((band) => ({
      band: band.name,
      specSeconds: secondsOf(counts, window, ({ spec }) => isOutside(band, spec)),
      readySeconds: secondsOf(counts, window, ({ ready }) => isOutside(band, ready)),
    })),
    overBudgetSeconds: gpuBudget === undefined ? undefined : overBudgetMs(lives, gpuBudget, window) / 1000,
    belowFloorSpecSeconds: secondsOf(counts, window, ({ spec }) => isBelowFloor(spec)),
    belowFloorReadySeconds:
      viable < 0 ? undefined : secondsOf(counts, window, ({ ready }, index) => index > viable && isBelowFloor(ready)),
    overduePendingSeconds: secondsOf(counts, window, ({ overdue }) => overdue.some((replicas) => replicas > 0)),
  };
}

/** Ratios such as 1/49 are not exact: 49 times that is less than 1. */
const ROUNDING = 1e-9;

/** None of both is inside any band; some of `a` and none of `b` is above every finite maximum. */
function isOutside({ a, b, min, max }: RatioBand, replicas: readonly number[]): boolean {
  const above = replicas[a]!;
  const below = replicas[b]!;
  return above < min * below - ROUNDING || above > max * below + ROUNDING;
}

function secondsOf(
  counts: readonly CountsSample[],
  window: Window,
  holds: (sample: CountsSample, index: number) => boolean,
): number {
  const firstMs = counts[0]?.atMs ?? Number.NaN;
  if (!(firstMs <= window.startMs)) {
    throw new RangeError(`the counts must begin at the start of the window (${window.startMs} ms), got ${firstMs} ms`);
  }
  let ms = 0;
  for (const [index, sample] of counts.entries()) {
    if (holds(sample, index)) ms += clippedMs(sample.atMs, counts[index + 1]?.atMs ?? Number.NaN, window);
  }
  return ms / 1000;
}

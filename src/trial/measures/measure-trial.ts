/** Every measure of one trial, as numbers with names. */
import type { TrialRecord } from "../record.ts";
import { actions } from "./actions.ts";
import { attainment } from "./attainment.ts";
import { costGpuHours, MISS_WORTHS, type MissWorth } from "./cost.ts";
import { gpuTime } from "./gpu-time.ts";
import { itlQuantiles, quantileOfSorted, ttftQuantiles } from "./latency.ts";
import { inFlightLosses } from "./losses.ts";
import { type BandSeconds, safety } from "./safety.ts";
import { SLO_SETS, type SloTargets } from "./slo.ts";
import { quotient } from "./window.ts";

export interface MeasureOptions {
  readonly sloSets?: readonly SloTargets[];
  readonly missWorths?: readonly MissWorth[];
  /** A start whose replica served fewer was wasted. Default 1. */
  readonly minServedRequests?: number;
}

/** What depends on the SLO. Undefined: there was nothing to measure. */
export interface SloMeasures {
  readonly attainmentRatio: number | undefined;
  readonly ttftAttainmentRatio: number | undefined;
  readonly itlAttainmentRatio: number | undefined;
  readonly missedRequests: number;
  /** Requests that met both SLOs. */
  readonly goodputPerSecond: number | undefined;
  readonly goodputPerGpuHour: number | undefined;
}

export interface PlainMeasures {
  readonly arrivedRequests: number;
  readonly ttftP50Ms: number | undefined;
  readonly ttftP90Ms: number | undefined;
  readonly ttftP99Ms: number | undefined;
  readonly requestsWithoutFirstToken: number;
  readonly itlP50Ms: number | undefined;
  readonly itlP90Ms: number | undefined;
  readonly itlP99Ms: number | undefined;
  readonly requestsWithoutItl: number;
  readonly allocatedGpuHours: number;
  readonly usefulGpuHours: number;
  readonly idleGpuHours: number;
  readonly wastedStartGpuHours: number;
  readonly wastedStarts: number;
  readonly writes: number;
  readonly replicasMoved: number;
  readonly flaps: number;
  readonly flapsPerHour: number | undefined;
  /** Of all bands together; each alone is in {@link TrialMeasures.bands}. */
  readonly outOfBandSpecSeconds: number;
  readonly outOfBandReadySeconds: number;
  readonly overBudgetSeconds: number | undefined;
  readonly belowFloorSpecSeconds: number;
  readonly belowFloorReadySeconds: number | undefined;
  readonly overduePendingSeconds: number;
  readonly lostOnScaleIn: number;
  readonly lostOnFailure: number;
  readonly decisionP99Micros: number | undefined;
}

export interface TrialMeasures {
  readonly autoscaler: string;
  readonly seed: number;
  readonly values: PlainMeasures;
  readonly bySlo: readonly {
    readonly slo: SloTargets;
    readonly values: SloMeasures;
    /** By the name of the worth of a miss. */
    readonly costGpuHours: Readonly<Record<string, number>>;
  }[];
  readonly bands: readonly BandSeconds[];
}

/** @throws RangeError when the record's window is turned around or its counts do not reach back to it */
export function measureTrial(record: TrialRecord, options: MeasureOptions = {}): TrialMeasures {
  const { sloSets = SLO_SETS, missWorths = MISS_WORTHS, minServedRequests = 1 } = options;
  const { window, requests, lives } = record;
  if (!(window.endMs >= window.startMs)) {
    throw new RangeError(`the window must end after it starts, got ${window.startMs} to ${window.endMs} ms`);
  }
  const gpus = gpuTime(lives, window, minServedRequests);
  const ttft = ttftQuantiles(requests, window);
  const itl = itlQuantiles(requests, window);
  const { bands, ...integrals } = safety(record);
  const losses = inFlightLosses(lives, window);
  const bySlo = sloSets.map((slo) => {
    const { arrivedRequests, metRequests, ...shares } = attainment(requests, slo, window);
    const values: SloMeasures = {
      ...shares,
      goodputPerSecond: quotient(metRequests, (window.endMs - window.startMs) / 1000),
      goodputPerGpuHour: quotient(metRequests, gpus.allocatedGpuHours),
    };
    const outcome = { allocatedGpuHours: gpus.allocatedGpuHours, missedRequests: shares.missedRequests };
    return {
      slo,
      values,
      costGpuHours: Object.fromEntries(missWorths.map((worth) => [worth.name, costGpuHours(outcome, worth)])),
    };
  });
  return {
    autoscaler: record.autoscaler,
    seed: record.seed,
    values: {
      arrivedRequests: requests.arrivedMs
        .subarray(0, requests.count)
        .reduce((arrived, atMs) => arrived + Number(atMs >= window.startMs && atMs < window.endMs), 0),
      ttftP50Ms: ttft.p50Ms,
      ttftP90Ms: ttft.p90Ms,
      ttftP99Ms: ttft.p99Ms,
      requestsWithoutFirstToken: ttft.unmeasuredRequests,
      itlP50Ms: itl.p50Ms,
      itlP90Ms: itl.p90Ms,
      itlP99Ms: itl.p99Ms,
      requestsWithoutItl: itl.unmeasuredRequests,
      ...gpus,
      ...actions(record.orders, record.targets, window),
      outOfBandSpecSeconds: bands.reduce((sum, { specSeconds }) => sum + specSeconds, 0),
      outOfBandReadySeconds: bands.reduce((sum, { readySeconds }) => sum + readySeconds, 0),
      ...integrals,
      lostOnScaleIn: losses.onScaleIn,
      lostOnFailure: losses.onFailure,
      decisionP99Micros: quantileOfSorted(record.decisionMicros.toSorted(), 0.99),
    },
    bySlo,
    bands,
  };
}

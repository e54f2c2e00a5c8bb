/** What the measured latency of a target says about its profile. Pure. */
import { probit } from "simple-statistics";
import type { PerformanceProfile } from "../../api/autoscaling/performance-profile.ts";
import type { TargetPolicy } from "../policy.ts";
import { type Correction, correct } from "./correction.ts";
import { type Load, shapeFor } from "./load.ts";
import { responseQuantileMs } from "./queueing.ts";
import {
  aggregatedLoad,
  type Corrections,
  contextTokens,
  itlOf,
  type LatencyGoal,
  predictedTtftMs,
  type RequestShape,
} from "./replica-capacity.ts";
import type { SloName } from "./slo-term.ts";
import { decodeStepMs } from "./step-times.ts";

export interface CorrectionInput {
  readonly profile: PerformanceProfile;
  readonly role: TargetPolicy["role"];
  readonly slo: SloName;
  readonly goal: LatencyGoal;
  readonly load: Load;
  readonly readyReplicas: number;
  /** Queues that they share evenly. Absent: each has its own. */
  readonly pools?: number;
  /** At the engines. */
  readonly observedMs: number;
  readonly known: Partial<Record<SloName, Correction>>;
  readonly nowMs: number;
}

/** Far below the goal the factor decides nothing, and coarse histograms would make it up. */
const RELEVANT_SHARE = 0.3;
/** Edges of the engines' latency histograms are up to 2.5 apart: a quantile that is drawn between them is off by nearly this factor. */
const RESOLUTION = 2.4;

export function correctFromProfile(input: CorrectionInput): Correction | undefined {
  const { slo, goal, load, observedMs, known, nowMs } = input;
  const now = known[slo];
  const corrections = { ttft: known.ttft?.factor ?? 1, itl: known.itl?.factor ?? 1 };
  const shape = shapeFor(load, input.profile);
  const predictedMs = shape === undefined ? undefined : predict(input, shape, corrections);
  if (predictedMs === undefined || Math.max(predictedMs, observedMs) < RELEVANT_SHARE * goal.targetMs) return now;
  // Where one says that the goal is met and the other that it is not, the whole difference counts.
  const isContradiction = observedMs > goal.targetMs !== predictedMs > goal.targetMs;
  return correct(now, nowMs, isContradiction ? observedMs : within(observedMs, predictedMs), predictedMs);
}

/** The observation moved towards the prediction by what the histogram cannot tell. */
function within(observedMs: number, predictedMs: number): number {
  return observedMs > predictedMs
    ? Math.max(predictedMs, observedMs / RESOLUTION)
    : Math.min(predictedMs, observedMs * RESOLUTION);
}

function predict(
  { profile, role, slo, goal, load, readyReplicas, pools = readyReplicas }: CorrectionInput,
  shape: RequestShape,
  corrections: Corrections,
): number | undefined {
  const { quantile } = goal;
  if (role === "prefill") {
    const requestsPerSecond = load.requestsPerSecond / readyReplicas;
    const poolReplicas = Math.max(1, readyReplicas / pools);
    return predictedTtftMs(profile, shape, { requestsPerSecond, quantile, poolReplicas }, corrections.ttft);
  }
  if (load.running === undefined) return undefined;
  const batch = load.running / readyReplicas;
  const context = contextTokens(shape);
  if (role === "decode") {
    const often = batch + Math.max(0, probit(quantile)) * Math.sqrt(batch);
    return corrections.itl * decodeStepMs(profile, often, context);
  }
  const replica = aggregatedLoad(profile, shape, context, batch, corrections);
  return slo === "itl" ? itlOf(replica, quantile) : responseQuantileMs(replica.services, replica.utilization, quantile);
}

/** What the stages write into the record. */
import type { TargetBounds } from "./bounds.ts";
import { totalsOf } from "./current.ts";
import type { StageRecord } from "./decision.ts";
import { type Demand, round } from "./demand.ts";
import type { ForecastResult } from "./forecast.ts";
import type { Observation } from "./observation.ts";
import { type PanicMemory, panicDemand } from "./panic.ts";
import type { Policy, TargetPolicy } from "./policy.ts";
import type { Solution } from "./solve.ts";

export function recordDemand(stages: StageRecord[], target: string, demand: Demand): void {
  for (const { label, collected } of demand.metrics) {
    if (collected.quality !== "Ok") {
      stages.push({ stage: "collect", target, reason: collected.quality, detail: `${label}: ${collected.detail}` });
    }
  }
  stages.push({ stage: "demand", target, after: round(demand.replicas), reason: demand.reason, detail: demand.detail });
}

export function recordForecast(stages: StageRecord[], target: string, demand: Demand, forecast: ForecastResult): void {
  if (forecast.replicas > demand.replicas) {
    const detail = `in ${Math.round(forecast.horizonMs / 1000)} s, when a replica ordered now is ready`;
    stages.push({
      stage: "forecast",
      target,
      before: round(demand.replicas),
      after: round(forecast.replicas),
      reason: "Raised",
      detail,
    });
  } else if (!forecast.isTrusted && !demand.isUnknown) {
    const detail = `past forecasts were off by ${Math.round((forecast.errorRatio ?? 0) * 100)} %`;
    stages.push({ stage: "forecast", target, reason: "NotTrusted", detail });
  }
}

export function recordPanics(
  stages: StageRecord[],
  policy: Policy,
  forecasts: readonly ForecastResult[],
  panics: readonly (PanicMemory | undefined)[],
): void {
  policy.targets.forEach(({ name }, index) => {
    const before = forecasts[index]?.replicas ?? 0;
    const after = panicDemand(before, panics[index]);
    if (after <= before) return;
    const detail = "in panic, never below the most that was wanted in it";
    stages.push({
      stage: "demand",
      target: name,
      before: round(before),
      after: round(after),
      reason: "PanicPeak",
      detail,
    });
  });
}

export function recordBounds(stages: StageRecord[], target: TargetPolicy, { min, isRaised }: TargetBounds): void {
  if (isRaised) {
    const detail = `minReplicas ${target.minReplicas} is below the minimum viable set`;
    stages.push({
      stage: "bounds",
      target: target.name,
      before: target.minReplicas,
      after: min,
      reason: "MinimumViableSet",
      detail,
    });
  }
}

export function recordGoal(stages: StageRecord[], policy: Policy, observation: Observation, goal: Solution): void {
  policy.targets.forEach(({ name }, index) => {
    const after = goal.perSet.reduce((sum, vector) => sum + (vector[index] as number), 0);
    stages.push({ stage: "solve", target: name, before: totalsOf(observation, index).current, after, reason: "Goal" });
  });
  const detail = `${goal.perSet.length} set replicas, ${goal.gpus} GPUs, ${Math.round(goal.servedRatio * 100)} % of the demand`;
  stages.push({
    stage: "solve",
    before: observation.set.replicas,
    after: goal.perSet.length,
    reason: goal.limitedBy.join("+") || "Feasible",
    detail,
  });
  for (const relaxed of goal.relaxed)
    stages.push({ stage: "solve", reason: `${relaxed}Relaxed`, detail: RELAXED[relaxed] });
}

const RELAXED = {
  SoftRatios: "a soft ratio gives way to served demand",
  GPUBudget:
    "the minimum viable set alone needs more GPUs than the budget has: raise gpuBudget.max or lower minReplicas",
  HardRatios: "no integer solution of the ratios inside the bounds: widen a ratio or the bounds of its targets",
} as const;

/** What the stages write into the record. */
import type { TargetBounds } from "./bounds.ts";
import { totalsOf } from "./current.ts";
import type { StageRecord } from "./decision.ts";
import { type Demand, round } from "./demand.ts";
import type { ForecastResult } from "./forecast/forecast.ts";
import type { Observation } from "./observation.ts";
import { type PanicMemory, panicDemand } from "./panic.ts";
import type { Policy, TargetPolicy } from "./policy.ts";
import type { Reach } from "./reach.ts";
import type { ZeroState } from "./scale-to-zero.ts";
import type { OpenWindow, Scheduled } from "./schedule.ts";
import type { SetAsk } from "./set-demand.ts";
import type { GivenUp, Solution } from "./solve.ts";
import { windowsText } from "./windows-behind.ts";

export function recordDemand(stages: StageRecord[], target: string, demand: Demand): void {
  for (const { label, collected } of demand.metrics) {
    if (collected.quality !== "Ok") {
      stages.push({ stage: "collect", target, reason: collected.quality, detail: `${label}: ${collected.detail}` });
    }
  }
  stages.push({ stage: "demand", target, after: round(demand.replicas), reason: demand.reason, detail: demand.detail });
}

export function recordForecast(stages: StageRecord[], target: string, demand: Demand, forecast: ForecastResult): void {
  const { method, isTrusted, errorRatio, horizonMs, foreseenReplicas, headroomRatio = 0 } = forecast;
  // Where none is made, of a queue or of what is not known, none was wrong.
  if (!isTrusted && errorRatio !== undefined) {
    const detail = `past forecasts by ${method} were off by ${Math.round(errorRatio * 100)} %`;
    stages.push({ stage: "forecast", target, reason: "NotTrusted", detail });
  }
  if (forecast.replicas <= demand.replicas) return;
  const when = `in ${Math.round(horizonMs / 1000)} s, when a replica ordered now is ready`;
  const headroom = headroomRatio > 0 ? `, ${percent(headroomRatio)} on top for what it does not foresee` : "";
  stages.push({
    stage: "forecast",
    target,
    before: round(demand.replicas),
    after: round(forecast.replicas),
    reason: "Raised",
    detail: `${Number((foreseenReplicas ?? 0).toPrecision(3))} by ${isTrusted ? method : "LastValue"} ${when}${headroom}`,
  });
}

const percent = (ratio: number): string => `${Number((100 * ratio).toPrecision(2))} %`;

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

export function recordReplacements(stages: StageRecord[], target: string, demand: number, replacements: number): void {
  const detail = `${replacements} have a node and are not ready past the pending timeout: as many more stand in for them`;
  stages.push({
    stage: "forecast",
    target,
    before: round(demand),
    after: round(demand + replacements),
    reason: "Replaced",
    detail,
  });
}

export function recordSchedules(stages: StageRecord[], { active, early, bounds, overlaps }: Scheduled): void {
  for (const [target, { min, max }] of bounds) {
    const limits = [min === undefined ? "" : `at least ${min}`, max === undefined ? "" : `at most ${max}`];
    const names = [...active, ...early.map((name) => `${name} (about to open)`)].join(", ");
    stages.push({
      stage: "bounds",
      target,
      reason: "Schedule",
      detail: `${limits.filter((text) => text !== "").join(", ")} by schedule ${names}`,
    });
  }
  for (const { kept, ignored, what } of overlaps) {
    const detail = `${what} is said by ${kept} and ${ignored}: the first by name is followed`;
    stages.push({ stage: "bounds", reason: "ScheduleOverlap", detail });
  }
}

export function recordZero(stages: StageRecord[], zero: ZeroState | undefined): void {
  if (zero === undefined) return;
  const reason = zero.isAsleep ? "ScaledToZero" : `Zero${zero.reason}`;
  stages.push({ stage: "bounds", reason, detail: `${[...zero.targets].join(", ")}: ${zero.detail}` });
}

export function recordReach(stages: StageRecord[], { caps, memory }: Reach, nowMs: number): void {
  for (const [target, cap] of Object.entries(caps)) {
    const { untilMs = nowMs, failures = 0 } = memory[target] ?? {};
    const again = Math.max(0, Math.ceil((untilMs - nowMs) / 1000));
    stages.push({
      stage: "bounds",
      target,
      after: cap,
      reason: "CapacityPending",
      detail: `more than ${cap} found no node within the pending timeout (attempt ${failures}); tried again in ${again} s`,
    });
  }
}

export interface GoalContext {
  readonly policy: Policy;
  readonly observation: Observation;
  readonly scheduled: Scheduled;
  readonly reach: Reach;
  /** By hard rule that is given up: the windows without which it could be kept. */
  readonly windowsBehind: ReadonlyMap<string, readonly OpenWindow[]>;
}

/** A demand of the set itself that its tolerance takes as what is there. */
export function recordSetAsk(stages: StageRecord[], { set }: Policy, current: number, { tolerated }: SetAsk): void {
  if (set === undefined || tolerated === undefined) return;
  const { toleranceRatio } = tolerated > current ? set.behavior.scaleUp : set.behavior.scaleDown;
  const detail = `the demand is within ${Math.round(toleranceRatio * 100)} % of what is there`;
  stages.push({
    stage: "step",
    target: set.name,
    before: current,
    after: tolerated,
    reason: "WithinTolerance",
    detail,
  });
}

export function recordGoal(stages: StageRecord[], goal: Solution, context: GoalContext): void {
  const { policy, observation, windowsBehind } = context;
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
  if (goal.backlogRatio < 1)
    stages.push({
      stage: "solve",
      reason: "BacklogLast",
      detail: `what comes goes before what has piled up, of which the budget leaves ${Math.floor(100 * goal.backlogRatio)} %`,
    });
  if (goal.isRaisedToFloor)
    stages.push({
      stage: "solve",
      reason: "GPUFloor",
      after: goal.gpus,
      detail: `more than the demand asks for: gpuBudget.min is ${policy.gpuBudgetMin}`,
    });
  for (const index of goal.atMax) stages.push({ stage: "solve", ...maximumOf(index, context) });
  for (const givenUp of goal.givenUp)
    stages.push({
      stage: "solve",
      reason: `${givenUp.relaxation}Relaxed`,
      detail: relaxedDetail(givenUp, windowsBehind.get(givenUp.name)),
    });
}

/** What is the maximum of a target that cuts the demand: its own, that of a window, or what can be had. */
function maximumOf(
  index: number,
  { policy, scheduled, reach }: GoalContext,
): Pick<StageRecord, "reason" | "after" | "detail"> {
  const { name = "", maxReplicas = 0 } = policy.targets[index] ?? {};
  const { max: ofWindow = Number.POSITIVE_INFINITY } = scheduled.bounds.get(name) ?? {};
  const most = Math.min(maxReplicas, ofWindow);
  const found = reach.caps[name];
  if (found !== undefined && found < most)
    return { reason: "AtReach", detail: `no node is found for more than ${found} of ${name}, which cuts the demand` };
  const owner = ofWindow < maxReplicas ? `, by schedule ${scheduled.maxOwners.get(name)},` : "";
  return { reason: "AtMax", detail: `maxReplicas ${most} of ${name}${owner} cuts the demand` };
}

function relaxedDetail({ relaxation, kind, name }: GivenUp, windows: readonly OpenWindow[] = []): string {
  if (relaxation === "SoftRatios") return `soft ratio ${name} gives way to served demand`;
  if (relaxation === "GPUBudget")
    return "the minimum viable set alone needs more GPUs than the budget has: raise gpuBudget.max or lower minReplicas";
  const what = kind === "Coupling" ? "coupling" : "ratio";
  if (windows.length > 0) {
    const whose = windows.length === 1 ? "of that schedule" : "of one of those";
    return `${what} ${name} leaves no whole numbers inside the bounds of ${windowsText(windows)}: widen it, or the bounds ${whose}`;
  }
  return `${what} ${name} leaves no whole numbers inside the bounds and the GPU budget, beside those before it: widen it or the bounds of its targets`;
}

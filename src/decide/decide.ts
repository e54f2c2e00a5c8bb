/**
 * The decision: one policy, one moment. Pure: the same input gives the same output, live, in the simulator, in a dry run and in a replay.
 *
 * Eleven stages in a fixed order, so that nothing bypasses anything; the reasons for the order are in `docs/architecture.md`. The write gate and the
 * publishing of the record are the caller's: they do I/O.
 */
import { applyOverride } from "./apply-override.ts";
import { boundsOf, setBounds, type TargetBounds } from "./bounds.ts";
import { gpusWanted, totalsOf, vectorOf } from "./current.ts";
import { type Decision, nameOf, type RatioDecision, type StageRecord, type TargetDecision } from "./decision.ts";
import { type Demand, demandOf, round } from "./demand.ts";
import { explain } from "./explain.ts";
import { type ForecastResult, forecastDemand, leadTimeMs } from "./forecast.ts";
import { type LatticeConstraint, satisfies, type Vector } from "./lattice.ts";
import { limitStep } from "./limit-step.ts";
import { MAX_STARTUPS, type Memory } from "./memory.ts";
import type { Observation } from "./observation.ts";
import type { Policy, TargetPolicy } from "./policy.ts";
import { bandConstraints, isWithinBand, type RatioBand } from "./ratio.ts";
import { type Solution, type SolveInput, solve } from "./solve.ts";
import { planTransition } from "./transition.ts";

/** A set replica goes only when the others would serve 10 % more than the demand: HPA's default tolerance, on the solver's output. */
const REMOVAL_HEADROOM_RATIO = 0.1;

export interface DecideResult {
  readonly decision: Decision;
  readonly memory: Memory;
}

export function decide(policy: Policy, observation: Observation, memory: Memory): DecideResult {
  const stages: StageRecord[] = [];

  // 1, 2: collect and demand
  const demands = policy.targets.map((target, index) => measure(target, index, policy, observation, memory));
  const setDemand = policy.set === undefined ? undefined : measureSet(policy.set, policy, observation, memory);
  for (const [index, { name }] of policy.targets.entries()) recordDemand(stages, name, demands[index] as Demand);
  if (policy.set !== undefined && setDemand !== undefined) recordDemand(stages, policy.set.name, setDemand);

  // 3: forecast
  const startupsMs = [...memory.startupsMs, ...observation.startupsMs].slice(-MAX_STARTUPS);
  const horizonMs =
    policy.forecast.horizonMs ?? leadTimeMs(startupsMs, policy.coldStart.leadTimeMs) + policy.intervalMs;
  const forecasts = policy.targets.map((target, index) =>
    foresee(target, demands[index] as Demand, policy, observation, memory, horizonMs),
  );
  for (const [index, { name }] of policy.targets.entries()) {
    recordForecast(stages, name, demands[index] as Demand, forecasts[index] as ForecastResult);
  }
  const demandReplicas = forecasts.map(({ replicas }) => replicas);

  // 4: bounds
  const bounds = policy.targets.map((target, index) => boundsOf(target, observation.targets[index]?.minAvailable ?? 0));
  for (const [index, target] of policy.targets.entries()) recordBounds(stages, target, bounds[index] as TargetBounds);

  // 5: budget
  const budget = budgetOf(policy, observation);
  if (budget.isUnknown)
    stages.push({
      stage: "arbitrate",
      reason: "GPUCostUnknown",
      detail: "the GPUs of a replica are unknown: nothing grows",
    });
  else if (budget.gpus !== Number.POSITIVE_INFINITY) {
    stages.push({
      stage: "arbitrate",
      reason: "GPUBudget",
      after: budget.gpus,
      detail: `${observation.gpusInUse} of ${budget.gpus} GPUs in use`,
    });
  }

  // 6: goal
  const indexOf = (name: string): number => policy.targets.findIndex((target) => target.name === name);
  const ratios = constraintsOf(policy.ratios, "Hard", indexOf);
  const problem = solveInput(policy, observation, {
    demandReplicas,
    demands,
    bounds,
    setDemand,
    gpus: budget.gpus,
    ratios,
    indexOf,
  });
  const goal = solve(problem);
  recordGoal(stages, policy, observation, goal);

  // 7: step
  const limited = limitStep({
    policy,
    observation,
    memory,
    demands,
    demandReplicas,
    bounds,
    ratios: goal.relaxed.includes("HardRatios") ? [] : ratios,
    goal: { sets: goal.perSet.length, perSet: goal.perSet, isCutByBudget: goal.limitedBy.includes("GPUBudget") },
    goalFor: (sets) => solve({ ...problem, sets: { ...problem.sets, min: sets, max: sets } }).perSet,
    gpuBudget: budget.gpus,
    isGrowthForbidden: budget.isUnknown,
  });
  stages.push(...limited.stages);

  // 8: override
  const desired = applyOverride({ policy, observation, bounds, ratios, gpuBudget: budget.gpus }, limited, stages);

  // 9: transition
  const transition = planTransition(
    policy,
    observation,
    desired,
    desired.isForced ? Number.POSITIVE_INFINITY : budget.gpus,
  );
  for (const { target, setIndex, from, to, why } of transition.later) {
    stages.push({
      stage: "transition",
      target: nameOf(target, setIndex),
      before: from,
      after: to,
      reason: why,
      detail: "left to a later decision",
    });
  }
  for (const { target, setIndex, from, to } of transition.now) {
    stages.push({ stage: "transition", target: nameOf(target, setIndex), before: from, after: to, reason: "Write" });
  }

  // 11: record
  const targets = targetDecisions({ policy, observation, demands, setDemand, forecasts, bounds, goal, desired });
  const gpusRequested = gpusWanted(observation, desired.perSet);
  const record: Omit<Decision, "outcome" | "reason" | "message"> = {
    id: `${memory.decisions + 1}`,
    atMs: observation.nowMs,
    stages,
    targets,
    desired: { sets: desired.sets, perSet: desired.perSet },
    ratios: policy.ratios.map((band) => ratioDecision(band, indexOf, observation, desired.perSet)),
    budget: {
      gpusUsed: observation.gpusInUse,
      gpusRequested,
      ...(budget.gpus === Number.POSITIVE_INFINITY ? {} : { gpusMax: budget.gpus }),
      isLimited: goal.limitedBy.includes("GPUBudget"),
      isInfeasible: goal.relaxed.includes("GPUBudget"),
      isUnknown: budget.isUnknown,
    },
    servedRatio: goal.servedRatio,
    relaxed: goal.relaxed,
    transition,
    ...(observation.isSharing ? { offer: offerOf(problem) } : {}),
    ...(observation.override === undefined ? {} : { override: observation.override }),
  };
  return {
    decision: { ...record, ...explain(policy, observation, record) },
    memory: {
      objects: limited.objects,
      forecasts: Object.fromEntries(
        forecasts.map(({ memory: kept }, index) => [policy.targets[index]?.name ?? "", kept]),
      ),
      failures: countFailures(policy, [...demands, ...(setDemand === undefined ? [] : [setDemand])], memory),
      panicUntilMs: limited.panicUntilMs,
      startupsMs,
      decisions: memory.decisions + 1,
    },
  };
}

function countFailures(policy: Policy, demands: readonly Demand[], memory: Memory): Memory["failures"] {
  const targets = policy.set === undefined ? policy.targets : [...policy.targets, policy.set];
  return Object.fromEntries(
    targets.map(({ name }, index) => [name, demands[index]?.isUnknown === true ? (memory.failures[name] ?? 0) + 1 : 0]),
  );
}

function measure(
  target: TargetPolicy,
  index: number,
  policy: Policy,
  observation: Observation,
  memory: Memory,
): Demand {
  const { current, ready } = totalsOf(observation, index);
  return demandOf({
    target,
    readings: observation.targets[index]?.metrics ?? [],
    currentReplicas: current,
    readyReplicas: ready,
    ...policy.metricsPolicy,
    failures: memory.failures[target.name] ?? 0,
    ...(policy.fallback === undefined ? {} : { fallback: policy.fallback }),
  });
}

function measureSet(set: TargetPolicy, policy: Policy, { set: seen }: Observation, memory: Memory): Demand {
  return demandOf({
    target: set,
    readings: seen.metrics,
    currentReplicas: seen.replicas,
    readyReplicas: seen.ready,
    ...policy.metricsPolicy,
    failures: memory.failures[set.name] ?? 0,
    ...(policy.fallback === undefined ? {} : { fallback: policy.fallback }),
  });
}

function foresee(
  target: TargetPolicy,
  demand: Demand,
  policy: Policy,
  { monotonicMs }: Observation,
  memory: Memory,
  horizonMs: number,
): ForecastResult {
  const known = memory.forecasts[target.name];
  if (!demand.isUnknown) return forecastDemand(demand.replicas, monotonicMs, horizonMs, policy.forecast, known);
  // What is not known is neither a sample nor a base to forecast from.
  return {
    replicas: demand.replicas,
    horizonMs,
    isTrusted: false,
    memory: known ?? { history: [], open: [], errorSum: 0, demandSum: 0 },
  };
}

function budgetOf(policy: Policy, { set, targets, gpusGranted }: Observation): { gpus: number; isUnknown: boolean } {
  const gpus = Math.min(policy.gpuBudgetMax ?? Number.POSITIVE_INFINITY, gpusGranted ?? Number.POSITIVE_INFINITY);
  const isKnown = set.fixedGpus !== undefined && targets.every(({ gpusPerReplica }) => gpusPerReplica !== undefined);
  return { gpus, isUnknown: gpus !== Number.POSITIVE_INFINITY && !isKnown };
}

function constraintsOf(
  bands: readonly RatioBand[],
  enforcement: RatioBand["enforcement"],
  indexOf: (name: string) => number,
): readonly LatticeConstraint[] {
  return bands.filter((band) => band.enforcement === enforcement).flatMap((band) => bandConstraints(band, indexOf));
}

interface ProblemInput {
  readonly demandReplicas: readonly number[];
  readonly demands: readonly Demand[];
  readonly bounds: readonly TargetBounds[];
  readonly setDemand: Demand | undefined;
  readonly gpus: number;
  readonly ratios: readonly LatticeConstraint[];
  readonly indexOf: (name: string) => number;
}

function solveInput(policy: Policy, observation: Observation, input: ProblemInput): SolveInput {
  const { min, max } = setBounds(policy, observation);
  const current = observation.set.replicas;
  const asked = Math.min(max, Math.ceil((input.setDemand?.replicas ?? 0) - 1e-9));
  const holdsDown = input.demands.some((demand) => demand.holdsDown) || input.setDemand?.holdsDown === true;
  const floor = Math.max(min, asked, holdsDown ? Math.min(current, max) : 0);
  return {
    targets: input.bounds.map((bound, index) => ({
      demandReplicas: input.demandReplicas[index] as number,
      gpusPerReplica: observation.targets[index]?.gpusPerReplica ?? 0,
      min: bound.min,
      max: bound.max,
    })),
    hardRatios: input.ratios,
    softRatios: constraintsOf(policy.ratios, "Soft", input.indexOf),
    sets: { min: floor, max, current, fixedGpus: observation.set.fixedGpus ?? 0 },
    gpuBudget: input.gpus,
    removalHeadroomRatio: REMOVAL_HEADROOM_RATIO,
  };
}

function ratioDecision(
  band: RatioBand,
  indexOf: (name: string) => number,
  observation: Observation,
  perSet: readonly Vector[],
): RatioDecision {
  const a = indexOf(band.between[0]);
  const b = indexOf(band.between[1]);
  const readyPairs = Array.from({ length: observation.set.replicas }, (_, set) => {
    const ready = (index: number): number =>
      observation.targets[index]?.objects.find(({ setIndex }) => setIndex === set)?.ready ?? 0;
    return [ready(a), ready(b)] as const;
  });
  const total = (at: 0 | 1): number => readyPairs.reduce((sum, pair) => sum + pair[at], 0);
  return {
    name: band.name,
    ready: `${total(0)}:${total(1)}`,
    ...(band.min === undefined ? {} : { min: `${band.min.numerator}:${band.min.denominator}` }),
    ...(band.max === undefined ? {} : { max: `${band.max.numerator}:${band.max.denominator}` }),
    desiredWithinBand: perSet.every((vector) => isWithinBand(band, vector[a] as number, vector[b] as number)),
    readyWithinSlack: readyPairs.every(([x, y]) => isWithinBand(band, x, y, band.transientSlackRatio)),
  };
}

/** Points of the curve that is offered to a shared budget: 5 % steps of the served fraction. */
const OFFER_STEPS = 20;

/** What serving a fraction of the demand costs, whatever the budget is. */
function offerOf(problem: SolveInput): NonNullable<Decision["offer"]> {
  const gpusAt = (fraction: number): number =>
    solve({
      ...problem,
      gpuBudget: Number.POSITIVE_INFINITY,
      targets: problem.targets.map((target) => ({ ...target, demandReplicas: target.demandReplicas * fraction })),
    }).gpus;
  const minimum = solve({
    ...problem,
    gpuBudget: Number.POSITIVE_INFINITY,
    sets: { ...problem.sets, max: problem.sets.min },
    targets: problem.targets.map((target) => ({ ...target, demandReplicas: 0 })),
  });
  const curve = Array.from(
    { length: OFFER_STEPS + 1 },
    (_, step) => [step / OFFER_STEPS, gpusAt(step / OFFER_STEPS)] as const,
  );
  return { minGpus: minimum.gpus, curve };
}

interface TargetsInput {
  readonly policy: Policy;
  readonly observation: Observation;
  readonly demands: readonly Demand[];
  readonly setDemand: Demand | undefined;
  readonly forecasts: readonly ForecastResult[];
  readonly bounds: readonly TargetBounds[];
  readonly goal: Solution;
  readonly desired: { readonly sets: number; readonly perSet: readonly Vector[] };
}

function targetDecisions({
  policy,
  observation,
  demands,
  setDemand,
  forecasts,
  bounds,
  goal,
  desired,
}: TargetsInput): TargetDecision[] {
  const sum = (perSet: readonly Vector[], index: number): number =>
    perSet.reduce((total, vector) => total + (vector[index] as number), 0);
  const inside = policy.targets.map((target, index): TargetDecision => {
    const { memory: _, ...forecast } = forecasts[index] as ForecastResult;
    return {
      name: target.name,
      level: target.level,
      ...totalsOf(observation, index),
      goal: sum(goal.perSet, index),
      desired: sum(desired.perSet, index),
      minViable: (bounds[index]?.minViable ?? 0) * observation.set.replicas,
      demand: demands[index] as Demand,
      forecast,
    };
  });
  if (policy.set === undefined) return inside;
  const { replicas, ready } = observation.set;
  const set: TargetDecision = {
    name: policy.set.name,
    level: "PodCliqueSet",
    current: replicas,
    ready,
    starting: Math.max(0, replicas - ready),
    pending: 0,
    goal: goal.perSet.length,
    desired: desired.sets,
    minViable: Math.max(policy.set.minReplicas, policy.set.minViableOverride),
    ...(setDemand === undefined ? {} : { demand: setDemand }),
  };
  return [set, ...inside];
}

function recordDemand(stages: StageRecord[], target: string, demand: Demand): void {
  for (const { label, collected } of demand.metrics) {
    if (collected.quality !== "Ok") {
      stages.push({ stage: "collect", target, reason: collected.quality, detail: `${label}: ${collected.detail}` });
    }
  }
  stages.push({ stage: "demand", target, after: round(demand.replicas), reason: demand.reason, detail: demand.detail });
}

function recordForecast(stages: StageRecord[], target: string, demand: Demand, forecast: ForecastResult): void {
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

function recordBounds(stages: StageRecord[], target: TargetPolicy, { min, isRaised }: TargetBounds): void {
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

function recordGoal(stages: StageRecord[], policy: Policy, observation: Observation, goal: Solution): void {
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

/** Whether every set replica that is satisfies the ratios now, for invariant checks. */
export function currentSatisfies(policy: Policy, observation: Observation): boolean {
  const indexOf = (name: string): number => policy.targets.findIndex((target) => target.name === name);
  const ratios = constraintsOf(policy.ratios, "Hard", indexOf);
  return Array.from({ length: observation.set.replicas }, (_, set) => vectorOf(observation, set)).every((vector) =>
    satisfies(vector, ratios),
  );
}

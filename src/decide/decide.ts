/**
 * The decision: one policy, one moment. Pure: the same input gives the same output, live, in the simulator, in a dry run and in a replay.
 *
 * Eleven stages in a fixed order, so that nothing bypasses anything; the reasons for the order are in `docs/architecture.md`. The write gate and the
 * publishing of the record are the caller's: they do I/O.
 */

import { applyOverride } from "./apply-override.ts";
import { loadOf } from "./backlog-last.ts";
import { boundsOf, setBounds, type TargetBounds } from "./bounds.ts";
import { budgetOf, unknownRecord } from "./budget.ts";
import { joinSlo } from "./capacity/join.ts";
import { sizeForSlo } from "./capacity/slo.ts";
import { gpusWanted, totalsOf } from "./current.ts";
import { type Decision, nameOf, type StageRecord } from "./decision.ts";
import { type Demand, demandOf } from "./demand.ts";
import { explain } from "./explain.ts";
import { widenFlapping } from "./flap.ts";
import { type ForecastResult, forecastDemand, noForecasts } from "./forecast/forecast.ts";
import { LeadTimes } from "./forecast/lead-time.ts";
import { inFlightOf } from "./in-flight.ts";
import { keepForAStart } from "./keep-for-a-start.ts";
import { limitStep } from "./limit-step.ts";
import { type Memory, rememberStartups } from "./memory.ts";
import type { Observation } from "./observation.ts";
import { offerOf } from "./offer.ts";
import { isInPanic, type PanicMemory, panicDemand, panicStep } from "./panic.ts";
import type { Policy, TargetPolicy } from "./policy.ts";
import { type ProblemInput, solveInput } from "./problem.ts";
import { reachOf, replacementsFor } from "./reach.ts";
import { asleepDemand, heldAwake, zeroStateOf } from "./scale-to-zero.ts";
import { scheduledAt } from "./schedule.ts";
import { setAsk } from "./set-demand.ts";
import { minViableGpus, type Solution, type SolveInput, solve } from "./solve.ts";
import {
  recordBounds,
  recordDemand,
  recordForecast,
  recordGoal,
  recordPanics,
  recordReach,
  recordReplacements,
  recordSchedules,
  recordSetAsk,
  recordZero,
} from "./stage-records.ts";
import { ratioDecision, targetDecisions } from "./target-decisions.ts";
import { planTransition } from "./transition.ts";
import { holdWhileWarming, lossOf, markNeverSeen, rememberKnown, type SeenDemand } from "./warm-up.ts";
import { whyNumbers } from "./why-numbers.ts";
import { windowsBehind } from "./windows-behind.ts";
import { withinOverride } from "./within-override.ts";

export interface DecideResult {
  readonly decision: Decision;
  readonly memory: Memory;
}

export function decide(given: Policy, observation: Observation, memory: Memory): DecideResult {
  const stages: StageRecord[] = [];
  const { monotonicMs } = observation;
  const startupsMs = rememberStartups(memory.startupsMs, observation.startupsMs, given);
  const leads = new LeadTimes(startupsMs, given.coldStart.leadTimeMs);
  const policy = widenFlapping(keepForAStart(given, leads), memory.flaps, monotonicMs);
  const scheduled = scheduledAt(policy.schedules, observation.nowMs, leads);
  const inFlight = inFlightOf(policy, observation, memory.inFlightSinceMs);

  // 1, 2: collect and demand
  const slo = sizeForSlo(policy, observation, memory.slo, leads);
  const measured = policy.targets.map((target, index) =>
    joinSlo(measure(target, index, policy, observation, memory), slo.terms[index], totalsOf(observation, index)),
  );
  const measuredSet = policy.set === undefined ? undefined : measureSet(policy.set, policy, observation, memory);
  const zero = zeroStateOf(
    policy,
    observation,
    new Map(policy.targets.map(({ name }, index) => [name, measured[index] as Demand])),
    memory.zero,
    heldAwake(policy, observation, (name) => scheduled.bounds.get(name)?.min ?? 0),
  );
  const known = rememberKnown(
    seenDemands(policy, observation, measured, measuredSet),
    policy,
    memory.known,
    monotonicMs,
  );
  const loss = lossOf(known);
  const settle = (name: string, demand: Demand): Demand =>
    zero?.isAsleep === true && zero.targets.has(name)
      ? asleepDemand(zero.detail)
      : holdWhileWarming(markNeverSeen(demand, known[name]), known[name], loss, monotonicMs);
  const demands = policy.targets.map(({ name }, index) => settle(name, measured[index] as Demand));
  const setDemand =
    policy.set === undefined || measuredSet === undefined ? undefined : settle(policy.set.name, measuredSet);
  for (const [index, { name }] of policy.targets.entries()) recordDemand(stages, name, demands[index] as Demand);
  if (policy.set !== undefined && setDemand !== undefined) recordDemand(stages, policy.set.name, setDemand);

  // 3: forecast
  const horizonOf = ({ name }: TargetPolicy): number => policy.forecast.horizonMs ?? leads.of(name) + policy.intervalMs;
  const forecasts = policy.targets.map((target, index) =>
    foresee(target, demands[index] as Demand, policy, observation, memory, horizonOf(target)),
  );
  for (const [index, { name }] of policy.targets.entries()) {
    recordForecast(stages, name, demands[index] as Demand, forecasts[index] as ForecastResult);
  }
  const panics = policy.targets.map((target, index) =>
    panicOf(target, index, demands[index] as Demand, observation, memory),
  );
  recordPanics(stages, policy, forecasts, panics);
  const replacements = observation.targets.map(({ objects }) => replacementsFor(objects));
  const demandReplicas = forecasts.map((forecast, index) => {
    const replicas = panicDemand(forecast.replicas, panics[index]);
    const extra = replacements[index] as number;
    if (extra === 0 || replicas === 0) return replicas;
    recordReplacements(stages, policy.targets[index]?.name ?? "", replicas, extra);
    return replicas + extra;
  });
  const loadReplicas = forecasts.map(({ loadReplicas: load }, index) =>
    load === undefined || isInPanic(panics[index], monotonicMs) ? undefined : load + (replacements[index] as number),
  );

  // 4: bounds
  const context = { scheduled, zero };
  const bounds = policy.targets.map((target, index) =>
    boundsOf(target, observation.targets[index]?.minAvailable ?? 0, context),
  );
  recordSchedules(stages, scheduled);
  recordZero(stages, zero);
  for (const [index, target] of policy.targets.entries()) recordBounds(stages, target, bounds[index] as TargetBounds);
  const reach = reachOf(policy, observation.targets, inFlight, memory.reach, monotonicMs);
  recordReach(stages, reach, monotonicMs);

  // 5: budget
  const budget = budgetOf(policy, observation, scheduled.gpuBudgetMax);
  if (budget.isUnknown) stages.push({ stage: "arbitrate", ...unknownRecord(observation) });
  else if (budget.gpus !== Number.POSITIVE_INFINITY) {
    stages.push({
      stage: "arbitrate",
      reason: budget.queue === undefined ? "GPUBudget" : "QueueQuota",
      after: budget.gpus,
      detail: `${observation.gpusInUse} of ${budget.gpus} GPUs in use${budget.queue === undefined ? "" : `, which queue ${budget.queue} leaves`}`,
    });
  }

  // 6: goal
  const indexOf = (name: string): number => policy.targets.findIndex((target) => target.name === name);
  const problemOf = (limits: Pick<ProblemInput, "bounds" | "gpus" | "setBounds">): SolveInput =>
    solveInput(policy, observation, {
      demandReplicas,
      loadReplicas,
      demands,
      setDemand,
      indexOf,
      caps: reach.caps,
      ...limits,
    });
  const setRange = setBounds(policy, observation, context);
  const problem = problemOf({ bounds, gpus: budget.gpus, setBounds: setRange });
  const goal = solve(problem);
  const givenUpWithout = (names: ReadonlySet<string>): ReadonlySet<string> => {
    const others = policy.schedules.filter(({ name }) => !names.has(name));
    const without = { scheduled: scheduledAt(others, observation.nowMs, leads), zero };
    const milder = problemOf({
      bounds: policy.targets.map((target, index) =>
        boundsOf(target, observation.targets[index]?.minAvailable ?? 0, without),
      ),
      gpus: budgetOf(policy, observation, without.scheduled.gpuBudgetMax).gpus,
      setBounds: setBounds(policy, observation, without),
    });
    return new Set(hardRulesGivenUp(solve(milder)));
  };
  recordGoal(stages, goal, {
    policy,
    observation,
    scheduled,
    reach,
    windowsBehind: windowsBehind(hardRulesGivenUp(goal), scheduled.windows, givenUpWithout),
  });

  recordSetAsk(stages, policy, problem.sets.current, setAsk(policy.set, setDemand, problem.sets.current, problem.sets));

  // 7: step
  const limited = limitStep({
    policy,
    observation,
    memory,
    demands,
    demandReplicas,
    panics,
    bounds,
    ratios: goal.kept,
    goal: {
      sets: goal.perSet.length,
      perSet: goal.perSet,
      isCutByBudget: goal.limitedBy.includes("GPUBudget") || goal.isRaisedToFloor,
    },
    goalFor: (sets) => solve(withSets(problem, sets)).perSet,
    loadFor: (sets) => solve(withSets(loadOf(problem), sets)).perSet,
    gpuBudget: budget.gpus,
    isGrowthForbidden: budget.isUnknown,
    setBounds: setRange,
    inFlight,
    isCapped: (name) => reach.caps[name] !== undefined,
  });
  stages.push(...limited.stages);

  // 8: override
  const desired = applyOverride(
    { policy, observation, bounds, ratios: goal.kept, gpuBudget: budget.gpus, isGrowthForbidden: budget.isUnknown },
    limited,
    stages,
  );

  // 9: transition
  const transition = planTransition(
    policy,
    observation,
    { ...desired, isAsleep: zero?.isAsleep === true },
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
  const why = whyNumbers({
    policy,
    observation,
    memory,
    stages,
    demands,
    setDemand,
    forecasts,
    demandReplicas,
    bounds,
    problem,
    goal,
    limited,
    desired,
    budget,
    reach,
    zero,
  });
  const targets = targetDecisions({
    policy,
    observation,
    demands,
    setDemand,
    forecasts,
    bounds,
    goal,
    limited,
    desired,
    setMinViable: setRange.minViable,
    why,
  });
  const gpusRequested = gpusWanted(observation, desired.perSet);
  const offered = (): NonNullable<Decision["offer"]> =>
    offerOf(problem, budget.ownGpus, withinOverride(problem, policy, observation));
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
      ...(budget.queue === undefined ? {} : { queue: budget.queue }),
      // What the others of a shared budget have is waited for.
      isInfeasible: goal.relaxed.includes("GPUBudget") && minViableGpus(problem) > budget.ownGpus,
      isUnknown: budget.isUnknown,
      ...(observation.gpusUnknown === undefined ? {} : { gpusUnknown: observation.gpusUnknown }),
    },
    servedRatio: goal.servedRatio,
    ...(slo.state === undefined ? {} : { slo: slo.state }),
    relaxed: goal.relaxed,
    transition,
    ...(observation.isSharing ? { offer: offered() } : {}),
    ...(observation.override === undefined ? {} : { override: observation.override }),
    schedules: { active: scheduled.active, early: scheduled.early },
    ...(scheduled.nextChangeMs === undefined ? {} : { nextChangeMs: scheduled.nextChangeMs }),
    ...(zero === undefined ? {} : { zero: { isAsleep: zero.isAsleep, reason: zero.reason, detail: zero.detail } }),
  };
  return {
    decision: { ...record, ...explain(policy, observation, record) },
    memory: {
      objects: limited.objects,
      forecasts: Object.fromEntries(
        forecasts.map(({ memory: kept }, index) => [policy.targets[index]?.name ?? "", kept]),
      ),
      failures: countFailures(policy, [...demands, ...(setDemand === undefined ? [] : [setDemand])], memory),
      panics: Object.fromEntries(
        policy.targets.flatMap(({ name }, index) => (panics[index] === undefined ? [] : [[name, panics[index]]])),
      ),
      startupsMs,
      decisions: memory.decisions + 1,
      flaps: memory.flaps,
      known,
      inFlightSinceMs: inFlight.sinceMs,
      reach: reach.memory,
      ...(zero === undefined ? {} : { zero: zero.memory }),
      ...(slo.memory === undefined ? {} : { slo: slo.memory }),
    },
  };
}

const withSets = (problem: SolveInput, sets: number): SolveInput => ({
  ...problem,
  sets: { ...problem.sets, min: sets, max: sets },
});

const hardRulesGivenUp = ({ givenUp }: Solution): readonly string[] =>
  givenUp.filter(({ relaxation }) => relaxation === "HardRatios").map(({ name }) => name);

function seenDemands(
  policy: Policy,
  observation: Observation,
  demands: readonly Demand[],
  setDemand: Demand | undefined,
): readonly SeenDemand[] {
  const inside = policy.targets.map(({ name }, index) => ({
    name,
    demand: demands[index] as Demand,
    ...totalsOf(observation, index),
  }));
  if (policy.set === undefined || setDemand === undefined) return inside;
  const { replicas: current, ready } = observation.set;
  return [...inside, { name: policy.set.name, demand: setDemand, current, ready }];
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

function panicOf(
  { name, panic }: TargetPolicy,
  index: number,
  demand: Demand,
  observation: Observation,
  memory: Memory,
): PanicMemory | undefined {
  if (panic === undefined) return undefined;
  const isMeasured = demand.reason === "Brake" || !(demand.isUnknown || demand.isHold);
  const input = { nowMs: observation.monotonicMs, currentReplicas: totalsOf(observation, index).current };
  const known = memory.panics?.[name];
  return panicStep(panic, isMeasured ? { ...input, demandReplicas: demand.replicas } : input, known);
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

interface Foreseen extends ForecastResult {
  /** Without what a queue asks for beyond; absent: all of `replicas`. */
  readonly loadReplicas?: number;
}

function foresee(
  target: TargetPolicy,
  demand: Demand,
  policy: Policy,
  { monotonicMs }: Observation,
  memory: Memory,
  horizonMs: number,
): Foreseen {
  const known = memory.forecasts[target.name];
  // A queue grows for as long as replicas start: its slope says nothing about the load that comes.
  const isFlow = demand.flowReplicas !== undefined || demand.isBacklog !== true;
  if (!demand.isUnknown && !demand.isHold && demand.reason !== "ScaledToZero" && isFlow) {
    const flow = demand.flowReplicas ?? demand.replicas;
    const forecast = forecastDemand(flow, monotonicMs, horizonMs, policy.forecast, known);
    const result = { ...forecast, replicas: Math.max(demand.replicas, forecast.replicas) };
    const { loadReplicas } = demand;
    return loadReplicas === undefined ? result : { ...result, loadReplicas: Math.max(loadReplicas, forecast.replicas) };
  }
  // What is not known is neither a sample nor a base to forecast from.
  return {
    replicas: demand.replicas,
    horizonMs,
    method: "LastValue",
    isTrusted: false,
    memory: known ?? noForecasts(policy.forecast.seasonMs),
  };
}

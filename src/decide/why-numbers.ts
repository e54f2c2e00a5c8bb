/** The answers of a decision: for every target why not one more, why not one less, and what would change that. Pure. */
import type { Desired } from "./apply-override.ts";
import { holdsOf } from "./behavior.ts";
import type { TargetBounds } from "./bounds.ts";
import { mostByQueue } from "./capacity/join.ts";
import { totalsOf, vectorOf } from "./current.ts";
import { nameOf, type StageRecord } from "./decision.ts";
import type { Demand } from "./demand.ts";
import { type ForecastResult, forecaster } from "./forecast/forecast.ts";
import type { LimitResult } from "./limit-step.ts";
import { type Memory, objectKey, SETS_KEY } from "./memory.ts";
import { type Neighbour, type Neighbours, neighbourhood, type Weighed } from "./neighbours.ts";
import type { Observation } from "./observation.ts";
import { once } from "./once.ts";
import type { Policy, TargetPolicy } from "./policy.ts";
import type { Reach } from "./reach.ts";
import type { ZeroState } from "./scale-to-zero.ts";
import { setAsk } from "./set-demand.ts";
import { setNeighboursOf } from "./set-neighbours.ts";
import type { Solution, SolveInput } from "./solve.ts";
import { type ChangeInput, type ChangeTarget, changeOf } from "./what-would-change.ts";

export interface WhyInput {
  readonly policy: Policy;
  readonly observation: Observation;
  /** Before the decision. */
  readonly memory: Memory;
  readonly stages: readonly StageRecord[];
  readonly demands: readonly Demand[];
  readonly setDemand: Demand | undefined;
  readonly forecasts: readonly ForecastResult[];
  readonly demandReplicas: readonly number[];
  readonly bounds: readonly TargetBounds[];
  readonly problem: SolveInput;
  readonly goal: Solution;
  readonly limited: LimitResult;
  readonly desired: Desired;
  readonly budget: { readonly gpus: number; readonly isUnknown: boolean };
  readonly reach: Reach;
  readonly zero: ZeroState | undefined;
}

/** Worked out when it is asked for: of a decision that nobody reads it is not. */
export interface WhyNumbers {
  /** By the index of the target; absent where there is no set replica. */
  readonly inside?: (index: number) => Neighbours;
  /** Only when the policy scales the set. */
  readonly set?: () => Neighbours;
}

export function whyNumbers(input: WhyInput): WhyNumbers {
  const { policy, desired } = input;
  const changes = once(() => changeInput(input));
  const around = once(() => insideOf(input));
  const withChanges = (index: number, { oneMore, oneLess }: { oneMore: Weighed; oneLess: Weighed }): Neighbours => ({
    oneMore: answered(changes(), index, oneMore, true),
    oneLess: answered(changes(), index, oneLess, false),
  });
  const { set } = policy;
  return {
    ...(desired.perSet.length === 0 ? {} : { inside: (index) => withChanges(index, around()(index)) }),
    ...(set === undefined ? {} : { set: () => withChanges(policy.targets.length, setOf(input, set)) }),
  };
}

function answered(changes: ChangeInput, index: number, answer: Weighed, isUp: boolean): Neighbour {
  const { constraint, detail } = answer;
  return { constraint, detail, change: changeOf(changes, index, answer, isUp) };
}

function insideOf({
  policy,
  observation,
  stages,
  demands,
  problem,
  goal,
  limited,
  desired,
  budget,
  reach,
  zero,
}: WhyInput): ReturnType<typeof neighbourhood> {
  const { monotonicMs: nowMs } = observation;
  const targetAt = (index: number): TargetPolicy => policy.targets[index] as TargetPolicy;
  return neighbourhood({
    problem,
    givenUp: goal.givenUp,
    names: policy.targets.map(({ name }) => name),
    perSet: desired.perSet,
    boxes: limited.boxes,
    limits: limited.limits,
    isUnknown: (index) => demands[index]?.isUnknown === true,
    isCapped: (index) => reach.caps[targetAt(index).name] !== undefined,
    isGrowthForbidden: budget.isUnknown,
    ...(zero?.isAsleep === true ? { asleep: zero.detail } : {}),
    isStepCutByBudget: limited.isCutByBudget,
    overrideOf: (index) => overrideNote(stages, targetAt(index).name),
    foreignOf: (index) => observation.foreignWriters[targetAt(index).name],
    toleranceOf: (index, isUp) => {
      const { scaleUp, scaleDown } = targetAt(index).behavior;
      return (isUp ? scaleUp : scaleDown).toleranceRatio;
    },
    holdsOf: (index, set, to) => {
      const { name, behavior } = targetAt(index);
      const history = limited.objects[objectKey(name, set)];
      const current = vectorOf(observation, set)[index] as number;
      const wanted = desired.perSet[set]?.[index] as number;
      return history === undefined ? [] : holdsOf({ current, desired: wanted, to }, behavior, history, nowMs);
    },
  });
}

function setOf(
  { policy, observation, stages, demands, setDemand, problem, goal, limited, desired, budget, zero }: WhyInput,
  set: TargetPolicy,
): { readonly oneMore: Weighed; readonly oneLess: Weighed } {
  const note = overrideNote(stages, set.name);
  const foreign = observation.foreignWriters[set.name];
  const word: Neighbour | undefined =
    note !== undefined
      ? { constraint: "Override", detail: note }
      : foreign !== undefined
        ? { constraint: "ForeignController", detail: `${foreign} wrote it: its value is respected for now` }
        : undefined;
  const held = [...demands.entries()].find(([, demand]) => demand.holdsDown);
  const heldDown =
    setDemand?.holdsDown === true
      ? `its own demand is held (${setDemand.reason})`
      : held && `${policy.targets[held[0]]?.name} does not go down (${held[1].reason})`;
  return setNeighboursOf({
    problem,
    goal,
    names: policy.targets.map(({ name }) => name),
    sets: desired.sets,
    ...(zero?.isAsleep === true ? { asleep: zero.detail } : {}),
    isGrowthForbidden: budget.isUnknown,
    word,
    ...(setDemand === undefined || setDemand.metrics.length === 0
      ? {}
      : { ownAsk: setAsk(set, setDemand, observation.set.replicas, problem.sets), ownDemand: setDemand.replicas }),
    ...(heldDown === undefined ? {} : { heldDown }),
    holdOf: (to) => {
      const history = limited.objects[SETS_KEY];
      const { replicas: current } = observation.set;
      const holds =
        history === undefined
          ? []
          : holdsOf({ current, desired: desired.sets, to }, set.behavior, history, observation.monotonicMs);
      if (holds.length > 0) {
        const ends = holds.map(({ endsInMs }) => endsInMs);
        return {
          detail: holds.map(({ detail }) => detail).join("; "),
          ...(ends.every((endsInMs) => endsInMs !== undefined) ? { endsInMs: Math.max(...ends) } : {}),
        };
      }
      const step = stages.find(({ stage, target }) => stage === "step" && target === set.name);
      return step && { detail: step.detail ?? step.reason };
    },
  });
}

function overrideNote(stages: readonly StageRecord[], name: string): string | undefined {
  const note = stages.find(
    ({ stage, target }) =>
      stage === "override" && (target === name || target?.startsWith(nameOf(name, 0).slice(0, -1)) === true),
  );
  if (note?.detail === undefined) return note?.reason;
  return note.reason === "Override" ? note.detail : `${note.reason}: ${note.detail}`;
}

function changeInput(input: WhyInput): ChangeInput {
  const { policy, observation, problem, goal, setDemand, budget } = input;
  const { override, gpusGranted } = observation;
  const budgetFrom =
    gpusGranted !== undefined && gpusGranted <= budget.gpus
      ? "Shared"
      : policy.gpuBudgetMax === budget.gpus
        ? "Policy"
        : "Schedule";
  const inside = policy.targets.map((_, index) => changeTarget(input, index));
  const set =
    policy.set === undefined || setDemand === undefined
      ? []
      : [
          {
            target: policy.set,
            demand: setDemand,
            ready: observation.set.ready,
            current: observation.set.replicas,
            foreseen: (replicas: number) => replicas,
            isLast: true,
            ...(policy.set.minReplicas === problem.sets.min ? { ownMin: problem.sets.min } : {}),
            ...(policy.set.maxReplicas === problem.sets.max ? { ownMax: problem.sets.max } : {}),
          },
        ];
  return {
    problem,
    goal,
    targets: [...inside, ...set],
    budgetFrom,
    ...(override === undefined ? {} : { overrideEndsMs: override.expiresAtMs - observation.nowMs }),
  };
}

/** The latency goals are one metric more than the target's own. */
const isLoadKnown = ({ metrics }: TargetPolicy, demand: Demand): boolean =>
  demand.metrics.slice(metrics.length).some(({ replicas }) => replicas !== undefined);

function changeTarget(
  { policy, observation, memory, demands, forecasts, demandReplicas, bounds, problem, reach }: WhyInput,
  index: number,
): ChangeTarget {
  const target = policy.targets[index] as TargetPolicy;
  const demand = demands[index] as Demand;
  const { current, ready } = totalsOf(observation, index);
  const { min, max } = problem.targets[index] as SolveInput["targets"][number];
  const untilMs = reach.memory[target.name]?.untilMs;
  const { horizonMs, replicas } = forecasts[index] as ForecastResult;
  const raisedBy =
    replicas > demand.replicas
      ? "the forecast"
      : (demandReplicas[index] as number) > replicas
        ? "panic, or what stands in for replicas that do not become ready,"
        : target.panic !== undefined
          ? "the panic rule"
          : undefined;
  let flowForecast: ((flowReplicas: number) => number) | undefined;
  return {
    target,
    demand,
    ready,
    current,
    ...(isLoadKnown(target, demand) ? { mostByQueue: mostByQueue(totalsOf(observation, index)) } : {}),
    ...(target.minReplicas === min && (bounds[index]?.minViable ?? 0) < min ? { ownMin: min } : {}),
    ...(target.maxReplicas === max ? { ownMax: max } : {}),
    ...(raisedBy === undefined ? {} : { raisedBy }),
    foreseen: (asked) => {
      // A queue is no base of a forecast: with more or less of it what comes stays as it is.
      const flow = demand.isBacklog === true ? demand.flowReplicas : asked;
      if (flow === undefined) return asked;
      flowForecast ??= forecaster(
        observation.monotonicMs,
        horizonMs,
        policy.forecast,
        memory.forecasts[target.name],
        current,
      );
      return Math.max(asked, flowForecast(flow));
    },
    isLast: target.panic === undefined && demandReplicas[index] === replicas,
    ...(untilMs === undefined ? {} : { reachInMs: Math.max(0, untilMs - observation.monotonicMs) }),
  };
}

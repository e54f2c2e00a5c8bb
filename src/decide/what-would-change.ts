/**
 * What would change a number: the nearest thing that takes it there, found by solving the decision's problem again with the thing changed. Where
 * that does not move the number, the term that decides is named and nothing is promised. Pure.
 */
import { type InverseInput, type MetricThreshold, thresholdOf } from "./metric-inverse.ts";
import type { Weighed } from "./neighbours.ts";
import { type Solution, type SolveInput, solve } from "./solve.ts";

export type Change =
  | ({ readonly kind: "Metric"; readonly target: string; readonly is: "Above" | "AtMost" } & MetricThreshold)
  | { readonly kind: "GPUBudget"; readonly gpus: number; readonly from: "Policy" | "Schedule" | "Shared" }
  | { readonly kind: "MaxReplicas" | "MinReplicas"; readonly target: string; readonly replicas: number }
  | { readonly kind: "GPUFloor"; readonly gpus: number }
  | { readonly kind: "Wait"; readonly ms: number; readonly what: string }
  /** No one thing alone; what decides. */
  | { readonly kind: "Term"; readonly detail: string };

export interface ChangeInput {
  readonly problem: SolveInput;
  readonly goal: Solution;
  /** In the order of the problem; the set after them, where the policy scales it. */
  readonly targets: readonly ChangeTarget[];
  readonly budgetFrom: "Policy" | "Schedule" | "Shared";
  readonly overrideEndsMs?: number;
}

export interface ChangeTarget extends InverseInput {
  /** The bounds that the policy itself says, where they are the ones in force. */
  readonly ownMin?: number;
  readonly ownMax?: number;
  /** What raises the demand past what is measured: forecast, panic, replacements; absent: nothing. */
  readonly raisedBy?: string;
  /** The demand with another measurement, after the forecast; rises with it. */
  readonly foreseen: (replicas: number) => number;
  /** Nothing comes after the forecast: a lower measurement lowers the demand. */
  readonly isLast: boolean;
  /** When more may be had again; absent: nothing is in the way. */
  readonly reachInMs?: number;
}

const EPSILON = 1e-6;

/** @param index of a target, or past the last one for the set */
export function changeOf(input: ChangeInput, index: number, answer: Weighed, isUp: boolean): Change {
  const { problem, targets } = input;
  const target = targets[index] as ChangeTarget;
  const { name } = target.target;
  const isSet = index === problem.targets.length;
  const term = (detail: string): Change => ({ kind: "Term", detail });
  switch (answer.constraint) {
    case "MaxReplicas": {
      const replicas = boundsIn(problem, index).max + 1;
      if (target.ownMax === undefined) return term("a schedule or Grove's minimum sets this maximum");
      return moves(input, index, withBound(problem, index, { max: replicas }), isUp)
        ? { kind: "MaxReplicas", target: name, replicas }
        : term(`a higher maximum alone changes nothing: ${decides(target)}`);
    }
    case "MinReplicas": {
      const replicas = boundsIn(problem, index).min - 1;
      if (target.ownMin === undefined || replicas < 0) return term("a schedule or Grove's minimum sets this minimum");
      return moves(input, index, withBound(problem, index, { min: replicas }), isUp)
        ? { kind: "MinReplicas", target: name, replicas }
        : term(`a lower minimum alone changes nothing: ${decides(target)}`);
    }
    case "GPUBudget": {
      const gpus = leastBudget(input, index, answer.gpus);
      return gpus === undefined
        ? term(`more GPUs alone change nothing: ${decides(target)}`)
        : { kind: "GPUBudget", gpus, from: input.budgetFrom };
    }
    case "GPUFloor": {
      const gpus = answer.gpus ?? 0;
      return moves(input, index, { ...problem, gpuFloor: gpus }, isUp)
        ? { kind: "GPUFloor", gpus }
        : term(decides(target));
    }
    case "CapacityPending":
      return target.reachInMs === undefined
        ? term("a node for what waits")
        : { kind: "Wait", ms: target.reachInMs, what: "the next attempt" };
    case "Step":
      return answer.endsInMs === undefined
        ? term("what the step waits for")
        : { kind: "Wait", ms: answer.endsInMs, what: "the window or the rate, if nothing else is wanted until then" };
    case "Override":
      return input.overrideEndsMs === undefined
        ? term("the end of the override")
        : { kind: "Wait", ms: input.overrideEndsMs, what: "the end of the override" };
    case "NotNeeded":
    case "ServedFraction":
    case "Goal":
      return isSet ? setMetricChange(input, isUp) : metricChange(input, index, answer, isUp);
    case "Tolerance":
      return isSet ? setMetricChange(input, isUp) : toleranceChange(input, index, answer, isUp);
    case "MetricUnknown":
      return term("a measurement");
    case "GPUCostUnknown":
      return term("gpusPerReplica on the target, or the GPUBudget that it names");
    case "ForeignController":
      return term("an end of the other writer's changes");
    case "ScaledToZero":
      return term("a request that waits");
    case "HardRatios":
      return term("a wider band, or the bound that its partner is at");
    case "SoftRatios":
      return term("a wider soft ratio");
    case "Overflow":
    case "MoreGPUs":
    case "Headroom":
    case "None":
      return term(isSet ? "the demand of the targets inside" : decides(target));
    default:
      return answer.constraint satisfies never;
  }
}

const decides = ({ demand, raisedBy }: ChangeTarget): string =>
  raisedBy === undefined ? demand.detail : `${raisedBy} decides; ${demand.detail}`;

const noOneValue = (detail: string): Change => ({ kind: "Term", detail: `no one value: ${detail}` });

/** The target's own metric; where another one's demand holds it through a ratio, that one's. */
function metricChange(input: ChangeInput, index: number, answer: Weighed, isUp: boolean): Change {
  const own = tryMetric(input, index, index, totalOf(input.goal, index) - (isUp ? 0 : 1), isUp);
  if (typeof own !== "string") return own;
  for (const partner of input.problem.targets.keys()) {
    const next = answer.totals?.[partner];
    if (partner === index || next === undefined || next === totalOf(input.goal, partner)) continue;
    const other = tryMetric(input, partner, index, isUp ? totalOf(input.goal, partner) : next, isUp);
    if (typeof other !== "string") return other;
  }
  return noOneValue(own);
}

/** The goal is past the tolerance already: what is missing is a demand as far off as that. */
function toleranceChange(input: ChangeInput, index: number, { heldBy }: Weighed, isUp: boolean): Change {
  const target = input.targets[index] as ChangeTarget;
  if (input.goal.perSet.length !== input.problem.sets.current)
    return { kind: "Term", detail: "set replicas come or go first" };
  if (heldBy !== index) return noOneValue(decides(input.targets[heldBy ?? index] as ChangeTarget));
  const { current, demand } = target;
  const { scaleUp, scaleDown } = target.target.behavior;
  const asked = isUp
    ? current * (1 + scaleUp.toleranceRatio)
    : current * (1 - scaleDown.toleranceRatio) * (1 - EPSILON);
  const measured = demand.isHold ? undefined : measuredFor(target, asked, isUp);
  const threshold = measured === undefined ? decides(target) : thresholdOf(target, measured, isUp);
  return typeof threshold === "string"
    ? noOneValue(threshold)
    : { kind: "Metric", target: target.target.name, is: isUp ? "Above" : "AtMost", ...threshold };
}

/** Whether the metric of `by` moves `index`, when it asks for more than `replicas`, or for no more than that. */
function tryMetric(input: ChangeInput, by: number, index: number, replicas: number, isUp: boolean): Change | string {
  const { problem, targets } = input;
  const target = targets[by] as ChangeTarget;
  const { current, demand } = target;
  const now = problem.targets[by]?.demandReplicas ?? demand.replicas;
  const { scaleUp, scaleDown } = target.target.behavior;
  const asked = isUp
    ? Math.max(replicas, current * (1 + scaleUp.toleranceRatio))
    : Math.min(replicas, current * (1 - scaleDown.toleranceRatio) * (1 - EPSILON));
  if (demand.isHold || (isUp ? asked < now : asked >= now || !target.isLast)) return decides(target);
  const demandReplicas = isUp ? justAbove(asked) : asked;
  const changed = {
    ...problem,
    targets: problem.targets.map((one, at) => {
      if (at !== by) return one;
      const { loadReplicas, ...rest } = one;
      return demand.isBacklog === true && loadReplicas !== undefined
        ? { ...rest, demandReplicas, loadReplicas }
        : { ...rest, demandReplicas };
    }),
  };
  if (!moves(input, index, changed, isUp)) return decides(target);
  // Last, for it costs most.
  const measured = measuredFor(target, asked, isUp);
  if (measured === undefined) return `the forecast decides; ${demand.detail}`;
  const threshold = thresholdOf(target, measured, isUp);
  return typeof threshold === "string"
    ? threshold
    : { kind: "Metric", target: target.target.name, is: isUp ? "Above" : "AtMost", ...threshold };
}

const justAbove = (replicas: number): number => replicas * (1 + EPSILON) + EPSILON;
/** Thresholds are said in four digits. */
const SAID = 1e-5;
const MAX_TRIES = 40;

/**
 * The measured demand that the forecast takes past `asked`, or no further than it: the forecast backwards.
 * @returns undefined where no measurement does
 */
function measuredFor({ foreseen, isLast, demand }: ChangeTarget, asked: number, isUp: boolean): number | undefined {
  if (!isUp && !isLast) return undefined;
  const wanted = isUp ? justAbove(asked) : asked + EPSILON;
  const isPast = (replicas: number): boolean => (isUp ? replicas >= wanted : replicas > wanted);
  const at = foreseen(isUp ? wanted : asked);
  if (at <= wanted + EPSILON) return asked;
  let [low, high] = [isUp ? Math.min(demand.replicas, asked) : 0, asked];
  let [lowAt, highAt] = [foreseen(low), at];
  if (isPast(lowAt)) return isUp ? low : undefined;
  // By the chord, which a forecast nearly is, a little to either side in turn; by halves where it is not.
  for (let tries = 0; tries < MAX_TRIES && high - low > SAID * asked; tries++) {
    const chord = low + ((high - low) * (wanted - lowAt)) / (highAt - lowAt);
    const aside = 0.4 * SAID * asked * (tries % 2 === 0 ? 1 : -1);
    const next = tries < 6 ? Math.min(high, Math.max(low, chord + aside)) : (low + high) / 2;
    const nextAt = foreseen(next);
    if (isPast(nextAt)) [high, highAt] = [next, nextAt];
    else [low, lowAt] = [next, nextAt];
  }
  return isUp ? high : low;
}

/** Only where the set has metrics of its own. */
function setMetricChange(input: ChangeInput, isUp: boolean): Change {
  const { problem, goal } = input;
  const index = problem.targets.length;
  const target = input.targets[index] as ChangeTarget;
  const sets = goal.perSet.length;
  const { demand } = target;
  const { current, min, max } = problem.sets;
  const { scaleUp, scaleDown } = target.target.behavior;
  // Bounds move the set whatever its metrics say.
  const [up, down] = current < min || current > max ? [0, 0] : [scaleUp.toleranceRatio, scaleDown.toleranceRatio];
  const replicas = isUp
    ? Math.max(sets, current * (1 + up))
    : Math.min(sets - 1, current * (1 - down) * (down === 0 ? 1 : 1 - EPSILON));
  const asked = isUp ? Math.ceil(justAbove(replicas)) : Math.ceil(replicas);
  const threshold = demand.metrics.length === 0 || demand.isHold ? undefined : thresholdOf(target, replicas, isUp);
  if (
    threshold !== undefined &&
    typeof threshold !== "string" &&
    (isUp ? replicas >= demand.replicas : replicas < demand.replicas) &&
    moves(input, index, { ...problem, sets: { ...problem.sets, asked } }, isUp)
  )
    return { kind: "Metric", target: target.target.name, is: isUp ? "Above" : "AtMost", ...threshold };
  return { kind: "Term", detail: "the demand of the targets inside" };
}

function totalOf({ perSet }: Solution, index: number): number {
  if (index === (perSet[0]?.length ?? -1)) return perSet.length;
  let total = 0;
  for (const vector of perSet) total += vector[index] as number;
  return total;
}

function moves({ goal }: ChangeInput, index: number, changed: SolveInput, isUp: boolean): boolean {
  const before = totalOf(goal, index);
  const after = totalOf(solve(changed), index);
  return isUp ? after > before : after < before;
}

function boundsIn(problem: SolveInput, index: number): { readonly min: number; readonly max: number } {
  return problem.targets[index] ?? problem.sets;
}

function withBound(
  problem: SolveInput,
  index: number,
  bound: { readonly min?: number; readonly max?: number },
): SolveInput {
  if (index === problem.targets.length) return { ...problem, sets: { ...problem.sets, ...bound } };
  const targets = problem.targets.map((target, at) => (at === index ? { ...target, ...bound } : target));
  return { ...problem, targets };
}

/** The least budget under which the goal has one more; undefined where none has. */
function leastBudget(input: ChangeInput, index: number, guess: number | undefined): number | undefined {
  const { problem } = input;
  const movesWith = (gpuBudget: number): boolean => moves(input, index, { ...problem, gpuBudget }, true);
  let lo = problem.gpuBudget;
  let hi = guess ?? Number.POSITIVE_INFINITY;
  if (!Number.isFinite(hi) || !movesWith(hi)) {
    const free = solve({ ...problem, gpuBudget: Number.POSITIVE_INFINITY });
    if (totalOf(free, index) <= totalOf(input.goal, index)) return undefined;
    hi = free.gpus;
    if (!movesWith(hi)) return undefined;
  }
  while (hi - lo > 1) {
    const middle = Math.floor((lo + hi) / 2);
    if (movesWith(middle)) hi = middle;
    else lo = middle;
  }
  return hi;
}

/** One sentence for people, times as of the decision. */
export function changeText(change: Change): string {
  switch (change.kind) {
    case "Metric": {
      const side = change.is === "Above" ? "above" : "at most";
      return `${change.label} of ${change.target} ${side} ${change.value} ${change.unit} (it is ${Number(change.now.toPrecision(4))})`;
    }
    case "GPUBudget":
      return change.from === "Policy"
        ? `gpuBudget.max ${change.gpus} or more`
        : `${change.gpus} GPUs or more from ${change.from === "Shared" ? "the shared GPUBudget" : "the schedule"}`;
    case "MaxReplicas":
      return `maxReplicas ${change.replicas} or more on ${change.target}`;
    case "MinReplicas":
      return `minReplicas ${change.replicas} or less on ${change.target}`;
    case "GPUFloor":
      return `gpuBudget.min ${change.gpus} or less`;
    case "Wait":
      return `${change.what}, in ${Math.ceil(change.ms / 1000)} s`;
    case "Term":
      return change.detail;
    default:
      return change satisfies never;
  }
}

/** Stage 7 for a whole policy: which state to go to now on the way to the goal. */
import { type Interval, permittedInterval, recordRecommendation } from "./behavior.ts";
import type { TargetBounds } from "./bounds.ts";
import { gpusWanted, isSetStarting, objectOf, vectorOf } from "./current.ts";
import type { StageRecord } from "./decision.ts";
import type { Demand } from "./demand.ts";
import { type LatticeConstraint, satisfies, type Vector } from "./lattice.ts";
import { type Memory, type ObjectMemory, objectKey, SETS_KEY } from "./memory.ts";
import type { Observation } from "./observation.ts";
import type { Policy, TargetPolicy } from "./policy.ts";
import { gpusOf } from "./solve.ts";
import { clampInto, type SetStep, stepSets } from "./step.ts";
import { templateGpus } from "./transition.ts";

export interface LimitInput {
  readonly policy: Policy;
  readonly observation: Observation;
  readonly memory: Memory;
  readonly demands: readonly Demand[];
  /** Demand after the forecast, over the whole set. */
  readonly demandReplicas: readonly number[];
  readonly bounds: readonly TargetBounds[];
  readonly ratios: readonly LatticeConstraint[];
  readonly goal: { readonly sets: number; readonly perSet: readonly Vector[]; readonly isCutByBudget: boolean };
  /** The goal with another number of set replicas. */
  readonly goalFor: (sets: number) => readonly Vector[];
  readonly gpuBudget: number;
  /** Nothing may grow: a GPU cost is unknown and there is a budget. */
  readonly isGrowthForbidden: boolean;
}

export interface LimitResult {
  readonly sets: number;
  readonly perSet: readonly Vector[];
  readonly objects: Memory["objects"];
  readonly panicUntilMs: Memory["panicUntilMs"];
  readonly stages: readonly StageRecord[];
}

export function limitStep(input: LimitInput): LimitResult {
  const { policy, observation, memory, goal } = input;
  const stages: StageRecord[] = [];
  const objects: Record<string, ObjectMemory> = {};
  const panicUntilMs = panics(input);
  const setsNow = observation.set.replicas;
  const sets = limitSets(input, objects, stages);
  const vectors = sets === goal.sets ? goal.perSet : input.goalFor(sets);
  const holdsDown = isSetStarting(observation);
  const present = Array.from({ length: setsNow }, (_, set) => vectorOf(observation, set));
  const isOverBudget = gpusWanted(observation, present) > input.gpuBudget;

  const steps: SetStep[] = [];
  for (let set = 0; set < Math.min(sets, setsNow); set++) {
    const wish = vectors[set] as Vector;
    const current = vectorOf(observation, set);
    // The tolerance is the demand's: what is outside its ratios or couplings goes back in all the same.
    const isOutside = !satisfies(current, input.ratios);
    const lo: number[] = [];
    const hi: number[] = [];
    const recommended: number[] = [];
    policy.targets.forEach((target, index) => {
      const asked = wish[index] as number;
      const recommendation = isOutside ? asked : recommend(input, index, asked, current[index] as number);
      if (recommendation !== asked) stages.push(withinTolerance(target, set, current[index] as number, asked));
      const interval = limitObject(
        input,
        { target, index, set, recommendation, holdsDown, isOverBudget, panicUntilMs },
        objects,
        stages,
      );
      lo.push(interval.lo);
      hi.push(interval.hi);
      recommended.push(recommendation);
    });
    steps.push({ current, wish: clampInto(recommended, { lo, hi }), box: { lo, hi } });
  }

  const { steps: taken, isCutByBudget } = stepSets(steps, input.ratios, gpuCosts(observation), gpuLimit(input, sets));
  if (isCutByBudget)
    stages.push({ stage: "step", reason: "GPUBudget", detail: "ups wait for GPUs that cannot be freed yet" });
  taken.forEach(({ isFeasible }, set) => {
    if (!isFeasible) {
      stages.push({
        stage: "step",
        reason: "Ratio",
        detail: `set replica ${set}: no feasible ratio within the rate limits yet`,
      });
    }
  });
  // A set replica that is new, or new to us, starts at the goal: there is nothing to be gentle with.
  const perSet = vectors.slice(0, sets).map((vector, set) => taken[set]?.vector ?? vector);
  for (let set = perSet.length; set < setsNow; set++) keepMemory(input, set, objects);
  return { sets, perSet, objects: { ...objects }, panicUntilMs, stages };

  function keepMemory({ policy: { targets } }: LimitInput, set: number, into: Record<string, ObjectMemory>): void {
    for (const { name } of targets) {
      const key = objectKey(name, set);
      const known = memory.objects[key];
      if (known !== undefined) into[key] = known;
    }
  }
}

function withinTolerance({ name, behavior }: TargetPolicy, set: number, before: number, after: number): StageRecord {
  const { toleranceRatio } = after > before ? behavior.scaleUp : behavior.scaleDown;
  const detail = `the demand is within ${Math.round(toleranceRatio * 100)} % of what is there`;
  return { stage: "step", target: objectKey(name, set), before, after, reason: "WithinTolerance", detail };
}

/** A demand within the tolerance of what is there asks for nothing; bounds and budget still do. */
function recommend(
  { demandReplicas, policy, observation, bounds, goal }: LimitInput,
  index: number,
  wish: number,
  current: number,
): number {
  const { min, max } = bounds[index] as TargetBounds;
  if (goal.isCutByBudget || current < min || current > max) return wish;
  const { scaleUp, scaleDown } = (policy.targets[index] as TargetPolicy).behavior;
  let total = 0;
  for (let set = 0; set < observation.set.replicas; set++) total += vectorOf(observation, set)[index] as number;
  const change = total === 0 ? Number.POSITIVE_INFINITY : (demandReplicas[index] as number) / total - 1;
  const toleranceRatio = change > 0 ? scaleUp.toleranceRatio : scaleDown.toleranceRatio;
  return Math.abs(change) <= toleranceRatio ? current : wish;
}

interface ObjectStep {
  readonly target: TargetPolicy;
  readonly index: number;
  readonly set: number;
  readonly recommendation: number;
  readonly holdsDown: boolean;
  readonly isOverBudget: boolean;
  readonly panicUntilMs: Memory["panicUntilMs"];
}

function limitObject(
  { observation, memory, bounds, demands, isGrowthForbidden }: LimitInput,
  { target, index, set, recommendation, holdsDown, isOverBudget, panicUntilMs }: ObjectStep,
  objects: Record<string, ObjectMemory>,
  stages: StageRecord[],
): Interval {
  const { monotonicMs: nowMs } = observation;
  const current = vectorOf(observation, set)[index] as number;
  const object = objectOf(observation, index, set);
  const key = objectKey(target.name, set);
  const remembered = remember(memory.objects[key], current, recommendation, target, nowMs);
  objects[key] = remembered;
  const { min, max } = bounds[index] as TargetBounds;
  const limits = permittedInterval(current, target.behavior, remembered, nowMs);
  let { lo, hi } = limits;
  const note = (reason: string, detail: string): void => {
    stages.push({ stage: "step", target: key, before: current, after: recommendation, reason, detail });
  };
  const inPanic = (panicUntilMs[target.name] ?? 0) > nowMs;
  if (inPanic) {
    hi = Math.max(hi, recommendation);
    if (recommendation !== current) note("Panic", "demand passed the panic threshold: up at once, no way down");
  }
  const holds = inPanic || holdsDown || (demands[index]?.holdsDown ?? false) || object?.isChanging === true;
  // A budget that what is there passes is no metric: what it cuts goes, whatever is unknown.
  if (holds && recommendation < current && !isOverBudget) {
    const why =
      object?.isChanging === true
        ? "an update or a recycle is under way"
        : holdsDown
          ? "a set replica is starting"
          : demands[index]?.reason === "NotReady"
            ? "what serves is above its target"
            : "a metric is unknown";
    note("HeldDown", `does not go down while ${why}`);
    lo = current;
  }
  const foreign = observation.foreignWriters[target.name];
  if (foreign !== undefined && recommendation !== current) {
    note("ForeignController", `${foreign} wrote this object: its value is respected for now`);
    lo = current;
    hi = current;
  }
  if (isGrowthForbidden && recommendation > current) {
    note("GPUCostUnknown", "there is a GPU budget and the GPUs of a replica are unknown");
    hi = current;
  }
  if (recommendation > hi && limits.hiReason !== undefined) note(limits.hiReason, `at most ${hi} now`);
  if (recommendation < lo && limits.loReason !== undefined && !holds) note(limits.loReason, `at least ${lo} now`);
  // Bounds are not metrics: like the HPA, they move the object at once.
  return { lo: Math.min(Math.max(lo, min), max), hi: Math.max(Math.min(hi, max), min) };
}

function limitSets(input: LimitInput, objects: Record<string, ObjectMemory>, stages: StageRecord[]): number {
  const { policy, observation, memory, goal, isGrowthForbidden } = input;
  const current = observation.set.replicas;
  if (policy.set === undefined) return current;
  const { monotonicMs: nowMs } = observation;
  const remembered = remember(memory.objects[SETS_KEY], current, goal.sets, policy.set, nowMs);
  objects[SETS_KEY] = remembered;
  const interval = permittedInterval(current, policy.set.behavior, remembered, nowMs);
  const hi = isGrowthForbidden ? current : interval.hi;
  const isWithinPolicy = current >= policy.set.minReplicas && current <= policy.set.maxReplicas;
  const foreign = observation.foreignWriters[policy.set.name];
  if (foreign !== undefined && isWithinPolicy && goal.sets !== current) {
    stages.push({
      stage: "step",
      target: policy.set.name,
      before: current,
      after: goal.sets,
      reason: "ForeignController",
      detail: `${foreign} wrote this object: its value is respected for now`,
    });
    return current;
  }
  const sets = isWithinPolicy ? Math.min(Math.max(goal.sets, interval.lo), hi) : goal.sets;
  if (sets !== goal.sets) {
    const reason = goal.sets > sets ? (interval.hiReason ?? "GPUCostUnknown") : (interval.loReason ?? "ScaleDownLimit");
    stages.push({
      stage: "step",
      target: policy.set.name,
      before: current,
      after: goal.sets,
      reason,
      detail: `${sets} set replicas now`,
    });
  }
  return sets;
}

/** With nothing remembered the present value is the first recommendation, so that a restart decides nothing rash. */
function remember(
  known: ObjectMemory | undefined,
  current: number,
  recommendation: number,
  { behavior }: TargetPolicy,
  nowMs: number,
): ObjectMemory {
  const { recommendations = [], events = [] } = known ?? {};
  const before = recommendations.length === 0 ? [[nowMs, current] as const] : recommendations;
  return { recommendations: recordRecommendation(before, nowMs, recommendation, behavior), events };
}

function panics({ policy, observation, memory, demandReplicas }: LimitInput): Memory["panicUntilMs"] {
  const until: Record<string, number> = {};
  policy.targets.forEach(({ name, panic }, index) => {
    if (panic === undefined) return;
    let total = 0;
    for (let set = 0; set < observation.set.replicas; set++) total += vectorOf(observation, set)[index] as number;
    const isOver = (demandReplicas[index] as number) >= panic.thresholdRatio * Math.max(1, total);
    const known = memory.panicUntilMs[name] ?? 0;
    const next = isOver ? observation.monotonicMs + panic.holdMs : known;
    if (next > observation.monotonicMs) until[name] = next;
  });
  return until;
}

const gpuCosts = ({ targets }: Observation): Vector => targets.map(({ gpusPerReplica }) => gpusPerReplica ?? 0);

/** What is left of the budget for the targets of the set replicas that stay. */
function gpuLimit({ observation, gpuBudget }: LimitInput, sets: number): number {
  const { set, targets } = observation;
  const now = set.replicas;
  const fixed = Math.max(now, sets) * (set.fixedGpus ?? 0);
  const costs = targets.map(({ gpusPerReplica }) => ({ gpusPerReplica: gpusPerReplica ?? 0 }));
  let others = 0;
  for (let leaving = sets; leaving < now; leaving++) others += gpusOf(vectorOf(observation, leaving), costs);
  const added = Math.max(0, sets - now);
  others += added * (templateGpus(observation) - (set.fixedGpus ?? 0));
  return gpuBudget - fixed - others;
}

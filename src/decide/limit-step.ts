/** Stage 7 for a whole policy: which state to go to now on the way to the goal. */
import { type Interval, permittedInterval, recordRecommendation } from "./behavior.ts";
import type { TargetBounds } from "./bounds.ts";
import { gpusWanted, objectOf, vectorOf } from "./current.ts";
import type { StageRecord } from "./decision.ts";
import type { Demand } from "./demand.ts";
import { changeKey, type InFlight, isSetStarting } from "./in-flight.ts";
import { type LatticeConstraint, satisfies, type Vector } from "./lattice.ts";
import { type Memory, type ObjectMemory, objectKey, SETS_KEY } from "./memory.ts";
import type { Observation } from "./observation.ts";
import { isInPanic, type PanicMemory } from "./panic.ts";
import type { Policy, TargetPolicy } from "./policy.ts";
import { unplacedOf } from "./reach.ts";
import { EPSILON } from "./served-fraction.ts";
import { gpusOf } from "./solve.ts";
import { type Box, clampInto, type SetStep, stepSets } from "./step.ts";
import { templateGpus } from "./transition.ts";

export interface LimitInput {
  readonly policy: Policy;
  readonly observation: Observation;
  readonly memory: Memory;
  readonly demands: readonly Demand[];
  /** Demand after the forecast, over the whole set. */
  readonly demandReplicas: readonly number[];
  /** By target; absent for those that cannot panic. */
  readonly panics: readonly (PanicMemory | undefined)[];
  readonly bounds: readonly TargetBounds[];
  readonly ratios: readonly LatticeConstraint[];
  readonly goal: { readonly sets: number; readonly perSet: readonly Vector[]; readonly isCutByBudget: boolean };
  /** The goal with another number of set replicas. */
  readonly goalFor: (sets: number) => readonly Vector[];
  /** The same for the load alone, without what has piled up. */
  readonly loadFor: (sets: number) => readonly Vector[];
  readonly gpuBudget: number;
  readonly setBounds: { readonly min: number; readonly max: number };
  /** Nothing may grow: a GPU cost is unknown and there is a budget. */
  readonly isGrowthForbidden: boolean;
  readonly inFlight: InFlight;
  /** Whether a target is planned with less than it asks for, because more was not to be had. */
  readonly isCapped: (target: string) => boolean;
}

export interface LimitResult {
  readonly sets: number;
  readonly perSet: readonly Vector[];
  readonly objects: Memory["objects"];
  readonly stages: readonly StageRecord[];
  /** Where each set replica that stays may go now. */
  readonly boxes: readonly Box[];
  /** The same target by target, with what led to it. */
  readonly limits: readonly (readonly ObjectLimit[])[];
  /** By target, over the set replicas. */
  readonly eased: readonly Eased[];
  readonly easedSets: Eased;
  readonly isCutByBudget: boolean;
}

/** What the HPA's limits let through of what is asked for. Nothing else that holds the step is in it. */
export interface Eased {
  /** After the tolerance and the windows. */
  readonly stabilized: number;
  /** And after the rate policies. */
  readonly rateLimited: number;
}

/** What the step made of one target in one set replica. */
export interface ObjectLimit {
  /** By the goal. */
  readonly asked: number;
  /** After the tolerance. */
  readonly recommended: number;
  /** What holds it from below or from above, other than windows and rates. */
  readonly loBy?: string;
  readonly hiBy?: string;
}

export function limitStep(input: LimitInput): LimitResult {
  const { policy, observation, memory, goal } = input;
  const stages: StageRecord[] = [];
  const objects: Record<string, ObjectMemory> = {};
  const setsNow = observation.set.replicas;
  const { sets, ...easedSets } = limitSets(input, objects, stages);
  const vectors = sets === goal.sets ? goal.perSet : input.goalFor(sets);
  const holdsDown = isSetStarting(observation, input.inFlight) || isAddingSets(input, sets);
  const present = Array.from({ length: setsNow }, (_, set) => vectorOf(observation, set));
  const isOverBudget = gpusWanted(observation, present) > input.gpuBudget;
  const isCut = policy.targets.map((_, index) => {
    const planned = vectors.reduce((sum, vector) => sum + (vector[index] as number), 0);
    return planned < (input.demandReplicas[index] as number) - EPSILON;
  });

  const steps: SetStep[] = [];
  const limits: ObjectLimit[][] = [];
  const eased = policy.targets.map(() => ({ stabilized: 0, rateLimited: 0 }));
  const ease = (index: number, { stabilized, rateLimited }: Eased): void => {
    const sum = eased[index] as { stabilized: number; rateLimited: number };
    sum.stabilized += stabilized;
    sum.rateLimited += rateLimited;
  };
  for (let set = 0; set < Math.min(sets, setsNow); set++) {
    const wish = vectors[set] as Vector;
    const current = vectorOf(observation, set);
    // The tolerance is the demand's: what is outside its ratios or couplings goes back in all the same.
    const isOutside = !satisfies(current, input.ratios);
    const lo: number[] = [];
    const hi: number[] = [];
    const recommended: number[] = [];
    const limitsOfSet: ObjectLimit[] = [];
    policy.targets.forEach((target, index) => {
      const asked = wish[index] as number;
      const recommendation = isOutside
        ? asked
        : recommend(input, index, asked, current[index] as number, isCut[index] === true);
      if (recommendation !== asked) stages.push(withinTolerance(target, set, current[index] as number, asked));
      const interval = limitObject(
        input,
        { target, index, set, recommendation, holdsDown, isOverBudget },
        objects,
        stages,
      );
      lo.push(interval.lo);
      hi.push(interval.hi);
      recommended.push(recommendation);
      ease(index, interval);
      const { loBy, hiBy } = interval;
      limitsOfSet.push({
        asked,
        recommended: recommendation,
        ...(loBy === undefined ? {} : { loBy }),
        ...(hiBy === undefined ? {} : { hiBy }),
      });
    });
    limits.push(limitsOfSet);
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
  for (const vector of vectors.slice(steps.length, sets))
    for (const [index, replicas] of vector.entries()) ease(index, { stabilized: replicas, rateLimited: replicas });
  for (let set = perSet.length; set < setsNow; set++) keepMemory(input, set, objects);
  return {
    sets,
    perSet,
    objects: { ...objects },
    stages,
    boxes: steps.map(({ box }) => box),
    limits,
    eased,
    easedSets,
    isCutByBudget,
  };

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

/**
 * A demand within the tolerance of what is there asks for nothing; bounds and budget still do.
 * @param isCut the goal is below the demand: of this target, or through the ratios of a partner, more is not to be had
 */
function recommend(
  { demandReplicas, policy, observation, bounds, goal, isCapped }: LimitInput,
  index: number,
  wish: number,
  current: number,
  isCut: boolean,
): number {
  const { min, max } = bounds[index] as TargetBounds;
  const { name, behavior } = policy.targets[index] as TargetPolicy;
  if (goal.isCutByBudget || isCut || isCapped(name) || current < min || current > max) return wish;
  const { scaleUp, scaleDown } = behavior;
  const total = totalOf(observation, index);
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
}

function limitObject(
  {
    policy,
    observation,
    memory,
    bounds,
    demands,
    demandReplicas,
    panics,
    isGrowthForbidden,
    inFlight,
    isCapped,
  }: LimitInput,
  { target, index, set, recommendation, holdsDown, isOverBudget }: ObjectStep,
  objects: Record<string, ObjectMemory>,
  stages: StageRecord[],
): Pick<Interval, "lo" | "hi"> & Pick<ObjectLimit, "loBy" | "hiBy"> & Eased {
  const { monotonicMs: nowMs } = observation;
  const current = vectorOf(observation, set)[index] as number;
  const object = objectOf(observation, index, set);
  const key = objectKey(target.name, set);
  const remembered = remember(memory.objects[key], current, recommendation, target, nowMs);
  objects[key] = remembered;
  const { min, max } = bounds[index] as TargetBounds;
  const limits = permittedInterval(current, target.behavior, remembered, nowMs);
  let { lo, hi } = limits;
  let loBy: string | undefined;
  let hiBy: string | undefined;
  const note = (reason: string, detail: string): void => {
    stages.push({ stage: "step", target: key, before: current, after: recommendation, reason, detail });
  };
  const inPanic = isInPanic(panics[index], nowMs);
  const eased = easedBy(limits, recommendation, inPanic, { min, max });
  const foreign = observation.foreignWriters[target.name];
  if (foreign !== undefined) {
    if (recommendation !== current)
      note("ForeignController", `${foreign} wrote this object: its value is respected for now`);
    // Also where it is what is asked for: a ratio must go round it. Past the bounds only who owns it may leave it.
    const fixed = isOwned(observation, target.name) ? current : Math.min(Math.max(current, min), max);
    return { lo: fixed, hi: fixed, ...eased };
  }
  if (inPanic) {
    hi = Math.max(hi, recommendation);
    if (recommendation !== current) note("Panic", "demand passed the panic threshold: up at once, no way down");
  }
  const isChanging = object?.isChanging === true && !inFlight.overdue.has(changeKey(target.name, set));
  const isStarting = (object?.starting ?? 0) > 0;
  const holds = inPanic || holdsDown || (demands[index]?.holdsDown ?? false) || isChanging || isStarting;
  // A budget that what is there passes is no metric: what it cuts goes, whatever is unknown.
  const isHeld = holds && recommendation < current && !isOverBudget;
  if (isHeld) {
    const why = isChanging
      ? "an update or a recycle is under way"
      : holdsDown
        ? "a set replica is starting"
        : demands[index]?.reason === "NotReady"
          ? "what serves is above its target"
          : demands[index]?.holdsDown === true
            ? (demands[index]?.holdsBecause ?? "a metric is unknown")
            : isStarting
              ? "replicas of it are starting"
              : "it is in panic";
    loBy = `does not go down while ${why}`;
    note("HeldDown", loBy);
    lo = current;
  }
  if (isCapped(target.name) && object !== undefined && recommendation < current) {
    // Given back is what found no node; what has one is loading, or was replaced by demand.
    const unplaced = unplacedOf(object, target.name, inFlight);
    const isWanted = (demandReplicas[index] as number) >= totalOf(observation, index) - unplaced;
    lo = isWanted || holds ? Math.max(recommendation, current - unplaced) : Math.min(lo, current - unplaced);
    loBy ??= `${unplaced} found no node in time`;
    note("CapacityPending", `${unplaced} found no node in time`);
  }
  const { maxConcurrentStarting } = policy.coldStart;
  if (maxConcurrentStarting !== undefined && object !== undefined && recommendation > current) {
    const most = current + Math.max(0, maxConcurrentStarting - object.starting - object.pending + object.overdue);
    if (hi > most) {
      hi = most;
      hiBy = `${object.starting + object.pending} are starting, at most ${maxConcurrentStarting} may`;
      note("MaxConcurrentStarting", hiBy);
    }
  }
  if (isGrowthForbidden && recommendation > current) {
    note("GPUCostUnknown", "there is a GPU budget and the GPUs of a replica are unknown");
    hi = current;
  }
  // Bounds are not metrics: like the HPA, they move the object at once.
  const least = Math.min(Math.max(lo, min), max);
  const most = Math.max(Math.min(hi, max), min);
  if (recommendation > most && limits.hiReason !== undefined) note(limits.hiReason, `at most ${most} now`);
  if (recommendation < least && limits.loReason !== undefined && !isHeld)
    note(limits.loReason, `at least ${least} now`);
  return {
    lo: least,
    hi: most,
    ...eased,
    ...(loBy === undefined ? {} : { loBy }),
    ...(hiBy === undefined ? {} : { hiBy }),
  };
}

/** A panic goes up past both, and bounds move an object at once, as in the step itself. */
function easedBy(
  { lo, hi, stableLo, stableHi }: Interval,
  wish: number,
  inPanic: boolean,
  { min, max }: { readonly min: number; readonly max: number },
): Eased {
  const within = (least: number, most: number): number =>
    Math.min(Math.max(wish, least), inPanic ? Math.max(most, wish) : most);
  const bounded = (replicas: number): number => Math.min(Math.max(replicas, min), max);
  return { stabilized: bounded(within(stableLo, stableHi)), rateLimited: bounded(within(lo, hi)) };
}

function limitSets(
  input: LimitInput,
  objects: Record<string, ObjectMemory>,
  stages: StageRecord[],
): { readonly sets: number } & Eased {
  const { policy, observation, memory, goal, isGrowthForbidden } = input;
  const current = observation.set.replicas;
  if (policy.set === undefined) return { sets: current, stabilized: current, rateLimited: current };
  const { monotonicMs: nowMs } = observation;
  const wish = affordableSets(input);
  if (wish < goal.sets) {
    const detail =
      "another set replica does not fit beside what these ones need: none of them shrinks below its demand for it";
    stages.push({
      stage: "step",
      target: policy.set.name,
      before: current,
      after: goal.sets,
      reason: "GPUBudget",
      detail,
    });
  }
  const remembered = remember(memory.objects[SETS_KEY], current, wish, policy.set, nowMs);
  objects[SETS_KEY] = remembered;
  const interval = permittedInterval(current, policy.set.behavior, remembered, nowMs);
  const hi = isGrowthForbidden ? current : interval.hi;
  const isWithinPolicy = current >= input.setBounds.min && current <= input.setBounds.max;
  const eased = isWithinPolicy
    ? easedBy(interval, wish, false, { min: 0, max: Number.POSITIVE_INFINITY })
    : { stabilized: wish, rateLimited: wish };
  const foreign = observation.foreignWriters[policy.set.name];
  if (foreign !== undefined && wish !== current && (isWithinPolicy || isOwned(observation, policy.set.name))) {
    stages.push({
      stage: "step",
      target: policy.set.name,
      before: current,
      after: goal.sets,
      reason: "ForeignController",
      detail: `${foreign} wrote this object: its value is respected for now`,
    });
    return { sets: current, ...eased };
  }
  const sets = isWithinPolicy ? Math.min(Math.max(wish, interval.lo), hi) : wish;
  if (sets !== wish) {
    const reason = wish > sets ? (interval.hiReason ?? "GPUCostUnknown") : (interval.loReason ?? "ScaleDownLimit");
    stages.push({
      stage: "step",
      target: policy.set.name,
      before: current,
      after: goal.sets,
      reason,
      detail: `${sets} set replicas now`,
    });
  }
  return { sets, ...eased };
}

/**
 * Set replicas that fit into the budget with the GPUs of their template, beside what the present ones need for the load that comes. Where they do not, shrinking the
 * present ones first would serve less for a whole start-up time, and a metric that saturates would then ask for less and take the wish back, for ever.
 */
function affordableSets({ policy, observation, goal, loadFor, gpuBudget, setBounds }: LimitInput): number {
  const current = observation.set.replicas;
  if (policy.set === undefined || goal.sets <= current || gpuBudget === Number.POSITIVE_INFINITY) return goal.sets;
  const each = templateGpus(observation);
  if (each <= 0) return goal.sets;
  const free = gpuBudget - gpusWanted(observation, loadFor(current));
  const affordable = current + Math.max(0, Math.floor(free / each));
  return Math.min(goal.sets, Math.max(affordable, setBounds.min));
}

/** Set replicas are ordered now, so those that serve wait for them as they do while they start; one that still needs GPUs to be freed is no reason to wait. */
function isAddingSets({ observation, gpuBudget }: LimitInput, sets: number): boolean {
  const added = sets - observation.set.replicas;
  return added > 0 && observation.gpusInUse + added * templateGpus(observation) <= gpuBudget;
}

/** Another autoscaler has it: the gate lets no write through, and a plan that counts on one would stop half way. */
const isOwned = ({ ownedTargets = [] }: Observation, name: string): boolean => ownedTargets.includes(name);

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

/** `spec.replicas` of a target over the set replicas. */
function totalOf(observation: Observation, index: number): number {
  let total = 0;
  for (let set = 0; set < observation.set.replicas; set++) total += vectorOf(observation, set)[index] as number;
  return total;
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

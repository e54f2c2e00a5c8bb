/**
 * The latency goals of a policy: how many replicas each target needs for them, whether they are met, and what is learned meanwhile. Pure.
 *
 * TTFT sizes prefill, ITL sizes decode, both size aggregated engines. Prefill and decode are two demands of the same request rate, so how many of
 * one go with how many of the other follows from the lengths of now; the solver keeps it inside the declared band.
 */

import { totalsOf } from "../current.ts";
import type { LeadTimes } from "../forecast/lead-time.ts";
import type { Observation, TargetLoad } from "../observation.ts";
import type { Policy, SloPolicy, TargetPolicy } from "../policy.ts";
import { attainmentRatio, recordAttainment, safetyFactor } from "./attainment.ts";
import { correctFromProfile } from "./correct-profile.ts";
import { addSample } from "./learn.ts";
import { type Load, type LoadMemory, loadOf, usable } from "./load.ts";
import type { LatencyGoal } from "./replica-capacity.ts";
import { emptySloMemory, type SloMemory, type SloTargetMemory } from "./slo-memory.ts";
import { learnedLoad, type SloName, type SloTerm, termOf } from "./slo-term.ts";

const SLOS: readonly SloName[] = ["ttft", "itl"];

/** One goal, as it stands. */
export interface GoalState extends LatencyGoal {
  readonly slo: SloName;
  /** Absent: not measured, or idle. */
  readonly observedMs?: number;
  /** Share of the decisions in the window that met it; absent while there are too few. */
  readonly attainmentRatio?: number;
  readonly goalRatio: number;
  /** Replicas cannot buy it. */
  readonly isUnattainable: boolean;
}

export interface SloState {
  readonly goals: readonly GoalState[];
  /** Where capacities come from now. */
  readonly model: { readonly reason: ModelReason; readonly detail: string };
}

export type ModelReason = "Applied" | "Learning" | "ProfileNotFound" | "ProfileInvalid" | "NoModel" | "LoadUnknown";

export interface SloResult {
  /** In the order of the policy's targets; undefined where no goal sizes the target. */
  readonly terms: readonly (SloTerm | undefined)[];
  readonly state?: SloState;
  readonly memory?: SloMemory;
}

/** Rates and quantiles look back this far: what was measured in it must have been the same replicas. */
const STEADY_MS = 120_000;
/** More in the queue of a replica is left over from before, not a property of the load now. */
const MAX_WAITING = 4;

/** @param leads from the order of a replica to its readiness */
export function sizeForSlo(
  policy: Policy,
  observation: Observation,
  known: SloMemory | undefined,
  leads: Pick<LeadTimes, "of">,
): SloResult {
  const { slo } = policy;
  if (slo === undefined) return { terms: policy.targets.map(() => undefined) };
  const memory = known ?? emptySloMemory;
  const observed = { ttft: observedOf(policy, observation, "ttft"), itl: observedOf(policy, observation, "itl") };
  const attainment = record(slo, observation.monotonicMs, memory.attainment, observed);

  const sized = policy.targets.map((target, index) => {
    const goals = goalsOf(target, slo);
    if (goals.ttft === undefined && goals.itl === undefined) return { term: undefined, kept: undefined };
    const leadMs = leads.of(target.name);
    const before = memory.targets[target.name] ?? { corrections: {}, samples: {} };
    const { load, memory: seen } = loadOf({ policy, observation, leadMs }, index, before.load ?? {});
    const own = {
      ttft: ownMs(policy, observation, index, "ttft") ?? observed.ttft,
      itl: ownMs(policy, observation, index, "itl") ?? observed.itl,
    };
    const steady = steadyOf(before, observation, index);
    // What is missed for want of replicas that were asked for, or by what they left behind, is no word against the model.
    const isTelling = isSteady(steady, load, observation.monotonicMs);
    const judged = isTelling ? own : { ttft: undefined, itl: undefined };
    const attained = record(slo, observation.monotonicMs, before.attainment ?? {}, judged);
    const kept = remember(
      { ...before, attainment: attained },
      { policy, observation, index, goals, load, seen, steady, isTelling },
    );
    const term = termOf({
      role: target.role,
      goals: sizingGoals(goals, slo.attainmentRatio),
      source: slo.source,
      ...(observation.profile === undefined ? {} : { profile: observation.profile }),
      load,
      ...optionalPools(slo, observation, index),
      nowMs: observation.monotonicMs,
      leadMs,
      corrections: { ttft: kept.corrections.ttft?.factor ?? 1, itl: kept.corrections.itl?.factor ?? 1 },
      samples: kept.samples,
      safety: {
        ttft: safetyFactor(attainmentRatio(attained.ttft ?? []), slo.attainmentRatio),
        itl: safetyFactor(attainmentRatio(attained.itl ?? []), slo.attainmentRatio),
      },
      isMissed: SLOS.some((name) => {
        const goal = goals[name];
        return goal !== undefined && (own[name] ?? 0) > goal.targetMs;
      }),
    });
    return { term, kept };
  });

  return {
    terms: sized.map(({ term }) => term),
    memory: {
      targets: Object.fromEntries(
        sized.flatMap(({ kept }, index) => (kept === undefined ? [] : [[policy.targets[index]?.name ?? "", kept]])),
      ),
      attainment,
    },
    state: {
      model: modelOf(sized.map(({ term }) => term)),
      goals: SLOS.flatMap((name): readonly GoalState[] => {
        const goal = slo[name];
        if (goal === undefined) return [];
        const observedMs = observed[name];
        const attained = attainmentRatio(attainment[name] ?? []);
        return [
          {
            slo: name,
            ...goal,
            goalRatio: slo.attainmentRatio,
            isUnattainable: sized.some(
              ({ term }) => term?.kind === "Known" && term.unattainable?.includes(name) === true,
            ),
            ...(observedMs === undefined ? {} : { observedMs }),
            ...(attained === undefined ? {} : { attainmentRatio: attained }),
          },
        ];
      }),
    },
  };
}

function record(
  slo: SloPolicy,
  nowMs: number,
  before: SloMemory["attainment"],
  observed: Readonly<Record<SloName, number | undefined>>,
): SloMemory["attainment"] {
  return Object.fromEntries(
    SLOS.flatMap((name) => {
      const goal = slo[name];
      if (goal === undefined) return [];
      const ms = observed[name];
      const isMet = ms === undefined ? undefined : ms <= goal.targetMs;
      return [[name, recordAttainment(before[name] ?? [], nowMs, slo.windowMs, isMet)]];
    }),
  );
}

type Goals = Pick<SloPolicy, "ttft" | "itl">;

function goalsOf({ role }: TargetPolicy, { ttft, itl }: SloPolicy): Goals {
  const first = role === "prefill" || role === "aggregated" ? ttft : undefined;
  const next = role === "decode" || role === "aggregated" ? itl : undefined;
  return { ...(first === undefined ? {} : { ttft: first }), ...(next === undefined ? {} : { itl: next }) };
}

/**
 * So many requests must be in time: sized for their quantile where that is more than the one that is measured. At p90 one in ten is late by design,
 * whatever share is asked for.
 */
function sizingGoals(goals: Goals, attainmentRatio: number): Goals {
  const strictly = (goal: LatencyGoal): LatencyGoal => ({
    ...goal,
    quantile: Math.max(goal.quantile, Math.min(attainmentRatio, MAX_QUANTILE)),
  });
  return {
    ...(goals.ttft === undefined ? {} : { ttft: strictly(goals.ttft) }),
    ...(goals.itl === undefined ? {} : { itl: strictly(goals.itl) }),
  };
}

/** No tail of a queue is known beyond it. */
const MAX_QUANTILE = 0.999;

const KEYS = { ttft: "timeToFirstToken", itl: "interTokenLatency" } as const satisfies Record<
  SloName,
  keyof TargetLoad
>;

/** What users see: the frontend's where it is measured, else the slowest of the targets that the goal sizes. */
function observedOf(policy: Policy, { targets }: Observation, slo: SloName): number | undefined {
  const { staleAfterMs } = policy.metricsPolicy;
  const valuesOf = (isMine: (target: TargetPolicy) => boolean): readonly number[] =>
    policy.targets
      .flatMap((target, index) => (isMine(target) ? [usable(targets[index]?.load?.[KEYS[slo]], staleAfterMs)] : []))
      .filter((value) => value !== undefined);
  const ends = slo === "ttft" ? valuesOf(({ role }) => role === "frontend") : [];
  const engines = valuesOf((target) => policy.slo !== undefined && goalsOf(target, policy.slo)[slo] !== undefined);
  const values = ends.length > 0 ? ends : engines;
  return values.length === 0 ? undefined : Math.max(...values) * 1000;
}

function ownMs(policy: Policy, { targets }: Observation, index: number, slo: SloName): number | undefined {
  const seconds = usable(targets[index]?.load?.[KEYS[slo]], policy.metricsPolicy.staleAfterMs);
  return seconds === undefined ? undefined : seconds * 1000;
}

interface RememberContext {
  readonly policy: Policy;
  readonly observation: Observation;
  readonly index: number;
  readonly goals: Goals;
  readonly load: Load | undefined;
  readonly seen: LoadMemory;
  readonly steady: SloTargetMemory["steady"];
  readonly isTelling: boolean;
}

/** The replicas that are ready, since when there are exactly these and nothing starts. */
function steadyOf(before: SloTargetMemory, observation: Observation, index: number): SloTargetMemory["steady"] {
  const { current, ready, starting, pending } = totalsOf(observation, index);
  const isWhole = ready > 0 && current === ready && starting + pending === 0;
  if (!isWhole) return undefined;
  return before.steady?.replicas === ready ? before.steady : { replicas: ready, sinceMs: observation.monotonicMs };
}

function isSteady(steady: SloTargetMemory["steady"], load: Load | undefined, nowMs: number): boolean {
  return (
    steady !== undefined &&
    nowMs - steady.sinceMs >= STEADY_MS &&
    load !== undefined &&
    load.isRemembered !== true &&
    load.isPartial !== true &&
    load.waiting <= MAX_WAITING * steady.replicas
  );
}

/** What this decision teaches about a target; nothing while its replicas change or a backlog drains. */
function remember(before: SloTargetMemory, context: RememberContext): SloTargetMemory {
  const { policy, observation, index, goals, load, seen, steady, isTelling } = context;
  const now = observation.monotonicMs;
  const base: SloTargetMemory = {
    corrections: before.corrections,
    samples: before.samples,
    load: seen,
    ...(before.attainment === undefined ? {} : { attainment: before.attainment }),
    ...(steady === undefined ? {} : { steady }),
  };
  if (!isTelling || steady === undefined || load === undefined) return base;
  const ready = steady.replicas;
  const role = policy.targets[index]?.role ?? "other";
  let { corrections, samples } = base;
  for (const slo of SLOS) {
    const goal = goals[slo];
    const observedMs = ownMs(policy, observation, index, slo);
    if (goal === undefined || observedMs === undefined) continue;
    if (policy.slo?.source === "Online") {
      const unit = learnedLoad(load, slo);
      if (unit !== undefined)
        samples = { ...samples, [slo]: addSample(samples[slo] ?? [], now, unit / ready, observedMs / 1000) };
    } else if (policy.slo !== undefined && observation.profile?.kind === "Profile") {
      const corrected = correctFromProfile({
        profile: observation.profile.profile,
        role,
        slo,
        goal,
        load,
        readyReplicas: ready,
        ...optionalPools(policy.slo, observation, index),
        observedMs,
        known: corrections,
        nowMs: now,
      });
      if (corrected !== undefined) corrections = { ...corrections, [slo]: corrected };
    }
  }
  return { ...base, corrections, samples };
}

/** A router of each set replica sends to the replicas of its own. */
function optionalPools({ routing }: SloPolicy, { targets }: Observation, index: number): { readonly pools?: number } {
  return routing === "LeastLoaded" ? { pools: Math.max(1, targets[index]?.objects.length ?? 1) } : {};
}

function modelOf(terms: readonly (SloTerm | undefined)[]): SloState["model"] {
  const mine = terms.filter((term) => term !== undefined);
  const silent = mine.find((term) => term.kind === "Silent");
  if (silent !== undefined) return { reason: silent.reason, detail: silent.detail };
  const unknown = mine.find((term) => term.kind === "Unknown");
  if (unknown !== undefined) return { reason: "LoadUnknown", detail: unknown.detail };
  if (mine.length === 0) return { reason: "NoModel", detail: "no target has a role that spec.slo sizes" };
  return { reason: "Applied", detail: mine.map(({ detail }) => detail).join("; ") };
}

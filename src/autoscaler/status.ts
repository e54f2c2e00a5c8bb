/** The status of a policy, rendered from one decision. Pure. */
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import {
  CHAIN_MAX_ENTRIES,
  HISTORY_MAX_ENTRIES,
  type ScalingPolicyStatus,
} from "../api/autoscaling/scaling-policy-status.ts";
import { formatDuration } from "../api/duration.ts";
import { equalJson } from "../api/json.ts";
import { conditionOf, withCondition } from "../api/kubernetes/conditions.ts";
import type { Condition } from "../api/kubernetes/meta.ts";
import { formatTime } from "../api/kubernetes/time.ts";
import type { Decision, Stage, StageRecord } from "../decide/decision.ts";
import type { Neighbour } from "../decide/neighbours.ts";
import type { ShadowComparison } from "../decide/shadow.ts";
import { changeText } from "../decide/what-would-change.ts";
import type { ConditionDraft } from "./conditions.ts";
import { CHECKPOINT_READ } from "./slim.ts";

export interface StatusInput {
  readonly policy: ScalingPolicy;
  readonly conditions: readonly ConditionDraft[];
  readonly nowMs: number;
  readonly decision?: Decision;
  readonly shadow?: ShadowComparison;
}

/** All but the explanation, which most decisions need not have: it is written with a status, or asked for. */
export function renderStatus({ policy, conditions, nowMs, decision, shadow }: StatusInput): ScalingPolicyStatus {
  const old = policy.status;
  const { generation = 0 } = policy.metadata;
  const { override: _, schedule: __, zero: ___, shadow: ____, nextStatusBy: _____, ...kept } = old ?? {};
  const base = {
    ...kept,
    observedGeneration: generation,
    conditions: mergeConditions(old?.conditions, conditions, generation, formatTime(nowMs)),
    ...(shadow === undefined ? {} : { shadow: renderShadow(shadow) }),
  };
  if (decision !== undefined) return { ...base, ...renderDecision(decision, old) };
  const {
    targets: _targets,
    replicas: _replicas,
    ratios: _ratios,
    budget: _budget,
    forecast: _forecast,
    lastDecision,
    ...undecided
  } = base;
  if (lastDecision === undefined) return undecided;
  // Its numbers are of replicas that are not shown any more; that there was one still says something.
  const { chain: _chain, chainLeftOff: _leftOff, neighbours: _neighbours, ...summary } = lastDecision;
  return { ...undecided, lastDecision: summary };
}

/** With the chain of the decision and why its numbers are not one more or one less. */
export function withExplanation(status: ScalingPolicyStatus, decision: Decision | undefined): ScalingPolicyStatus {
  if (decision === undefined || status.lastDecision === undefined) return status;
  return { ...status, lastDecision: { ...status.lastDecision, ...renderExplanation(decision) } };
}

/** @param checkpoint absent: what is stored stays, where the cache still has it */
export function withCheckpoint(status: ScalingPolicyStatus, checkpoint: string | undefined): ScalingPolicyStatus {
  const { checkpoint: stored, ...rest } = status;
  const text = checkpoint ?? stored;
  return text === undefined || text === CHECKPOINT_READ ? rest : { ...rest, checkpoint: text };
}

function renderShadow({ active, targets, gpus, tally }: ShadowComparison): NonNullable<ScalingPolicyStatus["shadow"]> {
  const mean = (sum: number): number => Math.round((100 * sum) / tally.decisions) / 100;
  return {
    active,
    since: formatTime(tally.sinceMs),
    decisions: tally.decisions,
    agreed: tally.agreed,
    targets,
    gpus,
    meanGpus: { shadow: mean(tally.gpus.shadow), active: mean(tally.gpus.active) },
  };
}

function mergeConditions(
  old: readonly Condition[] | undefined,
  drafts: readonly ConditionDraft[],
  observedGeneration: number,
  now: string,
): readonly Condition[] {
  return drafts.reduce<readonly Condition[]>(
    (list, draft) => withCondition(list, { ...draft, observedGeneration }, now),
    old ?? [],
  );
}

type Explanation = Pick<NonNullable<ScalingPolicyStatus["lastDecision"]>, "chain" | "chainLeftOff" | "neighbours">;

function renderExplanation({ stages, targets }: Decision): Explanation {
  const chain = weightiest(stages);
  return {
    chain: chain.map(({ stage, target, before, after, reason: why, detail }) => ({
      stage,
      reason: why,
      ...(target === undefined ? {} : { target }),
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
      ...(detail === undefined ? {} : { detail: detail.slice(0, 1024) }),
    })),
    ...(chain.length === stages.length ? {} : { chainLeftOff: stages.length - chain.length }),
    neighbours: targets.flatMap(({ name, neighbours }) =>
      neighbours === undefined
        ? []
        : [{ target: name, oneMore: bounded(neighbours.oneMore), oneLess: bounded(neighbours.oneLess) }],
    ),
  };
}

function renderDecision(decision: Decision, old: ScalingPolicyStatus | undefined): Partial<ScalingPolicyStatus> {
  const { id, atMs, outcome, reason, message, targets } = decision;
  const time = formatTime(atMs);
  const summary = { id, time, outcome, reason, message: message.slice(0, 4096) };
  const changed = decision.changes === undefined ? {} : { changes: decision.changes };
  const desired = Object.fromEntries(targets.map(({ name, desired: replicas }) => [name, replicas]));
  const history = old?.history ?? [];
  const horizonMs = targets.find(({ forecast }) => forecast !== undefined)?.forecast?.horizonMs;
  const errors = targets.map(({ forecast }) => forecast?.errorRatio).filter((ratio) => ratio !== undefined);
  return {
    replicas: targets
      .map(({ name, current, desired: to }) => (current === to ? `${name} ${current}` : `${name} ${current}→${to}`))
      .join(", "),
    ...shownOf(decision),
    lastDecision: summary,
    ratios: decision.ratios.map(({ name, ready, min, max, desiredWithinBand, readyWithinSlack }) => ({
      name,
      current: ready,
      withinBand: desiredWithinBand && readyWithinSlack,
      ...(min === undefined ? {} : { min }),
      ...(max === undefined ? {} : { max }),
    })),
    ...(horizonMs === undefined
      ? {}
      : {
          forecast: {
            horizon: formatDuration(Math.round(horizonMs)),
            predicted: Object.fromEntries(
              targets
                .filter(({ forecast }) => forecast !== undefined)
                .map(({ name, forecast }) => [name, forecast?.replicas ?? 0]),
            ),
            method: Object.fromEntries(
              targets
                .filter(({ forecast }) => forecast !== undefined)
                .map(({ name, forecast }) => [name, forecast?.method ?? ""]),
            ),
            trusted: targets.every(({ forecast }) => forecast?.isTrusted !== false),
            ...(errors.length === 0 ? {} : { errorRatio: Math.max(...errors) }),
          },
        }),
    history: isNews(decision, history)
      ? [...history, { ...summary, desired, ...changed }].slice(-HISTORY_MAX_ENTRIES)
      : history,
  };
}

const bounded = ({ constraint, detail, change }: Neighbour) => ({
  constraint,
  detail: detail.slice(0, 1024),
  ...(change === undefined ? {} : { change: changeText(change).slice(0, 1024) }),
});

/** What goes first where the chain is too long: what other entries say as well, then what is no step of a target's number. */
const LEAST_WEIGHT_FIRST: readonly Stage[] = [
  "transition",
  "collect",
  "forecast",
  "override",
  "bounds",
  "arbitrate",
  "step",
  "solve",
  "demand",
];

/** At most as many entries as the status holds, in their order; never without a target's demand, goal and step. */
function weightiest(all: readonly StageRecord[]): readonly StageRecord[] {
  if (all.length <= CHAIN_MAX_ENTRIES) return all;
  const stages = collapsed(all);
  let surplus = stages.length - CHAIN_MAX_ENTRIES;
  const essential = essentialOf(stages);
  const dropped = new Set<StageRecord>();
  for (const stage of LEAST_WEIGHT_FIRST) {
    for (const entry of stages.toReversed()) {
      if (surplus <= 0) break;
      if (entry.stage !== stage || essential.has(entry)) continue;
      dropped.add(entry);
      surplus--;
    }
  }
  return dropped.size === 0 ? stages : stages.filter((entry) => !dropped.has(entry));
}

const targetOf = ({ target }: StageRecord): string | undefined => target?.split("/")[0];

/** What the step said alike of several set replicas of a target is said once, of the first of them. */
function collapsed(stages: readonly StageRecord[]): readonly StageRecord[] {
  const alike = Map.groupBy(
    stages.filter(({ stage, target }) => stage === "step" && target?.includes("/") === true),
    (entry) => JSON.stringify([targetOf(entry), entry.reason]),
  );
  const others = new Map([...alike.values()].map((group) => [group[0], group.length - 1]));
  const gone = new Set([...alike.values()].flatMap((group) => group.slice(1)));
  return stages.flatMap((entry) => {
    if (gone.has(entry)) return [];
    const more = others.get(entry) ?? 0;
    if (more === 0) return [entry];
    return [
      { ...entry, detail: `${entry.detail === undefined ? "" : `${entry.detail}; `}as in ${more} other set replicas` },
    ];
  });
}

/** Each target's first demand, goal and step. */
function essentialOf(stages: readonly StageRecord[]): ReadonlySet<StageRecord> {
  const first = new Map<string, StageRecord>();
  for (const entry of stages) {
    if (entry.stage !== "demand" && entry.stage !== "solve" && entry.stage !== "step") continue;
    const key = `${entry.stage} ${targetOf(entry) ?? ""}`;
    if (!first.has(key)) first.set(key, entry);
  }
  return new Set(first.values());
}

/**
 * Whether a person would see a difference; times and the checkpoint alone are not worth a write each tick. Told without rendering the status: most turns end
 * here.
 */
export function isMaterialChange({ policy, conditions, decision }: StatusInput): boolean {
  const { status: before, metadata } = policy;
  if (before?.observedGeneration !== (metadata.generation ?? 0)) return true;
  if (!conditions.every((draft) => isSaid(draft, conditionOf(before.conditions, draft.type)))) return true;
  if (decision === undefined) return SHOWN.some((part) => before[part] !== undefined);
  const shown = shownOf(decision);
  return !(
    before.lastDecision?.reason === decision.reason &&
    before.lastDecision.outcome === decision.outcome &&
    !isNews(decision, before.history) &&
    before.zero?.asleep === shown.zero?.asleep &&
    before.zero?.reason === shown.zero?.reason &&
    equalJson(pick(before), pick(shown))
  );
}

/** What is wrong with a policy has no numbers of the moment, and may name something that is gone. */
function isSaid({ type, status, reason, message }: ConditionDraft, before: Condition | undefined): boolean {
  const isWrong = type === "Ready" && status === "False";
  return before?.status === status && before.reason === reason && (!isWrong || before.message === message);
}

/** Parts of the status that are numbers of the replicas now, and worth a write when one of them changes. */
const SHOWN = ["targets", "budget", "override", "schedule", "zero"] as const satisfies (keyof ScalingPolicyStatus)[];

type Shown = Pick<ScalingPolicyStatus, (typeof SHOWN)[number]>;

/** What the others of a shared budget leave is another number at every decision, and no news as long as it is enough. */
const pick = ({ targets, budget, override, schedule }: Shown) => ({
  targets,
  budget: budget === undefined ? undefined : { ...budget, gpusMax: undefined },
  override,
  schedule,
});

function shownOf({ targets, budget, override, schedules, zero }: Decision): Shown {
  return {
    targets: targets.map(({ name, level, current, ready, starting, pending, desired, minViable }) => ({
      name,
      level,
      current,
      ready,
      starting,
      pending,
      desired,
      minViable,
    })),
    budget: {
      gpusUsed: budget.gpusUsed,
      gpusRequested: budget.gpusRequested,
      limited: budget.isLimited,
      ...(budget.gpusMax === undefined ? {} : { gpusMax: budget.gpusMax }),
    },
    ...(override === undefined
      ? {}
      : { override: { name: override.name, reason: override.reason, expiresAt: formatTime(override.expiresAtMs) } }),
    ...(schedules.active.length + schedules.early.length === 0 ? {} : { schedule: schedules }),
    ...(zero === undefined
      ? {}
      : { zero: { asleep: zero.isAsleep, reason: zero.reason, message: zero.detail.slice(0, 4096) } }),
  };
}

/** What is kept in the history: what was scaled, and what is said for the first time. */
function isNews({ outcome, reason }: Decision, history: ScalingPolicyStatus["history"] = []): boolean {
  const last = history.at(-1);
  return outcome === "Scaled" || last?.reason !== reason || last.outcome !== outcome;
}

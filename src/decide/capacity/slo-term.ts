/** How many replicas of one target its latency goals ask for, and the sentence that says why. Pure. */
import type { ProfileObservation } from "../observation.ts";
import type { SloPolicy, TargetPolicy } from "../policy.ts";
import { type LatencySamples, learn } from "./learn.ts";
import { type Load, shapeFor } from "./load.ts";
import {
  aggregatedCapacity,
  type Capacity,
  type Corrections,
  decodeCapacity,
  type LatencyGoal,
  prefillCapacity,
  type RequestShape,
  slotsByCache,
} from "./replica-capacity.ts";

export type SloName = "ttft" | "itl";

export type SloTerm =
  /** Says nothing, on purpose: the other metrics decide. */
  | {
      readonly kind: "Silent";
      readonly reason: "Learning" | "ProfileNotFound" | "ProfileInvalid" | "NoModel";
      readonly detail: string;
    }
  /** Should say something and cannot: nothing shrinks. */
  | { readonly kind: "Unknown"; readonly detail: string }
  | {
      readonly kind: "Known";
      /** At least 0. */
      readonly replicas: number;
      /** Load over the whole target, and what one replica carries, in the same unit. */
      readonly value: number;
      readonly capacity: number;
      readonly detail: string;
      /** Replicas for what comes, without what has piled up: what a forecast may go by. */
      readonly flowReplicas: number;
      /** The load is that of a moment ago, or of too few replicas: nothing shrinks. */
      readonly isHeld?: true;
      /** The measured latency is above the goal, and more replicas would help: nothing shrinks. */
      readonly isMissed: boolean;
      /** Goals that not even an idle replica meets. */
      readonly unattainable?: readonly SloName[];
    };

export interface TermInput {
  readonly role: TargetPolicy["role"];
  /** Those that size the target; at least one. */
  readonly goals: { readonly ttft?: LatencyGoal; readonly itl?: LatencyGoal };
  readonly source: SloPolicy["source"];
  readonly profile?: ProfileObservation;
  readonly load: Load | undefined;
  /** Queues that the replicas share evenly: one in each set replica. Absent: each has its own. */
  readonly pools?: number;
  readonly nowMs: number;
  /** From the order of a replica to its readiness. */
  readonly leadMs: number;
  readonly corrections: Corrections;
  readonly samples: Partial<Record<SloName, LatencySamples>>;
  /** What a replica is counted with, over what it should serve; by goal, in (0, 1]. */
  readonly safety: Readonly<Record<SloName, number>>;
  readonly isMissed: boolean;
}

/** More than any set has; keeps a huge rate from becoming a number that no solver handles. */
const MAX_REPLICAS = 1_000_000;

export function termOf(input: TermInput): SloTerm {
  const { source, profile, load } = input;
  if (source === "None") return { kind: "Silent", reason: "NoModel", detail: "spec.performanceModel.source is None" };
  if (source === "Profile" && profile?.kind !== "Profile") {
    const { reason, message } = profile ?? {
      reason: "ProfileNotFound" as const,
      message: "spec.performanceModel.profileRef is not set: name a ConfigMap, or use source Online",
    };
    // Not read yet is not the same as not there.
    if (reason === "ProfileUnread") return { kind: "Unknown", detail: message };
    return { kind: "Silent", reason, detail: message };
  }
  if (load === undefined) return { kind: "Unknown", detail: "the request rate of the target is not measured" };
  if (load.requestsPerSecond === 0 && (load.running ?? 0) === 0) {
    return {
      kind: "Known",
      replicas: 0,
      flowReplicas: 0,
      value: 0,
      capacity: 1,
      detail: "no requests",
      isMissed: false,
      ...heldBy(load),
    };
  }
  const term = source === "Online" ? learned(input, load) : fromProfile(input, load);
  if (term.kind !== "Known") return term;
  if (!Number.isFinite(term.replicas)) return { kind: "Unknown", detail: "the load is not a number" };
  const bounded = (replicas: number): number => Math.min(MAX_REPLICAS, Math.max(0, replicas));
  return {
    ...term,
    replicas: bounded(term.replicas),
    flowReplicas: bounded(Math.min(term.replicas, term.flowReplicas)),
    ...heldBy(load),
  };
}

const heldBy = ({ isRemembered, isPartial }: Load): { readonly isHeld?: true } =>
  isRemembered === true || isPartial === true ? { isHeld: true } : {};

function fromProfile(input: TermInput, load: Load): SloTerm {
  const { role, goals, profile, corrections, isMissed } = input;
  const { requestsPerSecond, arrivalsPerSecond, running, waiting } = load;
  const shape = profile?.kind === "Profile" ? shapeFor(load, profile.profile) : undefined;
  if (profile?.kind !== "Profile" || shape === undefined) {
    return { kind: "Unknown", detail: "how long prompts are is not measured" };
  }
  if (role !== "prefill" && !(shape.outputTokens > 0)) {
    return { kind: "Unknown", detail: "how long answers are is not measured" };
  }
  const capacity = capacityOf(input, profile.profile, shape, requestsPerSecond);
  if (capacity === undefined) return { kind: "Unknown", detail: "no goal sizes this target" };
  const safety = Math.min(
    goals.ttft === undefined ? 1 : input.safety.ttft,
    goals.itl === undefined ? 1 : input.safety.itl,
  );
  const perReplica = capacity.requestsPerSecond * safety;
  const byRate = requestsPerSecond / perReplica;
  const slots = (capacity.runningRequests ?? Number.POSITIVE_INFINITY) * safety;
  // What is in the engines counts whatever the lengths were expected to be. A prompt that waits is in the rate already.
  // Of a decode queue each needs a slot at once, but a queue may at most double what runs: it grows for as long as replicas start.
  // And what is through before a replica starts needs none.
  const residenceMs = (1000 * (capacity.runningRequests ?? 0)) / capacity.requestsPerSecond;
  const isThere = Math.min(1, residenceMs / Math.max(1, input.leadMs));
  const queued = role === "decode" ? isThere * Math.min(waiting, running ?? 0) : 0;
  const bySlots = running === undefined ? 0 : (running + queued) / slots;
  const replicas = Math.max(byRate, bySlots);
  const flowReplicas = arrivalsPerSecond / perReplica;
  const goal = goalText(goals);
  const limit = limitText(capacity, goal);
  const notes = [
    ...noteCorrections(goals, corrections),
    ...(safety < 1 ? [`${Math.round((1 - safety) * 100)} % kept back, the goal was missed too often`] : []),
    ...(waiting > 0 ? [`${round(waiting)} waiting included`] : []),
    ...(load.isRemembered === true ? ["as it was a moment ago, too few replicas report"] : []),
    ...(load.isPartial === true ? ["too few replicas report"] : []),
  ];
  const tail = notes.length === 0 ? "" : ` (${notes.join(", ")})`;
  const detail =
    byRate >= bySlots
      ? `${shapeText(requestsPerSecond, shape)}; one replica serves ${round(perReplica)} req/s ${limit}: ${round(replicas)} replicas${tail}`
      : `${round((running ?? 0) + queued)} requests run or wait for a slot; one replica carries ${round(slots)} ${limit}: ${round(replicas)} replicas${tail}`;
  return {
    kind: "Known",
    replicas,
    flowReplicas,
    value: byRate >= bySlots ? requestsPerSecond : (running ?? 0) + queued,
    capacity: byRate >= bySlots ? perReplica : slots,
    detail,
    isMissed: isMissed && capacity.isAttainable,
    ...(capacity.isAttainable ? {} : { unattainable: capacity.unattainable ?? namesOf(goals) }),
  };
}

function capacityOf(
  { role, goals, corrections, pools }: TermInput,
  profile: Extract<ProfileObservation, { kind: "Profile" }>["profile"],
  shape: RequestShape,
  requestsPerSecond: number,
): Capacity | undefined {
  if (role === "aggregated") return aggregatedCapacity(profile, shape, goals, corrections);
  if (role === "prefill" && goals.ttft !== undefined) {
    const pool = pools === undefined ? undefined : { requestsPerSecond: requestsPerSecond / pools };
    return prefillCapacity(profile, shape, goals.ttft, { correction: corrections.ttft, pool });
  }
  if (role === "decode" && goals.itl !== undefined) return decodeCapacity(profile, shape, goals.itl, corrections.itl);
  return undefined;
}

/** The most that any of the goals asks for, each learned by itself. */
function learned({ goals, samples, nowMs, safety, isMissed }: TermInput, load: Load): SloTerm {
  let best: Extract<SloTerm, { kind: "Known" }> | undefined;
  const unattainable: SloName[] = [];
  for (const slo of namesOf(goals)) {
    const goal = goals[slo] as LatencyGoal;
    const model = learn(samples[slo] ?? [], nowMs, goal.targetMs / 1000, slo === "itl" ? "Affine" : "Exponential");
    if (model.kind === "Learning") {
      return { kind: "Silent", reason: "Learning", detail: `${goalText({ [slo]: goal })}: ${model.why}` };
    }
    if (model.kind === "Unattainable") {
      unattainable.push(slo);
      continue;
    }
    const total = learnedLoad(load, slo);
    if (total === undefined) return { kind: "Unknown", detail: `the load that ${slo} depends on is not measured` };
    // Latency does not show a cache that is nearly full; what each request holds of it was measured.
    const slots =
      slo === "itl" && load.kvShare !== undefined
        ? slotsByCache(load.kvShare, goal.quantile)
        : Number.POSITIVE_INFINITY;
    const isCacheFull = slots < model.loadAtTarget;
    const perReplica = Math.min(model.loadAtTarget, slots) * safety[slo];
    const replicas = total / perReplica;
    if (best !== undefined && best.replicas >= replicas) continue;
    const unit = slo === "itl" ? "requests in decode" : "prompt tokens/s to compute";
    const how = `learned, confidence ${Math.round(model.confidenceRatio * 100)} %${model.isExtrapolated && !isCacheFull ? ", as far as it may be extrapolated" : ""}`;
    const come = { ...load, requestsPerSecond: load.arrivalsPerSecond, waiting: 0 };
    best = {
      kind: "Known",
      replicas,
      flowReplicas: (learnedLoad(come, slo) ?? total) / perReplica,
      value: total,
      capacity: perReplica,
      isMissed,
      detail: `${round(total)} ${unit}; one replica carries ${round(perReplica)} ${isCacheFull ? "with a full KV cache" : `at ${goalText({ [slo]: goal })}`} (${how}): ${round(replicas)} replicas`,
    };
  }
  if (best === undefined) {
    return {
      kind: "Silent",
      reason: "Learning",
      detail: `${goalText(goals)} is above what was measured at any load: more replicas do not help`,
    };
  }
  return unattainable.length === 0 ? best : { ...best, unattainable, isMissed: false };
}

/**
 * Of the whole target, in what its latency depends on: prompt tokens a second that are computed, or requests in decode. A queue may at most double what
 * runs: it grows for as long as replicas start.
 */
export function learnedLoad({ requestsPerSecond, running, shape, waiting }: Load, slo: SloName): number | undefined {
  if (slo === "itl") return running === undefined ? undefined : running + Math.min(waiting, running);
  return shape === undefined ? undefined : requestsPerSecond * shape.inputTokens * (1 - shape.prefixHitRatio);
}

const namesOf = (goals: TermInput["goals"]): readonly SloName[] =>
  (["ttft", "itl"] as const).filter((slo) => goals[slo] !== undefined);

function shapeText(rate: number, { inputTokens, outputTokens, prefixHitRatio }: RequestShape): string {
  const out = outputTokens > 0 ? ` / ${thousands(outputTokens)} out` : "";
  const cached = prefixHitRatio > 0 ? `, ${Math.round(prefixHitRatio * 100)} % cached` : "";
  return `${round(rate)} req/s of ${thousands(inputTokens)} in${out} tokens${cached}`;
}

function goalText(goals: TermInput["goals"]): string {
  return namesOf(goals)
    .map((slo) => {
      const { quantile, targetMs } = goals[slo] as LatencyGoal;
      return `${slo.toUpperCase()} ${quantileText(quantile)} ${round(targetMs)} ms`;
    })
    .join(" and ");
}

function limitText({ limitedBy, isAttainable }: Capacity, goal: string): string {
  if (!isAttainable) return `at no more than 80 % of what it can do, because not even an idle one meets ${goal}`;
  switch (limitedBy) {
    case "KVCache":
      return "with a full KV cache";
    case "MaxRequests":
      return "with all its request slots";
    case "Utilization":
      return "at 95 % utilization";
    case "TTFT":
    case "ITL":
      return `at ${goal}`;
    default:
      return limitedBy satisfies never;
  }
}

function noteCorrections(goals: TermInput["goals"], corrections: Corrections): readonly string[] {
  return namesOf(goals)
    .filter((slo) => Math.abs(corrections[slo] - 1) >= 0.05)
    .map((slo) => `${slo.toUpperCase()} measured ×${corrections[slo].toFixed(2)}`);
}

export const quantileText = (quantile: number): string => `p${round(quantile * 100)}`;

const round = (value: number): number => (Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)));

function thousands(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}

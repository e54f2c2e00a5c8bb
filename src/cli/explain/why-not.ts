/** Why a target does not go up, and why it does not go down: the first stage of the chain that kept it. Pure. */
import type { DecisionStatus, TargetStatus } from "../../api/autoscaling/scaling-policy-status.ts";

export type ChainEntry = NonNullable<DecisionStatus["chain"]>[number];

export interface WhyNot {
  readonly target: string;
  /** Absent where it does go that way. */
  readonly up?: string;
  readonly down?: string;
}

export interface WhyNotInput {
  readonly targets: readonly TargetStatus[];
  readonly chain: readonly ChainEntry[];
  /** What keeps decisions from being written, if anything does. */
  readonly notWritten?: string;
}

export function whyNot({ targets, chain, notWritten }: WhyNotInput): readonly WhyNot[] {
  return targets.map((target) => {
    const { name, current, desired } = target;
    const kept = notWritten === undefined ? {} : { written: notWritten };
    const up = desired > current ? kept.written : reasonNotUp(target, chain);
    const down = desired < current ? kept.written : reasonNotDown(target, chain);
    return { target: name, ...(up === undefined ? {} : { up }), ...(down === undefined ? {} : { down }) };
  });
}

function reasonNotUp(target: TargetStatus, chain: readonly ChainEntry[]): string {
  const { current } = target;
  const { demand, need, goal, later } = viewOf(target, chain);
  const pinned = pin(later);
  if (pinned !== undefined) return pinned;
  if (demand?.reason === "MetricUnknown") return `its demand is unknown (${demand.detail ?? "no metric"})`;
  if (goal > current) return firstOf(later) ?? "it is about to";
  if (need > current) {
    const solved = chain.find((entry) => entry.stage === "solve" && entry.target === undefined);
    const limit = limitText(solved?.reason ?? "");
    return `demand asks for ${need}, and ${limit ?? "the ratios and bounds allow"} ${limit === undefined ? `${goal}` : `leaves ${goal}`}`;
  }
  if (demand === undefined || demand.reason === "NoMetrics") return "nothing asks for more: no ratio, no target inside";
  return `demand asks for ${need} (${demand.detail ?? demand.reason})`;
}

function reasonNotDown(target: TargetStatus, chain: readonly ChainEntry[]): string {
  const { current, minViable } = target;
  const { demand, need, goal, later } = viewOf(target, chain);
  const pinned = pin(later);
  if (pinned !== undefined) return pinned;
  if (demand?.reason === "MetricUnknown" || demand?.reason === "CoverageTooLow") {
    return `what is unknown never shrinks anything (${demand.detail ?? demand.reason})`;
  }
  if (goal < current) return firstOf(later) ?? "it is about to";
  if (need >= current && current > 0 && need > 0) return `demand asks for ${need}`;
  if (current <= minViable) return `it is at its minimum of ${minViable}`;
  return target.level === "PodCliqueSet"
    ? `${goal} set replicas are needed for the targets inside`
    : `its ratio or its bounds keep ${goal}; demand alone asks for ${need}`;
}

interface View {
  readonly demand?: ChainEntry;
  /** Whole replicas that the demand, or its forecast, asks for. */
  readonly need: number;
  readonly goal: number;
  /** What happened to the target after the goal was known. */
  readonly later: readonly ChainEntry[];
}

const AFTER_THE_GOAL: readonly string[] = ["step", "override", "transition"];

function viewOf({ name, level, current }: TargetStatus, chain: readonly ChainEntry[]): View {
  const isSet = level === "PodCliqueSet";
  const mine = chain.filter(({ target }) => target === name || target?.startsWith(`${name}/`) === true);
  const last = (stage: string): ChainEntry | undefined => mine.findLast((entry) => entry.stage === stage);
  const demand = mine.find(({ stage }) => stage === "demand");
  const solved = isSet
    ? chain.find(({ stage, target, after }) => stage === "solve" && target === undefined && after !== undefined)
    : last("solve");
  return {
    ...(demand === undefined ? {} : { demand }),
    need: Math.ceil((last("forecast")?.after ?? demand?.after ?? 0) - 1e-9),
    goal: solved?.after ?? current,
    later: mine.filter(({ stage, reason }) => AFTER_THE_GOAL.includes(stage) && reason !== "Write"),
  };
}

/** A person's word, or another writer's, goes before all else. */
const pin = (later: readonly ChainEntry[]): string | undefined => {
  const entry = later.find(({ stage, reason }) => stage === "override" || reason === "ForeignController");
  return entry === undefined ? undefined : phrase(entry);
};

const firstOf = (later: readonly ChainEntry[]): string | undefined =>
  later[0] === undefined ? undefined : phrase(later[0]);

function phrase({ stage, reason, detail, target, after }: ChainEntry): string {
  // `decode/1`: of several set replicas one may be held and the others not.
  const who = stage !== "override" && target?.includes("/") === true ? `${target} ` : "";
  const text = `${who}${PHRASES[reason] ?? reason}`;
  return `${text}${after === undefined ? "" : `, wants ${after}`}${detail === undefined ? "" : ` (${detail})`}`;
}

const PHRASES: Readonly<Record<string, string>> = {
  WithinTolerance: "stays",
  ScaleUpStabilized: "waits for its scale-up window",
  ScaleDownStabilized: "waits for its scale-down window",
  ScaleUpLimit: "held by its scale-up rate",
  ScaleDownLimit: "held by its scale-down rate",
  HeldDown: "held",
  ForeignController: "left alone",
  GPUCostUnknown: "the GPUs of a replica are unknown",
  Panic: "in panic",
  WaitsForReady: "waits until the others are ready",
  WaitsForFreedGPUs: "waits for GPUs that are still held",
  RatioTransient: "waits, so that the ready replicas stay in their ratio",
  Override: "an override says so",
  MinimumViableSet: "an override is held at Grove's minimum",
  TooFewReplicas: "an override is held at minReplicas",
  TooManyReplicas: "an override is held at maxReplicas",
  Ratio: "follows an override through its ratio",
};

function limitText(limitedBy: string): string | undefined {
  const limits = [
    ...(limitedBy.includes("GPUBudget") ? ["the GPU budget"] : []),
    ...(limitedBy.includes("Max") ? ["maxReplicas"] : []),
  ];
  return limits.length === 0 ? undefined : limits.join(" with ");
}

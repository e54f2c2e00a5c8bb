/** What a decision says: its outcome, one reason, and one sentence. Rendered from the record alone. */
import type { Decision, Outcome, StageRecord, TargetDecision } from "./decision.ts";
import type { Observation } from "./observation.ts";
import type { Policy } from "./policy.ts";
import { canServe, isAtReach, serves, shortfall } from "./shortfall.ts";

type Unexplained = Omit<Decision, "outcome" | "reason" | "message">;

export function explain(
  policy: Policy,
  _: Observation,
  record: Unexplained,
): Pick<Decision, "outcome" | "reason" | "message"> {
  const { transition } = record;
  const changed = record.targets.filter(({ current, desired }) => current !== desired);
  const reason = reasonOf(record);
  const sentence = [
    changed.length > 0 ? changed.map((target) => changeSentence(target, record)).join("; ") : holdSentence(record),
    ...(changed.length > 0 || isHeldBack(record) ? shortfall(record, canServe) : []),
    ...hardRulesGivenUp(record),
  ].join("; ");
  const outcome = outcomeOf(policy, transition.now.length > 0, reason);
  const prefix = outcome === "Advisory" ? "would change " : policy.mode === "Paused" ? "paused; would change " : "";
  const message = changed.length > 0 ? `${prefix}${sentence}` : sentence;
  return { outcome, reason: policy.mode === "Paused" ? "Paused" : reason, message };
}

function outcomeOf(policy: Policy, writes: boolean, reason: string): Outcome {
  if (policy.mode === "Advisory" || policy.mode === "Shadow") return "Advisory";
  if (policy.mode === "Paused") return "Held";
  if (writes) return "Scaled";
  return LIMITS.has(reason) ? "Limited" : "Held";
}

const LIMITS = new Set([
  "GPUBudget",
  "QueueQuota",
  "BudgetInfeasible",
  "RatioInfeasible",
  "GPUCostUnknown",
  "ScaleUpLimit",
  "ScaleDownLimit",
  "TooManyReplicas",
  "CapacityPending",
  "WaitsForFreedGPUs",
]);

function reasonOf(record: Unexplained): string {
  if (record.override !== undefined) return "Override";
  if (record.budget.isUnknown) return "GPUCostUnknown";
  if (record.budget.isInfeasible) return "BudgetInfeasible";
  if (record.relaxed.includes("HardRatios")) return "RatioInfeasible";
  const limit = record.budget.queue === undefined ? "GPUBudget" : "QueueQuota";
  if (record.transition.now.length > 0) return record.budget.isLimited ? limit : "DemandChanged";
  const waiting = record.transition.later[0];
  if (waiting !== undefined) return waiting.why;
  const unknown = record.targets.find(({ demand }) => demand?.isUnknown === true);
  if (unknown !== undefined) return unknown.demand?.reason ?? "MetricUnknown";
  const held = heldBack(record);
  if (held !== undefined) return held.reason;
  if (record.budget.isLimited) return limit;
  if (record.servedRatio >= 1) return "DemandMet";
  return isAtReach(record) ? "CapacityPending" : "TooManyReplicas";
}

/** What a window, a limit or a person keeps back; a demand within its tolerance is met. */
const heldBack = ({ stages }: Unexplained): StageRecord | undefined =>
  stages.find(({ stage, target, reason }) => stage === "step" && target !== undefined && reason !== "WithinTolerance");

function changeSentence(target: TargetDecision, record: Unexplained): string {
  const { name, current, desired } = target;
  return `${name} ${current}→${desired} (${why(target, record)})`;
}

function why(target: TargetDecision, { override, stages, ratios, budget, targets }: Unexplained): string {
  const overridden = stages.find((stage) => stage.stage === "override" && belongs(stage, target.name));
  if (override !== undefined && overridden !== undefined) return `override ${override.name}: ${override.reason}`;
  const limit = stages.find(
    (stage) => stage.stage === "step" && stage.reason !== "WithinTolerance" && belongs(stage, target.name),
  );
  const limited = limit === undefined ? "" : `, ${phrase(limit)}`;
  if (target.level === "PodCliqueSet") {
    const inner = targets.find(
      (one) => one.level !== "PodCliqueSet" && one.demand !== undefined && one.demand.replicas > one.current,
    );
    const cause =
      target.desired > target.current
        ? `the targets inside are at their maximum for ${target.current}`
        : "fewer instances serve the demand";
    return inner === undefined ? `${cause}${limited}` : `${cause}; ${inner.demand?.detail}${limited}`;
  }
  const needed = Math.ceil((target.forecast?.replicas ?? target.demand?.replicas ?? 0) - 1e-9);
  if (budget.isLimited && target.desired < needed)
    return `demand ${needed}, cut to ${budget.gpusMax} GPUs${budget.queue === undefined ? "" : ` of queue ${budget.queue}`}${limited}`;
  if (target.goal > needed && target.demand?.reason !== "MetricUnknown") {
    const ratio = ratios.find(({ name }) => name.includes(target.name))?.name;
    const tied = ratio === undefined || target.goal <= target.minViable ? "its minimum" : `keeps ratio ${ratio}`;
    return `${tied}; own demand ${needed}${limited}`;
  }
  const raised = (target.forecast?.replicas ?? 0) > (target.demand?.replicas ?? 0) ? `, forecast ${needed}` : "";
  return `${target.demand?.detail ?? ""}${raised}${limited}`;
}

function holdSentence(record: Unexplained): string {
  const state = record.targets.map(({ name, current }) => `${name} ${current}`).join(", ");
  const unknown = record.targets.filter(({ demand }) => demand?.isUnknown === true);
  if (unknown.length > 0) {
    return `holds ${state}: ${unknown.map(({ name, demand }) => `${name}: ${demand?.detail}`).join("; ")}`;
  }
  const held = heldBack(record);
  if (held !== undefined) return `holds ${state}: ${held.target} ${phrase(held)}`;
  if (record.override !== undefined)
    return `holds ${state}: override ${record.override.name}: ${record.override.reason}`;
  const [short] = shortfall(record, serves);
  if (short !== undefined) return `holds ${state}: ${short}`;
  // What could not be kept follows, and is why.
  if (record.relaxed.includes("HardRatios")) return `holds ${state}`;
  const missed = record.targets.find(({ demand }) => demand?.reason === "SLOMissed");
  return `holds ${state}: ${missed === undefined ? "demand is met" : `${missed.name}: ${missed.demand?.detail}`}`;
}

const isHeldBack = (record: Unexplained): boolean =>
  heldBack(record) !== undefined || record.targets.some(({ demand }) => demand?.isUnknown === true);

/** A sentence for each hard ratio and coupling that could not be kept. */
export const hardRulesGivenUp = ({ stages }: Pick<Decision, "stages">): readonly string[] =>
  stages.flatMap(({ reason, detail }) => (reason === "HardRatiosRelaxed" && detail !== undefined ? [detail] : []));

const belongs = ({ target }: StageRecord, name: string): boolean =>
  target === name || target?.startsWith(`${name}/`) === true;

function phrase({ reason, after, detail }: StageRecord): string {
  const wish = after === undefined ? "" : `wants ${after}, `;
  return `${wish}${REASONS[reason] ?? reason}${detail === undefined ? "" : ` (${detail})`}`;
}

const REASONS: Readonly<Record<string, string>> = {
  ScaleDownStabilized: "waits for its scale-down window",
  ScaleUpStabilized: "waits for its scale-up window",
  ScaleDownLimit: "held by its scale-down rate",
  ScaleUpLimit: "held by its scale-up rate",
  HeldDown: "held",
};

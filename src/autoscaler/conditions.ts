/** The conditions of a policy, from one decision. Pure. Names and reasons: `docs/reference/conditions.md`. */
import type { PolicyMode } from "../api/autoscaling/scaling-policy.ts";
import type { Condition } from "../api/kubernetes/meta.ts";
import type { Decision } from "../decide/decision.ts";
import { hardRulesGivenUp } from "../decide/explain.ts";
import { canServe, isAtReach, shortfall } from "../decide/shortfall.ts";
import { graceSentence, isGraceShort } from "./grace-period.ts";
import type { OtherAutoscaler } from "./other-autoscalers.ts";
import type { ResolutionProblem } from "./resolve.ts";
import { sloConditions } from "./slo-conditions.ts";
import type { GateResult } from "./write-gate.ts";

export type ConditionDraft = Pick<Condition, "type" | "status" | "reason" | "message">;

/** What is said when there is nothing to decide on. */
export function unresolvedConditions(problem: {
  readonly reason: string;
  readonly message: string;
}): readonly ConditionDraft[] {
  return [
    draft("Ready", false, problem.reason, problem.message),
    draft("TargetResolved", false, problem.reason, problem.message),
    draft("ScalingActive", false, problem.reason, problem.message),
    // What the last decision said of these is about something that is not there any more.
    ...DECIDED.map(
      (type): ConditionDraft => ({ type, status: "Unknown", reason: "NotDecided", message: "nothing is decided now" }),
    ),
  ];
}

const DECIDED = [
  "MetricsAvailable",
  "AbleToScale",
  "ScalingLimited",
  "RatioSatisfied",
  "BudgetSatisfied",
  "ForecastTrusted",
  "CapacityPending",
  "Degraded",
  "GracePeriodSufficient",
  "SLOAttained",
  "PerformanceModel",
];

export interface ConditionInput {
  readonly decision: Decision;
  readonly gate: GateResult;
  readonly mode: PolicyMode;
  readonly problems: readonly ResolutionProblem[];
  /** Who else scales a target of the policy. */
  readonly others?: readonly OtherAutoscaler[];
  /** Why evaluations do not run where they should. */
  readonly degraded?: string;
}

export function decisionConditions(input: ConditionInput): readonly ConditionDraft[] {
  const { problems } = input;
  const warning = problems[0];
  return [
    metricsAvailable(input),
    ableToScale(input),
    scalingActive(input),
    scalingLimited(input),
    ratioSatisfied(input),
    budgetSatisfied(input),
    forecastTrusted(input),
    capacityPending(input),
    degradedCondition(input),
    gracePeriodSufficient(input),
    ...sloConditions(input.decision),
    draft("TargetResolved", true, "Resolved", "every target exists"),
    warning === undefined
      ? draft("Ready", true, "Deciding", input.decision.message)
      : draft("Ready", warning.reason !== "BudgetInfeasible", warning.reason, warning.message),
  ];
}

function metricsAvailable({ decision }: ConditionInput): ConditionDraft {
  const bad = decision.stages.filter(({ stage }) => stage === "collect");
  const message = bad.map(({ target, detail }) => `${target}: ${detail}`).join("; ");
  if (bad.length === 0) return draft("MetricsAvailable", true, "Ok", "all metrics are there and fresh");
  const unusable = decision.targets.some(({ demand }) => demand?.isUnknown === true);
  const reason = METRIC_REASONS[bad[0]?.reason ?? ""] ?? "Missing";
  return unusable
    ? draft("MetricsAvailable", false, reason, message)
    : draft("MetricsAvailable", true, "Partial", message);
}

const METRIC_REASONS: Readonly<Record<string, string>> = {
  Error: "QueryFailed",
  Missing: "Missing",
  NeverSeen: "NeverSeen",
  Stale: "Stale",
  NonFinite: "NonFinite",
  Partial: "Partial",
};

function ableToScale({ gate, others = [] }: ConditionInput): ConditionDraft {
  if (others.length > 0) {
    const message = others.map((other) => `${other.target}: ${other.message}`).join("; ");
    return draft("AbleToScale", false, "ForeignController", message);
  }
  const { refusal } = gate;
  if (refusal === undefined || ["Advisory", "Shadow", "Paused"].includes(refusal.reason)) {
    return draft("AbleToScale", true, "Succeeded", "the last writes went through");
  }
  return draft("AbleToScale", false, refusal.reason, refusal.message);
}

function scalingActive({ decision, mode }: ConditionInput): ConditionDraft {
  if (mode === "Paused") return draft("ScalingActive", false, "Paused", "mode is Paused");
  if (mode === "Shadow") return draft("ScalingActive", false, "Shadow", "mode is Shadow: compared, never written");
  if (mode === "Advisory") return draft("ScalingActive", false, "Advisory", "mode is Advisory: nothing is written");
  if (decision.override !== undefined) {
    const { name, reason } = decision.override;
    return draft("ScalingActive", false, "Override", `${name}: ${reason}`);
  }
  if (decision.zero?.isAsleep === true) return draft("ScalingActive", false, "ScaledToZero", decision.zero.detail);
  const foreign = decision.stages.find(({ reason }) => reason === "ForeignController");
  if (foreign !== undefined)
    return draft("ScalingActive", false, "ForeignController", `${foreign.target}: ${foreign.detail}`);
  return draft("ScalingActive", true, "Active", "decisions are written");
}

/** Of several limits the one that is hardest to lift is named. */
function scalingLimited({ decision }: ConditionInput): ConditionDraft {
  const { budget, relaxed, stages } = decision;
  if (budget.isUnknown)
    return draft(
      "ScalingLimited",
      true,
      "GPUBudget",
      stages.find(({ stage }) => stage === "arbitrate")?.detail ?? "the GPUs of a replica are unknown",
    );
  if (budget.isLimited)
    return draft(
      "ScalingLimited",
      true,
      budget.queue === undefined ? "GPUBudget" : "QueueQuota",
      `${budget.gpusMax} GPUs${budget.queue === undefined ? "" : `, which queue ${budget.queue} leaves,`} serve ${Math.round(decision.servedRatio * 100)} % of the demand`,
    );
  if (relaxed.includes("HardRatios"))
    return draft("ScalingLimited", true, "Ratio", hardRulesGivenUp(decision).join("; "));
  const [short] = shortfall(decision, canServe);
  if (short !== undefined)
    return isAtReach(decision)
      ? draft("ScalingLimited", true, "CapacityPending", short)
      : draft("ScalingLimited", true, "TooManyReplicas", short);
  const raised = stages.find(({ stage, reason }) => stage === "bounds" && reason === "MinimumViableSet");
  const limit = stages.find(
    ({ stage, reason }) => stage === "step" && (reason === "ScaleUpLimit" || reason === "ScaleDownLimit"),
  );
  if (limit !== undefined) return draft("ScalingLimited", true, limit.reason, `${limit.target}: ${limit.detail}`);
  if (raised !== undefined)
    return draft("ScalingLimited", true, "MinimumViableSet", `${raised.target}: ${raised.detail}`);
  return draft("ScalingLimited", false, "DesiredWithinRange", "nothing cuts the demand");
}

function ratioSatisfied({ decision }: ConditionInput): ConditionDraft {
  const broken = decision.ratios.find(({ desiredWithinBand }) => !desiredWithinBand);
  if (broken !== undefined) {
    return draft("RatioSatisfied", false, "Infeasible", `${broken.name}: ${whyBroken(decision)}`);
  }
  const behind = decision.ratios.find(({ readyWithinSlack }) => !readyWithinSlack);
  if (behind !== undefined)
    return draft(
      "RatioSatisfied",
      false,
      "CatchingUp",
      `${behind.name}: ready ${behind.ready}, replicas are starting or lost`,
    );
  return draft("RatioSatisfied", true, "WithinBand", "every ratio holds in every set replica");
}

function whyBroken({ stages, relaxed, override }: Decision): string {
  if (override !== undefined) return `override ${override.name} leaves the band; it is kept until it ends`;
  const foreign = stages.find(({ reason }) => reason === "ForeignController");
  if (foreign !== undefined) return `another writer set ${foreign.target}; it is respected for now`;
  if (relaxed.includes("HardRatios")) return hardRulesGivenUp({ stages }).join("; ");
  return "no integer solution within the windows, rate limits and holds of now; the next decisions close it";
}

function budgetSatisfied({ decision }: ConditionInput): ConditionDraft {
  const { gpusUsed, gpusMax, isInfeasible, isUnknown } = decision.budget;
  if (isUnknown) {
    const message = decision.stages.find(({ stage }) => stage === "arbitrate")?.detail ?? "";
    return { type: "BudgetSatisfied", status: "Unknown", reason: "GPUCostUnknown", message };
  }
  if (gpusMax === undefined) return draft("BudgetSatisfied", true, "NoBudget", `${gpusUsed} GPUs, no budget`);
  if (isInfeasible)
    return draft(
      "BudgetSatisfied",
      false,
      "BudgetInfeasible",
      `the minimum viable set needs more than ${gpusMax} GPUs: raise gpuBudget.max or lower minReplicas`,
    );
  if (gpusUsed > gpusMax) return draft("BudgetSatisfied", false, "OverBudget", `${gpusUsed} of ${gpusMax} GPUs`);
  return draft("BudgetSatisfied", true, "WithinBudget", `${gpusUsed} of ${gpusMax} GPUs`);
}

function forecastTrusted({ decision }: ConditionInput): ConditionDraft {
  const off = decision.stages.find(({ stage, reason }) => stage === "forecast" && reason === "NotTrusted");
  if (off !== undefined) return draft("ForecastTrusted", false, "ErrorTooLarge", `${off.target}: ${off.detail}`);
  return draft("ForecastTrusted", true, "WithinError", "past forecasts were near enough");
}

function capacityPending({ decision }: ConditionInput): ConditionDraft {
  const waiting = decision.targets.filter(({ pending, level }) => pending > 0 && level !== "PodCliqueSet");
  if (waiting.length === 0) return draft("CapacityPending", false, "AllPlaced", "every replica has its nodes");
  return draft(
    "CapacityPending",
    true,
    "Unschedulable",
    waiting.map(({ name, pending }) => `${name}: ${pending} without nodes or overdue`).join("; "),
  );
}

function degradedCondition({ decision, degraded }: ConditionInput): ConditionDraft {
  if (degraded !== undefined) return draft("Degraded", true, "EvaluationQueue", degraded);
  const fallback = decision.targets.find(({ demand }) => demand?.reason === "Fallback");
  if (fallback !== undefined)
    return draft("Degraded", true, "Fallback", `${fallback.name}: ${fallback.demand?.detail}`);
  const unknown = decision.targets.find(({ demand }) => demand?.isUnknown === true);
  if (unknown !== undefined) return draft("Degraded", true, "Hold", `${unknown.name}: ${unknown.demand?.detail}`);
  return draft("Degraded", false, "AsConfigured", "everything works as configured");
}

/** Pods that are scaled away finish their requests in their grace period, and what takes longer is lost. */
function gracePeriodSufficient({ decision }: ConditionInput): ConditionDraft {
  const known = decision.targets.filter(({ drain }) => drain !== undefined);
  if (known.length === 0) {
    const message =
      "no pod has said how long its requests take: an engine says it that spec.engine knows, of targets with a role, once there are requests";
    return { type: "GracePeriodSufficient", status: "Unknown", reason: "NotMeasured", message };
  }
  const short = known.filter(isGraceShort);
  if (short.length > 0) return draft("GracePeriodSufficient", false, "RequestsTakeLonger", graceSentence(short));
  return draft("GracePeriodSufficient", true, "RequestsFinish", "99 % of the requests end within the grace period");
}

function draft(type: string, isTrue: boolean, reason: string, message: string): ConditionDraft {
  return { type, status: isTrue ? "True" : "False", reason, message: message.slice(0, 1024) };
}

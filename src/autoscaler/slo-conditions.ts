/** What the conditions of a policy say of its latency goals. Pure. */
import type { GoalState, ModelReason } from "../decide/capacity/slo.ts";
import { quantileText } from "../decide/capacity/slo-term.ts";
import type { Decision } from "../decide/decision.ts";
import type { ConditionDraft } from "./conditions.ts";

export function sloConditions({ slo }: Decision): readonly ConditionDraft[] {
  if (slo === undefined) {
    const message = "spec.slo is not set";
    return [
      draft("SLOAttained", "Unknown", { reason: "NoSLO", message }),
      draft("PerformanceModel", "Unknown", { reason: "NoSLO", message }),
    ];
  }
  return [attained(slo.goals), model(slo.model)];
}

function attained(goals: readonly GoalState[]): ConditionDraft {
  const say = (some: readonly GoalState[]): string => some.map(sentence).join("; ");
  const hopeless = goals.filter(({ isUnattainable }) => isUnattainable);
  const missed = goals.filter(({ observedMs, targetMs }) => observedMs !== undefined && observedMs > targetMs);
  const seldom = goals.filter(({ attainmentRatio: ratio, goalRatio }) => ratio !== undefined && ratio < goalRatio);
  const unknown = goals.filter(({ observedMs }) => observedMs === undefined);
  if (hopeless.length > 0) {
    const message = `${say(hopeless)}: not even an idle replica meets it, more replicas do not help; raise the target or use faster workers`;
    return draft("SLOAttained", "False", { reason: "Unattainable", message });
  }
  if (missed.length > 0) return draft("SLOAttained", "False", { reason: "LatencyAboveTarget", message: say(missed) });
  if (seldom.length > 0) return draft("SLOAttained", "False", { reason: "BelowAttainment", message: say(seldom) });
  if (unknown.length > 0) return draft("SLOAttained", "Unknown", { reason: "NotMeasured", message: say(unknown) });
  return draft("SLOAttained", "True", { reason: "WithinTarget", message: say(goals) });
}

function sentence({ slo, quantile, targetMs, observedMs, attainmentRatio, goalRatio }: GoalState): string {
  const seen = observedMs === undefined ? "not measured (idle, or no series)" : `${Math.round(observedMs)} ms`;
  const share =
    attainmentRatio === undefined ? "" : `, met ${percent(attainmentRatio)} of the time, goal ${percent(goalRatio)}`;
  return `${slo.toUpperCase()} ${quantileText(quantile)} is ${seen}, target ${Math.round(targetMs)} ms${share}`;
}

const percent = (ratio: number): string => `${Math.round(ratio * 100)} %`;

const MODEL_STATUS: Readonly<Record<ModelReason, ConditionDraft["status"]>> = {
  Applied: "True",
  Learning: "Unknown",
  LoadUnknown: "Unknown",
  NoModel: "Unknown",
  ProfileNotFound: "False",
  ProfileInvalid: "False",
};

function model({ reason, detail }: { readonly reason: ModelReason; readonly detail: string }): ConditionDraft {
  return draft("PerformanceModel", MODEL_STATUS[reason], { reason, message: detail });
}

function draft(
  type: string,
  status: ConditionDraft["status"],
  { reason, message }: { readonly reason: string; readonly message: string },
): ConditionDraft {
  return { type, status, reason, message: message.slice(0, 1024) };
}

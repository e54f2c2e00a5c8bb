/** What policies say of themselves, and what stands around them that should not. Pure. */
import type { ScalingPolicy } from "../../api/autoscaling/scaling-policy.ts";
import type { Condition } from "../../api/kubernetes/meta.ts";
import { keyOf } from "../../api/kubernetes/meta.ts";
import { parseTime } from "../../api/kubernetes/time.ts";
import { type PolicySurroundings, reviewPolicy } from "../../autoscaler/review-policy.ts";
import { isSilent } from "../explain/silence.ts";
import { sinceText } from "../get/columns.ts";
import { type Check, failed, ok, skipped, warning } from "./check.ts";

/** A new policy is decided about within seconds. */
const FIRST_DECISION_MS = 120_000;

export interface PolicyInput {
  readonly policies: readonly ScalingPolicy[];
  readonly around: (policy: ScalingPolicy) => PolicySurroundings;
  readonly nowMs: number;
  /** "in namespace serving (-A looks in all)". */
  readonly where: string;
}

export function checkPolicies({ policies, around, nowMs, where }: PolicyInput): readonly Check[] {
  if (policies.length === 0) return [skipped("policies", `none${where}`)];
  const bad = policies.flatMap((policy) => [
    ...decidedChecks(policy, nowMs),
    ...conditionChecks(policy),
    ...surroundingChecks(policy, around(policy)),
  ]);
  if (bad.length > 0) return bad;
  const count = policies.length === 1 ? "one policy, as it" : `${policies.length} policies, all as they`;
  return [ok("policies", `${count} should be`)];
}

/** One that is not ready is looked at, which says nothing about when it was decided about last. */
export const isDecidedLately = (policy: ScalingPolicy, nowMs: number): boolean =>
  isSilent(policy, nowMs) === false && !isFalse(policy.status?.conditions, "Ready");

const nameOf = (policy: ScalingPolicy): string => `policy ${keyOf(policy)}`;

function decidedChecks(policy: ScalingPolicy, nowMs: number): readonly Check[] {
  const { metadata, status } = policy;
  const silent = isSilent(policy, nowMs);
  const wayOut = "see the check of the autoscaler, and its log for this policy";
  // It says itself why nothing is decided.
  if (isFalse(status?.conditions, "Ready")) return [];
  if (silent === true) {
    const age = sinceText(status?.lastDecision?.time ?? "", nowMs);
    return [failed(nameOf(policy), `the last decision is ${age} old`, wayOut)];
  }
  const ageMs = nowMs - parseTime(metadata.creationTimestamp ?? "");
  if (silent === undefined && ageMs > FIRST_DECISION_MS) {
    const age = sinceText(metadata.creationTimestamp ?? "", nowMs);
    return [failed(nameOf(policy), `nothing was decided about it since it was made ${age} ago`, wayOut)];
  }
  return [];
}

const isFalse = (conditions: readonly Condition[] | undefined, wanted: string): boolean =>
  conditions?.some(({ type, status }) => type === wanted && status === "False") === true;

/** Nothing, or too little, is scaled. */
const FAILURES: Readonly<Record<string, Condition["status"]>> = {
  Ready: "False",
  TargetResolved: "False",
  MetricsAvailable: "False",
  AbleToScale: "False",
};
/** It works, and not as it was meant. Limits and modes are what somebody asked for. */
const WARNINGS: Readonly<Record<string, Condition["status"]>> = {
  BudgetSatisfied: "False",
  CapacityPending: "True",
  Degraded: "True",
};

function conditionChecks(policy: ScalingPolicy): readonly Check[] {
  const wayOut = `grove-autoscaler explain ${policy.metadata.name} -n ${policy.metadata.namespace}`;
  const conditions = policy.status?.conditions ?? [];
  const said = new Set<string>();
  return conditions.flatMap((condition) => {
    const { type, status, reason, message } = condition;
    const isPartial =
      (type === "Ready" && reason !== "Deciding") ||
      (type === "MetricsAvailable" && reason === "Partial") ||
      (type === "ScalingActive" && reason === "ForeignController") ||
      (type === "RatioSatisfied" && reason === "Infeasible");
    const isFailure = FAILURES[type] === status;
    if (!isFailure && WARNINGS[type] !== status && !isPartial) return [];
    // Ready, TargetResolved and ScalingActive often say one thing.
    if (said.has(message)) return [];
    said.add(message);
    const text = `${type}=${status} ${reason}: ${message}`;
    return [isFailure ? failed(nameOf(policy), text, wayOut) : warning(nameOf(policy), text, wayOut)];
  });
}

function surroundingChecks(policy: ScalingPolicy, around: PolicySurroundings): readonly Check[] {
  const messages = (policy.status?.conditions ?? []).map(({ message }) => message);
  return reviewPolicy(policy, around)
    .errors.filter(({ message }) => !messages.some((one) => one.includes(message)))
    .map(({ field, message }) =>
      failed(
        nameOf(policy),
        `${field}: ${message}`,
        "do what it says; admission refuses such a policy (deploy/webhooks)",
      ),
    );
}

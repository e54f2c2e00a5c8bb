/** Which Kubernetes events a decision is worth. Pure: one per reason, and only when something is new. */
import type { Decision } from "../decide/decision.ts";
import type { GateResult } from "./write-gate.ts";

export interface PolicyEvent {
  readonly type: "Normal" | "Warning";
  readonly reason:
    | "ScaledUp"
    | "ScaledDown"
    | "Limited"
    | "MetricsUnavailable"
    | "BudgetExceeded"
    | "RatioInfeasible"
    | "OverrideApplied"
    | "OverrideExpired"
    | "ForeignWrite"
    | "ForeignController"
    | "FallbackEngaged"
    | "ScaleFailed";
  readonly message: string;
}

/** @param before the decision before this one; absent after a start */
export function eventsOf(decision: Decision, before: Decision | undefined, gate: GateResult): readonly PolicyEvent[] {
  const events: PolicyEvent[] = [];
  const ups = gate.written.filter(({ from, to }) => to > from);
  const downs = gate.written.filter(({ from, to }) => to < from);
  const changes = (writes: typeof ups): string =>
    writes.map(({ objectName, from, to }) => `${objectName} ${from}→${to}`).join(", ");
  if (ups.length > 0)
    events.push({ type: "Normal", reason: "ScaledUp", message: `${changes(ups)}: ${decision.message}` });
  if (downs.length > 0)
    events.push({ type: "Normal", reason: "ScaledDown", message: `${changes(downs)}: ${decision.message}` });

  const isNew = (holds: (one: Decision) => boolean): boolean =>
    holds(decision) && (before === undefined || !holds(before));
  const unknown = (one: Decision): boolean => one.targets.some(({ demand }) => demand?.isUnknown === true);
  const fallsBack = (one: Decision): boolean => one.targets.some(({ demand }) => demand?.reason === "Fallback");
  if (isNew(unknown)) events.push({ type: "Warning", reason: "MetricsUnavailable", message: decision.message });
  if (isNew(fallsBack)) events.push({ type: "Warning", reason: "FallbackEngaged", message: decision.message });
  if (isNew(({ budget }) => budget.isInfeasible)) {
    events.push({
      type: "Warning",
      reason: "BudgetExceeded",
      message: "the minimum viable set needs more GPUs than the budget has; it is kept",
    });
  }
  if (isNew(({ relaxed }) => relaxed.includes("HardRatios"))) {
    events.push({
      type: "Warning",
      reason: "RatioInfeasible",
      message: "no integer solution of the ratios inside the bounds",
    });
  }
  if (isNew(({ outcome }) => outcome === "Limited"))
    events.push({ type: "Normal", reason: "Limited", message: decision.message });
  if (decision.override !== undefined && before?.override?.name !== decision.override.name) {
    events.push({
      type: "Normal",
      reason: "OverrideApplied",
      message: `${decision.override.name}: ${decision.override.reason}`,
    });
  }
  if (decision.override === undefined && before?.override !== undefined) {
    events.push({
      type: "Normal",
      reason: "OverrideExpired",
      message: `${before.override.name} is over: metrics decide again`,
    });
  }
  if (
    gate.refusal !== undefined &&
    gate.refusal.reason !== "Advisory" &&
    gate.refusal.reason !== "Shadow" &&
    gate.refusal.reason !== "Paused" &&
    gate.refusal.reason !== "Conflict"
  ) {
    events.push({ type: "Warning", reason: "ScaleFailed", message: `${gate.refusal.reason}: ${gate.refusal.message}` });
  }
  return events;
}

/** Which Kubernetes events a decision is worth: one per reason, only when something is new, and not the same again and again. */
import type { Decision } from "../decide/decision.ts";
import { hardRulesGivenUp } from "../decide/explain.ts";
import { graceSentence, isGraceShort } from "./grace-period.ts";
import type { RememberedDecision } from "./remembered-decision.ts";
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
    | "OverrideCleared"
    | "ForeignWrite"
    | "ForeignController"
    | "FallbackEngaged"
    | "GracePeriodTooShort"
    | "ScaleFailed";
  readonly message: string;
  /** What it is about, without the numbers of the moment: the same again is no news. Absent: the message. */
  readonly topic?: string;
}

/** For this time the same is not said again about a policy. */
const REPEAT_MS = 600_000;
/** Different things that one reason may say about a policy within that time. */
const MAX_TOPICS = 3;
/** Each is a change that was really made, and there are no more of them than writes. */
export const ALWAYS_SAID: ReadonlySet<string> = new Set(["ScaledUp", "ScaledDown"]);
const MAX_MESSAGE_CHARACTERS = 1024;

/** What was said about each policy lately, so that a condition that flaps says so a few times an hour and not each tick. */
export class EventLimiter {
  /** By policy, then reason: topics and when they were said, monotonic ms. */
  readonly #said = new Map<string, Map<string, readonly (readonly [string, number])[]>>();

  forget(policyKey: string): void {
    this.#said.delete(policyKey);
  }

  /** @returns at most one event for each reason */
  admit(policyKey: string, events: readonly PolicyEvent[], monotonicMs: number): readonly PolicyEvent[] {
    if (events.length === 0) return events;
    const ofPolicy = this.#said.get(policyKey) ?? new Map<string, readonly (readonly [string, number])[]>();
    this.#said.set(policyKey, ofPolicy);
    return [...Map.groupBy(events, ({ reason }) => reason)].flatMap(([reason, alike]) => {
      if (ALWAYS_SAID.has(reason)) return joined(alike);
      const lately = (ofPolicy.get(reason) ?? []).filter(([, atMs]) => atMs > monotonicMs - REPEAT_MS);
      const news = alike
        .filter((event) => !lately.some(([topic]) => topic === topicOf(event)))
        .slice(0, MAX_TOPICS - lately.length);
      ofPolicy.set(reason, [...lately, ...news.map((event) => [topicOf(event), monotonicMs] as const)]);
      return joined(news);
    });
  }
}

const topicOf = ({ topic, message }: PolicyEvent): string => topic ?? message;

function joined(events: readonly PolicyEvent[]): readonly PolicyEvent[] {
  const [first, ...others] = events;
  if (first === undefined || others.length === 0) return events;
  return [
    {
      ...first,
      message: events
        .map(({ message }) => message)
        .join("; ")
        .slice(0, MAX_MESSAGE_CHARACTERS),
    },
  ];
}

/** @param before the decision before this one; absent after a start */
export function eventsOf(
  decision: Decision,
  before: RememberedDecision | undefined,
  gate: GateResult,
): readonly PolicyEvent[] {
  const events: PolicyEvent[] = [];
  const ups = gate.written.filter(({ from, to }) => to > from);
  const downs = gate.written.filter(({ from, to }) => to < from);
  const changes = (writes: typeof ups): string =>
    writes.map(({ objectName, from, to }) => `${objectName} ${from}→${to}`).join(", ");
  if (ups.length > 0)
    events.push({ type: "Normal", reason: "ScaledUp", message: `${changes(ups)}: ${decision.message}` });
  if (downs.length > 0)
    events.push({ type: "Normal", reason: "ScaledDown", message: `${changes(downs)}: ${decision.message}` });

  const isNew = (holds: (one: RememberedDecision) => boolean): boolean =>
    holds(decision) && (before === undefined || !holds(before));
  const unknown = (one: RememberedDecision): boolean => one.targets.some(({ demand }) => demand?.isUnknown === true);
  const fallsBack = (one: RememberedDecision): boolean =>
    one.targets.some(({ demand }) => demand?.reason === "Fallback");
  const namesOf = (holds: (target: Decision["targets"][number]) => boolean): string =>
    decision.targets
      .filter(holds)
      .map(({ name }) => name)
      .join(",");
  const { message } = decision;
  if (isNew(unknown)) {
    const topic = namesOf(({ demand }) => demand?.isUnknown === true);
    events.push({ type: "Warning", reason: "MetricsUnavailable", message, topic });
  }
  if (isNew(fallsBack)) {
    const topic = namesOf(({ demand }) => demand?.reason === "Fallback");
    events.push({ type: "Warning", reason: "FallbackEngaged", message, topic });
  }
  if (isNew((one) => one.targets.some(isGraceShort))) {
    const short = decision.targets.filter(isGraceShort);
    events.push({
      type: "Warning",
      reason: "GracePeriodTooShort",
      message: graceSentence(short),
      topic: namesOf(isGraceShort),
    });
  }
  if (isNew(({ budget }) => budget.isInfeasible)) {
    events.push({
      type: "Warning",
      reason: "BudgetExceeded",
      message: "the minimum viable set needs more GPUs than the budget has; it is kept",
    });
  }
  if (isNew(({ relaxed }) => relaxed.includes("HardRatios"))) {
    const given = hardRulesGivenUp(decision);
    events.push({ type: "Warning", reason: "RatioInfeasible", message: given.join("; ") });
  }
  if (isNew(({ outcome }) => outcome === "Limited"))
    events.push({ type: "Normal", reason: "Limited", message, topic: decision.reason });
  if (decision.override !== undefined && before?.override?.name !== decision.override.name) {
    events.push({
      type: "Normal",
      reason: "OverrideApplied",
      message: `${decision.override.name}: ${decision.override.reason}`,
      topic: `${decision.override.name} until ${decision.override.expiresAtMs}`,
    });
  }
  if (decision.override === undefined && before?.override !== undefined) {
    const isOver = decision.atMs >= before.override.expiresAtMs;
    events.push({
      type: "Normal",
      reason: isOver ? "OverrideExpired" : "OverrideCleared",
      message: `${before.override.name} ${isOver ? "is over" : "was cleared"}: metrics decide again`,
      topic: `${before.override.name} until ${before.override.expiresAtMs}`,
    });
  }
  if (
    gate.refusal !== undefined &&
    gate.refusal.reason !== "Advisory" &&
    gate.refusal.reason !== "Shadow" &&
    gate.refusal.reason !== "Paused" &&
    gate.refusal.reason !== "Conflict"
  ) {
    events.push({
      type: "Warning",
      reason: "ScaleFailed",
      message: `${gate.refusal.reason}: ${gate.refusal.message}`,
      topic: gate.refusal.reason,
    });
  }
  return events;
}

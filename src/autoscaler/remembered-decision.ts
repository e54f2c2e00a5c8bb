/** What is kept of a decision until the next one: enough to see what is new. The whole record of ten thousand policies would fill the memory. Pure. */
import type { Decision, TargetDecision } from "../decide/decision.ts";
import type { Demand } from "../decide/demand.ts";

export interface RememberedDecision extends Pick<Decision, "id" | "outcome" | "budget" | "relaxed" | "override"> {
  readonly targets: readonly RememberedTarget[];
}

interface RememberedTarget extends Pick<TargetDecision, "name" | "desired" | "drain"> {
  readonly demand?: Pick<Demand, "isUnknown" | "reason">;
}

export function remember({ id, outcome, targets, budget, relaxed, override }: Decision): RememberedDecision {
  return {
    id,
    outcome,
    budget,
    relaxed,
    targets: targets.map(({ name, desired, drain, demand }) => ({
      name,
      desired,
      ...(drain === undefined ? {} : { drain }),
      ...(demand === undefined ? {} : { demand: { isUnknown: demand.isUnknown, reason: demand.reason } }),
    })),
    ...(override === undefined ? {} : { override }),
  };
}

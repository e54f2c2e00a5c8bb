/** What is kept of a decision until the next one: enough to see what is new. The whole record of ten thousand policies would fill the memory. Pure. */
import type { Decision } from "../decide/decision.ts";

export type RememberedDecision = Pick<Decision, "id" | "outcome" | "targets" | "budget" | "relaxed" | "override">;

export function remember({ id, outcome, targets, budget, relaxed, override }: Decision): RememberedDecision {
  return {
    id,
    outcome,
    budget,
    relaxed,
    targets: targets.map(({ demand, forecast: _, neighbours: __, ...target }) =>
      demand === undefined ? target : { ...target, demand: { ...demand, detail: "", metrics: [] } },
    ),
    ...(override === undefined ? {} : { override }),
  };
}

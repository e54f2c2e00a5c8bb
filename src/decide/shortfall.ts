/** What share of the demand is served, or could be, and what keeps it from more. */
import type { Decision, StageRecord } from "./decision.ts";

type Short = Pick<Decision, "servedRatio" | "stages" | "budget" | "override">;

export const serves = (percent: number): string => `serves ${percent} % of what is asked for`;
export const canServe = (percent: number): string => `no more than ${percent} % of what is asked for can be served`;

/** @returns nothing where all is served, and under an override: what that serves is the person's choice */
export function shortfall(
  { servedRatio, stages, budget, override }: Short,
  share: (percent: number) => string,
): readonly string[] {
  if (servedRatio >= 1 || override !== undefined) return [];
  const gpus =
    budget.queue === undefined
      ? `a budget of ${budget.gpusMax} GPUs cuts the demand`
      : `the ${budget.gpusMax} GPUs that queue ${budget.queue} leaves cut the demand`;
  const limits = [
    ...stages.filter((one) => isReach(one) || isMaximum(one)).map(({ detail }) => detail),
    ...(budget.isLimited ? [gpus] : []),
  ];
  // Nearly all is not all.
  return [`${share(Math.min(99, Math.round(100 * servedRatio)))}: ${limits.join(", ")}`];
}

/** What can be had is less than what the bounds allow. */
export const isAtReach = ({ stages }: Pick<Decision, "stages">): boolean => stages.some(isReach);

const isReach = ({ stage, reason }: StageRecord): boolean => stage === "solve" && reason === "AtReach";
const isMaximum = ({ stage, reason }: StageRecord): boolean => stage === "solve" && reason === "AtMax";

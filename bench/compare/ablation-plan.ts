/** Which part of ours is taken away on which case: each where it has something to do. */
import type { Ablation } from "../../src/trial/ablations.ts";
import { BOUND_CASE, type Case, SLOW_CASE } from "./cases.ts";
import { CLOSE_LOOK } from "./close-look.ts";

/** What binds on no case that is compared. */
const BY_CONSTRAINT: Readonly<Partial<Record<Ablation, Case>>> = {
  noRatio: BOUND_CASE,
  postHocRatio: BOUND_CASE,
  noBudget: BOUND_CASE,
  noOnlineCapacity: SLOW_CASE,
};

export interface PlannedAblation {
  readonly case: Case;
  readonly ablation: Ablation;
}

/** @param cases that are compared */
export function ablationPlan(ablations: readonly Ablation[], cases: readonly Case[]): readonly PlannedAblation[] {
  const near = cases.filter(({ name }) => CLOSE_LOOK.includes(name));
  if (near.length === 0) return [];
  return ablations.flatMap((ablation) => {
    const constrained = BY_CONSTRAINT[ablation];
    return (constrained === undefined ? near : [constrained]).map((one) => ({ case: one, ablation }));
  });
}

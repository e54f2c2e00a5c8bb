/**
 * The step as mixed-integer programs, written from its description: up, the greatest feasible state that passes the wish nowhere except where the least
 * feasible one does; down, the least one that falls short of it nowhere except where the greatest one does.
 */
import { ruleRows } from "./goal-milp.ts";
import { lpText, solveMilp } from "./milp.ts";
import type { OracleRule } from "./random-problem.ts";

export interface StepProblem {
  readonly rules: readonly OracleRule[];
  readonly lo: readonly number[];
  readonly hi: readonly number[];
  readonly wish: readonly number[];
  readonly grows: boolean;
}

/** @returns undefined when the intervals hold no feasible state */
export async function stepOracle({ rules, lo, hi, wish, grows }: StepProblem): Promise<readonly number[] | undefined> {
  const wished = (
    vector: readonly number[],
    other: readonly number[],
    pick: (a: number, b: number) => number,
  ): number[] => vector.map((value, index) => pick(value, other[index] as number));
  const direct = grows ? await extreme("Maximize", rules, lo, wish) : await extreme("Minimize", rules, wish, hi);
  if (direct !== undefined) return direct;
  const corner = await extreme(grows ? "Minimize" : "Maximize", rules, lo, hi);
  if (corner === undefined) return undefined;
  return grows
    ? extreme("Maximize", rules, lo, wished(wish, corner, Math.max))
    : extreme("Minimize", rules, wished(wish, corner, Math.min), hi);
}

/** The feasible state between `lo` and `hi` with the greatest, or least, sum. */
async function extreme(
  sense: "Minimize" | "Maximize",
  rules: readonly OracleRule[],
  lo: readonly number[],
  hi: readonly number[],
): Promise<readonly number[] | undefined> {
  if (lo.some((value, index) => value > (hi[index] as number))) return undefined;
  const column = (index: number): string => `x_${index}`;
  const integers = lo.map((_, index) => column(index));
  const bounds = lo.map((value, index) => `${value} <= ${column(index)} <= ${hi[index]}`);
  const objective = integers.join(" + ");
  const rows = ruleRows(rules, column, "", integers, bounds);
  const solution = await solveMilp(lpText({ sense, objective, rows, bounds, integers }));
  return solution === undefined ? undefined : lo.map((_, index) => Math.round(solution.value(column(index))));
}

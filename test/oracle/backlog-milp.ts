/**
 * What has piled up under a budget, as mixed-integer programs (docs/decisions/0007): the load by its own served fraction first, then the greatest common
 * share of what queues miss. One set replica, so that nothing is dealt; the rules are those that are kept.
 */
import type { SolveInput } from "../../src/decide/solve.ts";
import { bestWith, frame, greatest, leastWith, type Problem, term, unitsOf, x } from "./goal-milp.ts";
import { lpText, solveMilp } from "./milp.ts";
import type { OracleRule } from "./random-problem.ts";

export interface OracleBacklog {
  readonly loadRatio: number;
  /** Replicas by target that each share of what is missing asks for, at least. */
  readonly statesAt: (share: number) => Promise<readonly number[]>;
  /** The greatest share that the budget has room for. */
  readonly share: number;
  /** The most replicas that any target misses. */
  readonly widest: number;
}

/** @param load replicas by target that the load needs */
export async function backlogOracle(
  input: SolveInput,
  load: readonly number[],
  rules: readonly OracleRule[],
): Promise<OracleBacklog | undefined> {
  const { targets, gpuBudget: budget } = input;
  const problem: Problem = { input, demands: load, budget };
  const ceiling = await greatest(problem, rules);
  if (ceiling === undefined) return undefined;
  const served = await bestWith(1, problem, rules, ceiling);
  if (served === undefined) return undefined;
  const state = await leastWith(problem, rules, unitsOf(load, served.fractionRatio, ceiling, 1));
  const bases = load.map((own, index) => (served.fractionRatio < 1 ? Math.min(own, state[index] as number) : own));
  const missing = targets.map(({ demandReplicas, max }, index) =>
    (load[index] as number) < demandReplicas
      ? Math.max(0, Math.min(demandReplicas, max) - (bases[index] as number))
      : 0,
  );
  const solution = await solveMilp(shareOf(problem, rules, { bases, missing, ceiling }));
  if (solution === undefined) return undefined;
  return {
    loadRatio: served.servedRatio,
    share: solution.objective,
    widest: Math.max(...missing),
    statesAt: (share) =>
      leastWith(
        problem,
        rules,
        unitsOf(
          bases.map((base, index) => base + share * (missing[index] as number)),
          1,
          ceiling,
          1,
        ),
      ),
  };
}

interface Parts {
  readonly bases: readonly number[];
  readonly missing: readonly number[];
  readonly ceiling: readonly number[];
}

/** Greatest `lambda` such that each target has its base and that share of what it misses, or is at its greatest (`y`). */
function shareOf(problem: Problem, rules: readonly OracleRule[], { bases, missing, ceiling }: Parts): string {
  const { rows, bounds, integers, gpus } = frame(1, problem, rules);
  const binaries: string[] = [];
  for (const [index, base] of bases.entries()) {
    const [most, lacks] = [ceiling[index] as number, missing[index] as number];
    const column = x(0, index);
    if (base >= most) rows.push(`${column} >= ${most}`);
    else if (base + lacks <= most) rows.push(`${term(1, column)} ${term(-lacks, "lambda")} >= ${base}`);
    else {
      const excuse = `y_${index}`;
      binaries.push(excuse);
      rows.push(`${term(1, column)} ${term(-lacks, "lambda")} ${term(base + lacks, excuse)} >= ${base}`);
      rows.push(`${term(1, column)} ${term(-most, excuse)} >= 0`);
    }
  }
  rows.push(`${gpus.join(" ")} <= ${problem.budget - problem.input.sets.fixedGpus}`);
  bounds.push("0 <= lambda <= 1");
  return lpText({ sense: "Maximize", objective: "lambda", rows, bounds, integers, binaries });
}

/**
 * The goal as mixed-integer programs, written from its description and sharing no code with the solver: one integer for each target in each
 * set replica, couplings as a common multiple `k`, the even dealing with free binaries (the solver nests the larger shares), the served fraction as a
 * variable. What is enumerated is what is documented as such: the number of set replicas, with what admits one more or one less, and the rules in the order in which they are kept.
 */
import type { Rule, SolveInput } from "../../src/decide/solve.ts";
import { lpText, type MilpSolution, solveMilp } from "./milp.ts";
import type { OracleRule } from "./random-problem.ts";

export interface OracleGoal {
  readonly sets: number;
  readonly servedRatio: number;
  readonly fractionRatio: number;
  readonly gpus: number;
  readonly givenUp: readonly string[];
}

export interface Problem {
  readonly input: SolveInput;
  readonly demands: readonly number[];
  readonly budget: number;
}

type RuleOf = (rule: Rule) => OracleRule;

/** Tolerance of the oracle's own arithmetic; distances that matter are at least three times it in the problems that are drawn. */
const TOLERANCE = 1e-4;

export async function goalOracle(input: SolveInput, ruleOf: RuleOf): Promise<OracleGoal> {
  const { targets, sets } = input;
  const minViable =
    sets.min * (sets.fixedGpus + targets.reduce((sum, { min, gpusPerReplica }) => sum + min * gpusPerReplica, 0));
  const budget = Math.max(input.gpuBudget, minViable);
  const problem = { input, demands: targets.map(({ demandReplicas }) => demandReplicas), budget };
  const rules = (of: readonly Rule[]): OracleRule[] => of.map(ruleOf);

  const isPossible = async (kept: readonly Rule[]): Promise<boolean> => {
    const least = await leastGpus(problem, rules(kept));
    return least !== undefined && sets.min * (least + sets.fixedGpus) <= budget + TOLERANCE;
  };
  const hard = (await isPossible(input.hard)) ? input.hard : await greedy(input.hard, isPossible);
  const loose = (await best(problem, rules(hard))) as Best;
  let chosen = loose;
  const serves = async (kept: readonly Rule[]): Promise<boolean> => {
    const next = await best(problem, rules([...hard, ...kept]));
    if (next === undefined || isLess(next.servedRatio, loose.servedRatio)) return false;
    if (!isLess(loose.servedRatio, next.servedRatio) && isLess(next.fractionRatio, loose.fractionRatio)) return false;
    chosen = next;
    return true;
  };
  const soft = input.soft.length === 0 || (await serves(input.soft)) ? input.soft : await greedy(input.soft, serves);
  const givenUp = [
    ...input.soft.filter((rule) => !soft.includes(rule)),
    ...input.hard.filter((rule) => !hard.includes(rule)),
  ].map(({ name }) => name);
  return { ...chosen, givenUp: [...givenUp, ...(minViable > input.gpuBudget ? ["gpuBudget"] : [])] };
}

async function greedy(
  rules: readonly Rule[],
  isPossible: (kept: readonly Rule[]) => Promise<boolean>,
): Promise<readonly Rule[]> {
  let kept: readonly Rule[] = [];
  for (const rule of rules) if (await isPossible([...kept, rule])) kept = [...kept, rule];
  return kept;
}

type Best = Omit<OracleGoal, "givenUp">;

async function best(problem: Problem, rules: readonly OracleRule[]): Promise<Best | undefined> {
  const { sets } = problem.input;
  const ceiling = await greatest(problem, rules);
  const least = await leastGpus(problem, rules);
  if (ceiling === undefined || least === undefined) return undefined;
  const most = sets.growsAfter === undefined ? sets.max : await spill(problem, rules, ceiling, sets.growsAfter);
  const setsMax = Math.max(sets.min, most);
  // As many as are asked for, as far as the budget goes.
  let asked = Math.min(sets.asked ?? 0, setsMax);
  while (asked > 0 && asked * (least + sets.fixedGpus) > problem.budget + TOLERANCE) asked--;
  let found: Best | undefined;
  for (let count = Math.max(sets.min, asked); count <= setsMax; count++) {
    const next = await bestWith(count, problem, rules, ceiling);
    if (next === undefined || (found !== undefined && !isBetter(next, found, sets.current))) continue;
    const isRemoval = count < sets.current && sets.current <= setsMax;
    if (!isRemoval || (await isRemovable(count, problem, rules, ceiling))) found = next;
  }
  return found;
}

/** Set replicas go only where the rest serves as much of a demand with headroom, no target excepted, as there is served of it now. */
async function isRemovable(
  count: number,
  { demands, ...rest }: Problem,
  rules: readonly OracleRule[],
  ceiling: readonly number[],
): Promise<boolean> {
  const { sets, removalHeadroomRatio } = rest.input;
  const more = { ...rest, demands: demands.map((demand) => demand * (1 + removalHeadroomRatio)) };
  const now = await bestWith(sets.current, more, rules, ceiling);
  const units = more.demands.map((demand) => Math.max(0, Math.ceil((now?.servedRatio ?? 0) * demand - TOLERANCE)));
  if (units.some((total, index) => total > count * (ceiling[index] as number))) return false;
  const solution = await solveMilp(costOf(count, more, rules, units));
  return solution !== undefined && solution.objective + count * sets.fixedGpus <= rest.budget + TOLERANCE;
}

/** One more than there are only where the named targets are at their greatest in each, and again one more. */
async function spill(
  problem: Problem,
  rules: readonly OracleRule[],
  ceiling: readonly number[],
  full: readonly number[],
): Promise<number> {
  const { min, max, current } = problem.input.sets;
  let count = Math.min(max, Math.max(min, current));
  for (; count < max; count++) {
    if (count === 0) continue;
    const served = await bestWith(count, problem, rules, ceiling);
    if (served === undefined) break;
    const units = unitsOf(problem.demands, served.fractionRatio, ceiling, count);
    // The smallest of them has the whole shares and nothing of what is left over.
    const smallest = await leastWith(
      problem,
      rules,
      units.map((total) => Math.floor(total / count)),
    );
    if (full.some((index) => (smallest[index] as number) < (ceiling[index] as number))) break;
  }
  return count;
}

/** GPUs of the least state of one set replica above its shares; undefined where there is none. */
export async function gpusAbove(
  input: SolveInput,
  rules: readonly OracleRule[],
  shares: readonly number[],
): Promise<number | undefined> {
  const least = await leastWith({ input, demands: [], budget: 0 }, rules, shares);
  if (least.some(Number.isNaN)) return undefined;
  const { targets, sets } = input;
  return least.reduce((sum, count, index) => sum + count * (targets[index]?.gpusPerReplica ?? 0), sets.fixedGpus);
}

/** The least state of one set replica above its shares; NaN where there is none. */
export async function leastWith(
  problem: Problem,
  rules: readonly OracleRule[],
  shares: readonly number[],
): Promise<readonly number[]> {
  const { gpus: _, ...rest } = frame(1, problem, rules);
  const rows = [...rest.rows, ...shares.map((share, index) => `${x(0, index)} >= ${share}`)];
  const objective = shares.map((__, index) => term(1, x(0, index))).join(" ");
  const solution = await solveMilp(lpText({ sense: "Minimize", objective, ...rest, rows }));
  return shares.map((__, index) => Math.round(solution?.value(x(0, index)) ?? Number.NaN));
}

export const unitsOf = (
  demands: readonly number[],
  fraction: number,
  ceiling: readonly number[],
  count: number,
): readonly number[] =>
  demands.map((demand, index) =>
    Math.min(Math.max(0, Math.ceil(fraction * demand - TOLERANCE)), (ceiling[index] as number) * count),
  );

const isLess = (a: number, b: number): boolean => a < b - TOLERANCE / 10;

function isBetter(a: Best, b: Best, current: number): boolean {
  if (isLess(b.servedRatio, a.servedRatio)) return true;
  if (isLess(a.servedRatio, b.servedRatio)) return false;
  if (isLess(b.fractionRatio, a.fractionRatio)) return true;
  if (isLess(a.fractionRatio, b.fractionRatio)) return false;
  if (a.gpus !== b.gpus) return a.gpus < b.gpus;
  return Math.abs(a.sets - current) < Math.abs(b.sets - current);
}

export async function bestWith(
  count: number,
  problem: Problem,
  rules: readonly OracleRule[],
  ceiling: readonly number[],
): Promise<Best | undefined> {
  const { demands, budget, input } = problem;
  const caps = ceiling.map((most) => most * count);
  const unitsAt = (fraction: number): readonly number[] => unitsOf(demands, fraction, ceiling, count);
  const gpusAt = async (units: readonly number[]): Promise<number> => {
    const solution = await solveMilp(costOf(count, problem, rules, units));
    return solution === undefined
      ? Number.POSITIVE_INFINITY
      : Math.round(solution.objective) + count * input.sets.fixedGpus;
  };
  const resultOf = (fractionRatio: number, gpus: number): Best => {
    const units = unitsAt(fractionRatio);
    const shares = demands.map((demand, index) => (demand > 0 ? (units[index] as number) / demand : 1));
    return { sets: count, servedRatio: Math.min(fractionRatio, ...shares), fractionRatio, gpus };
  };
  const all = await gpusAt(unitsAt(1));
  if (all <= budget) return resultOf(1, all);
  const cut = await solveMilp(fractionOf(count, problem, rules, caps));
  return cut === undefined ? undefined : resultOf(cut.objective, await gpusAt(unitsAt(cut.objective)));
}

export const x = (set: number, index: number): string => `x_${set}_${index}`;
export const term = (coefficient: number, name: string): string =>
  `${coefficient < 0 ? "-" : "+"} ${Math.abs(coefficient)} ${name}`;

/** Bounds and rules in each of `count` set replicas. */
export function frame(count: number, { input: { targets } }: Problem, rules: readonly OracleRule[]) {
  const rows: string[] = [];
  const bounds: string[] = [];
  const integers: string[] = [];
  const gpus: string[] = [];
  for (let set = 0; set < count; set++) {
    for (const [index, { gpusPerReplica, min, max }] of targets.entries()) {
      integers.push(x(set, index));
      bounds.push(`${min} <= ${x(set, index)} <= ${max}`);
      gpus.push(term(gpusPerReplica, x(set, index)));
    }
    rows.push(...ruleRows(rules, (index) => x(set, index), `${set}`, integers, bounds));
  }
  return { rows, bounds, integers, gpus };
}

/** `p/q ≤ a/b ≤ u/v` as `q·a ≥ p·b` and `u·b ≥ v·a`; a coupling as `x = step · k`. */
export function ruleRows(
  rules: readonly OracleRule[],
  column: (index: number) => string,
  suffix: string,
  integers: string[],
  bounds: string[],
): string[] {
  const rows: string[] = [];
  for (const rule of rules) {
    if (rule.kind === "Coupling") {
      const k = `k_${rule.name}_${suffix}`;
      integers.push(k);
      bounds.push(`0 <= ${k} <= 100000`);
      for (const { index, replicas } of rule.steps) rows.push(`${term(1, column(index))} ${term(-replicas, k)} = 0`);
    } else {
      const { a, b, min, max } = rule;
      if (min !== undefined) rows.push(`${term(min[1], column(a))} ${term(-min[0], column(b))} >= 0`);
      if (max !== undefined) rows.push(`${term(max[0], column(b))} ${term(-max[1], column(a))} >= 0`);
    }
  }
  return rows;
}

async function leastGpus(problem: Problem, rules: readonly OracleRule[]): Promise<number | undefined> {
  const { gpus, ...rest } = frame(1, problem, rules);
  return (await solveMilp(lpText({ sense: "Minimize", objective: gpus.join(" "), ...rest })))?.objective;
}

/** In a lattice the state with the greatest sum is the greatest in each component. */
export async function greatest(problem: Problem, rules: readonly OracleRule[]): Promise<readonly number[] | undefined> {
  const { gpus: _, ...rest } = frame(1, problem, rules);
  const indexes = problem.demands.map((__, index) => index);
  const objective = indexes.map((index) => term(1, x(0, index))).join(" ");
  const solution: MilpSolution | undefined = await solveMilp(lpText({ sense: "Maximize", objective, ...rest }));
  return solution === undefined ? undefined : indexes.map((index) => Math.round(solution.value(x(0, index))));
}

/** Least GPUs where `units` are dealt evenly: each set replica holds the whole share, and some of them one more. */
function costOf(count: number, problem: Problem, rules: readonly OracleRule[], units: readonly number[]): string {
  const { rows, bounds, integers, gpus } = frame(count, problem, rules);
  const binaries: string[] = [];
  for (const [index, total] of units.entries()) {
    const share = Math.floor(total / count);
    const extras = Array.from({ length: count }, (_, set) => `e_${set}_${index}`);
    if (total % count === 0) {
      for (let set = 0; set < count; set++) rows.push(`${x(set, index)} >= ${share}`);
      continue;
    }
    binaries.push(...extras);
    for (const [set, extra] of extras.entries()) rows.push(`${x(set, index)} - ${extra} >= ${share}`);
    rows.push(`${extras.join(" + ")} = ${total % count}`);
  }
  return lpText({ sense: "Minimize", objective: gpus.join(" "), rows, bounds, integers, binaries });
}

/** Greatest fraction inside the budget; a target whose maximum is below its demand is excused from the rest (`y`). */
function fractionOf(count: number, problem: Problem, rules: readonly OracleRule[], caps: readonly number[]): string {
  const { rows, bounds, integers, gpus } = frame(count, problem, rules);
  const { demands, budget, input } = problem;
  const binaries: string[] = [];
  for (const [index, demand] of demands.entries()) {
    if (demand <= 0) continue;
    const share = `f_${index}`;
    integers.push(share);
    bounds.push(`0 <= ${share} <= 100000`);
    const extras = count === 1 ? [] : Array.from({ length: count }, (_, set) => `e_${set}_${index}`);
    binaries.push(...extras);
    for (let set = 0; set < count; set++) {
      rows.push(`${x(set, index)} - ${share}${extras[set] === undefined ? "" : ` - ${extras[set]}`} >= 0`);
    }
    const dealt = [term(count, share), ...extras.map((extra) => term(1, extra))].join(" ");
    if (demand <= (caps[index] as number)) rows.push(`${dealt} ${term(-demand, "lambda")} >= 0`);
    else {
      binaries.push(`y_${index}`);
      rows.push(`${dealt} ${term(-demand, "lambda")} ${term(demand, `y_${index}`)} >= 0`);
      rows.push(`${dealt} ${term(-(caps[index] as number), `y_${index}`)} >= 0`);
    }
  }
  rows.push(`${gpus.join(" ")} <= ${budget - count * input.sets.fixedGpus}`);
  bounds.push("0 <= lambda <= 1");
  return lpText({ sense: "Maximize", objective: "lambda", rows, bounds, integers, binaries });
}

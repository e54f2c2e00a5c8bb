/** The step against the MILP solver HiGHS on random problems. `ORACLE_RUNS=10000` for the long run, `ORACLE_SEED` for other problems. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_TARGETS, problemArbitrary, smallProblemArbitrary } from "../../test/oracle/random-problem.ts";
import { stepOracle } from "../../test/oracle/step-milp.ts";
import { satisfies } from "./lattice.ts";
import { solve } from "./solve.ts";
import { clampInto, type SetStep, stepInBox, stepSets } from "./step.ts";

const RUNS = Number(process.env["ORACLE_RUNS"] ?? 25);
const SEED = Number(process.env["ORACLE_SEED"] ?? 1);

const numbers = (max: number): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min: 0, max }), { minLength: MAX_TARGETS, maxLength: MAX_TARGETS });

describe("the step against the MILP solver HiGHS", () => {
  test(`the same state inside the intervals, or none, ${RUNS} problems`, async () => {
    const seen = { problems: 0, up: 0, down: 0, infeasible: 0, adjusted: 0, coupled: 0, twelve: 0 };
    const moves = fc.record({ from: numbers(20), down: numbers(8), up: numbers(12), nearby: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(problemArbitrary, moves, async ({ input, ruleOf }, { from, down, up, nearby }) => {
        const goal = solve({ ...input, sets: { ...input.sets, min: 1, max: 1, current: 1 } });
        const target = goal.perSet[0] as readonly number[];
        const { length } = input.targets;
        // From anywhere, or from a state that keeps its ratios, as it does between two decisions.
        const least = solve({ ...input, gpuBudget: 0 }).perSet[0] as readonly number[];
        const current = nearby ? least : from.slice(0, length);
        const lo = current.map((value, index) => Math.max(0, value - (down[index] as number)));
        const hi = current.map((value, index) => value + (up[index] as number));
        const wish = clampInto(target, { lo, hi });
        const constraints = input.hard.flatMap((rule) => rule.constraints);
        const ours = stepInBox(current, wish, { lo, hi }, constraints);
        const grows = wish.some((value, index) => value > (current[index] as number));
        const oracle = await stepOracle({ rules: input.hard.map(ruleOf), lo, hi, wish, grows });
        expect(ours.isFeasible).toBe(oracle !== undefined);
        if (oracle !== undefined) expect(ours.vector).toEqual(oracle);
        if (ours.isFeasible) expect(satisfies(ours.vector, constraints)).toBe(true);
        expect(clampInto(ours.vector, { lo, hi })).toEqual(ours.vector);
        seen.problems++;
        if (grows) seen.up++;
        else seen.down++;
        if (!ours.isFeasible) seen.infeasible++;
        else if (!satisfies(wish, constraints)) seen.adjusted++;
        if (input.hard.some(({ kind }) => kind === "Coupling")) seen.coupled++;
        if (length >= 9) seen.twelve++;
      }),
      { numRuns: RUNS, seed: SEED },
    );
    if (process.env["ORACLE_RUNS"] !== undefined) process.stdout.write(`step oracle ${JSON.stringify(seen)}\n`);
    expect(seen.problems).toBe(RUNS);
  }, 3_600_000);

  test(`the same states of several set replicas under a budget, ${RUNS} problems`, async () => {
    const seen = { problems: 0, cut: 0, onlyDowns: 0, partly: 0, fits: 0 };
    const draw = fc.record({
      down: numbers(4),
      up: numbers(8),
      shares: fc.array(fc.integer({ min: 0, max: 10 }), { minLength: 1, maxLength: 2 }),
      tenths: fc.integer({ min: -1, max: 11 }),
    });
    await fc.assert(
      fc.asyncProperty(smallProblemArbitrary, draw, async ({ input, ruleOf }, { down, up, shares, tenths }) => {
        const constraints = input.hard.flatMap((rule) => rule.constraints);
        const { POSITIVE_INFINITY: gpuBudget } = Number;
        const one = { ...input, gpuBudget, sets: { ...input.sets, min: 1, max: 1, current: 1 } };
        const goal = solve(one).perSet[0] as readonly number[];
        // From states in the ratios, so that the intervals hold at least that one.
        const sets = shares.map((share): SetStep => {
          const targets = one.targets.map((target) => ({
            ...target,
            demandReplicas: (target.demandReplicas * share) / 10,
          }));
          const current = solve({ ...one, targets }).perSet[0] as readonly number[];
          const lo = current.map((value, index) => Math.max(0, value - (down[index] as number)));
          const hi = current.map((value, index) => value + (up[index] as number));
          return { current, wish: clampInto(goal, { lo, hi }), box: { lo, hi } };
        });
        fc.pre(sets.every(({ current }) => satisfies(current, constraints)));
        const gpus = input.targets.map(({ gpusPerReplica }) => gpusPerReplica);
        const costOf = (vectors: readonly (readonly number[])[]): number =>
          vectors.flat().reduce((sum, count, at) => sum + count * (gpus[at % gpus.length] as number), 0);
        const rules = input.hard.map(ruleOf);
        /** All ups cut to the same share of the largest: `units` of `largest`. */
        const cut = (units: number, largest: number): Promise<readonly (readonly number[])[]> =>
          Promise.all(
            sets.map(async ({ current, wish, box: { lo, hi } }) => {
              const most = hi.map((value, index) => {
                const now = current[index] as number;
                return now + (largest === 0 ? 0 : Math.floor(((value - now) * units) / largest));
              });
              const wished = clampInto(wish, { lo, hi: most });
              const grows = wished.some((value, index) => value > (current[index] as number));
              return (await stepOracle({ rules, lo, hi: most, wish: wished, grows })) as readonly number[];
            }),
          );
        const full = await cut(1, 1);
        const before = costOf(sets.map(({ current }) => current));
        const gpuLimit = Math.max(0, before + Math.floor(((costOf(full) - before) * tenths) / 10));
        const ours = stepSets(sets, constraints, gpus, gpuLimit);
        const largest = Math.max(
          0,
          ...full.flatMap((vector, set) => vector.map((value, index) => value - (sets[set]?.current[index] as number))),
        );
        let want = full;
        let units = largest;
        if (costOf(full) > gpuLimit) {
          want = await cut(units, largest);
          while (units > 0 && costOf(want) > gpuLimit) want = await cut(--units, largest);
        }
        expect(ours.steps.map(({ vector }) => vector)).toEqual(want);
        expect(ours.isCutByBudget).toBe(costOf(full) > gpuLimit);
        seen.problems++;
        if (!ours.isCutByBudget) seen.fits++;
        else {
          seen.cut++;
          if (units === 0) seen.onlyDowns++;
          else if (units > 1) seen.partly++;
        }
      }),
      { numRuns: RUNS, seed: SEED },
    );
    if (process.env["ORACLE_RUNS"] !== undefined) process.stdout.write(`step oracle, budget ${JSON.stringify(seen)}\n`);
    expect(seen.problems).toBe(RUNS);
    expect(seen.partly).toBeGreaterThan(0);
  }, 3_600_000);
});

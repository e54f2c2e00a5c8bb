/** The step against the MILP solver HiGHS on random problems. `ORACLE_RUNS=10000` for the long run, `ORACLE_SEED` for other problems. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_TARGETS, problemArbitrary } from "../../test/oracle/random-problem.ts";
import { stepOracle } from "../../test/oracle/step-milp.ts";
import { satisfies } from "./lattice.ts";
import { solve } from "./solve.ts";
import { clampInto, stepInBox } from "./step.ts";

const RUNS = Number(process.env["ORACLE_RUNS"] ?? 60);
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
});

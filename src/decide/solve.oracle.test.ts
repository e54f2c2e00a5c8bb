/**
 * The goal against the MILP solver HiGHS on random problems. `ORACLE_RUNS=10000` for the long run, `ORACLE_SEED` for other problems than the
 * fixed ones; a few take part in every test run.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { goalOracle } from "../../test/oracle/goal-milp.ts";
import { problemWithSetsArbitrary } from "../../test/oracle/random-problem.ts";
import { satisfies } from "./lattice.ts";
import { solve } from "./solve.ts";

const RUNS = Number(process.env["ORACLE_RUNS"] ?? 40);
const SEED = Number(process.env["ORACLE_SEED"] ?? 1);

describe("the goal against the MILP solver HiGHS", () => {
  test(`same served fraction, same set replicas, same GPUs, same rules given up, ${RUNS} problems`, async () => {
    const seen = {
      problems: 0,
      cutByBudget: 0,
      cutByMax: 0,
      givenUp: 0,
      severalSets: 0,
      keptBack: 0,
      asked: 0,
      spilled: 0,
      coupled: 0,
      twelve: 0,
    };
    await fc.assert(
      fc.asyncProperty(problemWithSetsArbitrary, async ({ input, ruleOf }) => {
        const oracle = await goalOracle(input, ruleOf);
        const ours = solve(input);
        expect(ours.servedRatio).toBeCloseTo(oracle.servedRatio, 5);
        expect({
          sets: ours.perSet.length,
          gpus: ours.gpus,
          givenUp: ours.givenUp.map(({ name }) => name),
        }).toEqual({ sets: oracle.sets, gpus: oracle.gpus, givenUp: oracle.givenUp });
        const names = new Set(ours.givenUp.map(({ name }) => name));
        const kept = [...input.hard, ...input.soft].filter(({ name }) => !names.has(name));
        for (const vector of ours.perSet) {
          for (const { constraints } of kept) expect(satisfies(vector, constraints)).toBe(true);
          for (const [index, { min, max }] of input.targets.entries()) {
            expect(vector[index]).toBeGreaterThanOrEqual(min);
            expect(vector[index]).toBeLessThanOrEqual(max);
          }
        }
        seen.problems++;
        if (ours.limitedBy.includes("GPUBudget")) seen.cutByBudget++;
        if (ours.limitedBy.includes("Max")) seen.cutByMax++;
        if (ours.givenUp.length > 0) seen.givenUp++;
        if (ours.perSet.length > 1) seen.severalSets++;
        const { sets } = input;
        const free = solve({ ...input, sets: { ...sets, current: sets.min } });
        if (ours.perSet.length > free.perSet.length) seen.keptBack++;
        if (sets.asked !== undefined && ours.perSet.length === sets.asked) seen.asked++;
        if (sets.growsAfter !== undefined && sets.current < ours.perSet.length) seen.spilled++;
        if (input.hard.some(({ kind }) => kind === "Coupling")) seen.coupled++;
        if (input.targets.length >= 9) seen.twelve++;
      }),
      { numRuns: RUNS, seed: SEED },
    );
    if (process.env["ORACLE_RUNS"] !== undefined) process.stdout.write(`goal oracle ${JSON.stringify(seen)}\n`);
    expect(seen.problems).toBe(RUNS);
  }, 3_600_000);
});

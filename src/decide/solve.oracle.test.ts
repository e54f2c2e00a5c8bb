/**
 * The goal against the MILP solver HiGHS on random problems. `ORACLE_RUNS=10000` for the long run, `ORACLE_SEED` for other problems than the
 * fixed ones; a few take part in every test run.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backlogOracle } from "../../test/oracle/backlog-milp.ts";
import { goalOracle, gpusAbove } from "../../test/oracle/goal-milp.ts";
import { MAX_TARGETS, problemWithSetsArbitrary, smallProblemArbitrary } from "../../test/oracle/random-problem.ts";
import { hasBacklog, loadReplicasOf } from "./backlog-last.ts";
import { satisfies } from "./lattice.ts";
import { solve } from "./solve.ts";

const RUNS = Number(process.env["ORACLE_RUNS"] ?? 15);
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

  test(`a floor of GPUs is met, or missed by less than any replica more takes, ${RUNS} problems`, async () => {
    const seen = { problems: 0, missed: 0 };
    await fc.assert(
      fc.asyncProperty(smallProblemArbitrary, fc.integer({ min: 0, max: 150 }), async (drawn, gpuFloor) => {
        const { ruleOf } = drawn;
        const input = { ...drawn.input, sets: { ...drawn.input.sets, min: 1, max: 1, current: 1 } };
        const goal = solve(input);
        const held = solve({ ...input, gpuFloor });
        const vectorOf = ({ perSet: [one = []] }: typeof goal): readonly number[] => one;
        seen.problems++;
        const budget = Math.max(input.gpuBudget, goal.gpus);
        expect(held.gpus).toBeLessThanOrEqual(budget);
        for (const [index, count] of vectorOf(held).entries())
          expect(count).toBeGreaterThanOrEqual(vectorOf(goal)[index] as number);
        if (gpuFloor <= goal.gpus) expect(held).toEqual(goal);
        // A budget that cuts the demand is spent on the served fraction.
        if (gpuFloor <= held.gpus || goal.limitedBy.includes("GPUBudget")) return;
        seen.missed++;
        const names = new Set(held.givenUp.map(({ name }) => name));
        const rules = [...input.hard, ...input.soft].filter(({ name }) => !names.has(name)).map(ruleOf);
        for (const index of input.targets.keys()) {
          const more = vectorOf(held).map((count, at) => (at === index ? count + 1 : count));
          const gpus = await gpusAbove(input, rules, more);
          // One without GPUs brings the floor no nearer.
          if (gpus !== undefined && gpus > held.gpus)
            expect(gpus, `${input.targets.length} targets, one more of ${index}`).toBeGreaterThan(budget);
        }
      }),
      { numRuns: RUNS, seed: SEED },
    );
    if (process.env["ORACLE_RUNS"] !== undefined) process.stdout.write(`floor oracle ${JSON.stringify(seen)}\n`);
    expect(seen.missed).toBeGreaterThan(0);
  }, 3_600_000);

  test(`what has piled up gets the greatest share of what the load leaves, ${RUNS} problems`, async () => {
    const seen = { problems: 0, cut: 0, loadCut: 0, shared: 0, nothing: 0 };
    const loads = fc.array(fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 2 }), {
      minLength: MAX_TARGETS,
      maxLength: MAX_TARGETS,
    });
    await fc.assert(
      fc.asyncProperty(
        smallProblemArbitrary,
        loads,
        fc.integer({ min: 20, max: 100 }),
        async (problem, parts, percent) => {
          const { input: drawn, ruleOf } = problem;
          seen.problems++;
          const targets = drawn.targets.map((target, index) => {
            const part = parts[index];
            return typeof part === "number"
              ? { ...target, loadReplicas: Math.round(part * target.demandReplicas * 100) / 100 }
              : target;
          });
          const sets = { ...drawn.sets, min: 1, max: 1, current: 1 };
          const unlimited = { ...drawn, targets, soft: [], sets, gpuBudget: Number.POSITIVE_INFINITY };
          // One that cuts, as a rule.
          const input = { ...unlimited, gpuBudget: Math.floor((solve(unlimited).gpus * percent) / 100) };
          const ours = solve(input);
          const names = new Set(ours.givenUp.map(({ name }) => name));
          const rules = input.hard.filter(({ name }) => !names.has(name)).map(ruleOf);
          const load = targets.map((target) => loadReplicasOf(target));
          if (!ours.limitedBy.includes("GPUBudget") || !targets.some(hasBacklog) || names.has("gpuBudget")) return;
          const oracle = await backlogOracle(input, load, rules);
          if (oracle === undefined) throw new Error("the oracle finds no state where the solver does");
          const [vector = []] = ours.perSet;
          seen.cut++;
          if (oracle.loadRatio < 1) seen.loadCut++;
          if (oracle.share > 0.01 && oracle.share < 0.99) seen.shared++;
          if (oracle.share <= 0.01) seen.nothing++;
          expect(ours.gpus).toBeLessThanOrEqual(input.gpuBudget);
          // The share is exact to an eighth of a replica.
          const least = await oracle.statesAt(Math.max(0, oracle.share - 1 / 8 / oracle.widest));
          const most = await oracle.statesAt(oracle.share);
          for (const [index, count] of vector.entries()) {
            expect(count).toBeGreaterThanOrEqual(least[index] as number);
            expect(count).toBeLessThanOrEqual(most[index] as number);
          }
        },
      ),
      { numRuns: RUNS, seed: SEED },
    );
    if (process.env["ORACLE_RUNS"] !== undefined) process.stdout.write(`backlog oracle ${JSON.stringify(seen)}\n`);
    expect(seen.cut).toBeGreaterThan(0);
  }, 3_600_000);
});

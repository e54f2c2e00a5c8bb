import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { problemArbitrary } from "../../test/oracle/random-problem.ts";
import { satisfies, type Vector } from "./lattice.ts";
import { type NeighbourConstraint, neighbourhood } from "./neighbours.ts";
import { type SolveInput, solve } from "./solve.ts";

const gpusOf = (input: SolveInput, perSet: readonly Vector[]): number =>
  perSet.reduce(
    (sum, vector) =>
      sum + vector.reduce((part, value, at) => part + value * (input.targets[at]?.gpusPerReplica ?? 0), 0),
    perSet.length * input.sets.fixedGpus,
  );

/** Least share of a demand, and the same over those that no maximum cuts, as one number that orders like the pair. */
function served(input: SolveInput, perSet: readonly Vector[], ceiling: Vector): number {
  const shares = input.targets.flatMap(({ demandReplicas }, at) => {
    if (!(demandReplicas > 0)) return [];
    const share = perSet.reduce((sum, vector) => sum + (vector[at] as number), 0) / demandReplicas;
    return [{ share, isCut: demandReplicas - 1e-9 > perSet.length * (ceiling[at] as number) }];
  });
  const all = Math.min(1, ...shares.map(({ share }) => share));
  const uncut = Math.min(1, ...shares.filter(({ isCut }) => !isCut).map(({ share }) => share));
  return Math.round(all * 1e9) + uncut / 10;
}

/** The order in which the constraints are asked; of several set replicas the latest answer counts. */
const ORDER: readonly NeighbourConstraint[] = [
  "MinReplicas",
  "MaxReplicas",
  "GPUBudget",
  "HardRatios",
  "ServedFraction",
  "SoftRatios",
  "NotNeeded",
  "None",
];

/** All vectors in the bounds that keep the rules and have at least (at most) `wanted` everywhere. */
function* candidates(input: SolveInput, wanted: Vector, sign: 1 | -1, at = 0, so: number[] = []): Generator<Vector> {
  if (at === wanted.length) {
    yield [...so];
    return;
  }
  const { min, max } = input.targets[at] as SolveInput["targets"][number];
  const here = wanted[at] as number;
  for (let value = sign > 0 ? here : min; value <= (sign > 0 ? max : here); value++) {
    so.push(value);
    yield* candidates(input, wanted, sign, at + 1, so);
    so.pop();
  }
}

describe("one more and one less, against every vector there is", () => {
  test("the named constraint is the first that fails, in the set replica that comes nearest", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(problemArbitrary, ({ input }) => {
        fc.pre(input.targets.length <= 3);
        const { perSet, kept, givenUp } = solve(input);
        const answersOf = neighbourhood({
          problem: input,
          givenUp,
          names: input.targets.map((_, at) => `t${at}`),
          perSet,
          boxes: [],
          limits: [],
          isUnknown: () => false,
          isCapped: () => false,
          isGrowthForbidden: false,
          isStepCutByBudget: false,
          overrideOf: () => undefined,
          foreignOf: () => undefined,
          toleranceOf: () => 0,
          holdsOf: () => [],
        });
        const most = input.targets.map(({ max }) => max);
        const feasibleAll = [...candidates(input, most, -1)].filter((vector) => satisfies(vector, kept));
        const ceiling = most.map((_, at) => Math.max(...feasibleAll.map((vector) => vector[at] as number)));
        const soft = input.soft.filter(
          ({ kind, name }) => !givenUp.some((one) => one.kind === kind && one.name === name),
        );
        const expectedIn = (set: number, index: number, sign: 1 | -1): NeighbourConstraint => {
          const { min, max } = input.targets[index] as SolveInput["targets"][number];
          const present = perSet[set] as Vector;
          const wanted = present.map((value, at) => (at === index ? value + sign : value));
          if ((wanted[index] as number) > max) return "MaxReplicas";
          if ((wanted[index] as number) < min) return "MinReplicas";
          const put = (vector: Vector) => perSet.map((old, at) => (at === set ? vector : old));
          const feasible = [...candidates(input, wanted, sign)].filter((vector) => satisfies(vector, kept));
          // A lattice: the least of all is the one that is least everywhere.
          const pick = sign > 0 ? Math.min : Math.max;
          const closed = wanted.map((value, at) =>
            pick(
              ...feasible.map((vector) => vector[at] as number),
              sign > 0 ? 1e9 : -1,
              ...(feasible.length === 0 ? [value] : []),
            ),
          );
          if (sign > 0 && gpusOf(input, put(feasible.length === 0 ? wanted : closed)) > input.gpuBudget)
            return "GPUBudget";
          if (feasible.length === 0) return "HardRatios";
          const before = served(input, perSet, ceiling);
          const after = served(input, put(closed), ceiling);
          if (sign > 0) return after <= before + 1e-7 ? "NotNeeded" : "None";
          if (after < before - 1e-7) return "ServedFraction";
          const leaves = soft.some(
            ({ constraints }) => satisfies(present, constraints) && !satisfies(closed, constraints),
          );
          return leaves ? "SoftRatios" : "None";
        };
        for (const index of input.targets.keys()) {
          const answers = answersOf(index);
          for (const sign of [1, -1] as const) {
            const all = perSet.map((_, set) => expectedIn(set, index, sign));
            const expected = all.reduce((best, one) => (ORDER.indexOf(one) > ORDER.indexOf(best) ? one : best));
            const { constraint } = sign > 0 ? answers.oneMore : answers.oneLess;
            expect(constraint).toBe(expected);
            seen.add(`${sign}${constraint}`);
          }
        }
      }),
      { numRuns: 150, seed: 1 },
    );
    expect([...seen]).toEqual(
      expect.arrayContaining([
        "1MaxReplicas",
        "1GPUBudget",
        "1HardRatios",
        "1NotNeeded",
        "-1MinReplicas",
        "-1HardRatios",
        "-1ServedFraction",
        "-1SoftRatios",
      ]),
    );
  });
});

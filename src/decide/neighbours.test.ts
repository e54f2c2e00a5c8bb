import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { problemArbitrary } from "../../test/oracle/random-problem.ts";
import { satisfies, type Vector } from "./lattice.ts";
import { type NeighbourConstraint, neighboursOf } from "./neighbours.ts";
import { type SolveInput, solve } from "./solve.ts";

const gpusOf = (input: SolveInput, perSet: readonly Vector[]): number =>
  perSet.reduce(
    (sum, vector) =>
      sum + vector.reduce((part, value, at) => part + value * (input.targets[at]?.gpusPerReplica ?? 0), 0),
    perSet.length * input.sets.fixedGpus,
  );
const served = (input: SolveInput, perSet: readonly Vector[]): number =>
  Math.min(
    1,
    ...input.targets.flatMap(({ demandReplicas }, at) =>
      demandReplicas > 0 ? [perSet.reduce((sum, vector) => sum + (vector[at] as number), 0) / demandReplicas] : [],
    ),
  );

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
  test("the named constraint is the first that fails", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(problemArbitrary, ({ input }) => {
        fc.pre(input.targets.length <= 3);
        const { perSet, kept, givenUp } = solve(input);
        const names = input.targets.map((_, at) => `t${at}`);
        const rest = {
          problem: input,
          givenUp,
          names,
          perSet,
          boxes: [],
          isUnknown: () => false,
          isCapped: () => false,
          isGrowthForbidden: false,
          overrideOf: () => undefined,
          holdOf: () => undefined,
        };
        for (const [index, { min, max }] of input.targets.entries()) {
          const answers = neighboursOf(rest, index);
          for (const sign of [1, -1] as const) {
            const values = perSet.map((vector) => vector[index] as number);
            const set = sign > 0 ? values.lastIndexOf(Math.min(...values)) : values.indexOf(Math.max(...values));
            const wanted = (perSet[set] as Vector).map((value, at) => (at === index ? value + sign : value));
            const put = (vector: Vector) => perSet.map((old, at) => (at === set ? vector : old));
            const isOutside = (wanted[index] as number) > max || (wanted[index] as number) < min;
            const feasible = isOutside
              ? []
              : [...candidates(input, wanted, sign)].filter((vector) => satisfies(vector, kept));
            const best = Math.max(...feasible.map((vector) => served(input, put(vector))));
            const least = Math.min(...feasible.map((vector) => gpusOf(input, put(vector))), Number.POSITIVE_INFINITY);
            const cost = feasible.length === 0 ? gpusOf(input, put(wanted)) : least;
            const expected = (): readonly NeighbourConstraint[] => {
              if (isOutside) return [sign > 0 ? "MaxReplicas" : "MinReplicas"];
              if (sign > 0 && cost > input.gpuBudget) return ["GPUBudget"];
              if (feasible.length === 0) return ["HardRatios"];
              if (sign < 0) return best < served(input, perSet) - 1e-9 ? ["ServedFraction"] : ["None"];
              const cheapest = feasible.find((vector) => gpusOf(input, put(vector)) === least) as Vector;
              return served(input, put(cheapest)) <= served(input, perSet) + 1e-9 ? ["NotNeeded"] : ["None"];
            };
            const { constraint } = sign > 0 ? answers.oneMore : answers.oneLess;
            expect(expected()).toContain(constraint);
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
      ]),
    );
  });
});

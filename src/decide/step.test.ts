import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type LatticeConstraint, satisfies } from "./lattice.ts";
import { clampInto, stepInBox, stepSets } from "./step.ts";

/** Prefill and decode, 1:4 to 1:1. */
const RATIOS: readonly LatticeConstraint[] = [
  { raised: 0, by: 1, numerator: 1, denominator: 4, step: 1 },
  { raised: 1, by: 0, numerator: 1, denominator: 1, step: 1 },
];

describe("worked by hand", () => {
  test.each<{
    name: string;
    current: number[];
    wish: number[];
    lo: number[];
    hi: number[];
    want: number[];
    feasible?: boolean;
  }>([
    { name: "a feasible wish is taken", current: [1, 1], wish: [2, 6], lo: [1, 1], hi: [9, 9], want: [2, 6] },
    {
      name: "up: nothing runs ahead of its partner",
      current: [1, 1],
      wish: [1, 9],
      lo: [1, 1],
      hi: [1, 9],
      want: [1, 4],
    },
    {
      name: "down: nothing falls short of its partner",
      current: [4, 9],
      wish: [1, 9],
      lo: [1, 9],
      hi: [4, 9],
      want: [3, 9],
    },
    {
      name: "no feasible state in reach: nothing moves further out of its ratio",
      current: [2, 16],
      wish: [2, 20],
      lo: [2, 14],
      hi: [2, 20],
      want: [2, 16],
      feasible: false,
    },
    {
      name: "no feasible state in reach: towards the goal all the same, and said",
      current: [1, 9],
      wish: [1, 8],
      lo: [1, 8],
      hi: [1, 9],
      want: [1, 8],
      feasible: false,
    },
  ])("$name", ({ current, wish, lo, hi, want, feasible = true }) => {
    expect(stepInBox(current, wish, { lo, hi }, RATIOS)).toEqual({ vector: want, isFeasible: feasible });
  });

  test("ups that do not fit the budget are cut back together, in the ratio", () => {
    const set = { current: [1, 1], wish: [4, 16], box: { lo: [1, 1], hi: [4, 16] } };
    const { steps, isCutByBudget } = stepSets([set], RATIOS, [1, 1], 10);
    const [vector] = steps.map((step) => step.vector);
    expect(isCutByBudget).toBe(true);
    expect((vector?.[0] ?? 0) + (vector?.[1] ?? 0)).toBeLessThanOrEqual(10);
    expect(vector?.[1]).toBeGreaterThan(4);
    expect(satisfies(vector ?? [], RATIOS)).toBe(true);
  });

  test("over the budget already: downs go, ups wait", () => {
    const set = { current: [2, 8], wish: [3, 6], box: { lo: [2, 6], hi: [3, 8] } };
    expect(stepSets([set], RATIOS, [1, 1], 8).steps).toEqual([{ vector: [2, 6], isFeasible: true }]);
  });
});

const range = fc
  .tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 6 }))
  .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
const constraint = fc
  .record({ up: fc.boolean(), numerator: fc.integer({ min: 1, max: 4 }), denominator: fc.integer({ min: 1, max: 4 }) })
  .map(
    ({ up, numerator, denominator }): LatticeConstraint => ({
      raised: up ? 0 : 1,
      by: up ? 1 : 0,
      numerator,
      denominator,
      step: 1,
    }),
  );
const world = fc.record({
  a: range,
  b: range,
  goal: fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 })),
  current: fc.tuple(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 })),
  ratios: fc.array(constraint, { maxLength: 3 }),
});

test("whenever the intervals hold a feasible state the step is one, and it never leaves them", () => {
  fc.assert(
    fc.property(world, ({ a, b, goal, current, ratios }) => {
      const box = { lo: [a[0], b[0]], hi: [a[1], b[1]] };
      const now = clampInto([...current], box);
      const wish = clampInto([...goal], box);
      const { vector, isFeasible } = stepInBox(now, wish, box, ratios);
      expect(clampInto(vector, box)).toEqual(vector);
      const all = Array.from({ length: 49 }, (_, at) => [Math.floor(at / 7), at % 7]).filter((one) => {
        const inside = clampInto(one, box);
        return inside[0] === one[0] && inside[1] === one[1] && satisfies(one, ratios);
      });
      expect(isFeasible).toBe(all.length > 0);
      if (isFeasible) expect(satisfies(vector, ratios)).toBe(true);
    }),
    { numRuns: 5_000 },
  );
});

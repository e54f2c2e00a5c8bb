import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { couplingConstraints } from "./coupling.ts";
import { greatestBelow, type LatticeConstraint, leastAbove, permitted, raise, required, satisfies } from "./lattice.ts";

const SIDE = 7;

/** Constraints over three components, coupled ones among them. */
const constraintArbitrary: fc.Arbitrary<LatticeConstraint> = fc.record({
  raised: fc.integer({ min: 0, max: 2 }),
  by: fc.integer({ min: 0, max: 2 }),
  numerator: fc.integer({ min: 0, max: 4 }),
  denominator: fc.integer({ min: 0, max: 4 }),
  step: fc.integer({ min: 1, max: 3 }),
});
const point = fc.array(fc.integer({ min: 0, max: SIDE - 1 }), { minLength: 3, maxLength: 3 });
const everywhere = Array.from({ length: SIDE ** 3 }, (_, at) => [
  Math.floor(at / SIDE ** 2),
  Math.floor(at / SIDE) % SIDE,
  at % SIDE,
]);
const isAtMost = (a: readonly number[], b: readonly number[]): boolean =>
  a.every((value, index) => value <= (b[index] as number));

describe("by enumeration", () => {
  test("least above and greatest below are what they say", () => {
    fc.assert(
      fc.property(fc.array(constraintArbitrary, { maxLength: 4 }), point, (constraints, start) => {
        const good = everywhere.filter((one) => satisfies(one, constraints));
        const above = good.filter((one) => isAtMost(start, one));
        const below = good.filter((one) => isAtMost(one, start));
        const top = [SIDE - 1, SIDE - 1, SIDE - 1];
        expect(leastAbove(start, constraints, top)).toEqual(
          above.find((one) => above.every((other) => isAtMost(one, other))),
        );
        expect(greatestBelow(start, constraints, [0, 0, 0])).toEqual(
          below.find((one) => below.every((other) => isAtMost(other, one))),
        );
      }),
      { numRuns: 500 },
    );
  });

  test("in place and with a ceiling the least above is the same", () => {
    fc.assert(
      fc.property(fc.array(constraintArbitrary, { maxLength: 4 }), point, (constraints, start) => {
        const want = leastAbove(start, constraints, [1e6, 1e6, 1e6]);
        if (want === undefined) return;
        const vector = [...start];
        raise(vector, constraints);
        expect(vector).toEqual(want);
      }),
      { numRuns: 2_000 },
    );
  });

  test("a coupling admits whole multiples of its tuple and nothing else", () => {
    const steps = [2, 1, 3].map((replicas, index) => ({ target: `${index}`, replicas }));
    const constraints = couplingConstraints({ name: "unit", steps }, Number);
    const good = everywhere.filter((one) => satisfies(one, constraints));
    expect(good).toEqual([
      [0, 0, 0],
      [2, 1, 3],
      [4, 2, 6],
    ]);
  });

  test("a coupling of one target admits multiples of its step", () => {
    const constraints = couplingConstraints({ name: "unit", steps: [{ target: "0", replicas: 3 }] }, Number);
    expect([0, 1, 2, 3, 4, 5, 6].filter((value) => satisfies([value], constraints))).toEqual([0, 3, 6]);
  });
});

describe("one constraint", () => {
  const third = { raised: 0, by: 1, numerator: 1, denominator: 3, step: 2 };
  test.each([
    [third, 0, 0],
    [third, 1, 2],
    [third, 3, 2],
    [third, 4, 4],
    [{ ...third, numerator: 0 }, 9, 0],
    [{ ...third, denominator: 0 }, 0, 0],
    [{ ...third, denominator: 0 }, 1, Number.POSITIVE_INFINITY],
    // 1e15 + 1 over 2: exact, where a product of floats rounded first would be off by one.
    [{ ...third, numerator: 1, denominator: 2, step: 1 }, 1e15 + 1, 5e14 + 1],
  ])("%o of %d requires %d", (constraint, value, want) => {
    expect(required(constraint, value)).toBe(want);
  });

  test.each([
    [third, 1, 0],
    [third, 2, 3],
    [third, 5, 6],
    [{ ...third, numerator: 0 }, 0, Number.POSITIVE_INFINITY],
    [{ ...third, denominator: 0 }, 9, 0],
  ])("%o permits at %d no more than %d", (constraint, value, want) => {
    expect(permitted(constraint, value)).toBe(want);
  });

  test("the component that holds another down is told", () => {
    const causes: number[] = [];
    const chain = [
      { raised: 0, by: 1, numerator: 1, denominator: 2, step: 1 },
      { raised: 1, by: 2, numerator: 1, denominator: 2, step: 1 },
    ];
    expect(greatestBelow([2, 9, 99], chain, [0, 0, 0], causes)).toEqual([2, 4, 8]);
    expect(causes).toEqual([0, 0, 0]);
  });
});

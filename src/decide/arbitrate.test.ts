import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arbitrate, type Offer } from "./arbitrate.ts";

const offer = (key: string, minGpus: number, fullGpus: number, more: Partial<Offer> = {}): Offer => ({
  key,
  priority: 0,
  weight: 1,
  minGpus,
  curve: Array.from(
    { length: 11 },
    (_, step) => [step / 10, minGpus + Math.ceil(((fullGpus - minGpus) * step) / 10)] as const,
  ),
  ...more,
});
const grants = (offers: readonly Offer[], capacity: number): Record<string, number> =>
  Object.fromEntries(arbitrate(offers, capacity));

const one = fc.record({
  min: fc.integer({ min: 0, max: 8 }),
  more: fc.integer({ min: 0, max: 40 }),
  priority: fc.integer({ min: 0, max: 2 }),
  weight: fc.integer({ min: 1, max: 5 }),
});

/** The rule as it is written: look at everybody before each step. */
function stepByStep(offers: readonly Offer[], capacity: number): Record<string, number> {
  const granted: Record<string, number> = Object.fromEntries(offers.map(({ key, minGpus }) => [key, minGpus]));
  let left = capacity - offers.reduce((sum, { minGpus }) => sum + minGpus, 0);
  for (const priority of [2, 1, 0]) {
    for (;;) {
      const next = offers
        .filter((one) => one.priority === priority)
        .flatMap(({ key, weight, curve }) => {
          const have = granted[key] ?? 0;
          const gpus = curve.find(([, needed]) => needed > have)?.[1];
          const served = curve.findLast(([, needed]) => needed <= have)?.[0] ?? 0;
          return gpus === undefined || gpus - have > left ? [] : [{ key, have, gpus, rank: served / weight }];
        })
        .toSorted((a, b) => a.rank - b.rank || (a.key < b.key ? -1 : 1))[0];
      if (next === undefined) break;
      left -= next.gpus - next.have;
      granted[next.key] = next.gpus;
    }
  }
  return granted;
}

describe("arbitrate", () => {
  test("everybody gets all when there is enough", () => {
    expect(grants([offer("a", 2, 12), offer("b", 2, 22)], 100)).toEqual({ a: 12, b: 22 });
  });
  test("equal weights: the served fractions rise together", () => {
    expect(grants([offer("a", 0, 10), offer("b", 0, 20)], 15)).toEqual({ a: 5, b: 10 });
  });
  test("twice the weight: twice the fraction", () => {
    const { a = 0, b = 0 } = grants([offer("a", 0, 10, { weight: 2 }), offer("b", 0, 10)], 9);
    expect(a / b).toBeCloseTo(2, 0);
  });
  test("priority goes first, but never into another's minimum viable set", () => {
    expect(grants([offer("low", 4, 10), offer("high", 2, 22, { priority: 1 })], 16)).toEqual({ low: 4, high: 12 });
  });
  test("minimum viable sets are granted even when they do not fit", () => {
    expect(grants([offer("a", 8, 10), offer("b", 8, 10)], 10)).toEqual({ a: 8, b: 8 });
  });

  test("always serves the least served next, and of two alike the first by name", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(one, fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 8 })), { maxLength: 8 }),
        fc.integer({ min: 0, max: 150 }),
        (drawn, capacity) => {
          const offers = drawn.map(([{ min, priority, weight }, steps], index) => ({
            key: `p${(index * 7) % 8}`,
            minGpus: min,
            priority,
            weight,
            curve: steps.map(
              (_, at) => [at / 8, min + steps.slice(0, at + 1).reduce((sum, more) => sum + more, 0)] as const,
            ),
          }));
          expect(grants(offers, capacity)).toEqual(stepByStep(offers, capacity));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("never more than the capacity beyond the minima, never more than is asked for", () => {
    fc.assert(
      fc.property(
        fc.array(one, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 0, max: 120 }),
        (drawn, capacity) => {
          const offers = drawn.map(({ min, more, priority, weight }, index) =>
            offer(`p${index}`, min, min + more, { priority, weight }),
          );
          const granted = arbitrate(offers, capacity);
          const minima = offers.reduce((sum, { minGpus }) => sum + minGpus, 0);
          const total = [...granted.values()].reduce((sum, gpus) => sum + gpus, 0);
          expect(total).toBeLessThanOrEqual(Math.max(capacity, minima));
          for (const { key, minGpus, curve } of offers) {
            expect(granted.get(key)).toBeGreaterThanOrEqual(minGpus);
            expect(granted.get(key)).toBeLessThanOrEqual(curve.at(-1)?.[1] as number);
          }
        },
      ),
    );
  });
});

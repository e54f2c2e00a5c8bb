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

  test("never more than the capacity beyond the minima, never more than is asked for", () => {
    const one = fc.record({
      min: fc.integer({ min: 0, max: 8 }),
      more: fc.integer({ min: 0, max: 40 }),
      priority: fc.integer({ min: 0, max: 2 }),
      weight: fc.integer({ min: 1, max: 5 }),
    });
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

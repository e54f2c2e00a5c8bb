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
      const nextOf = (curveOf: (offer: Offer) => Offer["curve"]) =>
        offers
          .filter((one) => one.priority === priority)
          .flatMap((one) => {
            const { key, weight } = one;
            const have = granted[key] ?? 0;
            const gpus = curveOf(one).find(([, needed]) => needed > have)?.[1];
            const served = curveOf(one).findLast(([, needed]) => needed <= have)?.[0] ?? 0;
            return gpus === undefined || gpus - have > left ? [] : [{ key, have, gpus, rank: served / weight }];
          })
          .toSorted((a, b) => a.rank - b.rank || (a.key < b.key ? -1 : 1))[0];
      const next = nextOf(({ curve }) => curve) ?? nextOf(({ backlog = [] }) => backlog);
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
  test("the load of all peers goes before what has piled up at any of them, which then rises together, each at its weight", () => {
    const queue = (key: string, more: Partial<Offer> = {}): Offer => ({
      ...offer(key, 0, 10),
      backlog: Array.from({ length: 11 }, (_, step) => [step / 10, 10 + step] as const),
      ...more,
    });
    expect(grants([queue("a"), offer("b", 0, 10)], 20)).toEqual({ a: 10, b: 10 });
    expect(grants([queue("a"), offer("b", 0, 10)], 23)).toEqual({ a: 13, b: 10 });
    expect(grants([queue("a"), queue("b", { weight: 2 })], 26)).toEqual({ a: 12, b: 14 });
    expect(grants([queue("a"), offer("b", 0, 10)], 100)).toEqual({ a: 20, b: 10 });
    expect(grants([queue("a", { priority: 1 }), offer("b", 0, 10)], 23)).toEqual({ a: 20, b: 3 });
  });
  test("minimum viable sets are granted even when they do not fit", () => {
    expect(grants([offer("a", 8, 10), offer("b", 8, 10)], 10)).toEqual({ a: 8, b: 8 });
  });

  test("always serves the least served next, and of two alike the first by name", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(one, fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 8 }), fc.integer({ min: 0, max: 8 })),
          {
            maxLength: 8,
          },
        ),
        fc.integer({ min: 0, max: 150 }),
        (drawn, capacity) => {
          const offers = drawn.map(([{ min, priority, weight }, steps, loadSteps], index) => {
            const curve = steps.map(
              (_, at) => [at / 8, min + steps.slice(0, at + 1).reduce((sum, more) => sum + more, 0)] as const,
            );
            return {
              key: `p${(index * 7) % 8}`,
              minGpus: min,
              priority,
              weight,
              curve: curve.slice(0, loadSteps),
              // It begins where the load ends.
              ...(loadSteps < curve.length && loadSteps > 0 ? { backlog: curve.slice(loadSteps - 1) } : {}),
            };
          });
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

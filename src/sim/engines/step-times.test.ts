import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type DecodeLine, StepTimes } from "./step-times.ts";

/** Not along its fit anywhere, so that table and fit cannot be taken for each other. */
const TABLES = {
  prefill: {
    points: [
      [100, 10],
      [1_000, 50],
      [2_000, 130],
    ],
    fit: [1, 0.03, 1e-5],
    ranks: 1,
  },
  decode: {
    rows: [
      [
        2,
        [
          [100, 5],
          [200, 6],
          [400, 10],
        ],
      ],
      [
        8,
        [
          [100, 7],
          [200, 10],
        ],
      ],
    ],
    fit: [4, 0.5, 0.001],
  },
} as const;
const RAW = { decodeMultiplier: 1, stepOverheadMs: 0 };
const times = new StepTimes(TABLES, RAW);

const line = (batch: number, kvTokens: number, of = times): DecodeLine => {
  const into: DecodeLine = { firstMs: 0, slopeMs: 0, steps: 0 };
  of.decodeLine(batch, kvTokens, into);
  return into;
};

describe("decode steps", () => {
  test.each([
    { name: "on a point", batch: 2, context: 200, ms: 6 },
    { name: "between contexts", batch: 2, context: 150, ms: 5.5 },
    { name: "between batches", batch: 5, context: 100, ms: 6 },
    { name: "between both", batch: 5, context: 150, ms: (5.5 + 8.5) / 2 },
    { name: "before the first context", batch: 2, context: 1, ms: 5 },
    { name: "before the first batch", batch: 1, context: 200, ms: 6 },
    { name: "beyond the last context, along the fit", batch: 2, context: 500, ms: 10 + 0.001 * 2 * 100 },
    { name: "beyond the last batch, along the fit", batch: 10, context: 100, ms: 7 + 2 * (0.5 + 0.001 * 100) },
    {
      name: "where only one of two rows goes on",
      batch: 5,
      context: 300,
      ms: (8 + (10 + 0.001 * 8 * 100)) / 2,
    },
  ])("$name", ({ batch, context, ms }) => {
    expect(line(batch, batch * context).firstMs).toBeCloseTo(ms, 9);
  });

  test("a line holds for as many steps as it says, whatever the batch and its contexts", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 6_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (batch, kvTokens, share) => {
          const { firstMs, slopeMs, steps } = line(batch, kvTokens);
          expect(steps).toBeGreaterThanOrEqual(1);
          const ahead = Math.floor(share * (Math.min(steps, 1_000) - 1));
          expect(line(batch, kvTokens + ahead * batch).firstMs).toBeCloseTo(firstMs + ahead * slopeMs, 9);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("a multiplier is on the whole step, an overhead once a step", () => {
    const calibrated = new StepTimes(TABLES, { decodeMultiplier: 1.1, stepOverheadMs: 2 });
    expect(line(2, 300, calibrated)).toMatchObject({ slopeMs: 1.1 * 0.01, firstMs: expect.closeTo(2 + 1.1 * 5.5, 9) });
    expect(calibrated.promptsMs(100, 10_000, 0, 100)).toBeCloseTo(12, 9);
    expect(calibrated.decodesBesideMs(2, 300)).toBeCloseTo(1.1 * (2 * 0.5 + 0.3), 9);
  });
});

describe("prompts", () => {
  test.each([
    { name: "one prompt", chunks: [1_000], ms: 50 },
    { name: "shorter than the table", chunks: [5], ms: 10 },
    { name: "longer than the table, along the fit", chunks: [3_000], ms: 130 + 0.03 * 1_000 + 1e-5 * (9e6 - 4e6) },
    { name: "two do not attend to each other", chunks: [1_000, 1_000], ms: 130 - 1e-5 * (4e6 - 2e6) },
  ])("$name", ({ chunks, ms }) => {
    const total = chunks.reduce((sum, one) => sum + one, 0);
    const squares = chunks.reduce((sum, one) => sum + one * one, 0);
    expect(times.promptsMs(total, squares, 0, Math.max(...chunks))).toBeCloseTo(ms, 9);
  });

  test("two take no less than the larger alone, whatever a fit that is far from its table says", () => {
    const far = new StepTimes({ ...TABLES, prefill: { ...TABLES.prefill, fit: [1, 0.03, 1] } }, RAW);
    expect(far.promptsMs(1_500, 1_000 ** 2 + 500 ** 2, 0, 1_000)).toBe(50);
  });

  test("attention to what is already there: 2 c2 × done × chunk", () => {
    expect(times.promptsMs(100, 10_000, 100 * 4_000, 100)).toBeCloseTo(10 + 2 * 1e-5 * 100 * 4_000, 9);
  });
});

import { describe, expect, test } from "vitest";
import { guardPair, guardSingle, proportionalClamp } from "./gpu-budget.ts";

const pair = (prefill: number, decode: number): { prefill: number; decode: number } => ({ prefill, decode });

describe("proportional clamp", () => {
  test.each<[string, [number, number], [number, number], number | undefined, [number, number]]>([
    ["fits", [3, 3], [1, 1], 6, [3, 3]],
    ["no budget", [30, 30], [1, 1], undefined, [30, 30]],
    ["half: 12 GPUs into 6", [6, 6], [1, 1], 6, [3, 3]],
    ["one is kept for decode: floor(10 x 6/12) = 5, 6 - 1 = 5, 1 left", [10, 2], [1, 1], 6, [5, 1]],
    ["2 x 2 + 4 x 4 = 20 into 12: floor(2 x 0.6) = 1, floor((12 - 2)/4) = 2", [2, 4], [2, 4], 12, [1, 2]],
    ["test_complex_gpu_budget_scaling: 1 x 2 + 1 x 2 = 4 is within 5", [1, 1], [2, 2], 5, [1, 1]],
    ["the collapse: 4 + 4 = 8 are the least, 7 there are: (0, 0)", [5, 5], [4, 4], 7, [0, 0]],
  ])("%s", (_, wanted, gpus, maxGpus, expected) => {
    expect(proportionalClamp(pair(...wanted), { maxGpus, gpus: pair(...gpus), minEndpoint: 1 })).toEqual(
      pair(...expected),
    );
  });
});

describe("directions are kept", () => {
  test.each<[string, [number, number], [number, number], [number, number], number | undefined, [number, number]]>([
    ["fits", [2, 2], [3, 3], [1, 1], 6, [3, 3]],
    ["no budget", [2, 2], [3, 3], [1, 1], undefined, [3, 3]],
    ["room for one of two: both are as close, fewer prefill wins", [2, 2], [3, 3], [1, 1], 5, [2, 3]],
    ["full: nothing goes up", [3, 3], [4, 3], [1, 1], 6, [3, 3]],
    ["full: a rebalance that fits", [3, 1], [2, 2], [1, 1], 4, [2, 2]],
    ["full: a rebalance that does not fit takes nothing away", [3, 1], [2, 2], [1, 4], 7, [3, 1]],
    ["half a rebalance is both legs: (2, 3) is 8 GPUs, (2, 2) is 6", [4, 1], [2, 3], [1, 2], 7, [2, 2]],
    ["no half of a rebalance: decode + 1 does not fit, so prefill keeps its one", [4, 1], [3, 2], [1, 3], 8, [4, 1]],
    ["over already: reconciled first, 8 into 4", [4, 4], [5, 4], [1, 1], 4, [2, 2]],
  ])("%s", (_, current, wanted, gpus, maxGpus, expected) => {
    const budget = { maxGpus, gpus: pair(...gpus), minEndpoint: 1 };
    expect(guardPair(pair(...current), pair(...wanted), budget)).toEqual(pair(...expected));
  });

  test.each([
    [2, 4, 2, 6, 3],
    [2, 4, 2, undefined, 4],
    [5, 6, 2, 6, 3],
    [3, 2, 2, 6, 2],
  ])("single: %d -> %d at %d GPUs within %s is %d", (current, wanted, gpus, maxGpus, expected) => {
    expect(guardSingle(current, wanted, gpus, maxGpus)).toBe(expected);
  });
});

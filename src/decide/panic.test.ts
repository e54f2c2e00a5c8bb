import { describe, expect, test } from "vitest";
import { isInPanic, type PanicMemory, panicDemand, panicStep } from "./panic.ts";

const policy = { thresholdRatio: 2, windowMs: 60_000, holdMs: 120_000 };
const SECOND = 1_000;

/** One decision every 15 s. @returns the memory after each */
function run(demands: readonly (number | undefined)[], currentReplicas: number | readonly number[]): PanicMemory[] {
  const memories: PanicMemory[] = [];
  demands.forEach((demandReplicas, turn) => {
    const input = {
      nowMs: turn * 15 * SECOND,
      currentReplicas: typeof currentReplicas === "number" ? currentReplicas : (currentReplicas[turn] ?? 0),
      ...(demandReplicas === undefined ? {} : { demandReplicas }),
    };
    memories.push(panicStep(policy, input, memories.at(-1)));
  });
  return memories;
}
const inPanic = (memories: readonly PanicMemory[]): readonly boolean[] =>
  memories.map((memory, turn) => isInPanic(memory, turn * 15 * SECOND));

describe("panic", () => {
  test.each<{ name: string; demands: readonly (number | undefined)[]; want: readonly boolean[] }>([
    { name: "steady demand", demands: [2, 2, 2, 2], want: [false, false, false, false] },
    { name: "one odd sample is averaged away", demands: [2, 2, 2, 7, 2], want: [false, false, false, false, false] },
    {
      name: "a burst enters once the window's mean reaches the threshold",
      demands: [2, 2, 5, 8],
      want: [false, false, false, true],
    },
    { name: "a burst far above enters at once", demands: [2, 2, 2, 12], want: [false, false, false, true] },
    { name: "unknown demand starts none", demands: [2, undefined, undefined], want: [false, false, false] },
  ])("$name", ({ demands, want }) => {
    expect(inPanic(run(demands, 2))).toEqual(want);
  });

  test("is never asked for less than the most that was wanted in it", () => {
    const memories = run([20, 8, 30, 3, 3], 2);
    expect(memories.map((memory) => panicDemand(3, memory))).toEqual([20, 20, 30, 30, 30]);
  });

  test("ends after the hold without the threshold being reached, and forgets its peak", () => {
    const memories = run([20, ...Array.from({ length: 15 }, () => 4)], [2, ...Array.from({ length: 15 }, () => 20)]);
    // The threshold was reached at 0 s for the last time, as 20 replicas were there from the next decision on.
    expect(inPanic(memories).lastIndexOf(true)).toBe(7);
    expect(panicDemand(4, memories.at(-1))).toBe(4);
  });

  test("demand that cannot be measured does not keep it", () => {
    const memories = run([20, ...Array.from({ length: 10 }, () => undefined)], 2);
    expect(inPanic(memories).at(-1)).toBe(false);
  });

  test("memory is bounded by the window and by a count", () => {
    let memory: PanicMemory | undefined;
    for (let turn = 0; turn < 5_000; turn++) {
      memory = panicStep(
        { ...policy, windowMs: 3_600_000 },
        { nowMs: turn, currentReplicas: 1, demandReplicas: 1 },
        memory,
      );
    }
    expect(memory?.demands).toHaveLength(256);
  });

  test("a clock that was set back does not make it last", () => {
    const known = { demands: [[9e9, 50]] as const, untilMs: 9e9, peakReplicas: 50 };
    const memory = panicStep(policy, { nowMs: 1_000, currentReplicas: 2, demandReplicas: 2 }, known);
    expect(memory.untilMs).toBeLessThanOrEqual(1_000 + policy.holdMs);
    expect(memory.demands).toEqual([[1_000, 2]]);
  });
});

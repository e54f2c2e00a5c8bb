/** A restart at any moment of any history: nothing goes down for one whole stabilization window after it. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { emptyMemory, type Memory, resumeMemory } from "./memory.ts";
import { instant, Plant, policyOf, targetPolicy } from "./plant.fixture.ts";

const RUNS = Number(process.env["RESTART_RUNS"] ?? 50);
const TICK_MS = 15_000;

const loads = fc.array(fc.tuple(fc.integer({ min: 0, max: 160 }), fc.integer({ min: 0, max: 160 })), {
  minLength: 1,
  maxLength: 6,
});

test("after a restart, with or without a checkpoint, nothing goes down for one window, whatever the load does", () => {
  const seen = { later: 0 };
  fc.assert(
    fc.property(
      loads,
      loads,
      fc.constantFrom(60_000, 150_000, 300_000),
      fc.boolean(),
      fc.boolean(),
      fc.constantFrom(0, 20_000, 90_000),
      (before, after, windowMs, hasRatio, hasCheckpoint, startMs) => {
        const behavior = {
          ...instant,
          scaleDown: { ...instant.scaleDown, stabilizationWindowMs: windowMs },
        };
        const { ratios } = policyOf();
        const policy = policyOf({
          targets: ["prefill", "decode"].map((name) => targetPolicy(name, { behavior })),
          ratios: hasRatio ? ratios : [],
        });
        const plant = new Plant({ replicas: [2, 4], loads: [2, 4], startMs });
        const play = (steps: readonly (readonly [number, number])[], ticks: number, tick: () => void): void => {
          for (let at = 0; at < ticks; at++) {
            plant.loads = (steps[at % steps.length] as [number, number]).map((tenths) => tenths / 10);
            tick();
          }
        };
        play(before, 30, () => plant.tick(policy));
        const checkpoint = JSON.parse(JSON.stringify(plant.memory)) as Memory;
        plant.memory = hasCheckpoint ? resumeMemory(checkpoint, plant.nowMs) : emptyMemory;
        const falls = (): boolean => plant.tick(policy).transition.now.some(({ from, to }) => to < from);
        play(after, windowMs / TICK_MS, () => expect(falls()).toBe(false));
        play([[0, 0]], 60, () => {
          if (falls()) seen.later++;
        });
      },
    ),
    { numRuns: RUNS },
  );
  // It was the window that held, and no other thing.
  expect(seen.later).toBeGreaterThan(RUNS / 2);
}, 3_600_000);

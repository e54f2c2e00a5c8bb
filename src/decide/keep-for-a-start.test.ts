import { describe, expect, test } from "vitest";
import { decide } from "./decide.ts";
import { emptyMemory } from "./memory.ts";
import { Plant, policyOf, targetPolicy } from "./plant.fixture.ts";
import type { Policy } from "./policy.ts";

const COLD_START = policyOf().coldStart;

/** How long a target of four that needs three from a decision on stays as it is; decisions every 15 s. */
function downAfterMs(
  coldStart: Policy["coldStart"],
  startupsMs: readonly number[],
  stabilizationWindowMs = 0,
  others: Readonly<Record<string, readonly number[]>> = {},
): number {
  const [target] = policyOf().targets;
  const scaleDown = { ...(target?.behavior.scaleDown as never as object), stabilizationWindowMs } as never;
  const behavior = { scaleUp: target?.behavior.scaleUp as never, scaleDown };
  const policy = policyOf({ targets: [targetPolicy("decode", { behavior })], ratios: [], coldStart });
  const plant = new Plant({ replicas: [4], loads: [4] });
  plant.memory = { ...emptyMemory, startupsMs: { decode: startupsMs, ...others } };
  const { atMs } = plant.tick(policy);
  plant.loads = [3];
  for (;;) {
    const decision = plant.tick(policy);
    if (plant.totals[0] !== 4 || decision.atMs > 7_200_000) return decision.atMs - atMs;
  }
}

describe("what is no longer needed", () => {
  test("is kept for as long as a replica takes to start, whose p90 was measured", () => {
    expect(downAfterMs(COLD_START, [590_000, 600_000])).toBe(600_000);
    expect(downAfterMs(COLD_START, [])).toBe(15_000);
    // And never for longer than half an hour: such a start is stuck.
    expect(downAfterMs(COLD_START, [5_000_000])).toBe(1_800_000);
  });

  test("is kept for the window of the target where that is longer", () => {
    expect(downAfterMs(COLD_START, [60_000], 300_000)).toBe(300_000);
  });

  test("is kept for the time that the policy says, none included", () => {
    expect(downAfterMs({ ...COLD_START, scaleDownWindowMs: 0 }, [600_000])).toBe(15_000);
    expect(downAfterMs({ ...COLD_START, scaleDownWindowMs: 120_000 }, [600_000])).toBe(120_000);
    expect(downAfterMs({ ...COLD_START, leadTimeMs: 240_000 }, [600_000])).toBe(240_000);
  });

  test("is kept by what its own replicas take, whatever those of another target do", () => {
    expect(downAfterMs(COLD_START, [], 0, { frontend: [600_000] })).toBe(15_000);
  });

  test("the explanation says until when", () => {
    const policy = policyOf({ targets: [targetPolicy("decode")], ratios: [] });
    const plant = new Plant({ replicas: [4], loads: [4] });
    plant.memory = { ...emptyMemory, startupsMs: { decode: [600_000] } };
    plant.tick(policy);
    plant.loads = [3];
    plant.nowMs += 45_000;
    const { decision } = decide(policy, plant.observe(policy), plant.memory);
    expect(JSON.stringify(decision)).toContain("4 was wanted 60 s ago; it ends in 540 s");
  });
});

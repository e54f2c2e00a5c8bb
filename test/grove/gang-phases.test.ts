/** How long gangs take to each phase, as the operator's metrics tell it. */
import { expect, test } from "vitest";
import type { GangPhase } from "../../src/grove/gang-phases.ts";
import { startTestWorld } from "./test-world.ts";
import { clique, workload } from "./workloads.ts";

test("each phase of each new gang is told once, in order, from its creation on", async () => {
  const told: { phase: GangPhase; ms: number }[] = [];
  const world = await startTestWorld({ onGangPhase: (phase, ms) => told.push({ phase, ms }) });
  try {
    world.setCapacity(1);
    await world.createSet(workload("w", { cliques: [clique("a", 3, 2)] }));
    await world.settle(60_000);
    // One of two pods has a place: the gang is not scheduled.
    expect(told.map(({ phase }) => phase)).toEqual(["gated", "ungated"]);
    world.setCapacity(10);
    await world.settle(60_000);
    expect(told.map(({ phase }) => phase)).toEqual(["gated", "ungated", "scheduled", "ready"]);
    const times = told.map(({ ms }) => ms);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times[0]).toBeLessThan(10_000);
    expect(times[2]).toBeGreaterThan(55_000);
    world.breakWatches();
    await world.settle(60_000);
    expect(told).toHaveLength(4);
  } finally {
    await world.stop();
  }
});

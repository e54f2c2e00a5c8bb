import { afterEach, describe, expect, test } from "vitest";
import { onAgents, workload2 } from "../workloads.ts";
import { type EmbeddedWorld, startEmbeddedWorld } from "./embedded-world.ts";
import { type ObjectSet, objectSet } from "./object-set.ts";
import { untilReady } from "./steps.ts";

const worlds: EmbeddedWorld[] = [];
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.stop()));
});

async function openWorld(): Promise<EmbeddedWorld> {
  const world = await startEmbeddedWorld();
  worlds.push(world);
  await world.prepare(10);
  return world;
}

/** Brings workload 2 up and returns what is there when nothing changes any more. */
async function bringUp(world: EmbeddedWorld): Promise<ObjectSet> {
  await world.deploy(onAgents(workload2()));
  await untilReady(world, 10);
  await world.settle();
  const { metadata, status } = world.view.set("workload2") ?? {};
  expect([status?.observedGeneration, status?.availableReplicas]).toEqual([metadata?.generation, 1]);
  return objectSet(world);
}

describe("the operator dies after its k-th write while a set comes up", () => {
  test("for every k the next operator brings about the same objects, and their deletion leaves none", async () => {
    const calm = await openWorld();
    const expected = await bringUp(calm);
    const writes = calm.faults.writeCount();
    expect(writes).toBeGreaterThan(30);
    expect(Object.keys(expected).filter((key) => key.startsWith("Pod/"))).toHaveLength(10);
    for (let k = 1; k <= writes; k++) {
      const world = await openWorld();
      world.faults.crashAfterWrite(k);
      expect([k, await bringUp(world)]).toEqual([k, expected]);
      await world.cleanUp();
      await world.stop();
      worlds.pop();
    }
  });
});

describe("a set comes up in spite of", () => {
  test.each<[string, (world: EmbeddedWorld) => void]>([
    ["a write that fails", ({ faults }) => faults.failWrite(7)],
    ["a slow API server", ({ faults }) => faults.slowDown(700)],
    [
      "conflicts",
      ({ faults }) => {
        let count = 0;
        faults.conflictOn(() => ++count % 5 === 0);
      },
    ],
    [
      "watches that end and forget",
      ({ clock, faults }) => {
        for (const atMs of [200, 500, 900, 1_500]) clock.setTimer(atMs, faults.breakWatches);
      },
    ],
  ])("%s", async (_, arrange) => {
    const expected = await bringUp(await openWorld());
    const world = await openWorld();
    arrange(world);
    expect(await bringUp(world)).toEqual(expected);
    world.faults.clear();
    await world.cleanUp();
  });
});

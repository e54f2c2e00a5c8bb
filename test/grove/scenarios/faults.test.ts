import { afterEach, describe, expect, test } from "vitest";
import { ApiError } from "../../../src/kube/api-error.ts";
import { COMPUTE_DOMAIN_DEFINITION } from "../fixtures/compute-domain-crd.ts";
import { onAgents, workload1, workload1Gt, workload2 } from "../workloads.ts";
import { type CrashStory, crashEverywhere } from "./crash-points.ts";
import { type EmbeddedWorld, startEmbeddedWorld } from "./embedded-world.ts";
import { connectedSharing } from "./mnnvl.ts";
import { type ObjectSet, objectSet } from "./object-set.ts";
import { untilUpdated } from "./rolling-updates.ts";
import { MNNVL_SETTINGS } from "./settings.ts";
import { activePods, deployReady, podsOf, uidOf, uidsOf, untilPods, untilReady } from "./steps.ts";

/** A hundred runs in one test where each write is a crash point. */
const CRASHES_TIMEOUT_MS = 600_000;

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

/** So many writes at least: fewer would mean that the story does not test what it says. */
const STORIES: readonly (CrashStory & { readonly name: string; readonly minWrites: number; readonly pods: number })[] =
  [
    {
      name: "a set comes up",
      minWrites: 30,
      pods: 10,
      prepare: (world) => world.prepare(10),
      async act(world) {
        await world.deploy(onAgents(workload2()));
        await untilReady(world, 10);
      },
    },
    {
      name: "a group and a clique are scaled",
      minWrites: 15,
      pods: 15,
      prepare: (world) => deployReady(world, workload2(), { nodes: 15 }),
      async act(world) {
        await world.scale("group", "workload2-0-sg-x", 3);
        await world.scale("clique", "workload2-0-pc-a", 3);
        await untilReady(world, 15);
      },
    },
    {
      name: "a set is scaled in",
      minWrites: 5,
      pods: 10,
      async prepare(world) {
        await deployReady(world, workload2(), { nodes: 20 });
        await world.scale("set", "workload2", 2);
        await untilReady(world, 20);
      },
      async act(world) {
        await world.scale("set", "workload2", 1);
        await untilReady(world, 10);
      },
    },
    {
      name: "an update rolls",
      minWrites: 40,
      pods: 10,
      prepare: (world) => deployReady(world, workload1()),
      async act(world) {
        await world.triggerUpdate("workload1", ["pc-a", "pc-b", "pc-c"]);
        await untilUpdated(world, "workload1", 1);
        await untilReady(world, 10);
      },
    },
    {
      name: "a broken gang is terminated",
      minWrites: 20,
      pods: 10,
      async prepare(world) {
        await deployReady(world, workload1Gt("10s"));
        await world.pass(6_000);
      },
      async act(world) {
        const old = uidsOf(activePods(world));
        const [pod] = podsOf(world, "workload1-gt-0-pc-a");
        await world.cordon(pod?.spec.nodeName ?? "");
        await world.deletePod(pod?.metadata.name ?? "");
        await world.until("all pods to be replaced", () => {
          const active = activePods(world);
          return active.length === 10 && active.every((each) => !old.has(uidOf(each)));
        });
        await world.uncordon(pod?.spec.nodeName ?? "");
        await untilReady(world, 10);
      },
    },
    {
      name: "claims and domains come, and some of them go",
      minWrites: 40,
      pods: 2,
      world: { settings: MNNVL_SETTINGS, definitions: [COMPUTE_DOMAIN_DEFINITION] },
      prepare: (world) => world.prepare(10),
      async act(world) {
        await world.deploy(connectedSharing("connected", 2));
        await untilPods(world, 4);
        await world.scale("set", "connected", 1);
        await untilPods(world, 2);
      },
    },
  ];

describe("an operator that dies after its k-th write is followed by one that brings about the same objects, while", () => {
  test.each(STORIES)(
    "$name",
    async ({ minWrites, pods, ...story }) => {
      const [calm, ...crashed] = await crashEverywhere(story);
      expect(crashed.at(-1)?.crashedAfter).toBeGreaterThan(minWrites);
      expect(Object.keys(calm?.objects ?? {}).filter((key) => key.startsWith("Pod/"))).toHaveLength(pods);
      for (const { crashedAfter, objects } of crashed)
        expect([crashedAfter, objects]).toEqual([crashedAfter, calm?.objects]);
    },
    CRASHES_TIMEOUT_MS,
  );
});

describe("a set comes up in spite of", () => {
  test.each<[string, (world: EmbeddedWorld) => void]>([
    ["a write that fails", ({ faults }) => faults.failWrite(7)],
    ["a slow API server", ({ faults }) => faults.slowDown(700)],
    [
      "conflicts",
      ({ faults }) => {
        let count = 0;
        faults.refuse(() => ++count % 5 === 0);
      },
    ],
    [
      "events that come late, where writes fail",
      ({ faults }) => {
        let count = 0;
        faults.delayEvents(3_000);
        faults.refuse(() => ++count % 5 === 0, new ApiError(500, "InternalError", "injected"));
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

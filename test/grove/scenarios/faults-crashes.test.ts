/** More of what an operator may die in the middle of; the first stories are in `faults.test.ts`. After every few writes here, after each in the nightly tier. */
import { expect, test } from "vitest";
import { POD_CLIQUE_SETS } from "../../../src/api/grove/pod-clique-set.ts";
import { onAgents, workload2, workload3, workload6, workloadOnDelete } from "../workloads.ts";
import { withoutIndexHoles } from "./converged.ts";
import { type CrashStory, crashEverywhere } from "./crash-points.ts";
import type { EmbeddedWorld } from "./embedded-world.ts";
import { untilUpdated } from "./rolling-updates.ts";
import type { PodEvent } from "./scenario-world.ts";
import { activePods, cliqueOf, deployReady, podsOf, uidsOf, untilReady } from "./steps.ts";

/** Comes up, and a child never before its parent: the kubelets of the world see to it. */
const comesUp = (workload: typeof workload3) => async (world: EmbeddedWorld) => {
  await world.deploy(onAgents(workload()));
  await untilReady(world, 10);
};

const STORIES: readonly (CrashStory & { readonly name: string; readonly minWrites: number; readonly pods: number })[] =
  [
    {
      name: "a set starts in the order of its cliques",
      everyWrites: 6,
      minWrites: 30,
      pods: 10,
      prepare: (world) => world.prepare(10),
      act: comesUp(workload3),
    },
    {
      name: "a set starts as its cliques say, with a scaled gang",
      everyWrites: 6,
      minWrites: 30,
      pods: 10,
      prepare: (world) => world.prepare(10),
      act: comesUp(workload6),
    },
    {
      name: "a set is scaled out and in again",
      everyWrites: 7,
      minWrites: 30,
      pods: 10,
      prepare: (world) => deployReady(world, workload2(), { nodes: 20 }),
      async act(world) {
        await world.scale("set", "workload2", 2);
        await untilReady(world, 20);
        await world.scale("set", "workload2", 1);
        await untilReady(world, 10);
      },
    },
    {
      name: "a scaled group grows, and shrinks below its minimum before it is through",
      everyWrites: 3,
      minWrites: 8,
      pods: 6,
      prepare: (world) => deployReady(world, workload2(), { nodes: 20 }),
      async act(world) {
        await world.scale("group", "workload2-0-sg-x", 4);
        await world.pass(150);
        await world.scale("group", "workload2-0-sg-x", 1);
        await untilReady(world, 6);
      },
    },
    {
      name: "a clique is updated pod by pod",
      everyWrites: 5,
      minWrites: 15,
      pods: 12,
      async prepare(world) {
        await deployReady(world, workload2(), { nodes: 20 });
        await world.scale("clique", "workload2-0-pc-a", 4);
        await untilReady(world, 12);
      },
      async act(world) {
        const recording = world.record();
        await world.triggerUpdate("workload2", ["pc-a"]);
        await untilUpdated(world, "workload2", 1);
        await untilReady(world, 12);
        expect(mostAway(recording.stop(), "workload2-0-pc-a")).toBe(1);
      },
    },
    {
      name: "a set goes",
      minWrites: 1,
      pods: 0,
      prepare: (world) => deployReady(world, workload2(), { nodes: 10 }),
      async act(world) {
        await world.api.delete(POD_CLIQUE_SETS, { namespace: world.namespace, name: "workload2" });
        await world.until(
          "all to be gone",
          () => world.view.set("workload2") === undefined && world.view.pods().length === 0,
        );
      },
    },
    {
      name: "a template changes under OnDelete, and one pod is deleted",
      everyWrites: 3,
      minWrites: 8,
      pods: 10,
      prepare: (world) => deployReady(world, workloadOnDelete(), { nodes: 11 }),
      async act(world) {
        const old = uidsOf(activePods(world));
        await world.triggerUpdate("workload-ondelete", ["pc-a", "pc-b"]);
        await world.pass(3_000);
        expect([...uidsOf(activePods(world))].filter((uid) => !old.has(uid))).toEqual([]);
        await world.deletePod(podsOf(world, "workload-ondelete-0-pc-a")[0]?.metadata.name ?? "");
        await world.until(
          "one updated pod",
          () => world.view.clique("workload-ondelete-0-pc-a")?.status?.updatedReplicas === 1,
        );
        await untilReady(world, 10);
        expect([...uidsOf(activePods(world))].filter((uid) => !old.has(uid))).toHaveLength(1);
      },
    },
  ];

/** How many pods of a clique were on their way out or in at the same time. */
function mostAway(events: readonly PodEvent[], clique: string): number {
  let away = 0;
  let most = 0;
  for (const { type } of events.filter(({ pod }) => cliqueOf(pod) === clique)) {
    if (type === "terminating") away++;
    if (type === "ready") away--;
    most = Math.max(most, away);
  }
  return most;
}

test.each(STORIES)("an operator dies while $name", async ({ minWrites, pods, ...story }) => {
  const [calm, ...crashed] = await crashEverywhere(story);
  const expected = withoutIndexHoles(calm?.objects ?? {});
  expect(crashed.at(-1)?.crashedAfter).toBeGreaterThanOrEqual(minWrites);
  expect(Object.keys(expected).filter((key) => key.startsWith("Pod/"))).toHaveLength(pods);
  for (const { crashedAfter, objects } of crashed)
    expect([crashedAfter, withoutIndexHoles(objects)]).toEqual([crashedAfter, expected]);
});

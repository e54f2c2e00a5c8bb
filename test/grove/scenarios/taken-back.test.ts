/** What must not go on: an update that is taken back before it is through, a termination of what was never up. */
import { afterEach, describe, expect, test } from "vitest";
import { clique, onAgents, workload, workload1, workload2 } from "../workloads.ts";
import { notConverged } from "./converged.ts";
import { type EmbeddedWorld, startEmbeddedWorld } from "./embedded-world.ts";
import { deployReady, untilReady } from "./steps.ts";

const worlds: EmbeddedWorld[] = [];
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.stop()));
});

async function openWorld(): Promise<EmbeddedWorld> {
  const world = await startEmbeddedWorld();
  worlds.push(world);
  return world;
}

/** Template hashes of the pods whose clique has this name in the template. */
const hashes = (world: EmbeddedWorld, name: string): ReadonlySet<string | undefined> =>
  new Set(
    world.view
      .pods()
      .filter(({ metadata }) => metadata.labels?.["grove.io/podclique"]?.endsWith(name))
      .map(({ metadata }) => metadata.labels?.["grove.io/pod-template-hash"]),
  );

/** Long enough for all statuses to be written, as they are when somebody updates. */
async function rest(world: EmbeddedWorld): Promise<void> {
  await world.settle();
  await world.pass(60_000);
  await world.settle();
}

/** Updates a clique, and puts the template back once pods of the new one are there. */
async function updateAndTakeBack(
  world: EmbeddedWorld,
  { set, name, meanwhile }: { readonly set: string; readonly name: string; readonly meanwhile?: () => Promise<void> },
): Promise<void> {
  const before = world.view.set(set)?.spec.template;
  if (before === undefined) throw new Error(`there is no set ${set}`);
  await world.triggerUpdate(set, [name]);
  await world.until("a pod of the new template", () => hashes(world, name).size === 2);
  await meanwhile?.();
  await world.editSet(set, (stored) => ({ ...stored, spec: { ...stored.spec, template: before } }));
  await world.until("the update to end", () => {
    const { observedGeneration, updateProgress } = world.view.set(set)?.status ?? {};
    return (
      observedGeneration === world.view.set(set)?.metadata.generation && updateProgress?.updateEndedAt !== undefined
    );
  });
}

describe("an update that is taken back before it is through", () => {
  test("leaves no pod of it in a clique", async () => {
    const world = await openWorld();
    await deployReady(world, workload("plain", { cliques: [clique("pc-a", 4, 1)] }, { replicas: 2 }), {
      nodes: 8,
      pods: 8,
    });
    await rest(world);
    const before = hashes(world, "pc-a");
    await updateAndTakeBack(world, { set: "plain", name: "pc-a" });
    expect(hashes(world, "pc-a")).toEqual(before);
    await untilReady(world, 8);
    await rest(world);
    expect(await notConverged(world, "plain")).toEqual([]);
  });

  test("leaves no member of it in a scaling group, also where the update had not come to yet", async () => {
    const world = await openWorld();
    const { spec } = workload2();
    await deployReady(
      world,
      { ...workload2(), spec: { ...spec, replicas: 2 } },
      {
        nodes: 24,
        pods: 20,
      },
    );
    await rest(world);
    const before = hashes(world, "pc-c");
    await updateAndTakeBack(world, {
      set: "workload2",
      name: "pc-c",
      // Made from the new template.
      meanwhile: async () => {
        await world.scale("group", "workload2-1-sg-x", 3);
        await world.until("the third replica", () => world.view.clique("workload2-1-sg-x-2-pc-c") !== undefined);
      },
    });
    expect(hashes(world, "pc-c")).toEqual(before);
    await untilReady(world, 24);
    await rest(world);
    expect(await notConverged(world, "workload2")).toEqual([]);
  });
});

test("a gang whose pods were never placed is not terminated for it", async () => {
  const world = await openWorld();
  await world.prepare(0);
  const set = onAgents(workload1());
  await world.deploy({ ...set, spec: { ...set.spec, template: { ...set.spec.template, terminationDelay: "10s" } } });
  await world.until("ten pods", () => world.view.pods().length === 10);
  const uids = world.view.pods().map(({ metadata }) => metadata.uid);
  for (let second = 0; second < 90; second++) await world.pass(1_000);
  expect(world.view.group("workload1-0-sg-x")?.status?.conditions).toMatchObject([{ status: "True" }]);
  expect(world.view.pods().map(({ metadata }) => metadata.uid)).toEqual(uids);
  expect(world.view.eventCount("PodCliqueSetReplicaDeleteSuccessful")).toBe(0);
});

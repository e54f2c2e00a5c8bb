/** Gang scheduling and scaling with the PodGang names of Grove after v0.1.0-alpha.12-rc1 (grove.md 0). */
import { afterEach, expect, test } from "vitest";
import { parseTime } from "../../../src/api/kubernetes/time.ts";
import { workload2 } from "../workloads.ts";
import { type EmbeddedWorld, startEmbeddedWorld } from "./embedded-world.ts";
import { GANG_SCHEDULING } from "./gang-scheduling.ts";
import { deployReady, survive, uidsOf, untilReady } from "./steps.ts";

let world: EmbeddedWorld;
afterEach(() => world.stop());

const epochOf = (set: string): string => `${parseTime(world.view.set(set)?.metadata.creationTimestamp ?? "")}000000`;
const gangNames = (): readonly string[] => world.view.gangs().map(({ metadata }) => metadata.name);

test.each(GANG_SCHEDULING.filter(({ name }) => /GS(5|11)_/u.test(name)))("$name", async ({ run }) => {
  world = await startEmbeddedWorld({ settings: { podGangNames: "epoch" } });
  await run(world);
  const epoch = epochOf("workload2");
  for (const name of gangNames()) expect(name).toMatch(new RegExp(`^workload2-\\d-${epoch}(-sg-x-[12])?$`, "u"));
  await world.cleanUp();
  expect(world.problems).toEqual([]);
});

test("names, labels and references; a group is scaled, a set too", async () => {
  world = await startEmbeddedWorld({ settings: { podGangNames: "epoch" } });
  await deployReady(world, workload2(), { nodes: 30 });
  const epoch = epochOf("workload2");
  // The number is the replica of the group, not what it is above the minimum.
  expect(gangNames()).toEqual([`workload2-0-${epoch}`, `workload2-0-${epoch}-sg-x-1`]);
  const [anchor, scaleOut] = world.view.gangs();
  const labels = {
    "grove.io/epoch": epoch,
    "grove.io/podcliqueset-replica-index": "0",
    "grove.io/podcliqueset-generation-hash": world.view.set("workload2")?.status?.currentGenerationHash,
  };
  expect(anchor?.metadata.labels).toMatchObject({ ...labels, "grove.io/podgang-role": "Anchor" });
  expect(scaleOut?.metadata.labels).toMatchObject({ ...labels, "grove.io/podgang-role": "ScaleOut" });
  const member = world.view.clique("workload2-0-sg-x-1-pc-c");
  expect(member?.metadata.labels).toMatchObject({
    "grove.io/podgang": scaleOut?.metadata.name,
    "grove.io/base-podgang": anchor?.metadata.name,
  });

  await world.scale("group", "workload2-0-sg-x", 3);
  await untilReady(world, 14);
  expect(gangNames()).toContain(`workload2-0-${epoch}-sg-x-2`);
  await world.scale("set", "workload2", 2);
  await untilReady(world, 24);
  expect(gangNames()).toContain(`workload2-1-${epoch}`);
  await world.scale("group", "workload2-0-sg-x", 1);
  await untilReady(world, 16);
  await world.settle();
  expect(gangNames()).toEqual([`workload2-0-${epoch}`, `workload2-1-${epoch}`, `workload2-1-${epoch}-sg-x-1`]);
});

test.each([
  { from: "legacy", to: "epoch" },
  { from: "epoch", to: "legacy" },
] as const)("a set that runs keeps its names when the operator is told $to instead of $from", async ({ from, to }) => {
  const settings = { podGangNames: from as "legacy" | "epoch" };
  world = await startEmbeddedWorld({ settings });
  await deployReady(world, workload2(), { nodes: 30 });
  const before = gangNames();
  const pods = uidsOf(world.view.pods());

  settings.podGangNames = to;
  world.killOperator(0, 1_000);
  await world.settle();
  expect(gangNames()).toEqual(before);
  expect(survive(world, pods)).toBe(true);
  // New replicas of it too, and a group's first.
  await world.scale("set", "workload2", 2);
  await untilReady(world, 20);
  const suffix = from === "epoch" ? `1-${epochOf("workload2")}` : "1";
  expect(gangNames()).toContain(`workload2-${suffix}`);
  expect(world.view.clique("workload2-1-sg-x-1-pc-b")?.metadata.labels?.["grove.io/base-podgang"]).toBe(
    `workload2-${suffix}`,
  );
});

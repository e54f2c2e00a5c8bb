/** Gang scheduling, upstream's GS1 to GS12 (grove.md 10.2): how many pods run at each step of capacity. */
import type { PodCliqueSetInput } from "../../../src/api/grove/pod-clique-set.ts";
import { isPodReady } from "../../../src/api/kubernetes/core.ts";
import { workload1, workload2 } from "../workloads.ts";
import type { ScaledLevel, Scenario, ScenarioWorld } from "./scenario-world.ts";
import { activePods, cliqueOf, deploy, isGated, nodeDispenser, requireDistinctNodes, untilPods } from "./steps.ts";

/** How long a number of running pods is watched for more. */
const STILL_MS = 1_500;

/** One step: capacity or a scale, then exactly so many ready pods, and all others waiting. */
type Step =
  | { readonly addNodes: number; readonly ready: number }
  | { readonly scale: readonly [ScaledLevel, string, number]; readonly pods: number; readonly ready: number };

async function play(
  world: ScenarioWorld,
  { set, nodes, steps }: { readonly set: PodCliqueSetInput; readonly nodes: number; readonly steps: readonly Step[] },
): Promise<void> {
  await world.prepare(nodes);
  const addNodes = nodeDispenser(world, nodes);
  await deploy(world, set);
  let total = 10;
  await requireReady(world, 0, total);
  for (const step of steps) {
    if ("addNodes" in step) {
      await addNodes(step.addNodes);
    } else {
      await world.scale(...step.scale);
      total = step.pods;
      await untilPods(world, total);
    }
    await requireReady(world, step.ready, total);
  }
  if (readyCount(world) === total) requireDistinctNodes(world);
}

/** So many pods are ready, the others wait for room, or for their base gang, and it stays so. */
async function requireReady(world: ScenarioWorld, ready: number, total: number): Promise<void> {
  await world.until(`${ready} of ${total} pods to be ready and the others to wait`, () => {
    const waiting = world.view.unschedulablePods().length + activePods(world).filter(isGated).length;
    return readyCount(world) === ready && activePods(world).length === total && waiting === total - ready;
  });
  if (ready < total) await world.always(`${ready} of ${total} pods ready`, () => readyCount(world) === ready, STILL_MS);
}

const readyCount = (world: ScenarioWorld): number => activePods(world).filter(isPodReady).length;

/** The pods of a base gang wait for room: their gates are off although nothing fits. */
async function requireUngated(world: ScenarioWorld, pods: number): Promise<void> {
  await world.until(`${pods} pods to be unschedulable`, () => world.view.unschedulablePods().length === pods);
}

const sgX = (set: string, index: number): string => `${set}-${index}-sg-x`;

export const GANG_SCHEDULING: readonly Scenario[] = [
  {
    name: "Test_GS1_GangSchedulingWithFullReplicas",
    async run(world) {
      await world.prepare(9);
      await deploy(world, workload1());
      await requireUngated(world, 10);
      await requireReady(world, 0, 10);
      await nodeDispenser(world, 9)(1);
      await requireReady(world, 10, 10);
      requireDistinctNodes(world);
    },
  },
  {
    name: "Test_GS2_GangSchedulingWithScalingFullReplicas",
    run: (world) =>
      play(world, {
        set: workload1(),
        nodes: 9,
        steps: [
          { addNodes: 1, ready: 10 },
          { scale: ["group", sgX("workload1", 0), 3], pods: 14, ready: 10 },
          { addNodes: 4, ready: 14 },
        ],
      }),
  },
  {
    name: "Test_GS3_GangSchedulingWithPCSScalingFullReplicas",
    run: (world) =>
      play(world, {
        set: workload1(),
        nodes: 9,
        steps: [
          { addNodes: 1, ready: 10 },
          { scale: ["set", "workload1", 2], pods: 20, ready: 10 },
          { addNodes: 9, ready: 10 },
          { addNodes: 1, ready: 20 },
        ],
      }),
  },
  {
    name: "Test_GS4_GangSchedulingWithPCSAndPCSGScalingFullReplicas",
    run: (world) =>
      play(world, {
        set: workload1(),
        nodes: 9,
        steps: [
          { addNodes: 1, ready: 10 },
          { scale: ["group", sgX("workload1", 0), 3], pods: 14, ready: 10 },
          { addNodes: 3, ready: 10 },
          { addNodes: 1, ready: 14 },
          { scale: ["set", "workload1", 2], pods: 24, ready: 14 },
          { addNodes: 9, ready: 14 },
          { addNodes: 1, ready: 24 },
          { scale: ["group", sgX("workload1", 1), 3], pods: 28, ready: 24 },
          { addNodes: 4, ready: 28 },
        ],
      }),
  },
  {
    name: "Test_GS5_GangSchedulingWithMinReplicas",
    async run(world) {
      await world.prepare(2);
      await deploy(world, workload2());
      // The base gang has six pods; the scaled one is held back until the base gang is scheduled.
      await requireUngated(world, 6);
      await requireReady(world, 0, 10);
      const addNodes = nodeDispenser(world, 2);
      await addNodes(1);
      await requireReady(world, 3, 10);
      const running = activePods(world).filter(isPodReady).map(cliqueOf).sort();
      const expected = ["workload2-0-pc-a", "workload2-0-sg-x-0-pc-b", "workload2-0-sg-x-0-pc-c"];
      if (running.join() !== expected.join()) throw new Error(`these run: ${running.join()}`);
      // The base gang is scheduled, so the scaled one waits for room now.
      await requireUngated(world, 7);
      await addNodes(7);
      await requireReady(world, 10, 10);
      requireDistinctNodes(world);
    },
  },
  {
    name: "Test_GS6_GangSchedulingWithPCSGScalingMinReplicas",
    run: (world) =>
      play(world, {
        set: workload2(),
        nodes: 2,
        steps: [
          { addNodes: 1, ready: 3 },
          { addNodes: 7, ready: 10 },
          { scale: ["group", sgX("workload2", 0), 3], pods: 14, ready: 10 },
          { addNodes: 1, ready: 10 },
          { addNodes: 1, ready: 12 },
          { addNodes: 2, ready: 14 },
        ],
      }),
  },
  {
    name: "Test_GS7_GangSchedulingWithPCSGScalingMinReplicasAdvanced1",
    run: (world) =>
      play(world, {
        set: workload2(),
        nodes: 2,
        steps: [
          { addNodes: 1, ready: 3 },
          { addNodes: 2, ready: 5 },
          { addNodes: 5, ready: 10 },
          { scale: ["group", sgX("workload2", 0), 3], pods: 14, ready: 10 },
          { addNodes: 2, ready: 12 },
          { addNodes: 2, ready: 14 },
        ],
      }),
  },
  {
    name: "Test_GS8_GangSchedulingWithPCSGScalingMinReplicasAdvanced2",
    run: (world) =>
      play(world, {
        set: workload2(),
        nodes: 2,
        steps: [
          { scale: ["group", sgX("workload2", 0), 3], pods: 14, ready: 0 },
          { addNodes: 1, ready: 3 },
          { addNodes: 4, ready: 7 },
          { addNodes: 7, ready: 14 },
        ],
      }),
  },
  {
    name: "Test_GS9_GangSchedulingWithPCSScalingMinReplicas",
    run: (world) =>
      play(world, {
        set: workload2(),
        nodes: 2,
        steps: [
          { addNodes: 1, ready: 3 },
          { addNodes: 7, ready: 10 },
          { scale: ["set", "workload2", 2], pods: 20, ready: 10 },
          { addNodes: 3, ready: 13 },
          { addNodes: 7, ready: 20 },
        ],
      }),
  },
  {
    name: "Test_GS10_GangSchedulingWithPCSScalingMinReplicasAdvanced",
    run: (world) =>
      play(world, {
        set: workload2(),
        nodes: 2,
        steps: [
          { scale: ["set", "workload2", 2], pods: 20, ready: 0 },
          { addNodes: 4, ready: 6 },
          { addNodes: 4, ready: 10 },
          { addNodes: 10, ready: 20 },
        ],
      }),
  },
  {
    name: "Test_GS11_GangSchedulingWithPCSAndPCSGScalingMinReplicas",
    run: (world) =>
      play(world, {
        set: workload2(),
        nodes: 2,
        steps: [
          { addNodes: 1, ready: 3 },
          { addNodes: 7, ready: 10 },
          { scale: ["group", sgX("workload2", 0), 3], pods: 14, ready: 10 },
          { addNodes: 2, ready: 12 },
          { addNodes: 2, ready: 14 },
          { scale: ["set", "workload2", 2], pods: 24, ready: 14 },
          { addNodes: 3, ready: 17 },
          { addNodes: 2, ready: 19 },
          { addNodes: 5, ready: 24 },
          { scale: ["group", sgX("workload2", 1), 3], pods: 28, ready: 24 },
          { addNodes: 2, ready: 26 },
          { addNodes: 2, ready: 28 },
        ],
      }),
  },
  {
    name: "Test_GS12_GangSchedulingWithComplexPCSGScaling",
    run: (world) =>
      play(world, {
        set: workload2(),
        nodes: 2,
        steps: [
          { scale: ["set", "workload2", 2], pods: 20, ready: 0 },
          { scale: ["group", sgX("workload2", 0), 3], pods: 24, ready: 0 },
          { scale: ["group", sgX("workload2", 1), 3], pods: 28, ready: 0 },
          { addNodes: 4, ready: 6 },
          { addNodes: 8, ready: 14 },
          { addNodes: 14, ready: 28 },
        ],
      }),
  },
];

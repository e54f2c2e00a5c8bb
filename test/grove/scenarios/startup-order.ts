/** The order in which cliques start, upstream's SO1 to SO4 (grove.md 10.5). */
import type { PodCliqueSetInput } from "../../../src/api/grove/pod-clique-set.ts";
import { podCondition } from "../../../src/api/kubernetes/core.ts";
import { parseTime } from "../../../src/api/kubernetes/time.ts";
import { workload3, workload4, workload5, workload6 } from "../workloads.ts";
import type { PodEvent, Scenario, ScenarioWorld } from "./scenario-world.ts";
import { activePods, cliqueOf, deployReady } from "./steps.ts";

/** `child` becomes ready only after `minReady` pods of each of `parents`. Names without the set and its index. */
interface Rule {
  readonly child: string;
  readonly parents: readonly string[];
  readonly minReady: number;
}

async function play(world: ScenarioWorld, set: PodCliqueSetInput, rules: readonly Rule[]): Promise<void> {
  const recording = world.record();
  await deployReady(world, set);
  const events = recording.stop().filter(({ type }) => type === "ready");
  const { name } = set.metadata;
  for (const { child, parents, minReady } of rules) {
    for (const parent of parents) {
      const [before, after] = [`${name}-0-${parent}`, `${name}-0-${child}`];
      requireOrder(`${child} after ${parent}`, nth(events, before, minReady), nth(events, after, 1));
      // What upstream's tests look at: whole seconds on the objects.
      requireOrder(
        `${child} after ${parent} by condition`,
        readyAt(world, before)[minReady - 1],
        readyAt(world, after)[0],
      );
    }
  }
  const byRecord = rules.flatMap(({ child, parents, minReady }) =>
    parents.map(
      (parent) => [nth(events, `${name}-0-${parent}`, minReady), nth(events, `${name}-0-${child}`, 1)] as const,
    ),
  );
  // Without the wait all pods of a gang would be ready in the same moment.
  if (byRecord.some(([before = 0, after = 0]) => after <= before))
    throw new Error("a child did not wait for its parent");
}

function requireOrder(what: string, before: number | undefined, after: number | undefined): void {
  if (before === undefined || after === undefined || after < before)
    throw new Error(`not ${what}: ${before}, ${after}`);
}

/** When the n-th pod of a clique was seen ready. */
const nth = (events: readonly PodEvent[], clique: string, n: number): number | undefined =>
  events.filter(({ pod }) => cliqueOf(pod) === clique)[n - 1]?.atMs;

/** Transition times of the Ready conditions of a clique's pods, earliest first. */
const readyAt = (world: ScenarioWorld, clique: string): readonly number[] =>
  activePods(world)
    .filter((pod) => cliqueOf(pod) === clique)
    .map((pod) => parseTime(podCondition(pod, "Ready")?.lastTransitionTime ?? "") ?? Number.NaN)
    .sort((a, b) => a - b);

const inGroups = (clique: string): readonly string[] => [`sg-x-0-${clique}`, `sg-x-1-${clique}`];
const each = (children: readonly string[], parents: readonly string[], minReady: number): readonly Rule[] =>
  children.map((child) => ({ child, parents, minReady }));

export const STARTUP_ORDER: readonly Scenario[] = [
  {
    name: "Test_SO1_InorderStartupOrderWithFullReplicas",
    run: (world) =>
      play(world, workload3(), [
        ...each(inGroups("pc-b"), ["pc-a"], 2),
        ...each(inGroups("pc-c"), inGroups("pc-b"), 1),
      ]),
  },
  {
    name: "Test_SO2_InorderStartupOrderWithMinReplicas",
    run: (world) =>
      play(world, workload4(), [
        ...each(["sg-x-0-pc-b"], ["pc-a"], 1),
        ...each(["sg-x-0-pc-c"], ["sg-x-0-pc-b"], 1),
        ...each(["sg-x-1-pc-c"], ["sg-x-1-pc-b"], 1),
      ]),
  },
  {
    name: "Test_SO3_ExplicitStartupOrderWithFullReplicas",
    run: (world) =>
      play(world, workload5(), [
        ...each(inGroups("pc-c"), ["pc-a"], 2),
        ...each(inGroups("pc-b"), inGroups("pc-c"), 3),
      ]),
  },
  {
    name: "Test_SO4_ExplicitStartupOrderWithMinReplicas",
    run: (world) =>
      play(world, workload6(), [
        ...each(["sg-x-0-pc-b"], ["pc-a"], 1),
        ...each(["sg-x-0-pc-c"], ["sg-x-0-pc-b"], 1),
        ...each(["sg-x-1-pc-c"], ["sg-x-1-pc-b"], 1),
      ]),
  },
];

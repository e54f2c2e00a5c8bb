/** Gang termination, upstream's GT1 to GT6 (grove.md 10.3). Nodes of killed pods are cordoned, so that what was lost stays lost until the end. */
import type { PodCliqueSetInput } from "../../../src/api/grove/pod-clique-set.ts";
import { isPodReady, type Pod } from "../../../src/api/kubernetes/core.ts";
import { workload1Gt, workload2Gt, workload5Gt } from "../workloads.ts";
import type { Scenario, ScenarioWorld } from "./scenario-world.ts";
import {
  activePods,
  cliqueOf,
  deployReady,
  groupIndexOf,
  isRunning,
  podsOf,
  survive,
  uidsOf,
  untilReady,
} from "./steps.ts";

const PODS = 10;
/** A clique that was scheduled for the first time within 5 s of its creation counts as never scheduled when it is lost (grove.md 6.1). */
const ARMING_MS = 6_000;
/** How long no termination is waited for, in delays: upstream waits 25 s for a delay of 10 s. */
const PATIENCE_DELAYS = 2.5;

const delayOf = ({ terminationDelayMs }: ScenarioWorld): string => `${terminationDelayMs / 1000}s`;

async function start(world: ScenarioWorld, workload: (delay: string) => PodCliqueSetInput): Promise<void> {
  await deployReady(world, workload(delayOf(world)), { nodes: PODS, pods: PODS });
  await world.pass(ARMING_MS);
}

/** Cordons the nodes of `count` ready pods of a clique and deletes the pods. @returns the nodes */
async function kill(world: ScenarioWorld, clique: string, count: number): Promise<readonly string[]> {
  return killPods(world, podsOf(world, clique).filter(isPodReady).slice(0, count), count);
}

async function killPods(world: ScenarioWorld, pods: readonly Pod[], count = pods.length): Promise<readonly string[]> {
  if (pods.length < count || pods.length === 0) throw new Error(`${pods.length} ready pods to kill, not ${count}`);
  const nodes = pods.map(({ spec }) => spec.nodeName ?? "");
  await world.cordon(...nodes);
  for (const { metadata } of pods) await world.deletePod(metadata.name);
  const killed = uidsOf(pods);
  await world.until("the killed pods to go", () =>
    world.view.pods().every(({ metadata }) => !killed.has(metadata.uid ?? "")),
  );
  return nodes;
}

/** These pods are still there after the delay, and so many pods run. */
async function requireNoTermination(world: ScenarioWorld, pods: readonly Pod[], minRunning: number): Promise<void> {
  const uids = uidsOf(pods);
  const isCalm = (): boolean => survive(world, uids) && activePods(world).filter(isRunning).length >= minRunning;
  await world.always("no gang is terminated", isCalm, world.terminationDelayMs * PATIENCE_DELAYS);
}

/** Not before the delay is over, none of these pods is left, and as many are there again. */
async function requireRecycled(world: ScenarioWorld, pods: readonly Pod[], total: number): Promise<void> {
  const uids = uidsOf(pods);
  await world.until("all pods to be replaced", () => {
    const active = activePods(world);
    return active.length === total && world.view.pods().every(({ metadata }) => !uids.has(metadata.uid ?? ""));
  });
}

async function recover(world: ScenarioWorld, nodes: readonly string[]): Promise<void> {
  await world.uncordon(...nodes);
  await untilReady(world, PODS);
}

/** Nothing happens for the larger part of the delay, then the replica of the set goes as a whole and comes back. */
async function wholeReplica(world: ScenarioWorld, clique: string): Promise<void> {
  await start(world, workload1Gt);
  const before = activePods(world);
  const nodes = await kill(world, clique, 1);
  const killed = new Set(nodes);
  const survivors = uidsOf(before.filter(({ spec }) => !killed.has(spec.nodeName ?? "")));
  await world.always("nothing before the delay", () => survive(world, survivors), world.terminationDelayMs / 2);
  await requireRecycled(world, before, PODS);
  await recover(world, nodes);
}

const replicaPods = (world: ScenarioWorld, index: string): readonly Pod[] =>
  activePods(world).filter((pod) => groupIndexOf(pod) === index);

/** All pods of one replica of the group are new; the others are the same as before. */
async function requireReplicaRecycled(
  world: ScenarioWorld,
  { old, others }: { readonly old: readonly Pod[]; readonly others: readonly Pod[] },
): Promise<void> {
  const [oldUids, otherUids] = [uidsOf(old), uidsOf(others)];
  await world.until("one replica of the group to be replaced", () => {
    if (!survive(world, otherUids)) throw new Error("pods outside of the replica were replaced");
    const now = replicaPods(world, "0");
    return now.length === 4 && now.every(({ metadata }) => !oldUids.has(metadata.uid ?? ""));
  });
}

export const GANG_TERMINATION: readonly Scenario[] = [
  {
    name: "Test_GT1_GangTerminationFullReplicasPCSOwned",
    run: (world) => wholeReplica(world, "workload1-gt-0-pc-a"),
  },
  {
    name: "Test_GT2_GangTerminationFullReplicasPCSGOwned",
    run: (world) => wholeReplica(world, "workload1-gt-0-sg-x-0-pc-c"),
  },
  {
    name: "Test_GT3_GangTerminationMinReplicasPCSOwned",
    async run(world) {
      await start(world, workload2Gt);
      const first = await kill(world, "workload2-gt-0-pc-a", 1);
      await requireNoTermination(world, activePods(world).filter(isPodReady), PODS - 1);
      const before = activePods(world);
      const second = await kill(world, "workload2-gt-0-pc-a", 1);
      await requireRecycled(world, before, PODS);
      await recover(world, [...first, ...second]);
    },
  },
  {
    name: "Test_GT4_GangTerminationMinReplicasPCSGOwned",
    async run(world) {
      await start(world, workload2Gt);
      const nodes = [...(await kill(world, "workload2-gt-0-sg-x-0-pc-c", 1))];
      await requireNoTermination(world, activePods(world).filter(isPodReady), PODS - 1);

      const old = replicaPods(world, "0");
      const others = activePods(world).filter((pod) => groupIndexOf(pod) !== "0");
      nodes.push(...(await kill(world, "workload2-gt-0-sg-x-0-pc-c", 2)));
      await requireReplicaRecycled(world, { old, others });

      // The replacements of replica 0 have no room and were never scheduled; they do not arm anything again.
      const standalone = podsOf(world, "workload2-gt-0-pc-a");
      nodes.push(...(await kill(world, "workload2-gt-0-sg-x-1-pc-c", 1)));
      await requireNoTermination(world, standalone, PODS - 5);

      const before = activePods(world);
      nodes.push(...(await kill(world, "workload2-gt-0-sg-x-1-pc-c", 2)));
      await requireRecycled(world, before, PODS);
      await recover(world, nodes);
    },
  },
  {
    name: "Test_GT5_IndividualPCSGReplicaTermination",
    async run(world) {
      await start(world, workload5Gt);
      const old = replicaPods(world, "0");
      const others = activePods(world).filter((pod) => groupIndexOf(pod) !== "0");
      const nodes = await kill(world, "workload5-gt-0-sg-x-0-pc-c", 3);
      await requireReplicaRecycled(world, { old, others });
      await recover(world, nodes);
      if (!survive(world, uidsOf(others))) throw new Error("pods outside of the replica were replaced");
    },
  },
  {
    name: "Test_GT6_ScaledPodGangPodDeletion",
    async run(world) {
      await start(world, workload2Gt);
      const isScaled = ({ metadata }: Pod): boolean => metadata.labels?.["grove.io/base-podgang"] !== undefined;
      const [pod] = activePods(world).filter((each) => isScaled(each) && cliqueOf(each).endsWith("-pc-c"));
      if (pod === undefined) throw new Error("there is no scaled gang");
      const nodes = await killPods(world, [pod]);
      const others = activePods(world).filter(isPodReady);
      await requireNoTermination(world, others, PODS - 1);
      await recover(world, nodes);
      if (!survive(world, uidsOf(others))) throw new Error("other pods were replaced");
    },
  },
];

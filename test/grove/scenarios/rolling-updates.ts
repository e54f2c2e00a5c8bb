/** RollingRecreate, upstream's RU7 to RU21 (grove.md 10.4), with those that upstream has commented out as flaky, and one of our own. */
import { isPodReady } from "../../../src/api/kubernetes/core.ts";
import { workload1 } from "../workloads.ts";
import type { Recording, ScaledLevel, Scenario, ScenarioWorld } from "./scenario-world.ts";
import { activePods, deployReady, podsOf, setIndexOf, uidsOf, untilReady } from "./steps.ts";
import {
  noneUpdatedTwice,
  onePodOfEachClique,
  oneReplicaOfEachGroup,
  oneSetReplica,
  requireNewTemplate,
} from "./update-checks.ts";

const SET = "workload1";
const ALL = ["pc-a", "pc-b", "pc-c"];
/** So that one of two changes is the first. */
const HEAD_START_MS = 100;
/** How long a stalled update is watched. */
const STALL_MS = 8_000;

/** The newest template has reached `replicas` replicas of the set, and the status says so. */
export const untilUpdated = (world: ScenarioWorld, set: string, replicas: number): Promise<void> =>
  world.until(`the update of ${replicas} replicas to end`, () => {
    const { metadata, status } = world.view.set(set) ?? {};
    return (
      status?.observedGeneration === metadata?.generation &&
      status?.updatedReplicas === replicas &&
      status?.updateProgress?.updateEndedAt !== undefined
    );
  });

/** One change of each clique after the other, as three users would. @returns the newest value by clique */
async function triggerEach(world: ScenarioWorld, cliques: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const values = new Map<string, string>();
  for (const clique of cliques) values.set(clique, await world.triggerUpdate(SET, [clique]));
  return values;
}

function requireAllNew(world: ScenarioWorld, values: ReadonlyMap<string, string>): void {
  for (const [clique, value] of values) requireNewTemplate(world, [clique], value);
}

/** Workload 1 with one replica, an update of these cliques from begin to end. */
async function update(world: ScenarioWorld, cliques: readonly string[]): Promise<Recording> {
  await deployReady(world, workload1());
  const recording = world.record();
  const values = await triggerEach(world, cliques);
  await untilUpdated(world, SET, 1);
  await untilReady(world, 10);
  recording.stop();
  requireAllNew(world, values);
  oneSetReplica(recording);
  return recording;
}

type Scale = readonly [ScaledLevel, (setIndex: number) => string, number];
const GROUPS = (replicas: number): Scale => ["group", (index) => `${SET}-${index}-sg-x`, replicas];
const CLIQUES = (replicas: number): Scale => ["clique", (index) => `${SET}-${index}-pc-a`, replicas];

async function scaleBoth(world: ScenarioWorld, [level, name, replicas]: Scale): Promise<void> {
  for (const index of [0, 1]) await world.scale(level, name(index), replicas);
}

interface WithScale {
  readonly nodes: number;
  /** Before the update, awaited. */
  readonly first?: { readonly scale: Scale; readonly pods: number };
  readonly scale: Scale;
  readonly when: "before" | "during";
  /** At the end. */
  readonly pods: number;
}

/** Two replicas, an update of all cliques, and a scale of the group or clique in both replicas just before or after its start. */
async function updateWithScale(world: ScenarioWorld, { nodes, first, scale, when, pods }: WithScale): Promise<void> {
  await twoReplicas(world, nodes);
  if (first !== undefined) {
    await scaleBoth(world, first.scale);
    await untilReady(world, first.pods);
  }
  const recording = world.record();
  let values: ReadonlyMap<string, string>;
  if (when === "before") {
    await scaleBoth(world, scale);
    await world.pass(HEAD_START_MS);
    values = await triggerAll(world);
  } else {
    values = await triggerAll(world);
    await world.pass(HEAD_START_MS);
    await scaleBoth(world, scale);
  }
  await untilUpdated(world, SET, 2);
  await untilReady(world, pods);
  recording.stop();
  requireAllNew(world, values);
  // What a scale-in takes is never there again, and may be taken at the same time.
  if (first !== undefined) return;
  for (const value of new Set(values.values())) noneUpdatedTwice(recording, value);
  oneSetReplica(recording);
  // A replica that is half up when the update comes is made again at once, with the pods that are ready (grove.md 5.5).
  if (when === "during") oneReplicaOfEachGroup(recording);
  // New pods of a scale-out count as replacements (grove.md 5.4): the next pod may go before the last one's own is ready.
  if (scale[0] !== "clique") onePodOfEachClique(recording, ["pc-a"]);
}

async function twoReplicas(world: ScenarioWorld, nodes: number): Promise<void> {
  await deployReady(world, workload1(), { nodes });
  await world.scale("set", SET, 2);
  await untilReady(world, 20);
}

/** One change of all cliques at once, so that no pod is updated for half of it. */
async function triggerAll(world: ScenarioWorld): Promise<ReadonlyMap<string, string>> {
  const value = await world.triggerUpdate(SET, ALL);
  return new Map(ALL.map((clique) => [clique, value]));
}

export const ROLLING_UPDATES: readonly Scenario[] = [
  {
    name: "Test_RU7_RollingUpdatePCSPodClique",
    async run(world) {
      const recording = await update(world, ["pc-a"]);
      onePodOfEachClique(recording, ["pc-a"]);
      const touched = recording.events.filter(({ type, pod }) => type === "terminating" && !isOf(pod, "pc-a"));
      if (touched.length > 0) throw new Error("pods of other cliques were deleted");
    },
  },
  {
    name: "Test_RU8_RollingUpdatePCSGPodClique",
    async run(world) {
      oneReplicaOfEachGroup(await update(world, ["pc-b"]));
    },
  },
  {
    name: "Test_RU9_RollingUpdateAllPodCliques",
    async run(world) {
      const recording = await update(world, ALL);
      onePodOfEachClique(recording, ["pc-a"]);
      oneReplicaOfEachGroup(recording);
    },
  },
  {
    name: "Test_RU10_RollingUpdateInsufficientResources",
    async run(world) {
      await deployReady(world, workload1());
      const before = uidsOf(activePods(world));
      await world.cordon(...world.nodeNames);
      const recording = world.record();
      const value = await world.triggerUpdate(SET, ["pc-a"]);
      const oldLeft = (): number => activePods(world).filter(({ metadata }) => before.has(metadata.uid ?? "")).length;
      const isStalled = (): boolean => {
        const fresh = podsOf(world, `${SET}-0-pc-a`).filter(({ metadata }) => !before.has(metadata.uid ?? ""));
        return oldLeft() === 9 && fresh.length === 1 && fresh.every((pod) => !isPodReady(pod));
      };
      await world.until("one pod deleted and its replacement waiting", isStalled);
      await world.always("no further pod is deleted", isStalled, STALL_MS);
      await world.uncordon(...world.nodeNames.slice(0, 10));
      await untilUpdated(world, SET, 1);
      await untilReady(world, 10);
      requireNewTemplate(world, ["pc-a"], value);
      onePodOfEachClique(recording, ["pc-a"]);
      recording.stop();
    },
  },
  {
    name: "Test_RU11_RollingUpdateWithPCSScaleOut",
    async run(world) {
      await twoReplicas(world, 30);
      const recording = world.record();
      const value = await world.triggerUpdate(SET, ["pc-a"]);
      await world.pass(HEAD_START_MS);
      await world.scale("set", SET, 3);
      await untilUpdated(world, SET, 3);
      await untilReady(world, 30);
      recording.stop();
      requireNewTemplate(world, ["pc-a"], value);
      oneSetReplica(recording);
      const again = recording.events.filter(({ type, pod }) => type === "terminating" && setIndexOf(pod) === "2");
      if (again.length > 0) throw new Error("pods of the new replica were replaced");
    },
  },
  {
    name: "Test_RU12_RollingUpdateWithPCSScaleInDuringUpdate",
    async run(world) {
      await twoReplicas(world, 30);
      const values = await triggerEach(world, ALL);
      await world.until(
        "the last replica to be updated",
        () => world.view.set(SET)?.status?.updateProgress?.currentlyUpdating?.[0]?.replicaIndex === 1,
      );
      await world.scale("set", SET, 1);
      await untilUpdated(world, SET, 1);
      await untilReady(world, 10);
      requireAllNew(world, values);
    },
  },
  {
    name: "Test_RU13_RollingUpdateWithPCSScaleInAfterFinalOrdinal",
    async run(world) {
      await twoReplicas(world, 20);
      const values = await triggerEach(world, ALL);
      await untilUpdated(world, SET, 2);
      await world.scale("set", SET, 1);
      await untilReady(world, 10);
      await untilUpdated(world, SET, 1);
      requireAllNew(world, values);
    },
  },
  {
    name: "Test_RU14_RollingUpdateWithPCSGScaleOutDuringUpdate",
    run: (world) => updateWithScale(world, { nodes: 28, scale: GROUPS(3), when: "during", pods: 28 }),
  },
  {
    name: "Test_RU15_RollingUpdateWithPCSGScaleOutBeforeUpdate",
    run: (world) => updateWithScale(world, { nodes: 28, scale: GROUPS(3), when: "before", pods: 28 }),
  },
  {
    name: "Test_RU16_RollingUpdateWithPCSGScaleInDuringUpdate",
    run: (world) =>
      updateWithScale(world, {
        nodes: 28,
        first: { scale: GROUPS(3), pods: 28 },
        scale: GROUPS(2),
        when: "during",
        pods: 20,
      }),
  },
  {
    name: "Test_RU17_RollingUpdateWithPCSGScaleInBeforeUpdate",
    run: (world) =>
      updateWithScale(world, {
        nodes: 28,
        first: { scale: GROUPS(3), pods: 28 },
        scale: GROUPS(2),
        when: "before",
        pods: 20,
      }),
  },
  {
    name: "Test_RU18_RollingUpdateWithPodCliqueScaleOutDuringUpdate",
    run: (world) => updateWithScale(world, { nodes: 24, scale: CLIQUES(4), when: "during", pods: 24 }),
  },
  {
    name: "Test_RU19_RollingUpdateWithPodCliqueScaleOutBeforeUpdate",
    run: (world) => updateWithScale(world, { nodes: 24, scale: CLIQUES(4), when: "before", pods: 24 }),
  },
  {
    name: "Test_RU20_RollingUpdateWithPodCliqueScaleInDuringUpdate",
    run: (world) =>
      updateWithScale(world, {
        nodes: 22,
        first: { scale: CLIQUES(3), pods: 22 },
        scale: CLIQUES(2),
        when: "during",
        pods: 20,
      }),
  },
  {
    name: "Test_RU21_RollingUpdateWithPodCliqueScaleInBeforeUpdate",
    run: (world) =>
      updateWithScale(world, {
        nodes: 22,
        first: { scale: CLIQUES(3), pods: 22 },
        scale: CLIQUES(2),
        when: "before",
        pods: 20,
      }),
  },
  {
    // Where more is ready than the minimum, only the turn keeps the next pod or replica from going too early.
    name: "RollingUpdateAboveMinimum",
    async run(world) {
      await deployReady(world, workload1(), { nodes: 22 });
      await world.scale("clique", `${SET}-0-pc-a`, 4);
      await world.scale("group", `${SET}-0-sg-x`, 4);
      await untilReady(world, 20);
      // A replica goes out of turn while its statuses still call it unready (grove.md 5.5).
      await world.until("the statuses to call 20 pods ready", () => {
        const ready = world.view.cliques().map(({ status }) => status?.readyReplicas ?? 0);
        return ready.reduce((sum, each) => sum + each, 0) === 20;
      });
      const recording = world.record();
      const values = await triggerAll(world);
      await untilUpdated(world, SET, 1);
      await untilReady(world, 20);
      recording.stop();
      requireAllNew(world, values);
      onePodOfEachClique(recording, ["pc-a"]);
      oneReplicaOfEachGroup(recording);
    },
  },
];

const isOf = (
  { metadata }: { readonly metadata: { readonly labels?: Readonly<Record<string, string>> } },
  clique: string,
): boolean => (metadata.labels?.["grove.io/podclique"] ?? "").endsWith(`-${clique}`);

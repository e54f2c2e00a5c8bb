/** Random stories under random faults: what a user does with a set, while operators die, writes fail and events come late. All of it follows from one seed. */
import type { PodCliqueSet, PodCliqueSetInput } from "../../../src/api/grove/pod-clique-set.ts";
import { isNotFound } from "../../../src/kube/api-error.ts";
import { type Random, seededRandom } from "../../../src/random.ts";
import { onAgents, workload1, workload2, workload3, workload6 } from "../workloads.ts";
import { notConverged, withoutIndexHoles } from "./converged.ts";
import { type EmbeddedWorld, startEmbeddedWorld } from "./embedded-world.ts";
import { type ObjectSet, objectSet } from "./object-set.ts";
import type { ScaledLevel } from "./scenario-world.ts";
import { activePods } from "./steps.ts";

export interface StormResult {
  /** What the user did, for whoever has to find out. */
  readonly story: readonly string[];
  /** Empty when all is as it should be. */
  readonly problems: readonly string[];
  readonly objects: ObjectSet;
  /** What a calm world has, that got the same intent at once. */
  readonly expected: ObjectSet;
}

/** What is wanted in the end. */
interface Intent {
  readonly replicas: number;
  /** Of the scaling group and of pc-a in each replica of the set. */
  readonly groups: number;
  readonly cliques: number;
}

const WORKLOADS: readonly (() => PodCliqueSetInput)[] = [workload1, workload2, workload3, workload6];
const STEPS = 6;
const MAX_PAUSE_MS = 8_000;
const NODES = 30;

export async function playStorm(seed: number): Promise<StormResult> {
  const random = seededRandom(seed);
  const workload = pick(random, WORKLOADS)();
  const name = workload.metadata.name;
  const stormy = await startEmbeddedWorld({ seed, toleratesTwins: true });
  const story: string[] = [`deploy ${name}`];
  await stormy.prepare(NODES);
  beginFaults(stormy, random, story);
  await stormy.deploy(onAgents(workload));
  for (let step = 0; step < STEPS; step++) {
    await stormy.pass(random.next() * MAX_PAUSE_MS);
    story.push(await anyStep(stormy, name, random));
  }
  await stormy.pass(random.next() * MAX_PAUSE_MS);
  // The last word, while it still storms. What is scaled below the set is not there yet, or is made again, so it is said again afterwards.
  const intent = { replicas: 1 + whole(random, 2), groups: 2 + whole(random, 2), cliques: 2 + whole(random, 2) };
  story.push(`finally ${JSON.stringify(intent)}`);
  await scale(stormy, "set", name, intent.replicas);
  await stormy.pass(random.next() * MAX_PAUSE_MS);
  stormy.faults.clear();
  await stormy.prepare(NODES);
  await stormy.settle();
  await scaleParts(stormy, name, intent);
  const problems = [...(await notConverged(stormy, name))];
  const objects = withoutIndexHoles(await objectSet(stormy));
  const spec = stormy.view.set(name)?.spec ?? workload.spec;
  await end(stormy, problems);
  return { story, problems, objects, expected: await calm({ ...workload, spec } as PodCliqueSet, intent) };
}

async function calm(workload: PodCliqueSet, intent: Intent): Promise<ObjectSet> {
  const key = JSON.stringify([workload, intent]);
  const known = calmWorlds.get(key);
  if (known !== undefined) return known;
  const world = await startEmbeddedWorld();
  await world.prepare(NODES);
  await world.deploy(workload);
  await world.settle();
  await scaleParts(world, workload.metadata.name, intent);
  const objects = withoutIndexHoles(await objectSet(world));
  await world.stop();
  calmWorlds.set(key, objects);
  return objects;
}

const calmWorlds = new Map<string, ObjectSet>();

async function end(world: EmbeddedWorld, problems: string[]): Promise<void> {
  try {
    await world.cleanUp();
    await world.stop();
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
}

function beginFaults({ faults, clock }: EmbeddedWorld, random: Random, story: string[]): void {
  const risks = { refused: random.next() * 0.15, answerLost: random.next() * 0.1, crash: random.next() * 0.05 };
  faults.endanger(random, risks);
  const delayMs = random.next() < 0.5 ? 0 : Math.round(random.next() * 300);
  const eventDelayMs = random.next() < 0.5 ? 0 : Math.round(random.next() * 2_000);
  if (delayMs > 0) faults.slowDown(delayMs);
  if (eventDelayMs > 0) faults.delayEvents(eventDelayMs);
  for (let atMs = 0; random.next() < 0.7; ) {
    atMs += random.next() * 10_000;
    clock.setTimer(atMs, faults.breakWatches);
  }
  story.unshift(`${JSON.stringify(risks)}, requests ${delayMs} ms, events ${eventDelayMs} ms late`);
}

async function anyStep(world: EmbeddedWorld, name: string, random: Random): Promise<string> {
  const setIndex = whole(random, 2);
  switch (whole(random, 7)) {
    case 0:
      return scale(world, "set", name, 1 + whole(random, 2));
    case 1:
      return scale(world, "group", `${name}-${setIndex}-sg-x`, 1 + whole(random, 3));
    case 2:
      return scale(world, "clique", `${name}-${setIndex}-pc-a`, 1 + whole(random, 3));
    case 3: {
      const cliques = ["pc-a", "pc-b", "pc-c"].filter(() => random.next() < 0.5);
      await world.triggerUpdate(name, cliques);
      return `update ${cliques.join(" ")}`;
    }
    case 4: {
      const pod = activePods(world)[whole(random, activePods(world).length)]?.metadata.name;
      if (pod !== undefined) await world.deletePod(pod);
      return `delete pod ${pod}`;
    }
    case 5: {
      const pod = activePods(world)[whole(random, activePods(world).length)]?.metadata.name;
      if (pod !== undefined) world.crashPod(pod);
      return `crash pod ${pod}`;
    }
    default: {
      const node = world.nodeNames[whole(random, NODES)] ?? "";
      await world.cordon(node);
      return `cordon ${node}`;
    }
  }
}

async function scale(world: EmbeddedWorld, level: ScaledLevel, name: string, replicas: number): Promise<string> {
  try {
    await world.scale(level, name, replicas);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return `${level} ${name} is not there`;
  }
  return `scale ${level} ${name} to ${replicas}`;
}

async function scaleParts(world: EmbeddedWorld, name: string, { replicas, groups, cliques }: Intent): Promise<void> {
  await world.scale("set", name, replicas);
  await world.settle();
  for (let index = 0; index < replicas; index++) {
    await world.scale("group", `${name}-${index}-sg-x`, groups);
    await world.scale("clique", `${name}-${index}-pc-a`, cliques);
  }
  await world.settle();
}

const whole = (random: Random, below: number): number => Math.floor(random.next() * below);

function pick<T>(random: Random, list: readonly T[]): T {
  const one = list[whole(random, list.length)];
  if (one === undefined) throw new RangeError("nothing to choose from");
  return one;
}

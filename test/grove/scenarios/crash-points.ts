/** Runs something once in peace, then with the operator killed right after one of its writes in it, for one write after the other. */
import { type EmbeddedWorld, type EmbeddedWorldOptions, startEmbeddedWorld } from "./embedded-world.ts";
import { type ObjectSet, objectSet } from "./object-set.ts";

/** In the nightly tier after each write, in every story. */
const CRASH_EVERY = process.env["CRASH_EVERY"];

export interface CrashStory {
  readonly world?: EmbeddedWorldOptions;
  /** One run for so many writes of the operator, which dies after it; `CRASH_EVERY` overrules it. */
  readonly everyWrites?: number;
  /** Brings the world to where the crashes begin. */
  readonly prepare: (world: EmbeddedWorld) => Promise<void>;
  /** What the operator has to get through; it must end with everything done. */
  readonly act: (world: EmbeddedWorld) => Promise<void>;
}

export interface CrashRun {
  /** After which write the operator died; 0: it lived. */
  readonly crashedAfter: number;
  readonly objects: ObjectSet;
}

/** Deletes everything at the end of each run, and requires that nothing stays. */
export async function crashEverywhere({
  world: options,
  everyWrites = 5,
  prepare,
  act,
}: CrashStory): Promise<readonly CrashRun[]> {
  const runs: CrashRun[] = [];
  const every = CRASH_EVERY === undefined ? everyWrites : Number(CRASH_EVERY);
  let writes = Number.POSITIVE_INFINITY;
  for (let k = 0; k <= writes; k += every) {
    const world = await startEmbeddedWorld(options);
    await prepare(world);
    const before = world.faults.writeCount();
    if (k > 0) world.faults.crashAfterWrite(k);
    await act(world);
    await world.settle();
    if (k === 0) writes = world.faults.writeCount() - before;
    runs.push({ crashedAfter: k, objects: await objectSet(world) });
    await world.cleanUp();
    await world.stop();
  }
  return runs;
}

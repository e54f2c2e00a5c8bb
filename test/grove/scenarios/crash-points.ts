/** Runs something once in peace, then with the operator killed right after one of its writes in it, for one write after the other. */
import { type EmbeddedWorld, type EmbeddedWorldOptions, startEmbeddedWorld } from "./embedded-world.ts";
import { type ObjectSet, objectSet } from "./object-set.ts";

const CRASH_EVERY = Number(process.env["CRASH_EVERY"] ?? 5);

export interface CrashStory {
  readonly world?: EmbeddedWorldOptions;
  /** One run for so many writes of the operator, which dies after it; by default those of `CRASH_EVERY`, each in the nightly tier. */
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
  everyWrites = CRASH_EVERY,
  prepare,
  act,
}: CrashStory): Promise<readonly CrashRun[]> {
  const runs: CrashRun[] = [];
  let writes = Number.POSITIVE_INFINITY;
  for (let k = 0; k <= writes; k += everyWrites) {
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

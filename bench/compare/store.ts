/** Results of trials by what went into them: a run that was cut off goes on where it was, and changed code starts anew. */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Job, JobResult } from "./job.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
/** Everything that a figure depends on: the world of a trial, and who scales in it. */
const WORLD = ["src/api", "src/decide/capacity", "src/observe", "src/sim", "src/trial", "policies"];
const OURS = ["src/autoscaler", "src/decide"];
const PEERS = ["src/peers"];
/** Part of the world's folders, and of no trial but ours. */
const OURS_ALONE = ["src/trial/ours.ts", "src/trial/our-parameters.ts", "src/trial/ablations.ts"];
const FILES = ["bench/compare/cases.ts", "bench/compare/scenario-of.ts", "bench/compare/worth.ts", "package-lock.json"];

export class ResultStore {
  readonly #ours: string;
  readonly #others: string;

  /** @param folder outside of version control */
  constructor(folder: string) {
    this.#ours = join(folder, codeDigest([...WORLD, ...OURS]));
    this.#others = join(folder, codeDigest([...WORLD, ...PEERS], OURS_ALONE));
    for (const one of [this.#ours, this.#others]) mkdirSync(one, { recursive: true });
  }

  get(job: Job): JobResult | undefined {
    try {
      return JSON.parse(readFileSync(this.#file(job), "utf8")) as JobResult;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  /** Whole or not at all. */
  put(job: Job, result: JobResult): void {
    const file = this.#file(job);
    writeFileSync(`${file}.new`, JSON.stringify(result));
    renameSync(`${file}.new`, file);
  }

  #file(job: Job): string {
    const folder = job.contestant.name === "grove" ? this.#ours : this.#others;
    return join(folder, `${createHash("sha256").update(JSON.stringify(job)).digest("hex").slice(0, 24)}.json`);
  }
}

function codeDigest(sources: readonly string[], without: readonly string[] = []): string {
  const hash = createHash("sha256");
  const files = sources.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith(".test.ts"))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => !without.includes(relative(ROOT, file))),
  );
  for (const file of [...files, ...FILES.map((file) => join(ROOT, file))].toSorted()) {
    hash.update(relative(ROOT, file)).update("\0").update(readFileSync(file)).update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}

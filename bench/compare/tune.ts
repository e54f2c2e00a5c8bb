/**
 * `npm run bench:tune`: random search for everybody, ours included, with the same number of trials, on the part that is never reported.
 *
 * Judged by GPU hours plus the middling worth of each missed request. The defaults are one of the trials. Writes tuned.json; cut off, it leaves there what it
 * has not tried to the end.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { PEERS } from "../../src/peers/all.ts";
import type { Parameters, PeerParameter } from "../../src/peers/peer.ts";
import { seededRandom } from "../../src/random.ts";
import { OUR_PARAMETERS } from "../../src/trial/our-parameters.ts";
import { readArguments } from "./arguments.ts";
import { type BestTrials, withBestTrials } from "./best-trials.ts";
import { TUNING_SEED, TUNING_TRIALS } from "./cases.ts";
import type { Job } from "./job.ts";
import { runJobs } from "./pool.ts";
import { ResultStore } from "./store.ts";

const TUNED = new URL("tuned.json", import.meta.url);
const STORE = new URL("../../.cache/compare", import.meta.url).pathname;

const { data, cases, workers, only } = readArguments();
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
process.once("SIGTERM", () => stop.abort());

const spaces: readonly (readonly [string, Readonly<Record<string, Omit<PeerParameter, "default">>>])[] = [
  ["grove", OUR_PARAMETERS],
  ...PEERS.map(({ name, parameters }) => [name, parameters] as const),
];

const jobs: Job[] = [];
for (const one of cases.filter(({ tuning }) => tuning !== undefined)) {
  for (const [name, space] of spaces) {
    if (only !== undefined && !only.includes(name)) continue;
    const random = seededRandom(TUNING_SEED);
    for (let trial = 0; trial < TUNING_TRIALS; trial++) {
      const parameters = trial === 0 ? {} : draw(space, () => random.next());
      jobs.push({ case: one.name, part: "tuning", seed: TUNING_SEED, contestant: { name, parameters } });
    }
  }
}

const results = await runJobs(jobs, {
  workers,
  data,
  store: new ResultStore(STORE),
  signal: stop.signal,
  onDone: (done, total, job, seconds) =>
    void process.stderr.write(`\r\x1b[K${done}/${total} ${job.case} ${job.contestant.name} ${seconds.toFixed(1)} s`),
});
process.stderr.write("\n");

const known: BestTrials = JSON.parse(readFileSync(TUNED, { encoding: "utf8", flag: "a+" }) || "{}");
const best = withBestTrials(known, jobs, results);
writeFileSync(TUNED, `${JSON.stringify(best, undefined, 2)}\n`);
process.stdout.write(`${TUNED.pathname}: ${Object.keys(best).length} cases\n`);
process.exit(stop.signal.aborted ? 1 : 0);

/** Rounded to three digits: nobody would write more into a policy. */
function draw(space: Readonly<Record<string, Omit<PeerParameter, "default">>>, next: () => number): Parameters {
  return Object.fromEntries(
    Object.entries(space).map(([name, { min, max, scale }]) => {
      const at = next();
      if (scale === "integer") return [name, Math.floor(min + at * (max - min + 1))];
      const value = scale === "log" ? min * (max / min) ** at : min + at * (max - min);
      return [name, Number(value.toPrecision(3))];
    }),
  );
}

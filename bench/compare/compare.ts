/**
 * `npm run bench:compare`: every autoscaler on every case from every seed, as one JSON, one HTML page, and the table of bench/README.md.
 *
 * Resumable: results are kept by what went into them, and SIGINT loses only the trials under way.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { readPageAssets } from "../../src/report/page-assets.ts";
import { renderReport } from "../../src/report/render-report.ts";
import { ABLATIONS, type Ablation } from "../../src/trial/ablations.ts";
import { validationOf } from "../validate.ts";
import { ablationPlan } from "./ablation-plan.ts";
import { readArguments } from "./arguments.ts";
import { type Case, REPORT_SEEDS } from "./cases.ts";
import { CLOSE_LOOK } from "./close-look.ts";
import { FAULTS } from "./faults.ts";
import { cheapest, hindsightOf, jobOf } from "./hindsight.ts";
import type { ContestantSpec, Job, JobResult } from "./job.ts";
import { runJobs } from "./pool.ts";
import { type Entry, reportOf } from "./report-of.ts";
import { ResultStore } from "./store.ts";
import { tableOf } from "./table.ts";
import { contestants, readTuned } from "./who.ts";

const STORE = new URL("../../.cache/compare", import.meta.url).pathname;
const RESULTS = new URL("../results", import.meta.url).pathname;
const FAULT_SEEDS = 3;

const { data, cases, workers, seeds: count = REPORT_SEEDS.length, only, isPlain } = readArguments();
const seeds = REPORT_SEEDS.slice(0, count);
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
process.once("SIGTERM", () => stop.abort());
const store = new ResultStore(STORE);
const beganMs = performance.now();

const run = (what: string, jobs: readonly Job[]): Promise<readonly (JobResult | undefined)[]> =>
  runJobs(jobs, {
    workers,
    data,
    store,
    signal: stop.signal,
    onDone: (done, total, job, seconds) =>
      void process.stderr.write(
        `${Math.round((performance.now() - beganMs) / 1000)} s  ${what} ${done}/${total}  ${job.case} ${job.contestant.name} ${job.seed}  ${seconds.toFixed(1)} s\n`,
      ),
  });

const isWanted = (name: string): boolean => only === undefined || only.includes(name);
const entries: Entry[] = [];

// What needs the reported part in view: tried once, the best is reported.
const chosen = new Map<string, ContestantSpec[]>();
for (const one of cases) {
  const known: ContestantSpec[] = [];
  for (const { name, candidates } of hindsightOf(one, data)) {
    if (!isWanted(name)) continue;
    const results = await run(
      `choosing ${name}`,
      candidates.map((spec) => jobOf(one, spec, REPORT_SEEDS[0] as number)),
    );
    const best = cheapest(candidates, results);
    if (best !== undefined) known.push(best);
  }
  chosen.set(one.name, known);
}

// By case and seed, so that a worker keeps its traffic.
const tuned = readTuned();
const plan = cases.flatMap((one) => {
  const specs = [
    ...contestants(one, tuned).filter(({ spec }) => isWanted(spec.name)),
    ...(chosen.get(one.name) ?? []).map((spec) => ({ spec, parameters: "hindsight" as const })),
  ];
  return seeds.flatMap((seed) =>
    specs.map(({ spec, parameters }) => ({ one, spec, parameters, job: jobOf(one, spec, seed) })),
  );
});
const results = await run(
  "comparing",
  plan.map(({ job }) => job),
);
for (const [index, { one, spec, parameters }] of plan.entries()) {
  const result = results[index];
  if (result !== undefined) entries.push({ kind: "Plain", case: one, spec, parameters, result });
}

const near = isPlain ? [] : cases.filter(({ name }) => CLOSE_LOOK.includes(name));
const faultSeeds = seeds.slice(0, FAULT_SEEDS);
const faulty = near.flatMap((one) =>
  FAULTS.flatMap(({ name, faultsOf }) =>
    faultSeeds.flatMap((seed) =>
      contestants(one, new Map())
        .filter(({ spec }) => isWanted(spec.name))
        .map(({ spec }) => ({
          one,
          spec,
          job: { ...jobOf(one, spec, seed), fault: name, faults: faultsOf(windowOf(one)) },
        })),
    ),
  ),
);
const withFaults = await run(
  "faults",
  faulty.map(({ job }) => job),
);
for (const [index, { one, spec, job }] of faulty.entries()) {
  const result = withFaults[index];
  if (result !== undefined) entries.push({ kind: "Fault", case: one, spec, fault: job.fault, result });
}

const planned = isPlain || !isWanted("grove") ? [] : ablationPlan(Object.keys(ABLATIONS) as Ablation[], cases);
const onItsOwn = [...new Set(planned.map((one) => one.case))].filter((one) => !cases.includes(one));
const partly = [...onItsOwn.map((one) => ({ case: one, ablation: undefined })), ...planned].flatMap(
  ({ case: one, ablation }) =>
    seeds.map((seed) => {
      const spec = { name: "grove", parameters: {}, ...(ablation === undefined ? {} : { ablation }) };
      return { one, ablation, job: jobOf(one, spec, seed) };
    }),
);
const without = await run(
  "ablations",
  partly.map(({ job }) => job),
);
for (const [index, { one, ablation, job }] of partly.entries()) {
  const result = without[index];
  if (result === undefined) continue;
  const common = { case: one, spec: job.contestant, result };
  entries.push(
    ablation === undefined
      ? { kind: "Plain", parameters: "default", ...common }
      : { kind: "Ablation", ablation, ...common },
  );
}

const [model] = cpus();
const isCut = stop.signal.aborted;
const report = reportOf(entries, {
  cases,
  seeds,
  // Without the dashes npm keeps the flags for itself.
  command: ["npm run bench:compare --", ...process.argv.slice(2)].join(" "),
  generatedAt: new Date().toISOString(),
  versions: { "grove-autoscaler": packageJson.version, commit: commit(), Node: process.version },
  machine: `${cpus().length} × ${model?.model.trim() ?? "unknown"}; figures do not depend on the machine`,
  validation: validationOf(join(data, "profiles", "validation")),
  notes: isCut ? ["Cut off: what was tried until then."] : [],
});
mkdirSync(RESULTS, { recursive: true });
writeFileSync(join(RESULTS, "compare.json"), `${JSON.stringify(report)}\n`);
writeFileSync(join(RESULTS, "compare.html"), renderReport(report, readPageAssets()));
const table = tableOf(report);
writeFileSync(join(RESULTS, "compare.md"), table);
process.stdout.write(`${table}\n${Math.round((performance.now() - beganMs) / 1000)} s; ${RESULTS}/compare.html\n`);
process.exit(isCut ? 1 : 0);

function windowOf({ report: { fromSeconds, toSeconds, warmUpSeconds } }: Case): { startMs: number; endMs: number } {
  return { startMs: warmUpSeconds * 1000, endMs: (warmUpSeconds + toSeconds - fromSeconds) * 1000 };
}

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
}

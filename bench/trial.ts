/**
 * A day of a trial of ours: the fast mode at 1, 4 and 16 times the requests, the whole system at 1 and 16. Each in a process of its own, so that its memory is its
 * own. The traffic is `servegen-m-large-d00` at its raw rate where the public traces are there, else generated traffic of the same shape.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readSystem } from "../src/cli/simulate/read-system.ts";
import { runWholeSystem } from "../src/cli/simulate/whole-system.ts";
import { seededRandom } from "../src/random.ts";
import { type GeneratedArrival, generateTraffic, sine } from "../src/sim/traffic/generate.ts";
import { replayTrace } from "../src/sim/traffic/trace.ts";
import { readTraceFile } from "../src/sim/traffic/trace-file.ts";
import { scalerOf } from "../src/trial/contestants.ts";
import { OUTCOME } from "../src/trial/record.ts";
import { runTrial } from "../src/trial/run.ts";
import type { Scenario } from "../src/trial/scenario.ts";
import { megabytes, type Row } from "./measure.ts";

const TRACE = new URL("../../shared/data/traces/servegen-m-large-d00.csv.gz", import.meta.url).pathname;
const POLICY = ["policy.yaml", "profile.yaml", "workload.yaml"].map(
  (name) => new URL(`../policies/prefill-decode-slo/${name}`, import.meta.url).pathname,
);
const DAY_SECONDS = 86_400;
const SEED = 1;

type Mode = "fast" | "whole";

interface TrialFigures {
  readonly requests: number;
  readonly completed: number;
  readonly decisions: number;
  readonly writes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

export async function benchTrial(): Promise<readonly Row[]> {
  const traffic = existsSync(TRACE) ? "servegen-m-large-d00" : "generated traffic of its shape";
  const rows: Row[] = [];
  let before: TrialFigures | undefined;
  for (const [mode, times] of [
    ["fast", 1],
    ["fast", 4],
    ["fast", 16],
    ["whole", 1],
    ["whole", 16],
  ] as const) {
    const figures = await inOwnProcess(mode, times);
    rows.push(rowOf(`24 h of ${traffic}`, mode, times, figures, mode === "fast" ? before : undefined));
    before = figures;
  }
  return rows;
}

async function inOwnProcess(mode: Mode, times: number): Promise<TrialFigures> {
  const child = fork(fileURLToPath(import.meta.url), [mode, `${times}`]);
  let figures: TrialFigures | undefined;
  child.once("message", (message) => {
    figures = message as TrialFigures;
  });
  const [code] = await once(child, "exit");
  if (figures === undefined) throw new Error(`the ${mode} trial at ${times} × ended with exit code ${code}`);
  return figures;
}

/** @param before with fewer requests: the difference is what requests cost, beside decisions and scrapes */
function rowOf(what: string, mode: Mode, times: number, figures: TrialFigures, before: TrialFigures | undefined): Row {
  const { requests, completed, decisions, writes, seconds, cpuSeconds, peakBytes } = figures;
  const more =
    before === undefined
      ? ""
      : `, ${((1e6 * (cpuSeconds - before.cpuSeconds)) / (requests - before.requests)).toFixed(1)} µs CPU for each request more`;
  return {
    what: `${what}, ${mode === "fast" ? "fast mode" : "whole system"}: ${times} ×, ${requests} requests`,
    value: `${seconds.toFixed(1)} s (${cpuSeconds.toFixed(1)} s CPU)${mode === "fast" ? `, ${decisions} decisions` : ""}, ${writes} writes, ${requests - completed} not completed, ${megabytes(peakBytes)} peak${more}`,
    ...(times === 1 ? { aim: mode === "fast" ? "< 30 s" : "< 120 s" } : {}),
  };
}

async function measure(mode: Mode, times: number): Promise<TrialFigures> {
  const scenario = scenarioOf(times);
  const beganMs = performance.now();
  const beganCpu = process.cpuUsage();
  const record =
    mode === "whole"
      ? await runWholeSystem({ scenario, seed: SEED })
      : await runTrial({
          scenario,
          autoscaler: "grove",
          seed: SEED,
          scaler: (stage) => scalerOf({ kind: "Ours", parameters: {} }, stage),
          stopwatch: () => performance.now(),
        });
  const { user, system } = process.cpuUsage(beganCpu);
  return {
    requests: scenario.arrivals.length,
    completed: record.requests.outcome.reduce((sum, outcome) => sum + (outcome === OUTCOME.completed ? 1 : 0), 0),
    decisions: record.decisionMicros.length,
    writes: record.orders.length,
    seconds: (performance.now() - beganMs) / 1000,
    cpuSeconds: (user + system) / 1e6,
    peakBytes: 1024 * process.resourceUsage().maxRSS,
  };
}

/** The ready-made policy on its own hardware, for a whole day without a warm-up. */
function scenarioOf(times: number): Scenario {
  const system = readSystem({ policy: POLICY, startUpSpreadP90: 1.5 });
  return {
    ...system,
    name: "m-large-day",
    arrivals: arrivalsOf(times),
    pool: { nodes: 6, gpusPerNode: 8, nodesPerRack: 3 },
    storageGiBPerSecond: 16,
    window: { startMs: 0, endMs: 1000 * DAY_SECONDS },
    scrapeIntervalMs: 15_000,
    firstTokenTimeoutMs: 120_000,
    faults: [],
  };
}

function arrivalsOf(times: number): readonly GeneratedArrival[] {
  const random = seededRandom(SEED);
  if (existsSync(TRACE)) return replayTrace(readTraceFile(TRACE), { rateFactor: times, random });
  // Rates and lengths of that day.
  const phase = {
    durationSeconds: DAY_SECONDS,
    requestsPerSecond: sine(1.02 * times, 0.6 * times, DAY_SECONDS),
    input: { medianTokens: 580, spreadP90: 1.7 },
    output: { medianTokens: 47, spreadP90: 8 },
  };
  return [...generateTraffic([phase], random)];
}

const [mode, times] = process.argv.slice(2);
if (process.argv[1] === fileURLToPath(import.meta.url) && times !== undefined) {
  process.send?.(await measure(mode === "whole" ? "whole" : "fast", Number(times)));
  process.exit(0);
}

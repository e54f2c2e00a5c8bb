/** `grove-autoscaler simulate`: what a policy would have done with a traffic, and what it would have cost, before anything touches a cluster. */
import { writeFileSync } from "node:fs";
import { type Command, Option } from "commander";
import packageJson from "../../../package.json" with { type: "json" };
import { parseDurationMs } from "../../api/duration.ts";
import { formatTime } from "../../api/kubernetes/time.ts";
import { parsePercentRatio } from "../../api/ratio.ts";
import type { ComparisonReport } from "../../report/comparison-report.ts";
import { readPageAssets } from "../../report/page-assets.ts";
import { renderReport } from "../../report/render-report.ts";
import type { Arrival } from "../../sim/engines/data-plane.ts";
import type { Routing } from "../../sim/engines/routing.ts";
import { checkContestant } from "../../trial/contestants.ts";
import { peerRoles } from "../../trial/peer-scaler.ts";
import type { Scenario } from "../../trial/scenario.ts";
import type { ServingSystem } from "../../trial/system.ts";
import { SystemError } from "../../trial/system.ts";
import { resultOf, sloOf, type TrialResult, tryOut } from "../../trial/try-out.ts";
import { CommandError, UsageError } from "../errors.ts";
import { checkWritable } from "../files.ts";
import { isForPrograms, type OutputFlags, printValue, withOutputFlag } from "../output.ts";
import { type PrometheusFlags, prometheusFrom, withPrometheusFlags } from "../plan/prometheus.ts";
import { collect } from "../repeatable.ts";
import type { Terminal } from "../terminal.ts";
import { table, wrap } from "../text.ts";
import { comparisonOf, type Tried } from "./comparison.ts";
import { readSystem } from "./read-system.ts";
import { positive, readTrafficOf, type Traffic, type TrafficFlags } from "./read-traffic.ts";
import { parseRequirement } from "./requirements.ts";
import { OURS, type Rival, rivalNames, rivalsOf } from "./rivals.ts";
import { checkRoom } from "./room-for-requests.ts";
import { runWholeSystem } from "./whole-system.ts";

interface Flags extends TrafficFlags, PrometheusFlags, OutputFlags {
  readonly policy: readonly string[];
  readonly profile?: string;
  readonly against?: string;
  readonly wholeSystem?: true;
  readonly report?: string;
  readonly require: readonly string[];
  readonly warmUp?: string;
  readonly seed: string;
  readonly seeds: string;
  readonly gpus?: string;
  readonly gpusPerNode: string;
  readonly storage: string;
  readonly timeout: string;
  readonly prefixCaching?: true;
  readonly routing: Routing;
  readonly scrapeLoss: string;
}

const NODES_PER_RACK = 4;
const SCRAPE_INTERVAL_MS = 15_000;
/** 90th percentile of a start over its median, weights aside. */
const START_UP_SPREAD_P90 = 1.5;
const MAX_WARM_UP_MS = 600_000;
const WARM_UP_SHARE = 0.2;
const HOUR_MS = 3_600_000;

/** @param typed the command line, for the report */
export function addSimulateCommand(program: Command, terminal: Terminal, typed: string): void {
  const command = program
    .command("simulate")
    .description("what a policy would have done with your traffic, and what it would have cost; needs no cluster")
    .option(
      "--policy <file>",
      "ScalingPolicy, with its PodCliqueSet and ConfigMap where they are; may be repeated",
      collect,
    )
    .option("--profile <file>", "performance profile of the engines (docs/slo.md says what is in it)")
    .option("--trace <file>", "requests: a .csv or .csv.gz with arrival, prompt and answer tokens")
    .option("--traffic <name>", "a generated shape instead of a file, such as step-x2 or sine")
    .option("--rate <requests-per-second>", "of a generated shape", "20")
    .option("--from <time>", "traffic as a Prometheus remembers it: since then (a time, or how long ago)")
    .option("--to <time>", "until then; default: now")
    .option("--matchers <labels>", 'of the series, as in PromQL: namespace="serving"')
    .option("--traffic-engine <name>", "whose metrics they are: vllm, sglang or dynamo", "dynamo")
    .option("--rate-factor <number>", "times the load: copies of the requests, each shifted by up to a minute", "1")
    .option("--jitter <duration>", "spreads requests of files whose times are rounded", "0s")
    .option("--against <names>", `others on the same traffic: ${rivalNames().join(", ")}, or all`)
    .option("--whole-system", "ours through the real operator, API server and scheduler too")
    .option("--warm-up <duration>", "of the traffic, not judged; default: a fifth, at most 10m")
    .option("--gpus <count>", "of the cluster; default: what all targets need at their maximum")
    .option("--gpus-per-node <count>", "GPUs of a node", "8")
    .option("--storage <gib-per-second>", "what all pods that load weights get together", "16")
    .option("--prefix-caching", "engines reuse prompt blocks; for traces with a column blocks")
    .addOption(
      new Option("--routing <how>", "of requests to engines")
        .choices(["least-loaded", "round-robin", "kv-aware"])
        .default("least-loaded"),
    )
    .option("--scrape-loss <share>", "of the scrapes that fail, such as 5%", "0%")
    .option("--timeout <duration>", "how long a client waits for its first token", "2m")
    .option("--seed <number>", "of everything that is random", "1")
    .option("--seeds <count>", "repeat with so many seeds; from 10 on with 95 % intervals in the report", "1")
    .option("--report <file>", "write the comparison as one HTML page")
    .option("--require <condition>", "exit 1 unless ours meets it, such as attainment>=0.95; may be repeated", collect);
  withOutputFlag(withPrometheusFlags(command))
    .addHelpText(
      "after",
      `
Everything is simulated: engines by the tables of the profile, cold starts by its stages, Prometheus by 15 s scrapes. docs/simulate.md says how.
Exit code: 0 done, 1 a requirement is not met or it was cut off, 2 a file or the command line is wrong.

Examples:
  grove-autoscaler simulate --policy policy.yaml --trace requests.csv
  grove-autoscaler simulate --policy policy.yaml --policy set.yaml --profile profile.json --trace requests.csv --against hpa,keda --report out.html
  grove-autoscaler simulate --policy policy.yaml --prometheus http://localhost:9090 --from 24h --require attainment>=0.95`,
    )
    .action(async ({ policy = [], require = [], ...given }: Partial<Flags> & Omit<Flags, "policy" | "require">) => {
      await simulate({ ...given, policy, require }, terminal, typed);
    });
}

async function simulate(flags: Flags, terminal: Terminal, typed: string): Promise<void> {
  if (flags.policy.length === 0) throw new UsageError("--policy: give a file with a ScalingPolicy");
  const requirements = flags.require.map(parseRequirement);
  if (flags.report !== undefined) checkWritable("--report", flags.report);
  const system = readSystem({
    policy: flags.policy,
    ...(flags.profile === undefined ? {} : { profile: flags.profile }),
    startUpSpreadP90: START_UP_SPREAD_P90,
  });
  const traffic = await readTrafficOf(
    flags,
    () => prometheusFrom(flags, terminal.environment, terminal.clock),
    terminal.clock,
  );
  const firstSeed = whole(flags.seed, "--seed");
  const seeds = Array.from({ length: whole(flags.seeds, "--seeds") }, (_, index) => firstSeed + index);
  const scenarios = new Map(seeds.map((seed) => [seed, scenarioOf(system, traffic, traffic.arrivals(seed), flags)]));
  const first = scenarios.get(firstSeed) as Scenario;
  const rivals = flags.against === undefined ? [] : rivalsOf(flags.against, [...peerRoles(first).keys()]);
  if (rivals.length > 0 && system.set.spec.replicas > 1) {
    throw new UsageError("--against: others scale one set replica; spec.replicas of the PodCliqueSet must be 1");
  }
  checkRivals(rivals, first);
  const notes = [...system.assumptions, ...traffic.notes, ...goalNotes(first), ...checkRoom(first.arrivals, system)];
  for (const note of notes) {
    for (const line of terminal.isInteractive ? wrap(`note: ${note}`, terminal.columns()) : [`note: ${note}`]) {
      terminal.printError(line);
    }
  }

  const { tried, isCut } = await terminal.interruptible((signal) =>
    tryAll({
      rivals: [OURS, ...rivals],
      scenarios,
      withWholeSystem: flags.wholeSystem === true,
      terminal,
      signal,
    }).catch((cause: unknown) => {
      throw cause instanceof SystemError ? new UsageError(cause.message) : cause;
    }),
  );
  const { startMs, endMs } = first.window;
  const report = comparisonOf(tried, {
    title: first.name,
    about: `${traffic.about}, ${first.arrivals.length.toLocaleString("en")} requests; profile ${system.profile.name}`,
    generatedAt: formatTime(terminal.clock.nowMs()),
    command: typed,
    versions: { "grove-autoscaler": packageJson.version, Node: process.version },
    machine: "simulated: figures do not depend on the machine, the time of a decision does",
    seeds,
    slo: sloOf(first),
    windowHours: (endMs - startMs) / HOUR_MS,
    notes: [...notes, ...(isCut ? ["cut off: what was tried until then"] : [])],
  });
  if (isForPrograms(flags.output)) printValue(terminal, flags.output, report);
  else for (const line of [...lines(tried, first), ...clientLines(report)]) terminal.print(line);
  if (flags.report !== undefined) {
    writeFileSync(flags.report, renderReport(report, readPageAssets()));
    terminal.printError(`report: ${flags.report}`);
  }
  const ours = tried[0]?.results ?? [];
  const unmet = requirements.flatMap((requirement) =>
    ours.flatMap(({ measures }) => {
      const problem = requirement.check(measures);
      return problem === undefined ? [] : [seeds.length === 1 ? problem : `seed ${measures.seed}: ${problem}`];
    }),
  );
  if (isCut) throw new CommandError("cut off: these are the figures until then");
  if (unmet.length > 0) throw new CommandError(unmet.join("; "));
}

function checkRivals(rivals: readonly Rival[], scenario: Scenario): void {
  try {
    for (const { contestant } of rivals) checkContestant(contestant, scenario);
  } catch (cause) {
    throw cause instanceof SystemError ? new UsageError(`--against: ${cause.message}`) : cause;
  }
}

/** By what requests are judged where the policy does not say. */
function goalNotes(scenario: Scenario): readonly string[] {
  const { ttftMs, itlMs } = sloOf(scenario);
  const { slo } = scenario.policy.spec;
  const assumed = [
    { goal: "ttft", isMissing: slo?.ttft === undefined, by: `${ttftMs} ms to the first token` },
    { goal: "itl", isMissing: slo?.itl === undefined, by: `${itlMs} ms between tokens` },
  ].filter(({ isMissing }) => isMissing);
  if (assumed.length === 0) return [];
  const goals = assumed.map(({ goal }) => `no ${goal}`).join(" and ");
  const by = assumed.map((one) => one.by).join(" and ");
  return [`spec.slo has ${goals}: requests are judged by ${by}; set spec.slo to judge by goals of your own`];
}

function whole(text: string, flag: string): number {
  const value = positive(text, flag);
  if (!Number.isInteger(value)) throw new UsageError(`${flag}: "${text}" is not a whole number`);
  return value;
}

function durationOf(text: string, flag: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined) throw new UsageError(`${flag}: "${text}" is not a duration such as 10m`);
  return ms;
}

function scenarioOf(system: ServingSystem, { about }: Traffic, arrivals: readonly Arrival[], flags: Flags): Scenario {
  const lastMs = arrivals.at(-1)?.atMs;
  if (lastMs === undefined) throw new UsageError(`${about}: there is no request in it`);
  const warmUpMs =
    flags.warmUp === undefined
      ? Math.min(MAX_WARM_UP_MS, WARM_UP_SHARE * lastMs)
      : durationOf(flags.warmUp, "--warm-up");
  if (warmUpMs >= lastMs) {
    throw new UsageError(`--warm-up: ${warmUpMs / 1000} s leave nothing of ${Math.round(lastMs / 1000)} s of traffic`);
  }
  const scrapeLossRatio = parsePercentRatio(flags.scrapeLoss);
  if (scrapeLossRatio === undefined || scrapeLossRatio >= 1) {
    throw new UsageError(`--scrape-loss: "${flags.scrapeLoss}" is not a share below 100 %, such as 5%`);
  }
  const gpusPerNode = whole(flags.gpusPerNode, "--gpus-per-node");
  const gpus = flags.gpus === undefined ? mostGpus(system) : whole(flags.gpus, "--gpus");
  return {
    ...system,
    name: system.policy.metadata.name,
    arrivals,
    pool: { nodes: Math.ceil(gpus / gpusPerNode), gpusPerNode, nodesPerRack: NODES_PER_RACK },
    storageGiBPerSecond: positive(flags.storage, "--storage"),
    window: { startMs: warmUpMs, endMs: lastMs },
    scrapeIntervalMs: SCRAPE_INTERVAL_MS,
    scrapeLossRatio,
    prefixCaching: flags.prefixCaching === true,
    routing: flags.routing,
    firstTokenTimeoutMs: durationOf(flags.timeout, "--timeout"),
    faults: [],
  };
}

interface Work {
  readonly rivals: readonly Rival[];
  readonly scenarios: ReadonlyMap<number, Scenario>;
  readonly withWholeSystem: boolean;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

const WHOLE_SYSTEM: Rival = { ...OURS, name: "grove-whole-system", title: "grove-autoscaler, whole system" };

async function tryAll({
  rivals,
  scenarios,
  withWholeSystem,
  terminal,
  signal,
}: Work): Promise<{ readonly tried: readonly Tried[]; readonly isCut: boolean }> {
  const [ours, ...others] = rivals as [Rival, ...Rival[]];
  const all = [ours, ...(withWholeSystem ? [WHOLE_SYSTEM] : []), ...others];
  const total = all.length * scenarios.size;
  let done = 0;
  const tried: Tried[] = [];
  for (const autoscaler of all) {
    const results: TrialResult[] = [];
    for (const [seed, scenario] of scenarios) {
      if (signal.aborted) break;
      const onProgress = (ratio: number): void =>
        terminal.progress(bar((done + ratio) / total, autoscaler.name, terminal.columns()));
      results.push(
        autoscaler === WHOLE_SYSTEM
          ? resultOf(await runWholeSystem({ scenario, seed, onProgress, signal }), scenario)
          : await tryOut(autoscaler.contestant, {
              scenario,
              autoscaler: autoscaler.name,
              seed,
              stopwatch: () => terminal.clock.monotonicMs(),
              onProgress,
              signal,
            }),
      );
      done++;
    }
    tried.push({ autoscaler, results });
    if (signal.aborted) break;
  }
  terminal.progress("");
  return { tried, isCut: signal.aborted };
}

const BAR_WIDTH = 30;

/** One column is left free: a full line would begin the next, and could not be overwritten. */
function bar(ratio: number, what: string, columns: number): string {
  const percent = `${Math.floor(100 * Math.min(1, ratio))} %`.padStart("100 %".length);
  const width = Math.max(1, Math.min(BAR_WIDTH, columns - percent.length - what.length - "[]   ".length - 1));
  const full = Math.round(width * Math.min(1, ratio));
  return `[${"#".repeat(full)}${".".repeat(width - full)}] ${percent}  ${what}`.slice(0, columns - 1);
}

/** Everything at its maximum, one set replica; a set level multiplies. */
function mostGpus({ policy, set, profile }: ServingSystem): number {
  const { gpuBudget, scaleTargets } = policy.spec;
  const sets = scaleTargets.find(({ level }) => level === "PodCliqueSet")?.maxReplicas ?? set.spec.replicas;
  const inSet = scaleTargets.reduce((sum, { role, level, maxReplicas }) => {
    if (level === "PodCliqueSet") return sum;
    const gpus =
      role === "prefill" ? profile.workers.prefill.gpus : role === "frontend" ? 0 : profile.workers.decode.gpus;
    return sum + gpus * maxReplicas;
  }, 0);
  return Math.max(1, gpuBudget?.max ?? sets * inSet);
}

function lines(tried: readonly Tried[], scenario: Scenario): readonly string[] {
  const mean = (
    results: readonly TrialResult[],
    read: (result: TrialResult) => number | undefined,
  ): number | undefined => {
    const values = results.map(read).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  const text = (value: number | undefined, digits: number, unit = ""): string =>
    value === undefined ? "?" : `${value.toFixed(digits)}${unit}`;
  const percent = (value: number | undefined): string => text(value === undefined ? undefined : 100 * value, 2, " %");
  const { ttftMs, itlMs } = sloOf(scenario);
  const rows = table([
    ["AUTOSCALER", "IN TIME", "TTFT p90", "p99", "ITL p90", "GPU-HOURS", "USEFUL", "WRITES", "FLAPS", "LOST"],
    ...tried
      .filter(({ results }) => results.length > 0)
      .map(({ autoscaler, results }) => {
        const value = (
          key: "ttftP90Ms" | "ttftP99Ms" | "itlP90Ms" | "allocatedGpuHours" | "writes" | "flaps" | "lostOnScaleIn",
        ) => mean(results, ({ measures }) => measures.values[key]);
        const useful = mean(results, ({ measures: { values } }) =>
          values.allocatedGpuHours > 0 ? values.usefulGpuHours / values.allocatedGpuHours : undefined,
        );
        return [
          autoscaler.name,
          percent(mean(results, ({ measures }) => measures.bySlo[0]?.values.attainmentRatio)),
          text(value("ttftP90Ms"), 0, " ms"),
          text(value("ttftP99Ms"), 0, " ms"),
          text(value("itlP90Ms"), 1, " ms"),
          text(value("allocatedGpuHours"), 1),
          text(useful === undefined ? undefined : 100 * useful, 0, " %"),
          text(value("writes"), 0),
          text(value("flaps"), 0),
          text(value("lostOnScaleIn"), 0),
        ];
      }),
  ]);
  return [...rows, `In time: first token within ${ttftMs} ms, then one every ${itlMs} ms on average`];
}

function clientLines({ scenarios }: ComparisonReport): readonly string[] {
  return (scenarios[0]?.results ?? []).flatMap(({ autoscaler, clients = [] }) => {
    if (clients.length === 0) return [];
    const shares = clients.map(({ client, attainmentRatio }) =>
      attainmentRatio === null ? `${client} ?` : `${client} ${(100 * attainmentRatio.mean).toFixed(2)} %`,
    );
    return [`${autoscaler}: ${shares.join(", ")}`];
  });
}

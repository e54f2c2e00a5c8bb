/** `grove-autoscaler demo`: runs the embedded world in the terminal, or headless with a JSON summary. */
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { SCALING_POLICIES } from "../../api/autoscaling/scaling-policy.ts";
import { parseDurationMs } from "../../api/duration.ts";
import { POD_CLIQUE_SETS } from "../../api/grove/pod-clique-set.ts";
import { silentLogger } from "../../log.ts";
import { freshSeed } from "../../random.ts";
import { UsageError } from "../errors.ts";
import { readOne } from "../manifests.ts";
import { PROMETHEUS_URL_VARIABLE } from "../plan/prometheus.ts";
import { recordingTo } from "../recording.ts";
import { readTrace } from "../simulate/read-trace.ts";
import type { Terminal } from "../terminal.ts";
import { type Demo, type DemoOptions, startDemo } from "./run-demo.ts";
import { renderLine, renderView } from "./view.ts";

const EXAMPLE = "../../../policies/multinode-prefill-decode";

interface Flags {
  readonly headless?: true;
  readonly for?: string;
  readonly speed: string;
  readonly trace?: string;
  readonly policy?: string;
  readonly workload?: string;
  readonly seed?: string;
  readonly peak: string;
  readonly startupScale: string;
  readonly nodes: string;
  readonly record?: string;
}

export function addDemoCommand(program: Command, terminal: Terminal): void {
  program
    .command("demo")
    .description("run the whole product against an embedded world: no cluster, no Prometheus, no Redis")
    .option(
      "--headless",
      "no live view; print a JSON summary at the end, exit 0 only if every level scaled up and down and no invariant broke",
    )
    .option("--for <duration>", "end by itself after this much real time, e.g. 90s (headless default: 90s)")
    .option("--speed <factor>", "seconds of embedded time per real second", "15")
    .option("--trace <file>", "replay a request trace (.csv or .csv.gz: arrival_seconds,input_tokens,output_tokens)")
    .option("--policy <file>", "a ScalingPolicy of your own")
    .option("--workload <file>", "a PodCliqueSet of your own")
    .option("--seed <number>", "repeat a run's randomness")
    .option("--peak <requests-per-second>", "peak of the built-in traffic", "24")
    .option(
      "--startup-scale <factor>",
      "start-up times of engines against the measured ones (205 s for a 70B model)",
      "0.2",
    )
    .option("--nodes <count>", "GPU nodes of 8 GPUs each", "8")
    .option("--record <file>", "append every decision with all that went into it, for plan --replay")
    .action(async (flags: Flags) => {
      const { policy, workload } = readExample(flags);
      const forMs = durationOf(flags);
      const speed = positive(flags.speed, "--speed");
      const abort = new AbortController();
      const recording =
        flags.record === undefined
          ? undefined
          : recordingTo({ file: flags.record, maxBytes: RECORDING_MAX_BYTES, log: silentLogger });
      const options: DemoOptions = {
        workload,
        policy,
        speed,
        seed: flags.seed === undefined ? freshSeed() : Math.floor(positive(flags.seed, "--seed")),
        durationSeconds: forMs === undefined ? 1_800 : (forMs / 1000) * speed,
        peakRequestsPerSecond: positive(flags.peak, "--peak"),
        startupScale: positive(flags.startupScale, "--startup-scale"),
        nodes: Math.floor(positive(flags.nodes, "--nodes")),
        log: silentLogger,
        signal: abort.signal,
        ...(recording === undefined ? {} : { recording }),
        ...(flags.trace === undefined ? {} : { trace: readTrace("--trace", flags.trace) }),
      };
      const demo = await startDemo(options);
      try {
        await (flags.headless === true ? runHeadless(demo, terminal, forMs ?? 90_000) : runLive(demo, terminal, forMs));
        if (flags.headless === true) {
          const summary = demo.summary();
          terminal.print(JSON.stringify(summary, undefined, 2));
          terminal.exitCode(summary.ok ? 0 : 1);
        }
      } finally {
        abort.abort();
        await demo.stop();
        recording?.close();
      }
    });
}

function readExample({ policy, workload }: Flags): Pick<DemoOptions, "policy" | "workload"> {
  const example = (file: string): string => fileURLToPath(new URL(`${EXAMPLE}/${file}`, import.meta.url));
  const read = {
    policy: readOne("--policy", policy ?? example("policy.yaml"), SCALING_POLICIES),
    workload: readOne("--workload", workload ?? example("workload.yaml"), POD_CLIQUE_SETS),
  };
  const { namespace = "default" } = read.policy.metadata;
  if (
    read.policy.spec.targetRef.name !== read.workload.metadata.name ||
    namespace !== (read.workload.metadata.namespace ?? "default")
  ) {
    const given = policy === undefined ? "--workload" : "--policy";
    throw new UsageError(
      `spec.targetRef.name: the policy scales ${namespace}/${read.policy.spec.targetRef.name}, but the workload is ${read.workload.metadata.namespace ?? "default"}/${read.workload.metadata.name}: give both --policy and --workload (${given} alone does not match the built-in one)`,
    );
  }
  return read;
}

function durationOf(flags: Flags): number | undefined {
  if (flags.for === undefined) return flags.headless === true ? 90_000 : undefined;
  const ms = parseDurationMs(flags.for);
  if (ms === undefined || ms <= 0) throw new UsageError(`--for: "${flags.for}" is not a duration such as 90s or 5m`);
  return ms;
}

function positive(text: string, flag: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new UsageError(`${flag}: "${text}" is not a number above 0`);
  return value;
}

const RECORDING_MAX_BYTES = 512_000_000;

async function runHeadless(demo: Demo, terminal: Terminal, forMs: number): Promise<void> {
  terminal.printError(exportLines(demo));
  await terminal.sleep(forMs, 5_000, () => terminal.printError(renderLine(demo.view())));
}

async function runLive(demo: Demo, terminal: Terminal, forMs: number | undefined): Promise<void> {
  if (terminal.isInteractive) {
    await terminal.sleep(forMs, 250, () => terminal.redraw(renderView(demo.view(), terminal.columns())));
    terminal.print(`\n${JSON.stringify(demo.summary(), undefined, 2)}`);
  } else {
    terminal.print(exportLines(demo));
    await terminal.sleep(forMs, 5_000, () => terminal.print(renderLine(demo.view())));
  }
}

/** What the other commands, and kubectl, need to look into the embedded world. */
const exportLines = ({ kubeconfig, prometheusUrl }: Demo): string =>
  `export KUBECONFIG=${kubeconfig}\nexport ${PROMETHEUS_URL_VARIABLE}=${prometheusUrl}`;

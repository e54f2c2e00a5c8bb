/** `grove-autoscaler plan`: what a policy would decide now, on the live cluster and the live metrics, without writing anything. */
import { type Command, Option } from "commander";
import { SCALING_POLICIES, type ScalingPolicy } from "../../api/autoscaling/scaling-policy.ts";
import { type DryRun, dryRun } from "../../autoscaler/dry-run.ts";
import type { Clock } from "../../clock.ts";
import type { Decision } from "../../decide/decision.ts";
import { isNotFound } from "../../kube/api-error.ts";
import type { MetricsSource } from "../../observe/metrics-source.ts";
import { noMetrics } from "../../observe/no-metrics.ts";
import { systemRandom } from "../../random.ts";
import { type Cluster, type ClusterFlags, withCluster, withClusterFlags } from "../cluster.ts";
import { CommandError, UsageError } from "../errors.ts";
import { widthOf } from "../explain/command.ts";
import { renderExplanation } from "../explain/render.ts";
import { isForPrograms, type OutputFlags, printValue, withOutputFlag } from "../output.ts";
import { type CheckedObject, checkFiles, errorLines, warningLines } from "../policy-files.ts";
import { collect } from "../repeatable.ts";
import type { Terminal } from "../terminal.ts";
import { hang, paintFor } from "../text.ts";
import { PROMETHEUS_URL_VARIABLE, type PrometheusFlags, prometheusFrom, withPrometheusFlags } from "./prometheus.ts";
import { replayFile } from "./replay.ts";

interface Flags extends ClusterFlags, OutputFlags, PrometheusFlags {
  readonly filename: readonly string[];
  readonly replay?: string;
  readonly memory: "stored" | "empty";
}

export function addPlanCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("plan")
    .description("say what a new or changed policy would decide now; reads the cluster and Prometheus, writes nothing")
    .option("-f, --filename <file>", "file with ScalingPolicies; may be given several times", collect)
    .option(
      "--replay <file>",
      "decide a recorded run again (written by --record of run and demo) and print each decision",
    )
    .addOption(
      new Option(
        "--memory <which>",
        "windows and rate limits: as the running policy has them in its status, or as after a fresh start",
      )
        .choices(["stored", "empty"])
        .default("stored"),
    );
  withOutputFlag(withClusterFlags(withPrometheusFlags(command)), "text");
  command
    .addHelpText(
      "after",
      `
A policy of the same name on the cluster is replaced by the one in the file, for this decision only.
--replay needs no cluster: everything that went into the decisions is in the file. -o json prints one line for each.
Exit code: 0 a decision came out, 1 none could be made or a replayed one differs, 2 the file or the command line is wrong.

Examples:
  grove-autoscaler plan -f policy.yaml --prometheus http://localhost:9090
  grove-autoscaler plan --replay observations.jsonl
  grove-autoscaler plan -f policy.yaml -o json | jq '.items[].decision.transition.now'`,
    )
    .action(async ({ filename = [], ...given }: Omit<Flags, "filename"> & Partial<Flags>) => {
      const flags: Flags = { ...given, filename };
      if (flags.replay !== undefined) {
        if (filename.length > 0)
          throw new UsageError("--replay and --filename: a recording has its own policies, give one of the two");
        await replayFile({ replay: flags.replay, output: flags.output }, terminal);
        return;
      }
      if (filename.length === 0)
        throw new UsageError(
          "nothing to plan: give -f FILE with ScalingPolicies, or --replay FILE with a recorded run",
        );
      const policies = readPolicies(flags, terminal);
      const metricsSource = await metricsSourceFor(flags, terminal, policies);
      await withCluster(flags, terminal, async (cluster) => {
        const plans: Plan[] = [];
        for (const { object } of policies)
          plans.push(await planOne(object, flags, { cluster, metricsSource, terminal }));
        print(plans, flags, cluster, terminal);
        if (plans.some(({ run }) => run.turn.decision === undefined)) terminal.exitCode(1);
      });
    });
}

function readPolicies({ filename }: Flags, terminal: Terminal): readonly CheckedObject<ScalingPolicy>[] {
  const { policies, all, ignored } = checkFiles("--filename", filename);
  const errors = policies.flatMap(errorLines);
  const last = errors.at(-1);
  if (last !== undefined) {
    for (const line of errors.slice(0, -1)) terminal.printError(`error: ${line}`);
    throw new UsageError(last);
  }
  if (policies.length === 0) throw new UsageError(`${filename.join(", ")}: no ScalingPolicy in there to plan for`);
  const others = [...all.map(({ object }) => object).filter(({ kind }) => kind !== SCALING_POLICIES.kind), ...ignored];
  for (const { kind, metadata } of others) {
    terminal.printError(`note: ${kind} ${metadata.name} is not used: plan reads the one on the cluster`);
  }
  for (const line of policies.flatMap(warningLines)) terminal.printError(`warning: ${line}`);
  return policies;
}

async function metricsSourceFor(
  flags: Flags,
  { environment, clock }: Terminal,
  policies: readonly CheckedObject<ScalingPolicy>[],
): Promise<MetricsSource> {
  const source = await prometheusFrom(flags, environment, clock);
  if (source !== undefined) return source;
  const asks = policies.some(({ object }) => object.spec.scaleTargets.some(({ metrics }) => metrics.length > 0));
  if (!asks) return noMetrics;
  throw new UsageError(
    `no Prometheus to ask: give --prometheus URL or set ${PROMETHEUS_URL_VARIABLE} (lint checks a file without one)`,
  );
}

interface Plan {
  readonly policy: ScalingPolicy;
  readonly isNew: boolean;
  readonly memory: "stored" | "none";
  readonly run: DryRun;
}

interface PlanContext {
  readonly cluster: Cluster;
  readonly metricsSource: MetricsSource;
  readonly terminal: Terminal;
}

async function planOne(
  object: ScalingPolicy,
  { memory, namespace }: Flags,
  { cluster, metricsSource, terminal }: PlanContext,
): Promise<Plan> {
  const own = object.metadata.namespace;
  if (own !== undefined && namespace !== undefined && own !== namespace) {
    throw new UsageError(
      `--namespace is ${namespace}, but ${object.metadata.name} is in namespace ${own}: keep one of the two`,
    );
  }
  const metadata = { ...object.metadata, namespace: own ?? cluster.namespace };
  const stored = await cluster.api
    .get(SCALING_POLICIES, { namespace: metadata.namespace, name: metadata.name })
    .catch((error: unknown) => {
      // When it is the kind that is unknown, the reads of the dry run say so.
      if (isNotFound(error)) return undefined;
      throw error;
    });
  const policy: ScalingPolicy = {
    ...object,
    metadata: { ...stored?.metadata, ...metadata },
    ...(stored?.status === undefined ? {} : { status: stored.status }),
  };
  const run = await dryRun({
    api: cluster.api,
    metricsSource,
    clock: clusterClock(cluster, terminal.clock),
    random: systemRandom(),
    policy,
    memory,
  });
  const hasMemory = memory === "stored" && stored?.status?.checkpoint !== undefined;
  return { policy, isNew: stored === undefined, memory: hasMemory ? "stored" : "none", run };
}

/** Ages of samples and of pods are measured by the clock that stamped them. */
export const clusterClock = ({ nowMs }: Cluster, clock: Clock): Clock => ({ ...clock, nowMs });

function print(plans: readonly Plan[], { output }: Flags, cluster: Cluster, terminal: Terminal): void {
  if (isForPrograms(output)) {
    const items = plans.map(({ policy, isNew, memory, run }) => ({
      policy: `${policy.metadata.namespace}/${policy.metadata.name}`,
      isNew,
      memory,
      conditions: run.status.conditions ?? [],
      ...(run.turn.decision === undefined ? {} : { decision: run.turn.decision }),
    }));
    printValue(terminal, output, { items });
    return;
  }
  const options = { nowMs: cluster.nowMs(), width: widthOf(terminal), paint: paintFor(terminal) };
  plans.forEach(({ policy, isNew, memory, run }, index) => {
    if (index > 0) terminal.print("");
    const { decision } = run.turn;
    if (decision === undefined) {
      const ready = run.status.conditions?.find(({ type }) => type === "Ready");
      throw new CommandError(`${policy.metadata.name} would decide nothing: ${ready?.reason}: ${ready?.message}`);
    }
    const { history: _, ...status } = run.status;
    const known = isNew ? "a new policy" : "in place of the policy on the cluster";
    const remembered =
      memory === "stored"
        ? "with its stored windows and rate limits"
        : "with empty windows and rate limits, as after a fresh start";
    terminal.print(hang("Plan: ", `${known}, ${remembered}. Nothing was written.`, options.width, options.paint.dim));
    const writes = decision.transition.now.map(({ objectName, from, to }) => `${objectName} ${from}→${to}`);
    const would =
      policy.spec.mode === "Active" ? "Would write" : `Would write if it were Active and not ${policy.spec.mode}`;
    const heads = headsFor(decision).map(({ name, current, to }) => `${name} ${current}→${to}`);
    terminal.print(
      writes.length === 0
        ? "Would write nothing now."
        : hang(`${would}: `, writes.join(", "), options.width, options.paint.good),
    );
    if (heads.length > 0)
      terminal.print(hang("Heads for: ", `${heads.join(", ")}, as windows and rate limits let it`, options.width));
    terminal.print("");
    terminal.print(renderExplanation({ ...policy, status }, options));
  });
}

/** Where it goes when windows and rates let it; a person's word stands as it is. */
function headsFor({ targets, override }: Decision) {
  return targets
    .map(({ name, current, goal, desired }) => ({ name, current, to: override === undefined ? goal : desired }))
    .filter(({ current, to }) => to !== current);
}

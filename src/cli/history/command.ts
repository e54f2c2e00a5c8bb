/** `grove-autoscaler history`: what was decided, when, and what it changed; over all policies of a namespace in one order of time. */
import type { Command } from "commander";
import { SCALING_POLICIES, type ScalingPolicy } from "../../api/autoscaling/scaling-policy.ts";
import { HISTORY_MAX_ENTRIES } from "../../api/autoscaling/scaling-policy-status.ts";
import { parseDurationMs } from "../../api/duration.ts";
import { parseTime } from "../../api/kubernetes/time.ts";
import { type Cluster, type ClusterFlags, withCluster, withClusterFlags } from "../cluster.ts";
import { UsageError } from "../errors.ts";
import { findPolicy, someNames } from "../find.ts";
import { sinceText } from "../get/columns.ts";
import { isForPrograms, type OutputFlags, printValue, withOutputFlag } from "../output.ts";
import type { Terminal } from "../terminal.ts";
import { table } from "../text.ts";
import { type RedisFlags, readLog, withRedisFlags } from "./redis.ts";
import { type History, type HistoryItem, historyOf, type TargetChange } from "./report.ts";

interface Flags extends ClusterFlags, OutputFlags, RedisFlags {
  readonly since?: string;
  readonly target?: string;
}

export function addHistoryCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("history")
    .description("list decisions in their order of time, and what each wrote")
    .argument("[policy]", "only those of this ScalingPolicy")
    .option("--since <duration>", "only those of the last 30m, 2h, …")
    .option("--target <name>", "only those that changed this target, or what is wanted of it");
  withOutputFlag(withClusterFlags(withRedisFlags(command), { isForAllNamespaces: true }));
  command
    .addHelpText(
      "after",
      `
A policy's status keeps the last ${HISTORY_MAX_ENTRIES} decisions that said something new; a Redis that the service uses keeps more. Changes are what was
written; (wants …) is what a decision that wrote nothing wants otherwise than the one that is kept before it.

Examples:
  grove-autoscaler history --since 1h
  grove-autoscaler history llama-70b --target decode
  grove-autoscaler history -A -o json | jq '.items[] | select(.outcome == "Failed")'`,
    )
    .action((name: string | undefined, flags: Flags) => {
      if (name !== undefined && flags.allNamespaces === true) {
        throw new UsageError(`--all-namespaces excludes a name: use -n NAMESPACE for the history of ${name}`);
      }
      const sinceMs = flags.since === undefined ? undefined : parseDurationMs(flags.since);
      if (flags.since !== undefined && (sinceMs === undefined || sinceMs < 1_000)) {
        throw new UsageError(
          `--since: "${flags.since}" is not a duration of at least 1s, such as 30m or 2h (a day is 24h)`,
        );
      }
      return withCluster(flags, terminal, (cluster) => showHistory(cluster, { name, sinceMs }, flags, terminal));
    });
}

interface Asked {
  readonly name: string | undefined;
  readonly sinceMs: number | undefined;
}

async function showHistory(
  cluster: Cluster,
  { name, sinceMs }: Asked,
  flags: Flags,
  terminal: Terminal,
): Promise<void> {
  const { target } = flags;
  const scope = flags.allNamespaces === true ? {} : { namespace: cluster.namespace };
  const policies =
    name === undefined ? (await cluster.api.list(SCALING_POLICIES, scope)).items : [await findPolicy(cluster, name)];
  if (target !== undefined && policies.length > 0) checkTarget(target, policies);
  const fromMs = sinceMs === undefined ? undefined : cluster.nowMs() - sinceMs;
  const isWanted = (key: string): boolean =>
    name === undefined
      ? scope.namespace === undefined || key.startsWith(`${scope.namespace}/`)
      : key === `${cluster.namespace}/${name}`;
  const log = await readLog(flags, terminal, { isWanted, fromMs });
  const history = historyOf({
    policies,
    ...(log === undefined ? {} : { log }),
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(target === undefined ? {} : { target }),
  });
  if (isForPrograms(flags.output)) {
    const { items, kept } = history;
    printValue(terminal, flags.output, { items, kept });
    return;
  }
  printHistory(
    history,
    { hasPolicies: policies.length > 0, hasLog: log !== undefined, fromMs },
    { ...flags, cluster, terminal },
  );
}

/** @throws UsageError naming those that there are */
function checkTarget(target: string, policies: readonly ScalingPolicy[]): void {
  const names = new Set(
    policies.flatMap(({ spec, status }) => [
      ...spec.scaleTargets.map(({ name }) => name),
      // One that was removed since has a history all the same.
      ...(status?.history ?? []).flatMap(({ desired }) => Object.keys(desired)),
    ]),
  );
  if (!names.has(target))
    throw new UsageError(`--target: there is no target "${target}"; there are: ${someNames([...names], target)}`);
}

function printHistory(
  { items, kept, newWishes }: History,
  {
    hasPolicies,
    hasLog,
    fromMs,
  }: { readonly hasPolicies: boolean; readonly hasLog: boolean; readonly fromMs: number | undefined },
  {
    cluster,
    terminal,
    allNamespaces,
    since,
    target,
  }: Flags & { readonly cluster: Cluster; readonly terminal: Terminal },
): void {
  const nowMs = cluster.nowMs();
  const where = allNamespaces === true ? "" : ` in namespace ${cluster.namespace} (-A looks in all)`;
  if (items.length > 0) {
    for (const line of table([
      ["TIME", "AGO", "POLICY", "DECISION", "OUTCOME", "REASON", "CHANGES"],
      ...items.map((item) => [
        item.time,
        sinceText(item.time, nowMs),
        item.policy,
        item.decision,
        item.outcome,
        item.reason,
        changesText(item, newWishes.get(item) ?? [], target),
      ]),
    ])) {
      terminal.print(line);
    }
  } else if (hasPolicies) {
    const what = target === undefined ? "no decision" : `no decision that changed ${target}`;
    terminal.printError(`${what} is kept${since === undefined ? "" : ` of the last ${since}`}`);
  } else terminal.printError(`no policies${where}`);

  const short = kept.filter((one) => !one.isAll && (fromMs === undefined || parseTime(one.since) > fromMs));
  if (fromMs !== undefined && short.length > 0) {
    const ends = short.map((one) => `${one.policy} to ${one.since} (${sinceText(one.since, nowMs)} ago)`);
    terminal.printError(
      `note: not all of the last ${since} is kept: ${someNames(ends, "")}${hasLog ? "" : "; where the service uses Redis, --redis-url reads further back"}`,
    );
  }
}

/** @param only this target */
function changesText({ changes, wants }: HistoryItem, wishes: readonly string[], only: string | undefined): string {
  const isShown = (target: string): boolean => only === undefined || target === only;
  const written = changes.filter(({ target }) => isShown(target)).map(changeText);
  if (written.length > 0) return written.join(", ");
  const wanted = wishes.filter(isShown).map((target) => `${target} ${wants[target]}`);
  return wanted.length === 0 ? "-" : `(wants ${wanted.join(", ")})`;
}

const changeText = ({ target, from, to }: TargetChange): string =>
  from === to ? `${target} ${to}, between set replicas` : `${target} ${from}→${to}`;

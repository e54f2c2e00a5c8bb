/** `grove-autoscaler get`: what there is and how it stands, once or followed. */
import type { Command } from "commander";
import { stringify } from "yaml";
import type { KubeObject } from "../../api/kubernetes/meta.ts";
import { startInformer } from "../../kube/informer.ts";
import { noRuntimeMetrics } from "../../kube/runtime-metrics.ts";
import { silentLogger } from "../../log.ts";
import { systemRandom } from "../../random.ts";
import { type Cluster, type ClusterFlags, withCluster, withClusterFlags } from "../cluster.ts";
import { UsageError } from "../errors.ts";
import { findObject } from "../find.ts";
import { isForPrograms, type OutputFlags, printObjects, withOutputFlag, withoutManagedFields } from "../output.ts";
import type { Terminal } from "../terminal.ts";
import { table } from "../text.ts";
import { headerOf, type ListedKind, listedKindOf, rowOf } from "./columns.ts";

interface Flags extends ClusterFlags, OutputFlags {
  readonly watch?: true;
}

export function addGetCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("get")
    .description("list policies, overrides or GPU budgets and how they stand")
    .argument("[kind]", "policies, overrides or budgets", "policies")
    .argument("[name]", "only this one")
    .option("-w, --watch", "go on, and print what changes (Ctrl-C ends it)");
  withOutputFlag(withClusterFlags(command, { isForAllNamespaces: true }));
  command
    .addHelpText(
      "after",
      `
Each target of a policy is shown as ready/current, with →desired when it is to change.

Examples:
  grove-autoscaler get                          policies of the namespace
  grove-autoscaler get policies -A -w           all policies; a line for each change
  grove-autoscaler get overrides -n serving
  grove-autoscaler get budgets -o yaml
  grove-autoscaler get policies llama-70b -o json | jq .status.lastDecision`,
    )
    .action((word: string, name: string | undefined, flags: Flags) => {
      const kind = listedKindOf(word);
      if (kind === undefined) {
        throw new UsageError(
          `there is nothing called "${word}" to get: policies, overrides or budgets (one policy: get policies ${word})`,
        );
      }
      if (name !== undefined && flags.allNamespaces === true && kind.resource.namespaced) {
        throw new UsageError(`--all-namespaces excludes a name: use -n NAMESPACE to get ${name}`);
      }
      return withCluster(flags, terminal, (cluster) => get(cluster, kind, name, flags, terminal));
    });
}

async function get(
  cluster: Cluster,
  kind: ListedKind,
  name: string | undefined,
  flags: Flags,
  terminal: Terminal,
): Promise<void> {
  const { resource } = kind;
  const scope = resource.namespaced && flags.allNamespaces !== true ? { namespace: cluster.namespace } : {};
  const objects =
    name === undefined ? (await cluster.api.list(resource, scope)).items : [await findObject(cluster, resource, name)];
  const sorted = objects.toSorted((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  if (flags.watch === true) {
    const fieldSelector = name === undefined ? {} : { fieldSelector: `metadata.name=${name}` };
    await follow(cluster, kind, { ...scope, ...fieldSelector }, sorted, flags, terminal);
  } else if (isForPrograms(flags.output)) printObjects(terminal, flags.output, sorted, name !== undefined);
  else printTable(kind, sorted, { nowMs: cluster.nowMs(), ...scope }, terminal);
}

const sortKey = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ""}/${metadata.name}`;

export function printTable<T extends KubeObject>(
  kind: ListedKind<T>,
  objects: readonly T[],
  { namespace, nowMs }: { readonly namespace?: string; readonly nowMs: number },
  terminal: Terminal,
): void {
  if (objects.length === 0) {
    const where = namespace === undefined ? "" : ` in namespace ${namespace} (-A looks in all)`;
    terminal.printError(`no ${kind.words[0]}${kind.resource.namespaced ? where : ""}`);
    return;
  }
  for (const line of table([headerOf(kind), ...objects.map((object) => rowOf(kind, object, nowMs))])) {
    terminal.print(line);
  }
}

/** The list, then a line (or a document) for each change that shows, until the person ends it. */
async function follow(
  { api, nowMs }: Cluster,
  kind: ListedKind,
  scope: { readonly namespace?: string; readonly fieldSelector?: string },
  first: readonly KubeObject[],
  flags: Flags,
  terminal: Terminal,
): Promise<void> {
  const { clock } = terminal;
  const widths: number[] = [];
  const shown = new Map<string, string>();
  const show = (object: KubeObject): void => {
    const row = rowOf(kind, object, nowMs());
    // Ages change all the time; they are no news.
    const news = JSON.stringify([object.metadata.uid, rowOf(kind, object, 0)]);
    if (shown.get(sortKey(object)) === news) return;
    shown.set(sortKey(object), news);
    printOne(object, row);
  };
  const printOne = (object: KubeObject, row: readonly string[]): void => {
    if (flags.output === "json") terminal.print(JSON.stringify(withoutManagedFields(object)));
    else if (flags.output === "yaml")
      terminal.print(`---\n${stringify(withoutManagedFields(object), { lineWidth: 0 }).trimEnd()}`);
    else for (const line of table([row], widths)) terminal.print(line);
  };
  const header = headerOf(kind);
  table([header, ...first.map((object) => rowOf(kind, object, nowMs()))], widths);
  if (!isForPrograms(flags.output)) for (const line of table([header], widths)) terminal.print(line);
  for (const object of first) show(object);

  const end = new AbortController();
  const informer = startInformer({
    api,
    clock,
    random: systemRandom(),
    signal: end.signal,
    log: silentLogger,
    metrics: noRuntimeMetrics,
    resource: kind.resource,
    scope,
  });
  informer.onChange(({ before, after }) => {
    if (after !== undefined) show(after);
    else if (before !== undefined) {
      shown.delete(sortKey(before));
      terminal.printError(`${kind.resource.kind} ${sortKey(before)} is gone`);
    }
  });
  await terminal.sleep(undefined, WATCH_TICK_MS, () => undefined);
  end.abort();
}

/** Nothing happens at a tick: what is shown comes from the watch. */
const WATCH_TICK_MS = 3_600_000;

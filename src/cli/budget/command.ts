/** `grove-autoscaler budget`: GPUs that there are, who holds them and who is held back for want of them. */
import type { Command } from "commander";
import { GPU_BUDGETS } from "../../api/autoscaling/gpu-budget.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../../api/autoscaling/scaling-policy.ts";
import { ApiError } from "../../kube/api-error.ts";
import { type Cluster, type ClusterFlags, withCluster, withClusterFlags } from "../cluster.ts";
import { UsageError } from "../errors.ts";
import { widthOf } from "../explain/command.ts";
import { findObject } from "../find.ts";
import { sinceText } from "../get/columns.ts";
import { isForPrograms, type OutputFlags, printValue, withOutputFlag } from "../output.ts";
import type { Terminal } from "../terminal.ts";
import { hang, paintFor, table } from "../text.ts";
import {
  type BudgetReport,
  budgetReports,
  type LimitSource,
  type MemberReport,
  type OwnLimitReport,
  ownLimitReports,
  type Surroundings,
} from "./report.ts";

type Flags = ClusterFlags & OutputFlags;

export function addBudgetCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("budget")
    .description("show GPU budgets: what is used and free, what each policy wants and gets, and who is held back")
    .argument("[name]", "only this GPUBudget");
  withOutputFlag(withClusterFlags(command, { isForAllNamespaces: true }));
  command
    .addHelpText(
      "after",
      `
GPUBudgets belong to the whole cluster and are shown with members of all namespaces. Policies with a gpuBudget.max of their own, or with
a queue of the scheduler, are shown of the namespace, or with -A of all. ? is a number that nobody reports.
WANTED of a member is what would serve all of its demand; of other policies, what the last decision wants within the limit.

Examples:
  grove-autoscaler budget
  grove-autoscaler budget team-a
  grove-autoscaler budget -A -o json | jq '.budgets[].members[] | select(.heldBack)'`,
    )
    .action((name: string | undefined, flags: Flags) =>
      withCluster(flags, terminal, (cluster) => showBudgets(cluster, name, flags, terminal)),
    );
}

async function showBudgets(
  cluster: Cluster,
  name: string | undefined,
  flags: Flags,
  terminal: Terminal,
): Promise<void> {
  if (name !== undefined && flags.namespace !== undefined) {
    throw new UsageError("--namespace goes without a name: a GPUBudget belongs to the whole cluster");
  }
  const found =
    name === undefined ? (await cluster.api.list(GPU_BUDGETS)).items : [await findObject(cluster, GPU_BUDGETS, name)];
  const surroundings = await readablePolicies(cluster, flags, terminal);
  const { policies } = surroundings;
  const budgets = budgetReports(found, surroundings, name);
  const isShown = ({ metadata }: ScalingPolicy): boolean =>
    name === undefined && (flags.allNamespaces === true || metadata.namespace === cluster.namespace);
  const own = ownLimitReports(policies.filter(isShown));
  if (isForPrograms(flags.output)) {
    printValue(terminal, flags.output, name === undefined ? { budgets, policies: own } : budgets[0]);
    return;
  }
  const options = { nowMs: cluster.nowMs(), width: widthOf(terminal), ...paintFor(terminal) };
  const sections = [...budgets.map((one) => budgetLines(one, options)), ...ownLimitLines(own, options)];
  if (sections.length === 0) {
    const where = flags.allNamespaces ? "" : ` in namespace ${cluster.namespace} (-A looks in all)`;
    terminal.printError(`no GPUBudget, and no policy with gpuBudget.max or gpuBudget.queueRef${where}`);
  }
  if (sections.length > 0) terminal.print(sections.map((lines) => lines.join("\n")).join("\n\n"));
}

/** Members may be anywhere; who may not look everywhere sees those of one namespace, and is told. */
async function readablePolicies(
  { api, namespace }: Cluster,
  { allNamespaces }: Flags,
  terminal: Terminal,
): Promise<Surroundings> {
  try {
    return { policies: (await api.list(SCALING_POLICIES)).items, isComplete: true };
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 403 || allNamespaces === true) throw error;
    terminal.printError(
      `note: policies of other namespaces than ${namespace} cannot be read: their priority, mode and use show as ? where the budget does not report them`,
    );
    return { policies: (await api.list(SCALING_POLICIES, { namespace })).items, isComplete: false };
  }
}

interface Options {
  readonly nowMs: number;
  readonly width: number;
  bold(text: string): string;
  warn(text: string): string;
}

const UNKNOWN = "?";
const known = (value: number | string | undefined): string => (value === undefined ? UNKNOWN : String(value));
const ageOf = (time: string | undefined, nowMs: number): string => (time === undefined ? "-" : sinceText(time, nowMs));

function budgetLines(budget: BudgetReport, options: Options): readonly string[] {
  const { name, max, reserve, used, requested, free, members } = budget;
  const lines = table([
    ["BUDGET", "MAX", "RESERVE", "USED", "REQUESTED", "FREE"],
    [name, ...[max, reserve, used, requested, free].map(known)],
  ]);
  return [
    options.bold(lines[0] ?? ""),
    ...lines.slice(1),
    ...(members.length === 0 ? ["  no policy refers to it"] : memberTable(members, options)),
    ...heldBackLines(members, options),
  ];
}

const memberTable = (members: readonly MemberReport[], { nowMs }: Options): readonly string[] =>
  table([
    ["  POLICY", "MODE", "PRIORITY", "WEIGHT", "USED", "WANTED", "GRANTED", "DECIDED"],
    ...members.map(({ policy, mode, takesNoPart, priority, weight, used, wanted, granted, decidedAt }) => [
      `  ${policy}`,
      takesNoPart ? "no part" : known(mode),
      known(priority),
      String(weight),
      ...[used, wanted, granted].map((gpus) => (takesNoPart && gpus === undefined ? "-" : known(gpus))),
      ageOf(decidedAt, nowMs),
    ]),
  ]);

function ownLimitLines(policies: readonly OwnLimitReport[], options: Options): readonly (readonly string[])[] {
  if (policies.length === 0) return [];
  const lines = table([
    ["POLICY", "MODE", "LIMITED BY", "USED", "WANTED", "LIMIT", "DECIDED"],
    ...policies.map(({ policy, mode, limitedBy, used, wanted, limit, decidedAt }) => [
      policy,
      mode,
      limitedBy.map(sourceText).join(", "),
      ...[used, wanted, limit].map(known),
      ageOf(decidedAt, options.nowMs),
    ]),
  ]);
  return [[options.bold(lines[0] ?? ""), ...lines.slice(1), ...heldBackLines(policies, options)]];
}

const sourceText = (source: LimitSource): string =>
  source.kind === "queue" ? `queue ${source.name}` : `gpuBudget.max ${source.gpus}`;

const heldBackLines = (
  policies: readonly { readonly policy: string; readonly heldBack?: string }[],
  { width, warn }: Options,
): readonly string[] =>
  policies.flatMap(({ policy, heldBack }) =>
    heldBack === undefined ? [] : [hang(`  ${policy} is held back: `, heldBack, width, warn)],
  );

/** `grove-autoscaler explain`: why the last decision of a policy is what it is. */
import type { Command } from "commander";
import type { ScalingPolicy } from "../../api/autoscaling/scaling-policy.ts";
import { type ClusterFlags, withCluster, withClusterFlags } from "../cluster.ts";
import { UsageError } from "../errors.ts";
import { findPolicy } from "../find.ts";
import { isForPrograms, type OutputFlags, printValue, withOutputFlag } from "../output.ts";
import type { Terminal } from "../terminal.ts";
import { hang, paintFor } from "../text.ts";
import { headline, type RenderOptions, renderExplanation, title } from "./render.ts";

interface Flags extends ClusterFlags, OutputFlags {
  readonly decision?: string;
}

/** Prose wider than this is hard to read, however wide the terminal is. */
const MAX_WIDTH = 110;
/** Below it the columns leave no room for words; of a pipe nobody knows the width, so it gets the usual one. */
const MIN_WIDTH = 60;
const PIPE_WIDTH = 80;

export const widthOf = (terminal: Terminal): number =>
  terminal.isInteractive ? Math.max(MIN_WIDTH, Math.min(MAX_WIDTH, terminal.columns())) : PIPE_WIDTH;

export function addExplainCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("explain")
    .description("say why a policy's last decision is what it is: the chain of eleven stages, and why not more or less")
    .argument("<policy>", "name of the ScalingPolicy")
    .option("--decision <number>", "an earlier decision, of those that the policy's history keeps");
  withOutputFlag(withClusterFlags(command), "text");
  command
    .addHelpText(
      "after",
      `
Examples:
  grove-autoscaler explain llama-70b -n serving
  grove-autoscaler explain llama-70b --decision 412
  grove-autoscaler explain llama-70b -o json | jq '.lastDecision.chain[] | select(.stage == "step")'`,
    )
    .action((name: string, flags: Flags) =>
      withCluster(flags, terminal, async (cluster) => {
        const policy = await findPolicy(cluster, name);
        const options = { nowMs: cluster.nowMs(), width: widthOf(terminal), paint: paintFor(terminal) };
        const earlier = flags.decision === undefined ? undefined : historyEntry(policy, flags.decision);
        if (isForPrograms(flags.output)) {
          const { checkpoint: _, ...status } = policy.status ?? {};
          printValue(terminal, flags.output, earlier ?? status);
        } else {
          terminal.print(
            earlier === undefined ? renderExplanation(policy, options) : renderEarlier(policy, earlier, options),
          );
        }
      }),
    );
}

type HistoryEntry = NonNullable<NonNullable<ScalingPolicy["status"]>["history"]>[number];

/** @returns undefined for the last decision, of which everything is known */
function historyEntry({ metadata, status }: ScalingPolicy, id: string): HistoryEntry | undefined {
  if (!/^\d+$/.test(id)) throw new UsageError(`--decision: "${id}" is not the number of a decision`);
  if (status?.lastDecision?.id === id) return undefined;
  const history = status?.history ?? [];
  const entry = history.findLast((one) => one.id === id);
  if (entry !== undefined) return entry;
  const known = [
    ...new Set([
      ...history.map((one) => one.id),
      ...(status?.lastDecision === undefined ? [] : [status.lastDecision.id]),
    ]),
  ];
  throw new UsageError(
    known.length === 0
      ? `--decision: ${metadata.name} has decided nothing yet`
      : `--decision: ${metadata.name} does not keep decision ${id}; it keeps those that changed something: ${known.join(", ")}`,
  );
}

function renderEarlier(policy: ScalingPolicy, entry: HistoryEntry, options: RenderOptions): string {
  const desired = Object.entries(entry.desired)
    .map(([target, replicas]) => `${target} ${replicas}`)
    .join(", ");
  return [
    title(policy, options),
    "",
    headline(entry, options),
    hang("  ", entry.message ?? entry.reason, options.width),
    hang("  ", `desired: ${desired}`, options.width),
    "",
    hang(
      "",
      "The chain of stages is kept for the last decision only: explain without --decision.",
      options.width,
      options.paint.dim,
    ),
  ].join("\n");
}

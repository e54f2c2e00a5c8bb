/** `grove-autoscaler override`: a person sets replicas for a limited time, and takes it back. */
import type { Command } from "commander";
import { SCALING_OVERRIDES } from "../../api/autoscaling/scaling-override.ts";
import { keyOf } from "../../api/kubernetes/meta.ts";
import { isNotFound } from "../../kube/api-error.ts";
import { type ClusterFlags, withCluster, withClusterFlags } from "../cluster.ts";
import { UsageError } from "../errors.ts";
import { findObject, findPolicy } from "../find.ts";
import { OVERRIDE_KIND } from "../get/columns.ts";
import { printTable } from "../get/command.ts";
import { collect } from "../lint.ts";
import { isForPrograms, type OutputFlags, printObjects, withOutputFlag } from "../output.ts";
import type { Terminal } from "../terminal.ts";
import { type SetFlags, setOverride } from "./set.ts";

export function addOverrideCommand(program: Command, terminal: Terminal): void {
  const override = program.command("override").description("set replicas by hand for a limited time: set, list, clear");
  addSet(override, terminal);
  addList(override, terminal);
  addClear(override, terminal);
}

function addSet(override: Command, terminal: Terminal): void {
  const command = override
    .command("set")
    .description("set replicas of a policy's targets until a time, with a reason")
    .argument("<policy>", "name of the ScalingPolicy")
    .argument("[target=replicas...]", "exactly this many, e.g. decode=3; per PodCliqueSet replica, as in the policy")
    .option("--min <target=replicas>", "at least this many; may be given several times", collect)
    .option("--max <target=replicas>", "at most this many; may be given several times", collect)
    .requiredOption("--for <duration>", "how long, e.g. 30m or 2h; afterwards metrics decide again")
    .requiredOption("--reason <text>", "why, for those who find it later")
    .option("--force", "lift the policy's bounds and the GPU budget; nothing lifts Grove's minAvailable")
    .option("--name <name>", "name of the ScalingOverride (default: made from the policy and the time)");
  withOutputFlag(withClusterFlags(command), "text");
  command
    .addHelpText(
      "after",
      `
Targets that are not named follow as far as the ratios ask. Of several overrides of a policy the youngest is in force.
What will hold the override (minAvailable, bounds, budget) is said when it is set.

Examples:
  grove-autoscaler override set llama-70b decode=3 --for 2h --reason "launch at 10:00"
  grove-autoscaler override set llama-70b --min prefill=2 --max decode=2 --for 45m --reason "INC-1234"
  grove-autoscaler override set llama-70b decode=6 --force --for 30m --reason "INC-1234, budget owner agreed"`,
    )
    .action((policy: string, assignments: readonly string[], flags: SetFlags) =>
      withCluster(flags, terminal, (cluster) => setOverride(cluster, policy, assignments, flags, terminal)),
    );
}

function addList(override: Command, terminal: Terminal): void {
  const command = override
    .command("list")
    .description("list overrides")
    .argument("[policy]", "only those of this ScalingPolicy");
  withOutputFlag(withClusterFlags(command, { isForAllNamespaces: true }));
  command
    .addHelpText(
      "after",
      `
Examples:
  grove-autoscaler override list
  grove-autoscaler override list llama-70b -n serving -o json`,
    )
    .action((policy: string | undefined, flags: ClusterFlags & OutputFlags) =>
      withCluster(flags, terminal, async (cluster) => {
        const scope = flags.allNamespaces === true ? {} : { namespace: cluster.namespace };
        if (policy !== undefined && flags.allNamespaces !== true) await findPolicy(cluster, policy);
        const { items } = await cluster.api.list(SCALING_OVERRIDES, scope);
        const wanted = items
          .filter(({ spec }) => policy === undefined || spec.policyRef.name === policy)
          .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
        if (isForPrograms(flags.output)) printObjects(terminal, flags.output, wanted, false);
        else printTable(OVERRIDE_KIND, wanted, { nowMs: cluster.nowMs(), ...scope }, terminal);
      }),
    );
}

interface ClearFlags extends ClusterFlags {
  readonly policy?: string;
}

function addClear(override: Command, terminal: Terminal): void {
  const command = override
    .command("clear")
    .description("end an override before its time, or all of a policy")
    .argument("[name]", "name of the ScalingOverride")
    .option("--policy <name>", "all overrides of this ScalingPolicy");
  withClusterFlags(command)
    .addHelpText(
      "after",
      `
Examples:
  grove-autoscaler override clear llama-70b-20270302t101500z
  grove-autoscaler override clear --policy llama-70b`,
    )
    .action((name: string | undefined, flags: ClearFlags) => {
      if ((name === undefined) === (flags.policy === undefined)) {
        throw new UsageError(
          "give the name of an override (override list shows them) or --policy NAME, one of the two",
        );
      }
      return withCluster(flags, terminal, async ({ api, namespace }) => {
        const { policy } = flags;
        const doomed =
          name === undefined
            ? (await api.list(SCALING_OVERRIDES, { namespace })).items.filter(
                ({ spec }) => spec.policyRef.name === policy,
              )
            : [await findObject({ api, namespace }, SCALING_OVERRIDES, name)];
        if (doomed.length === 0 && policy !== undefined) {
          await findPolicy({ api, namespace }, policy);
          terminal.print(`${policy} has no override`);
        }
        for (const { metadata, spec } of doomed) {
          await api.delete(SCALING_OVERRIDES, { namespace, name: metadata.name }).catch((error: unknown) => {
            if (!isNotFound(error)) throw error;
          });
          terminal.print(
            `${metadata.name} cleared: metrics decide about ${Object.keys(spec.scaleTargets).join(", ")} again`,
          );
        }
      });
    });
}

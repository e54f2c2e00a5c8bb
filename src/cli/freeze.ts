/** `grove-autoscaler freeze` and `unfreeze`: in an incident, stop the writes of many policies at once, and later resume exactly those. */
import type { Command } from "commander";
import { SCALING_POLICIES, type ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { formatTime } from "../api/kubernetes/time.ts";
import { ApiError, isConflict } from "../kube/api-error.ts";
import {
  type Cluster,
  type ClusterFlags,
  describeRefusal,
  FIELD_MANAGER,
  withCluster,
  withClusterFlags,
} from "./cluster.ts";
import { CommandError, UsageError } from "./errors.ts";
import { findPolicy } from "./find.ts";
import { FREEZE_ANNOTATION, freezeOf } from "./freeze-annotation.ts";
import { isForPrograms, printValue, withOutputFlag } from "./output.ts";
import type { Terminal } from "./terminal.ts";

interface Flags extends ClusterFlags {
  readonly all?: true;
  readonly output: string;
}

interface FreezeFlags extends Flags {
  readonly reason: string;
}

/** The controller writes the status every tick, so a conflict is usual and says nothing about the mode. */
const MAX_ATTEMPTS = 5;

export function addFreezeCommands(program: Command, terminal: Terminal): void {
  const freeze = program
    .command("freeze")
    .description("in an incident: stop all writes at once; unfreeze resumes exactly the policies that this stopped")
    .argument("[policies...]", "names of ScalingPolicies")
    .option("--all", "every policy of the namespace, or with -A of the cluster")
    .requiredOption("--reason <text>", "why, for those who find it later");
  withOutputFlag(withClusterFlags(freeze, { isForAllNamespaces: true }), "text")
    .addHelpText(
      "after",
      `
Active policies become Paused; those that are not Active write nothing and stay as they are.
Exit code: 0 no policy writes, 1 some could not be frozen (they are named) or there is none, 2 the command line is wrong.

Examples:
  grove-autoscaler freeze --all -A --reason "INC-1234"
  grove-autoscaler freeze llama-70b qwen-32b -n serving --reason "INC-1234, storage is down"
  grove-autoscaler unfreeze --all -A`,
    )
    .action((names: readonly string[], flags: FreezeFlags) => {
      const reason = flags.reason.trim();
      if (reason === "") throw new UsageError("--reason: say why, for those who find it later");
      return forEachPolicy(names, flags, terminal, (cluster, policy) => freezeOne(cluster, policy, reason));
    });

  const unfreeze = program
    .command("unfreeze")
    .description("resume what freeze stopped; policies that a person paused stay paused")
    .argument("[policies...]", "names of ScalingPolicies")
    .option("--all", "every frozen policy of the namespace, or with -A of the cluster");
  withOutputFlag(withClusterFlags(unfreeze, { isForAllNamespaces: true }), "text")
    .addHelpText(
      "after",
      "\nExamples:\n  grove-autoscaler unfreeze --all -A\n  grove-autoscaler unfreeze llama-70b -n serving",
    )
    .action((names: readonly string[], flags: Flags) => forEachPolicy(names, flags, terminal, unfreezeOne));
}

type Step = (cluster: Cluster, policy: ScalingPolicy) => Change;

/** What to write, and what is said when it is written; without a patch there is nothing to do. */
interface Change {
  readonly patch?: { readonly mode?: "Active" | "Paused"; readonly freeze: string | null };
  readonly text: string;
}

function freezeOne(cluster: Cluster, policy: ScalingPolicy, reason: string): Change {
  const mode = policy.spec.mode ?? "Active";
  const frozen = freezeOf(policy);
  if (mode === "Paused" && frozen !== undefined) return { text: `is frozen already: ${frozen.reason}` };
  if (mode !== "Active") return { text: `is ${mode} and writes nothing: left as it is` };
  const freeze = JSON.stringify({
    mode,
    reason,
    at: formatTime(cluster.nowMs()),
    ...(cluster.user === undefined ? {} : { by: cluster.user }),
  });
  return { patch: { mode: "Paused", freeze }, text: "Active → Paused (frozen)" };
}

function unfreezeOne(_: Cluster, policy: ScalingPolicy): Change {
  const mode = policy.spec.mode ?? "Active";
  if (policy.metadata.annotations?.[FREEZE_ANNOTATION] === undefined) return { text: `is not frozen: stays ${mode}` };
  // Somebody decided otherwise meanwhile, past these commands.
  if (mode !== "Paused") return { patch: { freeze: null }, text: `is ${mode} already: only the mark was removed` };
  return { patch: { mode: "Active", freeze: null }, text: "Paused → Active" };
}

async function forEachPolicy(names: readonly string[], flags: Flags, terminal: Terminal, step: Step): Promise<void> {
  if (names.length > 0 === (flags.all === true)) {
    throw new UsageError("give names of policies (get shows them) or --all, one of the two");
  }
  if (names.length > 0 && flags.allNamespaces === true) {
    throw new UsageError("--all-namespaces goes with --all: a name is in one namespace, give -n");
  }
  await withCluster(flags, terminal, async (cluster) => {
    const scope = flags.allNamespaces === true ? {} : { namespace: cluster.namespace };
    // All names are looked up before anything is written: a typing mistake leaves no half of it done.
    const policies = flags.all
      ? (await cluster.api.list(SCALING_POLICIES, scope)).items
      : await Promise.all([...new Set(names)].map((name) => findPolicy(cluster, name)));
    if (policies.length === 0) {
      // A wrong namespace must not look like an incident that is under control.
      throw new CommandError(
        flags.allNamespaces
          ? "there are no policies in any namespace"
          : `there are no policies in namespace ${cluster.namespace}: -n NAME looks in another, -A in all`,
      );
    }
    const results: Result[] = [];
    for (const policy of policies) {
      const result = await resultOf(cluster, policy, step);
      results.push(result);
      if (!isForPrograms(flags.output)) say(result, terminal);
    }
    if (isForPrograms(flags.output)) printValue(terminal, flags.output, { items: results });
    const failures = results.filter(({ result }) => result === "failed").length;
    if (failures > 0) {
      throw new CommandError(
        `${failures} of ${policies.length} policies could not be changed; the same command again tries those`,
      );
    }
  });
}

interface Result {
  /** `namespace/name`. */
  readonly policy: string;
  readonly result: "changed" | "unchanged" | "failed";
  readonly message: string;
}

async function resultOf(cluster: Cluster, policy: ScalingPolicy, step: Step): Promise<Result> {
  const key = `${policy.metadata.namespace}/${policy.metadata.name}`;
  try {
    const { patch, text } = await change(cluster, policy, step);
    return { policy: key, result: patch === undefined ? "unchanged" : "changed", message: text };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { policy: key, result: "failed", message: describeRefusal(error) };
  }
}

function say({ policy, result, message }: Result, terminal: Terminal): void {
  if (result === "failed") terminal.printError(`error: ${policy}: ${message}`);
  else terminal.print(message.startsWith("is ") ? `${policy} ${message}` : `${policy}: ${message}`);
}

/** @returns what was done */
async function change(cluster: Cluster, found: ScalingPolicy, step: Step): Promise<Change> {
  const { namespace = cluster.namespace, name } = found.metadata;
  const key = { namespace, name };
  let policy = found;
  for (let attempt = 1; ; attempt++) {
    const next = step(cluster, policy);
    const { patch } = next;
    if (patch === undefined) return next;
    const body = {
      // What was read is what is changed: nobody's newer mode is overwritten.
      metadata: {
        resourceVersion: policy.metadata.resourceVersion,
        annotations: { [FREEZE_ANNOTATION]: patch.freeze },
      },
      ...(patch.mode === undefined ? {} : { spec: { mode: patch.mode } }),
    };
    try {
      await cluster.api.patch(SCALING_POLICIES, key, body, { type: "merge", fieldManager: FIELD_MANAGER });
      return next;
    } catch (error) {
      if (!isConflict(error) || attempt >= MAX_ATTEMPTS) throw error;
      policy = await cluster.api.get(SCALING_POLICIES, key);
    }
  }
}

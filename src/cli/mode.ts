/** `grove-autoscaler pause` and `resume`: whether a policy's decisions are written. */
import { type Command, Option } from "commander";
import { type PolicyMode, SCALING_POLICIES } from "../api/autoscaling/scaling-policy.ts";
import { type ClusterFlags, FIELD_MANAGER, withCluster, withClusterFlags } from "./cluster.ts";
import { findPolicy } from "./find.ts";
import type { Terminal } from "./terminal.ts";

export function addModeCommands(program: Command, terminal: Terminal): void {
  const pause = program
    .command("pause")
    .description("stop writing: replicas stay as they are, decisions are still made and shown")
    .argument("<policy>", "name of the ScalingPolicy");
  withClusterFlags(pause)
    .addHelpText("after", "\nExample:\n  grove-autoscaler pause llama-70b -n serving")
    .action((name: string, flags: ClusterFlags) => setMode(name, "Paused", flags, terminal));

  const resume = program
    .command("resume")
    .description("write decisions again, or with --mode Advisory only show them")
    .argument("<policy>", "name of the ScalingPolicy")
    .addOption(new Option("--mode <mode>", "mode to go to").choices(["Active", "Advisory"]).default("Active"));
  withClusterFlags(resume)
    .addHelpText(
      "after",
      "\nExamples:\n  grove-autoscaler resume llama-70b -n serving\n  grove-autoscaler resume llama-70b --mode Advisory",
    )
    .action((name: string, { mode, ...flags }: ClusterFlags & { readonly mode: PolicyMode }) =>
      setMode(name, mode, flags, terminal),
    );
}

async function setMode(name: string, mode: PolicyMode, flags: ClusterFlags, terminal: Terminal): Promise<void> {
  await withCluster(flags, terminal, async (cluster) => {
    const { metadata, spec } = await findPolicy(cluster, name);
    const before = spec.mode ?? "Active";
    const policy = `${metadata.namespace}/${name}`;
    if (before === mode) {
      terminal.print(`${policy} is ${mode} already`);
      return;
    }
    const key = { namespace: cluster.namespace, name };
    // Not an apply: that would create a policy that was deleted meanwhile.
    await cluster.api.patch(SCALING_POLICIES, key, { spec: { mode } }, { type: "merge", fieldManager: FIELD_MANAGER });
    terminal.print(`${policy}: ${before} → ${mode}`);
  });
}

/** `grove-autoscaler pause` and `resume`: whether a policy's decisions are written. */
import { type Command, Option } from "commander";
import { type PolicyMode, SCALING_POLICIES } from "../api/autoscaling/scaling-policy.ts";
import { type ClusterFlags, FIELD_MANAGER, withCluster, withClusterFlags } from "./cluster.ts";
import { findPolicy } from "./find.ts";
import { FREEZE_ANNOTATION, freezeOf } from "./freeze-annotation.ts";
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
    const found = await findPolicy(cluster, name);
    const { metadata, spec } = found;
    const isFrozen = freezeOf(found) !== undefined;
    const before = spec.mode ?? "Active";
    const policy = `${metadata.namespace}/${name}`;
    if (before === mode && !isFrozen) {
      terminal.print(`${policy} is ${mode} already`);
      return;
    }
    const key = { namespace: cluster.namespace, name };
    // Not an apply: that would create a policy that was deleted meanwhile.
    const patch = {
      spec: { mode },
      // Named by a person: unfreeze has no say in it any more.
      ...(isFrozen ? { metadata: { annotations: { [FREEZE_ANNOTATION]: null } } } : {}),
    };
    await cluster.api.patch(SCALING_POLICIES, key, patch, { type: "merge", fieldManager: FIELD_MANAGER });
    terminal.print(
      before === mode ? `${policy} is ${mode} already; unfreeze leaves it so` : `${policy}: ${before} → ${mode}`,
    );
  });
}

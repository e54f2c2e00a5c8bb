/** `grove-autoscaler lint`: what can be known about manifests without a cluster. */
import type { Command } from "commander";
import { defaultPodCliqueSet } from "../api/grove/pod-clique-set-defaults.ts";
import { resolve } from "../autoscaler/resolve.ts";
import { UsageError } from "./errors.ts";
import { type CheckedFiles, type CheckedObject, checkFiles, errorLines, warningLines } from "./policy-files.ts";
import type { Terminal } from "./terminal.ts";
import { paintFor } from "./text.ts";

interface Flags {
  readonly filename: readonly string[];
  readonly strict?: true;
}

export const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

export function addLintCommand(program: Command, terminal: Terminal): void {
  program
    .command("lint")
    .description(
      "check manifests without a cluster: fields, PromQL, ratios inside bounds, budgets, names in the PodCliqueSet",
    )
    .requiredOption("-f, --filename <file>", "manifest; may be given several times", collect)
    .option("--strict", "warnings fail too")
    .addHelpText(
      "after",
      `
With the PodCliqueSet in one of the files, names, minAvailable and GPUs of the policy are checked against it.
Exit code: 0 all good, 2 something is wrong.

Examples:
  grove-autoscaler lint -f policy.yaml
  grove-autoscaler lint --strict -f policy.yaml -f workload.yaml`,
    )
    .action((flags: Flags) => {
      const files = checkFiles(flags.filename);
      if (files.all.length === 0)
        throw new UsageError(`${flags.filename.join(", ")}: no object of a kind that lint knows`);
      const paint = paintFor(terminal);
      const problems = files.policies.map((policy) => againstSet(policy, files));
      const errors = [...files.all.flatMap(errorLines), ...problems.flatMap((found) => found.errors)];
      const warnings = [...files.all.flatMap(warningLines), ...problems.flatMap((found) => found.warnings)];
      for (const line of errors) terminal.printError(`${paint.bad("error:")} ${line}`);
      for (const line of warnings) terminal.printError(`${paint.warn("warning:")} ${line}`);
      const isBad = errors.length > 0 || (flags.strict === true && warnings.length > 0);
      if (isBad) terminal.exitCode(2);
      else
        terminal.print(
          `${paint.good("ok:")} ${files.all.map(({ object }) => `${object.kind} ${object.metadata.name}`).join(", ")}`,
        );
    });
}

/** What only shows with the PodCliqueSet at hand. */
function againstSet(
  { file, object: { kind, metadata, spec }, errors }: CheckedFiles["policies"][number],
  { sets }: CheckedFiles,
): { readonly errors: readonly string[]; readonly warnings: readonly string[] } {
  const set = sets.find((one) => isTarget(one, metadata.namespace, spec.targetRef?.name));
  if (set === undefined || errors.length > 0 || set.errors.length > 0) return { errors: [], warnings: [] };
  const { problems } = resolve(spec, defaultPodCliqueSet(set.object));
  const line = ({ message }: { readonly message: string }): string => `${file}: ${kind} ${metadata.name}: ${message}`;
  return {
    errors: problems.filter(({ isWarning }) => isWarning !== true).map(line),
    warnings: problems.filter(({ isWarning }) => isWarning === true).map(line),
  };
}

const isTarget = ({ object }: CheckedObject, namespace = "default", name?: string): boolean =>
  object.metadata.name === name && (object.metadata.namespace ?? "default") === namespace;

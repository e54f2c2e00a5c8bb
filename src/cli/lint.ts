/** `grove-autoscaler lint`: what can be known about manifests without a cluster. */
import type { Command } from "commander";
import type { ConfigMap } from "../api/kubernetes/core.ts";
import type { KubeObject, Resource } from "../api/kubernetes/meta.ts";
import { KAI_QUEUES } from "../api/scheduler/kai-queue.ts";
import { VOLCANO_QUEUES } from "../api/scheduler/volcano.ts";
import { readConfigMap } from "../autoscaler/profile-of.ts";
import { type Findings, reviewOverride, reviewPolicy } from "../autoscaler/review-policy.ts";
import { UsageError } from "./errors.ts";
import { type CheckedFiles, type CheckedObject, checkFiles, errorLines, warningLines } from "./policy-files.ts";
import { collect } from "./repeatable.ts";
import type { Terminal } from "./terminal.ts";
import { paintFor } from "./text.ts";

interface Flags {
  readonly filename: readonly string[];
  readonly strict?: true;
}

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
With the PodCliqueSet in one of the files, names, minAvailable and GPUs of the policy are checked against it; other policies,
overrides, GPUBudgets, HorizontalPodAutoscalers, ScaledObjects, queues and performance profiles in the files are compared with it as the admission webhook would.
Exit code: 0 all good, 2 something is wrong.

Examples:
  grove-autoscaler lint -f policy.yaml
  grove-autoscaler lint --strict -f policy.yaml -f workload.yaml`,
    )
    .action((flags: Flags) => {
      const files = checkFiles("--filename", flags.filename);
      if (files.all.length === 0)
        throw new UsageError(`${flags.filename.join(", ")}: no object of a kind that lint knows`);
      const paint = paintFor(terminal);
      const problems = [
        ...files.policies.map((policy) => amongFiles(policy, files)),
        ...files.overrides.map((override) => onPolicy(override, files)),
      ];
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

interface Lines {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** What only shows with the workload, other policies and other autoscalers at hand. */
function amongFiles(policy: CheckedFiles["policies"][number], files: CheckedFiles): Lines {
  const { object, errors } = policy;
  if (errors.length > 0) return NO_LINES;
  const { targetRef, gpuBudget } = object.spec;
  const set = files.sets.find((one) => isSound(one) && isNamed(one.object, namespaceOf(object), targetRef.name));
  const budget = files.budgets.find(
    (one) => isSound(one) && one.object.metadata.name === gpuBudget.sharedBudgetRef?.name,
  );
  const ofKind = <T extends KubeObject>(kind: string): readonly T[] =>
    files.ignored.filter((one) => one.kind === kind).map((one) => inNamespace(one) as T);
  const ofResource = <T extends KubeObject>({ kind, group }: Resource<T>): readonly T[] =>
    ofKind<T>(kind).filter(({ apiVersion }) => apiVersion.startsWith(`${group}/`));
  const profileName = object.spec.performanceModel.profileRef?.name;
  const configMap = ofKind<ConfigMap>("ConfigMap").find((one) => isNamed(one, namespaceOf(object), profileName ?? ""));
  const read = configMap === undefined ? undefined : readConfigMap(configMap);
  return linesOf(
    policy,
    reviewPolicy(object, {
      policies: files.policies.filter(isSound).map((one) => one.object),
      horizontalPodAutoscalers: ofKind("HorizontalPodAutoscaler"),
      scaledObjects: ofKind("ScaledObject"),
      queues: { kai: ofResource(KAI_QUEUES), volcano: ofResource(VOLCANO_QUEUES) },
      ...(read?.kind === "Profile" && { profile: read.profile }),
      ...(set !== undefined && { set: set.object }),
      ...(budget !== undefined && { budget: budget.object }),
    }),
  );
}

function onPolicy(override: CheckedFiles["overrides"][number], { policies }: CheckedFiles): Lines {
  const { object, errors } = override;
  if (errors.length > 0) return NO_LINES;
  const policy = policies.find(
    (one) => isSound(one) && isNamed(one.object, namespaceOf(object), object.spec.policyRef.name),
  );
  return linesOf(override, reviewOverride(object, policy?.object));
}

const NO_LINES: Lines = { errors: [], warnings: [] };

const linesOf = ({ file, object }: CheckedObject, { errors, warnings }: Findings): Lines => ({
  errors: errorLines({ file, object, errors, warnings }),
  warnings: warningLines({ file, object, errors, warnings }),
});

const isSound = ({ errors }: CheckedObject): boolean => errors.length === 0;
const namespaceOf = ({ metadata }: KubeObject): string => metadata.namespace ?? "default";
const isNamed = (object: KubeObject, namespace: string, name: string): boolean =>
  object.metadata.name === name && namespaceOf(object) === namespace;
const inNamespace = (object: KubeObject): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, namespace: namespaceOf(object) },
});

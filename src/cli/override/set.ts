/** Creates a ScalingOverride, and says beforehand what will hold it. */
import { SCALING_OVERRIDES, type ScalingOverride } from "../../api/autoscaling/scaling-override.ts";
import type { ScalingPolicy } from "../../api/autoscaling/scaling-policy.ts";
import { formatDuration, parseDurationMs } from "../../api/duration.ts";
import { apiVersionOf } from "../../api/kubernetes/meta.ts";
import { formatTime } from "../../api/kubernetes/time.ts";
import { type DryRun, dryRun } from "../../autoscaler/dry-run.ts";
import { ApiError, isAlreadyExists } from "../../kube/api-error.ts";
import { noMetrics } from "../../observe/no-metrics.ts";
import { systemRandom } from "../../random.ts";
import { type Cluster, type ClusterFlags, FIELD_MANAGER } from "../cluster.ts";
import { CommandError, UsageError } from "../errors.ts";
import { findPolicy } from "../find.ts";
import { overrideText } from "../get/columns.ts";
import { isForPrograms, type OutputFlags, printObjects } from "../output.ts";
import { clusterClock } from "../plan/command.ts";
import type { Terminal } from "../terminal.ts";
import { type OverrideTargets, parseAssignments } from "./assignments.ts";

export interface SetFlags extends ClusterFlags, Omit<OutputFlags, "output"> {
  readonly output: string;
  readonly min?: readonly string[];
  readonly max?: readonly string[];
  readonly for: string;
  readonly reason: string;
  readonly force?: true;
  readonly name?: string;
}

export async function setOverride(
  cluster: Cluster,
  policyName: string,
  assignments: readonly string[],
  flags: SetFlags,
  terminal: Terminal,
): Promise<void> {
  const forMs = parseDurationMs(flags.for);
  if (forMs === undefined || forMs < 1_000) {
    throw new UsageError(`--for: "${flags.for}" is not a duration of at least 1s, such as 30m or 2h (a day is 24h)`);
  }
  if (flags.reason.trim() === "") throw new UsageError("--reason: say why, for those who find it later");
  const policy = await findPolicy(cluster, policyName);
  const scaleTargets = parseAssignments(
    { exact: assignments, min: flags.min ?? [], max: flags.max ?? [] },
    policyName,
    policy.spec.scaleTargets.map(({ name }) => name),
  );
  const draft = draftOf({ cluster, policy, scaleTargets, forMs, flags, terminal });
  for (const line of await whatHoldsIt(cluster, policy, draft, terminal)) terminal.printError(`warning: ${line}`);

  const created = await cluster.api
    .create(SCALING_OVERRIDES, draft, { fieldManager: FIELD_MANAGER })
    .catch((error: unknown) => {
      if (isAlreadyExists(error)) {
        throw new CommandError(
          `there is an override ${draft.metadata.name} already: clear it first, or choose another --name`,
        );
      }
      throw error;
    });
  if (isForPrograms(flags.output)) return printObjects(terminal, flags.output, [created], true);
  terminal.print(
    `${created.metadata.name}: ${overrideText(created.spec.scaleTargets)} for ${formatDuration(forMs)}, until ${created.spec.expiresAt}`,
  );
  terminal.print(
    `to end it before that: grove-autoscaler override clear ${created.metadata.name} -n ${cluster.namespace}`,
  );
}

interface Draft {
  readonly cluster: Cluster;
  readonly policy: ScalingPolicy;
  readonly scaleTargets: OverrideTargets;
  readonly forMs: number;
  readonly flags: SetFlags;
  readonly terminal: Terminal;
}

/** Kubernetes allows 253 characters in a name; the time takes 17. */
const MAX_POLICY_NAME = 236;

function draftOf({ cluster, policy, scaleTargets, forMs, flags, terminal }: Draft): ScalingOverride {
  const nowMs = cluster.nowMs();
  const stamp = formatTime(nowMs).replace(/[-:]/g, "").toLowerCase();
  const requestedBy = cluster.user ?? terminal.environment["USER"];
  return {
    apiVersion: apiVersionOf(SCALING_OVERRIDES),
    kind: SCALING_OVERRIDES.kind,
    metadata: {
      name: flags.name ?? `${policy.metadata.name.slice(0, MAX_POLICY_NAME)}-${stamp}`,
      namespace: cluster.namespace,
    },
    spec: {
      policyRef: { name: policy.metadata.name },
      scaleTargets,
      expiresAt: formatTime(nowMs + forMs),
      reason: flags.reason,
      force: flags.force === true,
      ...(requestedBy === undefined || requestedBy === "" ? {} : { requestedBy: requestedBy.slice(0, 253) }),
    },
  };
}

/** What the loop itself would make of the override now. Metrics do not matter for that: what they would say is replaced. */
async function whatHoldsIt(
  cluster: Cluster,
  policy: ScalingPolicy,
  draft: ScalingOverride,
  terminal: Terminal,
): Promise<readonly string[]> {
  const { mode } = policy.spec;
  const closed =
    mode === "Active" ? [] : [`${policy.metadata.name} is ${mode}: nothing is written before it is Active (resume)`];
  const rival = policy.status?.override?.name;
  const replaced = rival === undefined ? [] : [`${rival} was in force until now: the younger one wins`];
  let run: DryRun;
  try {
    run = await dryRun({
      api: cluster.api,
      metricsSource: noMetrics,
      clock: clusterClock(cluster, terminal.clock),
      random: systemRandom(),
      policy,
      memory: "stored",
      overrides: [{ ...draft, metadata: { ...draft.metadata, creationTimestamp: formatTime(cluster.nowMs()) } }],
    });
  } catch (error) {
    // Who may set an override need not be allowed to see the pods.
    if (!(error instanceof ApiError)) throw error;
    return [...closed, ...replaced, `cannot say what will hold it: ${error.message}`];
  }
  const { decision } = run.turn;
  if (decision === undefined) {
    const ready = run.status.conditions?.find(({ type }) => type === "Ready");
    return [
      ...closed,
      ...replaced,
      `${policy.metadata.name} decides nothing now: ${ready?.message ?? "it is not ready"}`,
    ];
  }
  const notes = decision.stages
    .filter(({ stage }) => stage === "override")
    .flatMap(({ target, before, after, reason }) =>
      holdText(target?.split("/")[0] ?? "", before, after, reason, decision.budget.gpusMax),
    );
  return [...closed, ...replaced, ...new Set(notes)];
}

function holdText(
  target: string,
  before: number | undefined,
  after: number | undefined,
  reason: string,
  gpusMax: number | undefined,
): readonly string[] {
  switch (reason) {
    case "MinimumViableSet":
      return [`${target} is held at ${after}: Grove's minAvailable, which nothing lifts`];
    case "TooFewReplicas":
      return [`${target} is held at ${after}: the policy's minReplicas; --force lifts it`];
    case "TooManyReplicas":
      return [`${target} is held at ${after}: the policy's maxReplicas; --force lifts it`];
    case "Ratio":
      return [`${target} follows from ${before} to ${after}: its ratio asks for it`];
    case "RatioViolated":
      return [
        "a ratio of the policy is broken for as long as this is in force: name both of its targets, or force less",
      ];
    case "GPUBudget":
      return [`held inside the budget of ${gpusMax} GPUs, so it may not be reached; --force lifts that`];
    default:
      return [];
  }
}

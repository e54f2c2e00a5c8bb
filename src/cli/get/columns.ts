/** The rows of `get`: one kind each, one line an object. Pure. */
import { GPU_BUDGETS, type GPUBudget } from "../../api/autoscaling/gpu-budget.ts";
import { SCALING_OVERRIDES, type ScalingOverride } from "../../api/autoscaling/scaling-override.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../../api/autoscaling/scaling-policy.ts";
import type { TargetStatus } from "../../api/autoscaling/scaling-policy-status.ts";
import { conditionOf } from "../../api/kubernetes/conditions.ts";
import { humanDuration } from "../../api/kubernetes/human-duration.ts";
import type { KubeObject, Resource } from "../../api/kubernetes/meta.ts";
import { parseTime } from "../../api/kubernetes/time.ts";

export interface Column<T> {
  readonly title: string;
  cell(object: T, nowMs: number): string;
}

export interface ListedKind<T extends KubeObject = KubeObject> {
  /** What a person may type; the first one is shown in help. */
  readonly words: readonly string[];
  readonly resource: Resource<T>;
  readonly columns: readonly Column<T>[];
}

const NONE = "-";

const namespace: Column<KubeObject> = { title: "NAMESPACE", cell: ({ metadata }) => metadata.namespace ?? NONE };
const name: Column<KubeObject> = { title: "NAME", cell: ({ metadata }) => metadata.name };
const age: Column<KubeObject> = {
  title: "AGE",
  cell: ({ metadata }, nowMs) => sinceText(metadata.creationTimestamp ?? "", nowMs),
};

const policies: ListedKind<ScalingPolicy> = {
  words: ["policies", "policy", "scalingpolicies", "scalingpolicy", "sp"],
  resource: SCALING_POLICIES,
  columns: [
    namespace,
    name,
    { title: "TARGET", cell: ({ spec }) => spec.targetRef.name },
    { title: "MODE", cell: ({ spec }) => spec.mode ?? "Active" },
    { title: "READY", cell: ({ status }) => conditionOf(status?.conditions, "Ready")?.status ?? NONE },
    { title: "READY/CURRENT→DESIRED", cell: ({ status }) => status?.targets?.map(targetCell).join("  ") ?? NONE },
    { title: "GPUS", cell: ({ status }) => gpuCell(status?.budget) },
    { title: "LAST DECISION", cell: reasonCell },
    {
      title: "DECIDED",
      cell: ({ status }, nowMs) =>
        status?.lastDecision === undefined ? NONE : sinceText(status.lastDecision.time, nowMs),
    },
    age,
  ],
};

/** What the cluster stamped is not in the future, whatever two clocks make of it in between. */
export const sinceText = (time: string, nowMs: number): string => humanDuration(Math.max(0, nowMs - parseTime(time)));

const targetCell = ({ name: target, ready, current, desired }: TargetStatus): string =>
  `${target} ${ready}/${current}${current === desired ? "" : `→${desired}`}`;

function gpuCell(budget: NonNullable<ScalingPolicy["status"]>["budget"]): string {
  if (budget === undefined) return NONE;
  return budget.gpusMax === undefined ? String(budget.gpusUsed) : `${budget.gpusUsed}/${budget.gpusMax}`;
}

/** Why there is no decision says more than that there is none. */
function reasonCell({ status }: ScalingPolicy): string {
  const ready = conditionOf(status?.conditions, "Ready");
  if (ready?.status === "False") return ready.reason;
  return status?.lastDecision?.reason ?? NONE;
}

export const OVERRIDE_KIND: ListedKind<ScalingOverride> = {
  words: ["overrides", "override", "scalingoverrides", "scalingoverride", "sov"],
  resource: SCALING_OVERRIDES,
  columns: [
    namespace,
    name,
    { title: "POLICY", cell: ({ spec }) => spec.policyRef.name },
    { title: "REPLICAS", cell: ({ spec }) => overrideText(spec.scaleTargets) },
    { title: "FORCE", cell: ({ spec }) => (spec.force ? "yes" : "no") },
    {
      title: "PHASE",
      cell: ({ spec, status }, nowMs) =>
        parseTime(spec.expiresAt) <= nowMs ? "Expired" : (status?.phase ?? "Pending"),
    },
    { title: "LEFT", cell: ({ spec }, nowMs) => timeLeft(spec.expiresAt, nowMs) },
    { title: "BY", cell: ({ spec }) => spec.requestedBy ?? NONE },
    { title: "REASON", cell: ({ spec }) => spec.reason },
  ],
};

/** `decode=3, prefill>=1, prefill<=4`: in the words of the flags. */
export function overrideText(targets: ScalingOverride["spec"]["scaleTargets"]): string {
  return Object.entries(targets)
    .flatMap(([target, { replicas, minReplicas, maxReplicas }]) => [
      ...(replicas === undefined ? [] : [`${target}=${replicas}`]),
      ...(minReplicas === undefined ? [] : [`${target}>=${minReplicas}`]),
      ...(maxReplicas === undefined ? [] : [`${target}<=${maxReplicas}`]),
    ])
    .join(", ");
}

export function timeLeft(expiresAt: string, nowMs: number): string {
  const leftMs = parseTime(expiresAt) - nowMs;
  return leftMs > 0 ? humanDuration(leftMs) : "over";
}

const budgets: ListedKind<GPUBudget> = {
  words: ["budgets", "budget", "gpubudgets", "gpubudget", "gb"],
  resource: GPU_BUDGETS,
  columns: [
    name,
    { title: "CAPACITY", cell: ({ spec }) => String(spec.capacity) },
    { title: "RESERVE", cell: ({ spec }) => String(spec.reserve ?? 0) },
    { title: "USED", cell: ({ status }) => String(status?.used ?? NONE) },
    { title: "REQUESTED", cell: ({ status }) => String(status?.requested ?? NONE) },
    {
      title: "USED/GRANTED BY POLICY",
      cell: ({ status }) =>
        status?.members
          ?.map((member) => `${member.namespace}/${member.policy} ${member.used}/${member.granted}`)
          .join("  ") || NONE,
    },
    age,
  ],
};

const LISTED_KINDS: readonly ListedKind[] = [policies, OVERRIDE_KIND, budgets];

export const listedKindOf = (word: string): ListedKind | undefined =>
  LISTED_KINDS.find(({ words }) => words.includes(word.toLowerCase()));

export const rowOf = <T extends KubeObject>({ columns }: ListedKind<T>, object: T, nowMs: number): readonly string[] =>
  columns.map(({ cell }) => cell(object, nowMs));

export const headerOf = ({ columns }: Pick<ListedKind<never>, "columns">): readonly string[] =>
  columns.map(({ title }) => title);

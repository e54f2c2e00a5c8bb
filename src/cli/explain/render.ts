/**
 * A decision for a person, from the status of its policy: what was decided, how it came to that, and what is not as it should be. Pure; `explain`
 * renders what the cluster reports, `plan` what a dry run would report.
 */
import type { ScalingPolicy } from "../../api/autoscaling/scaling-policy.ts";
import type { DecisionStatus, ScalingPolicyStatus, TargetStatus } from "../../api/autoscaling/scaling-policy-status.ts";
import type { Condition } from "../../api/kubernetes/meta.ts";
import { STAGES, type Stage } from "../../decide/decision.ts";
import { round } from "../../decide/demand.ts";
import { sinceText, timeLeft } from "../get/columns.ts";
import { hang, type Paint, table, wrap } from "../text.ts";
import { isSilent } from "./silence.ts";

export interface RenderOptions {
  readonly nowMs: number;
  readonly width: number;
  readonly paint: Paint;
}

/** Everything about the last decision. */
export function renderExplanation(policy: ScalingPolicy, options: RenderOptions): string {
  const { status } = policy;
  const sections = [
    title(policy, options),
    decisionSection(policy, options),
    overrideSection(status, options),
    conditionSection(status?.conditions ?? [], options),
    targetSection(status, options),
    chainSection(policy, options),
    whySection(policy, options),
    historySection(status, options),
  ];
  return sections.filter((section) => section !== "").join("\n\n");
}

export function title({ metadata, spec }: ScalingPolicy, { paint, width }: RenderOptions): string {
  const mode = spec.mode ?? "Active";
  const text = `${metadata.namespace}/${metadata.name} scales PodCliqueSet ${spec.targetRef.name}, mode ${mode}`;
  return wrap(text, width)
    .map((line) => paint.bold(line))
    .join("\n");
}

function decisionSection(policy: ScalingPolicy, options: RenderOptions): string {
  const { paint, width, nowMs } = options;
  const decision = policy.status?.lastDecision;
  if (decision === undefined) {
    return hang(
      "",
      "No decision yet. Is the autoscaler running? See the conditions, if there are any.",
      width,
      paint.warn,
    );
  }
  const lines = [headline(decision, options), hang("  ", decision.message ?? decision.reason, width)];
  if (isSilent(policy, nowMs)) {
    const text = `The last word is ${sinceText(decision.time, nowMs)} old: is the autoscaler running, and does it lead?`;
    lines.push(hang("  ", text, width, paint.warn));
  }
  return lines.join("\n");
}

export function headline(
  { id, outcome, reason, time }: Omit<DecisionStatus, "chain">,
  { paint, nowMs }: RenderOptions,
): string {
  return `Decision ${id}: ${paintOutcome(outcome, paint)(`${outcome}, ${reason}`)} ${paint.dim(`(${sinceText(time, nowMs)} ago, ${time})`)}`;
}

function paintOutcome(outcome: DecisionStatus["outcome"], paint: Paint): (text: string) => string {
  if (outcome === "Failed") return paint.bad;
  return outcome === "Limited" ? paint.warn : outcome === "Scaled" ? paint.good : paint.bold;
}

function overrideSection(status: ScalingPolicyStatus | undefined, { nowMs, paint, width }: RenderOptions): string {
  if (status?.override === undefined) return "";
  const { name, reason, expiresAt } = status.override;
  return hang(
    "Override ",
    `${name} is in force for another ${timeLeft(expiresAt, nowMs)}: ${reason ?? "no reason given"}`,
    width,
    paint.warn,
  );
}

/** What each condition says when all is well. */
const AS_IT_SHOULD_BE: Readonly<Record<string, Condition["status"]>> = {
  Ready: "True",
  TargetResolved: "True",
  MetricsAvailable: "True",
  AbleToScale: "True",
  ScalingActive: "True",
  ScalingLimited: "False",
  RatioSatisfied: "True",
  BudgetSatisfied: "True",
  ForecastTrusted: "True",
  CapacityPending: "False",
  Degraded: "False",
};
/** True with another reason is a warning. */
const QUIET_REASONS: Readonly<Record<string, string>> = { Ready: "Deciding", MetricsAvailable: "Ok" };

function conditionSection(conditions: readonly Condition[], { nowMs, width, paint }: RenderOptions): string {
  const odd = conditions.filter(({ type, status, reason }) => {
    const quiet = QUIET_REASONS[type];
    return status !== (AS_IT_SHOULD_BE[type] ?? status) || (quiet !== undefined && reason !== quiet);
  });
  if (odd.length === 0) return "";
  const lines = odd.map(({ type, status, reason, message, lastTransitionTime }) =>
    hang(
      "  ",
      `${type}=${status} ${reason}, for ${sinceText(lastTransitionTime, nowMs)}: ${message}`,
      width,
      paint.warn,
    ),
  );
  return [paint.bold("Not as it should be"), ...lines].join("\n");
}

/** As kubectl takes them; the whole words do not fit in a line. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  PodCliqueSet: "pcs",
  PodCliqueScalingGroup: "pcsg",
  PodClique: "pclq",
};

function targetSection(status: ScalingPolicyStatus | undefined, { paint, width }: RenderOptions): string {
  const targets = status?.targets ?? [];
  if (targets.length === 0) return "";
  const [header = "", ...rows] = table([
    ["TARGET", "LEVEL", "NOW", "READY", "STARTING", "PENDING", "DESIRED", "LEAST"],
    ...targets.map((one) => [
      one.name,
      SHORT_NAMES[one.level] ?? one.level,
      ...[one.current, one.ready, one.starting, one.pending, one.desired, one.minViable].map(String),
    ]),
  ]);
  const ratios = (status?.ratios ?? []).map(({ name, current, min, max, withinBand }) => {
    const text = `ratio ${name}: ready ${current ?? "unknown"}, from ${min ?? "any"} to ${max ?? "any"}${withinBand ? "" : ": OUT OF BAND"}`;
    return hang("  ", text, width, withinBand ? (line) => line : paint.warn);
  });
  const budget = status?.budget;
  const of = budget?.gpusMax === undefined ? "no budget" : `of ${budget.gpusMax}`;
  const gpus = budget === undefined ? [] : [`  GPUs: ${budget.gpusUsed} in use, ${budget.gpusRequested} wanted, ${of}`];
  return [paint.bold(`  ${header}`), ...rows.map((row) => `  ${row}`), ...ratios, ...gpus].join("\n");
}

/** What a stage that left no record means. */
const NOTHING_TO_SAY: Readonly<Record<Exclude<Stage, "gate" | "record">, string>> = {
  collect: "every metric is there and fresh",
  demand: "nothing to measure",
  forecast: "nothing above the demand",
  bounds: "no bound had to be raised",
  arbitrate: "no GPU budget",
  solve: "nothing to solve",
  step: "no window and no rate limit in the way",
  override: "none in force",
  transition: "nothing to write",
};

function chainSection(policy: ScalingPolicy, options: RenderOptions): string {
  const decision = policy.status?.lastDecision;
  if (decision?.chain === undefined) return "";
  const entries = decision.chain.map((entry) => ({ ...entry, cells: [entry.target ?? "", changeText(entry)] }));
  const aligned = table(entries.map(({ cells }) => cells));
  const widest = Math.max(0, ...aligned.map((line) => line.length));
  const lines = STAGES.flatMap((stage, index) => {
    const head = `${String(index + 1).padStart(4)} ${stage.padEnd(11)}`;
    if (stage === "gate") return [hang(head, gateText(policy), options.width)];
    if (stage === "record") return [hang(head, `decision ${decision.id}, ${decision.time}`, options.width)];
    const own = entries.flatMap((entry, at) => (entry.stage === stage ? [{ entry, cells: aligned[at] ?? "" }] : []));
    if (own.length === 0) return [hang(head, NOTHING_TO_SAY[stage], options.width, options.paint.dim)];
    return own.map(({ entry: { reason, detail }, cells }, at) => {
      const text = detail === undefined ? reason : `${reason}: ${detail}`;
      return hang(`${at === 0 ? head : " ".repeat(head.length)}${cells.padEnd(widest)}  `, text, options.width);
    });
  });
  return [options.paint.bold("How it came to that"), ...lines].join("\n");
}

type ChainEntry = NonNullable<DecisionStatus["chain"]>[number];

function changeText({ before, after }: ChainEntry): string {
  if (after === undefined) return "";
  return before === undefined ? String(round(after)) : `${round(before)} → ${round(after)}`;
}

function gateText({ spec, status }: ScalingPolicy): string {
  const held = notWritten(spec.mode);
  if (held !== undefined) return `closed: ${held}`;
  const able = status?.conditions?.find(({ type }) => type === "AbleToScale");
  return able?.status === "False" ? `refused, ${able.reason}: ${able.message}` : "open";
}

function notWritten(mode: ScalingPolicy["spec"]["mode"] | undefined): string | undefined {
  switch (mode) {
    case "Paused":
      return "the policy is paused, nothing is written";
    case "Advisory":
      return "the policy is advisory, nothing is written";
    case "Shadow":
      return "the policy is a shadow, nothing is written";
    default:
      return undefined;
  }
}

/** Of the same decision as the chain and the targets: a status is written whole. */
function whySection(policy: ScalingPolicy, { paint, width }: RenderOptions): string {
  const { lastDecision, targets } = policy.status ?? {};
  const answers = lastDecision?.neighbours ?? [];
  if (lastDecision === undefined || answers.length === 0) return "";
  const shown = new Map((targets ?? []).map((one) => [one.name, one]));
  const lines = answers.flatMap(({ target, oneMore, oneLess }) => {
    const now = shown.get(target);
    const number = now === undefined ? "" : numberText(now);
    const why = reasonFor(lastDecision, target);
    return [
      hang(`  ${paint.bold(target)} `, `${number}${why === "" ? "" : `: ${why}`}`, width),
      hang("    one more: ", neighbourText(oneMore), width),
      ...changeLines(oneMore, width, paint),
      hang("    one less: ", neighbourText(oneLess), width),
      ...changeLines(oneLess, width, paint),
    ];
  });
  const gate = gateText(policy);
  const held = gate === "open" ? [] : [hang("  not written: ", gate, width, paint.warn)];
  const title = `Why these numbers (decision ${lastDecision.id}, times as of ${lastDecision.time})`;
  return [paint.bold(title), ...held, ...lines].join("\n");
}

const numberText = ({ current, desired }: TargetStatus): string =>
  current === desired ? `stays at ${current}` : `${current} → ${desired}`;

type Neighbour = NonNullable<DecisionStatus["neighbours"]>[number]["oneMore"];

const neighbourText = ({ constraint, detail }: Neighbour): string => `${constraint}: ${detail}`;

function changeLines({ change }: Neighbour, width: number, paint: Paint): readonly string[] {
  return change === undefined ? [] : [hang("      changes with: ", change, width, paint.dim)];
}

/** What the demand asks for and what the solver made of it; what came after that is what the answers name. */
function reasonFor({ chain = [] }: DecisionStatus, target: string): string {
  const mine = (stage: string) => chain.find((entry) => entry.stage === stage && entry.target === target);
  const demand = mine("demand");
  const asked = chain.findLast(
    ({ stage, target: of, after }) => stage === "forecast" && of === target && after !== undefined,
  );
  const goal = mine("solve");
  const parts = [
    ...(demand === undefined ? [] : [`demand ${round(demand.after ?? 0)} (${demand.detail ?? demand.reason})`]),
    ...(asked?.after === undefined ? [] : [`forecast ${round(asked.after)} (${asked.detail ?? asked.reason})`]),
    ...(goal?.after === undefined ? [] : [`goal ${goal.after}`]),
  ];
  return parts.join(", ");
}

/** Decisions that a person looks back on; `-o json` has them all. */
const HISTORY_LINES = 8;

function historySection(status: ScalingPolicyStatus | undefined, { nowMs, width, paint }: RenderOptions): string {
  const history = (status?.history ?? []).slice(-HISTORY_LINES);
  if (history.length === 0) return "";
  const ages = history.map(({ time }) => sinceText(time, nowMs));
  const widest = Math.max(...ages.map((age) => age.length));
  const idWidth = Math.max(...history.map(({ id }) => id.length));
  const lines = history.map(({ id, message, reason }, index) =>
    hang(`  ${(ages[index] ?? "").padStart(widest)} ago  ${id.padStart(idWidth)}  `, message ?? reason, width),
  );
  return [paint.bold("History"), ...lines].join("\n");
}

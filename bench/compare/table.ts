/** The comparison as Markdown for bench/README.md: ours and the best peer of each case, faults, ablations, reactions. Every autoscaler is on the page. Pure. */
import { ABLATION_HEAD, ablationCells, formatEstimate } from "../../src/report/columns.ts";
import type {
  ComparisonReport,
  FaultResult,
  ParameterSet,
  ReactionResult,
  ScenarioResults,
} from "../../src/report/comparison-report.ts";
import { BEST_PEER_RULE, type Position, positions, type Verdict, verdictOf } from "../../src/report/verdict.ts";
import type { Estimate } from "../../src/trial/measures/bootstrap.ts";

export function tableOf(report: ComparisonReport): string {
  return [
    ...(report.scenarios.length === 0 ? [] : [INTRODUCTION]),
    ...report.scenarios.map((scenario) => scenarioPart(report, scenario)),
    ...(report.faults.length === 0 ? [] : [faultPart(report)]),
    ...(report.ablations.length === 0 ? [] : [ablationPart(report)]),
    ...((report.reactions ?? []).length === 0 ? [] : [reactionPart(report)]),
  ].join("\n");
}

const INTRODUCTION = `In parentheses 95 % bootstrap intervals over the seeds, from ten seeds on. ${BEST_PEER_RULE} Ratios are of means.
`;

type Row = readonly string[];

/** @param alignment of each column, as Markdown writes it */
function table(head: Row, alignment: Row, rows: readonly Row[]): string {
  return [head, alignment, ...rows]
    .map(
      (cells) => `|${cells.map((cell) => (/^-+:?$/.test(cell) ? cell : cell === "" ? " " : ` ${cell} `)).join("|")}|`,
    )
    .join("\n");
}

const PARAMETERS: readonly { readonly set: ParameterSet; readonly words: string }[] = [
  { set: "default", words: "by defaults" },
  { set: "tuned", words: "as tuned" },
];
const ORACLES: readonly (readonly [name: string, title: string])[] = [
  ["clairvoyant", "clairvoyant"],
  ["static", "best fixed"],
];

function scenarioPart(report: ComparisonReport, scenario: ScenarioResults): string {
  const all = positions(report, scenario, report.sloSets[0]?.name ?? "");
  const verdicts = PARAMETERS.map(({ set, words }) => ({
    words,
    ...verdictOf(all.filter(({ kind, result }) => kind === "oracle" || result.parameters === set)),
  }));
  const rows = [
    ...verdicts.flatMap(({ ours, bestPeer }) => [
      ...(ours === undefined ? [] : [rowOf(ours, `**${ours.result.autoscaler}**`, "")]),
      ...(bestPeer === undefined
        ? []
        : [rowOf(bestPeer, `best peer: ${bestPeer.result.autoscaler}`, shareOf(ours, bestPeer))]),
    ]),
    ...ORACLES.flatMap(([name, title]) => {
      const oracle = all.find(({ result }) => result.autoscaler === name);
      if (oracle === undefined) return [];
      const [byDefault, asTuned] = verdicts.map(({ ours }) => shareOf(ours, oracle));
      const shares = [byDefault, asTuned === "" ? "" : `tuned ${asTuned}`].filter((share) => share !== "");
      return [rowOf(oracle, title, shares.join(", "), "hindsight")];
    }),
  ];
  return `### ${scenario.name}

${scenario.about}

${table(["", "parameters", "in time", "GPU-hours", "ours / its GPU-hours"], ["---", "---", "---:", "---:", "---:"], rows)}

${goalSentence(verdicts)}
`;
}

function rowOf(position: Position, title: string, share: string, parameters?: string): Row {
  const { result } = position;
  return [
    title,
    parameters ?? result.parameters,
    percent(result.measures.bySlo[0]?.values.attainmentRatio),
    formatEstimate(result.measures.values.allocatedGpuHours, "GPU-h"),
    share,
  ];
}

const shareOf = (ours: Position | undefined, other: Position): string =>
  ours === undefined ? "" : (ours.gpuHours / other.gpuHours).toFixed(2);

function goalSentence(verdicts: readonly (Verdict & { readonly words: string })[]): string {
  if (verdicts.every(({ ours }) => ours === undefined)) return "Nothing was measured of ours.";
  if (verdicts.every(({ bestPeer }) => bestPeer === undefined)) return "There is no peer to compare with.";
  const held = verdicts.flatMap(({ ours, bestPeer, reachesGoal, words }) => {
    if (ours === undefined || bestPeer === undefined) return [];
    const points = 100 * (ours.attainmentRatio - bestPeer.attainmentRatio);
    return `**${reachesGoal ? "yes" : "no"}** ${words} (${signed(points, 2)} points at ${shareOf(ours, bestPeer)} ×)`;
  });
  const losses = verdicts.flatMap(({ ours, beatenBy }) =>
    ours === undefined || beatenBy.length === 0
      ? []
      : ` Better or equal at both than ${ours.label}: ${beatenBy.map(({ label }) => label).join(", ")}.`,
  );
  return `At least the best peer's attainment at ≤ 0.9 × its GPU-hours: ${held.join("; ")}.${losses.join("")}`;
}

/** A table a case: one row an autoscaler, ours first, one column a fault. */
function faultPart({ faults, autoscalers }: ComparisonReport): string {
  const tables = [...Map.groupBy(faults, ({ scenario }) => scenario)].map(([scenario, mine]) => {
    const columns = [...new Set(mine.map(({ fault }) => fault))];
    const lost = ({ attainmentChange }: FaultResult): string => formatEstimate(negative(attainmentChange), "%");
    const rows = namesIn(mine, autoscalers).map((name) => [
      titleOf(name, autoscalers),
      ...columns.map((fault) => {
        const cell = mine.find((one) => one.autoscaler === name && one.fault === fault);
        return cell === undefined ? "–" : lost(cell);
      }),
    ]);
    return table([scenario, ...columns], ["---", ...columns.map(() => "---:")], rows);
  });
  return `### Faults

Attainment lost against the same seeds without the fault, in percentage points; below zero: gained. By defaults.

${tables.join("\n\n")}
`;
}

function ablationPart({ ablations }: ComparisonReport): string {
  return `### Ablations

Ours without a part − ours complete, on the same seeds, each on cases where the part has something to do.

${table(ABLATION_HEAD, ["---", "---", ...ABLATION_HEAD.slice(2).map(() => "---:")], ablations.map(ablationCells))}
`;
}

/** A table a case: one row an autoscaler, ours first, one column a step. */
function reactionPart({ reactions = [], autoscalers, seeds }: ComparisonReport): string {
  const tables = [...Map.groupBy(reactions, ({ scenario }) => scenario)].map(([scenario, mine]) => {
    const steps = [...new Set(mine.map(({ stepAtSeconds }) => stepAtSeconds))].sort((a, b) => a - b);
    const rows = namesIn(mine, autoscalers).map((name) => [
      titleOf(name, autoscalers),
      ...steps.map((step) =>
        reactionCell(
          mine.filter((one) => one.autoscaler === name && one.parameters === "default" && one.stepAtSeconds === step),
          seeds.length,
        ),
      ),
    ]);
    return table([scenario, ...steps.map((step) => `at ${step} s`)], ["---", ...steps.map(() => "---")], rows);
  });
  return `### Reactions to known steps

Seconds since the step until the slowest target has enough ready replicas (after a step down: no longer too many), seconds until the goals are kept again, and the most replicas that one target was asked for beyond what is
required. A dash: in no seed before the next step, or nothing was to be done. By defaults.

${tables.join("\n\n")}
`;
}

/** @param targets of one autoscaler at one step */
function reactionCell(targets: readonly ReactionResult[], seeds: number): string {
  const [first] = targets;
  if (first === undefined) return "–";
  const time = (estimate: Estimate | null): string =>
    estimate === null
      ? "–"
      : `${formatEstimate({ mean: estimate.mean, seeds }, "s")} s${estimate.seeds < seeds ? ` (${estimate.seeds} of ${seeds})` : ""}`;
  const ready = targets.map(({ readyReachedSeconds }) => readyReachedSeconds);
  const slowest = ready.includes(null)
    ? null
    : ready.reduce((worst, one) => ((one?.mean ?? 0) > (worst?.mean ?? 0) ? one : worst));
  const overshoot = Math.max(...targets.map(({ overshootReplicas }) => overshootReplicas?.mean ?? 0));
  return [time(slowest), time(first.sloRecoverySeconds), signed(overshoot, 1)].join(", ");
}

type Autoscalers = ComparisonReport["autoscalers"];

/** In the order of the report, which has ours first. */
function namesIn(rows: readonly { readonly autoscaler: string }[], autoscalers: Autoscalers): readonly string[] {
  const present = new Set(rows.map(({ autoscaler }) => autoscaler));
  return autoscalers.map(({ name }) => name).filter((name) => present.has(name));
}

const titleOf = (name: string, autoscalers: Autoscalers): string =>
  autoscalers.some((one) => one.name === name && one.kind === "ours") ? `**${name}**` : name;

const negative = (estimate: Estimate | null): Estimate | null => {
  if (estimate === null) return null;
  const { mean, interval, seeds } = estimate;
  return { mean: -mean, seeds, ...(interval === undefined ? {} : { interval: [-interval[1], -interval[0]] }) };
};

/** To a hundredth: what is above 99 % differs there. */
function percent(estimate: Estimate | null | undefined): string {
  if (!estimate) return "–";
  const text = (ratio: number): string => (100 * ratio).toFixed(2);
  const { mean, interval } = estimate;
  return `${text(mean)} %${interval === undefined ? "" : ` (${text(interval[0])} … ${text(interval[1])})`}`;
}

const signed = (value: number, digits: number): string => {
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : `+${text}`;
};

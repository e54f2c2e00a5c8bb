/** The comparison as Markdown for bench/README.md: ours and the best peer of each case, faults, ablations, reactions. Every autoscaler is on the page. Pure. */
import { ABLATION_HEAD, ablationCells, formatEstimate, formatNumber } from "../../src/report/columns.ts";
import type {
  ComparisonReport,
  FaultResult,
  ParameterSet,
  ReactionResult,
  ScenarioResults,
} from "../../src/report/comparison-report.ts";
import { BEST_PEER_RULE, type Position, positions, type Verdict, verdictOf } from "../../src/report/verdict.ts";
import { type Estimate, MIN_SEEDS } from "../../src/trial/measures/bootstrap.ts";

export function tableOf(report: ComparisonReport): string {
  return [
    ...(report.scenarios.length === 0 ? [] : [overviewPart(report), INTRODUCTION]),
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
  ["static-peak", "fixed at the peak"],
];

const OVERVIEW_HEAD: Row = [
  "case",
  "ours",
  "best peer",
  "ours / its GPU-hours",
  "ours, tuned",
  "best peer, tuned",
  "ours / its GPU-hours",
  "clairvoyant (hindsight)",
  "best fixed (hindsight)",
  "cheapest with misses (peer)",
  "ours / its cost",
];

/** One row a case. */
function overviewPart(report: ComparisonReport): string {
  const rows = report.scenarios.map((scenario): Row => {
    const all = positions(report, scenario, report.sloSets[0]?.name ?? "");
    const sets = PARAMETERS.flatMap(({ set }) => {
      const { ours, bestPeer } = verdictOf(all.filter(({ result }) => result.parameters === set));
      return [at(ours), named(bestPeer), bestPeer === undefined ? "" : shareOf(ours, bestPeer)];
    });
    const oracle = (name: string): string => at(all.find(({ result }) => result.autoscaler === name));
    const byDefault = all.filter(({ result }) => result.parameters === "default");
    const cheapest = cheapestWithMisses(byDefault.filter(({ kind }) => kind === "peer"));
    const ours = cheapestWithMisses(byDefault.filter(({ kind }) => kind === "ours"));
    const share = ours === undefined || cheapest === undefined ? "" : (ours.cost / cheapest.cost).toFixed(2);
    return [caseOf(scenario), ...sets, oracle("clairvoyant"), oracle("static"), named(cheapest?.position), share];
  });
  const alignment = OVERVIEW_HEAD.map((title) => (title.startsWith("ours / ") ? "---:" : "---"));
  return `${table(OVERVIEW_HEAD, alignment, rows)}

${COST_RULE}
`;
}

const COST_RULE =
  'Each cell is the requests in time at the GPU-hours. "Cheapest with misses" is the peer whose GPU-hours plus ten times the GPU time of an average request for each one missed are the fewest, by defaults; below 1 ours is cheaper by that measure.';

/** Intervals, and what a mean is worth, begin at ten seeds. */
function caseOf({ name, results }: ScenarioResults): string {
  const seeds = Math.max(0, ...results.map(({ measures }) => measures.values.allocatedGpuHours?.seeds ?? 0));
  return seeds === 0 || seeds >= MIN_SEEDS ? name : `${name} (${seeds} ${seeds === 1 ? "seed" : "seeds"})`;
}

const at = (position: Position | undefined): string =>
  position === undefined
    ? "–"
    : `${(100 * position.attainmentRatio).toFixed(2)} % at ${formatNumber(position.gpuHours, "GPU-h")}`;

const named = (position: Position | undefined): string =>
  position === undefined ? at(position) : `${position.result.autoscaler}: ${at(position)}`;

interface Priced {
  readonly position: Position;
  readonly cost: number;
}

function cheapestWithMisses(all: readonly Position[]): Priced | undefined {
  return all
    .flatMap((position): readonly Priced[] => {
      const cost = position.result.measures.bySlo[0]?.costGpuHours["mid"];
      return cost ? [{ position, cost: cost.mean }] : [];
    })
    .reduce<Priced | undefined>((best, one) => (best === undefined || one.cost < best.cost ? one : best), undefined);
}

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
      return [rowOf(oracle, title, shares.join(", "))];
    }),
  ];
  return `### ${scenario.name}

${scenario.about}

${table(["", "parameters", "in time", "GPU-hours", "ours / its GPU-hours"], ["---", "---", "---:", "---:", "---:"], rows)}

${goalSentence(verdicts)}
`;
}

function rowOf({ result }: Position, title: string, share: string): Row {
  return [
    title,
    result.parameters,
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
          mine.filter((one) => one.autoscaler === name && one.parameters !== "tuned" && one.stepAtSeconds === step),
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

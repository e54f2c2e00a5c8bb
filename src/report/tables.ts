/** The numbers of the page as tables, which need no script. */
import type { Estimate } from "../trial/measures/bootstrap.ts";
import type { MeasureSummary } from "../trial/measures/summarize.ts";
import {
  ABLATION_HEAD,
  ablationCells,
  formatChange,
  formatEstimate,
  formatNumber,
  PLAIN_COLUMNS,
  SLO_COLUMNS,
} from "./columns.ts";
import type { AutoscalerResult, ComparisonReport, ScenarioResults } from "./comparison-report.ts";
import { html, type Markup } from "./html.ts";
import { type Position, positions, verdictOf } from "./verdict.ts";

/** @param caption what a reader who cannot see the page is told of the table; @param rows the first cell of each is its header */
function table(
  caption: string,
  head: readonly string[],
  rows: readonly { readonly cells: readonly string[]; readonly mark?: string }[],
): Markup {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table><caption>${caption}</caption>
<thead><tr>${head.map((title) => html`<th scope="col">${title}</th>`)}</tr></thead>
<tbody>${rows.map(
    ({ cells: [first = "", ...cells], mark = "" }) =>
      html`<tr class="${mark}"><th scope="row">${first}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>\n`,
  )}</tbody></table></div>`;
}

export function overviewTable(report: ComparisonReport): Markup {
  const slo = report.sloSets[0]?.name ?? "";
  const of = (position: Position | undefined): readonly string[] =>
    position === undefined
      ? ["–", "–", "–"]
      : [position.label, formatNumber(position.attainmentRatio, "%"), formatNumber(position.gpuHours, "GPU-h")];
  return table(
    `Ours and the best peer of each scenario, ${slo}`,
    [
      "scenario",
      "ours",
      "attainment, %",
      "GPU-hours",
      "best peer by attainment",
      "attainment, %",
      "GPU-hours",
      "at least as much at 0.9 × the GPU-hours?",
      "peers better or equal at both",
    ],
    report.scenarios.map((scenario) => {
      const { ours, bestPeer, beatenBy, reachesGoal } = verdictOf(positions(report, scenario, slo));
      const goal = reachesGoal === undefined ? "–" : reachesGoal ? "yes" : "no";
      const losses = beatenBy.map(({ label }) => label).join(", ") || (ours && bestPeer ? "none" : "–");
      return { cells: [scenario.name, ...of(ours), ...of(bestPeer), goal, losses] };
    }),
  );
}

const nameOf = ({ autoscaler, parameters }: Pick<AutoscalerResult, "autoscaler" | "parameters">): string =>
  `${autoscaler} (${parameters})`;

const kindOf = (report: ComparisonReport, autoscaler: string): string =>
  report.autoscalers.find(({ name }) => name === autoscaler)?.kind ?? "peer";

const HEADLINE = [
  "allocatedGpuHours",
  "ttftP90Ms",
  "ttftP99Ms",
  "itlP90Ms",
  "itlP99Ms",
  "flapsPerHour",
  "outOfBandSpecSeconds",
  "overBudgetSeconds",
  "belowFloorReadySeconds",
  "lostOnScaleIn",
] as const satisfies readonly (keyof MeasureSummary["values"])[];

const titled = ({ title, unit }: { readonly title: string; readonly unit: string }): string =>
  unit === "" || title.startsWith("GPU-hours") || title === "flaps per hour" ? title : `${title}, ${unit}`;

/** @param onFrontier results that no other beats at both */
export function headlineTable(
  report: ComparisonReport,
  scenario: ScenarioResults,
  slo: string,
  onFrontier: ReadonlySet<AutoscalerResult>,
): Markup {
  const sorted = scenario.results.toSorted((a, b) => (attainmentOf(b, slo) ?? -1) - (attainmentOf(a, slo) ?? -1));
  return table(
    `Means over seeds of ${scenario.name}, 95 % intervals in parentheses`,
    [
      "autoscaler",
      "frontier",
      titled(SLO_COLUMNS.attainmentRatio),
      ...HEADLINE.map((key) => titled(PLAIN_COLUMNS[key])),
    ],
    sorted.map((result) => ({
      mark: kindOf(report, result.autoscaler),
      cells: [
        nameOf(result),
        onFrontier.has(result) ? "yes" : kindOf(report, result.autoscaler) === "oracle" ? "oracle" : "",
        formatEstimate(sloOf(result, slo)?.values.attainmentRatio, "%"),
        ...HEADLINE.map((key) => formatEstimate(result.measures.values[key], PLAIN_COLUMNS[key].unit)),
      ],
    })),
  );
}

const sloOf = (result: AutoscalerResult, slo: string): MeasureSummary["bySlo"][number] | undefined =>
  result.measures.bySlo.find((one) => one.slo === slo);
const attainmentOf = (result: AutoscalerResult, slo: string): number | undefined =>
  sloOf(result, slo)?.values.attainmentRatio?.mean;

/** One row a measure, one column an autoscaler. */
export function allMeasuresTable(report: ComparisonReport, { name, results }: ScenarioResults): Markup {
  const row = (title: string, cell: (result: AutoscalerResult) => string): { readonly cells: readonly string[] } => ({
    cells: [title, ...results.map(cell)],
  });
  const keysOf = <Key extends string>(columns: Readonly<Record<Key, unknown>>): readonly Key[] =>
    Object.keys(columns) as Key[];
  const bands = results[0]?.measures.bands ?? [];
  return table(
    `All measures of ${name}`,
    ["measure", ...results.map(nameOf)],
    [
      ...report.sloSets.flatMap(({ name: slo }) => [
        ...keysOf(SLO_COLUMNS).map((key) =>
          row(`${titled(SLO_COLUMNS[key])} [${slo}]`, (result) =>
            formatEstimate(sloOf(result, slo)?.values[key], SLO_COLUMNS[key].unit),
          ),
        ),
        ...report.missWorths.flatMap(({ name: worth }) => [
          row(`cost, GPU-h, ${worth} worth of a miss [${slo}]`, (result) =>
            formatEstimate(sloOf(result, slo)?.costGpuHours[worth], "GPU-h"),
          ),
          row(`regret, %, ${worth} worth of a miss [${slo}]`, (result) =>
            formatEstimate(sloOf(result, slo)?.regretRatio[worth], "%"),
          ),
        ]),
      ]),
      ...[...new Set(results.flatMap(({ clients = [] }) => clients.map(({ client }) => client)))].map((client) =>
        row(`${titled(SLO_COLUMNS.attainmentRatio)}, requests of ${client}`, ({ clients = [] }) =>
          formatEstimate(clients.find((one) => one.client === client)?.attainmentRatio, "%"),
        ),
      ),
      ...keysOf(PLAIN_COLUMNS).map((key) =>
        row(titled(PLAIN_COLUMNS[key]), ({ measures }) =>
          formatEstimate(measures.values[key], PLAIN_COLUMNS[key].unit),
        ),
      ),
      ...bands.flatMap(({ band }, at) => [
        row(`outside ${band}, specs, s`, ({ measures }) => formatEstimate(measures.bands[at]?.specSeconds, "s")),
        row(`outside ${band}, ready, s`, ({ measures }) => formatEstimate(measures.bands[at]?.readySeconds, "s")),
      ]),
    ],
  );
}

/** One table a step. */
export function reactionTable({ reactions = [], seeds }: ComparisonReport): Markup {
  const steps = Map.groupBy(reactions, ({ scenario, stepAtSeconds }) => `${scenario} at ${stepAtSeconds} s`);
  const cell = (value: Estimate | null, unit: "s" | ""): string =>
    value === null || value.seeds === seeds.length
      ? formatEstimate(value, unit)
      : `${formatEstimate(value, unit)} in ${value.seeds} of ${seeds.length} seeds`;
  return html`<p>Seconds since the step; a dash: in no seed before the next step. Overshoot is the most that was asked for beyond what is required, or the most that was missing after a step down.</p>
${[...steps].map(([step, rows]) =>
  table(
    `Answers to the step of ${step}`,
    [
      "autoscaler",
      "target",
      "first order in the direction, s",
      "enough asked for, s",
      "enough ready, s",
      "SLO kept again, s",
      "overshoot, replicas",
    ],
    rows.map((row) => ({
      cells: [
        nameOf(row),
        row.target,
        cell(row.firstOrderSeconds, "s"),
        cell(row.specReachedSeconds, "s"),
        cell(row.readyReachedSeconds, "s"),
        cell(row.sloRecoverySeconds, "s"),
        cell(row.overshootReplicas, ""),
      ],
    })),
  ),
)}`;
}

/** One row an autoscaler, one column a fault, one table a scenario. */
export function faultTable({ faults, autoscalers }: ComparisonReport): Markup {
  const scenarios = [...new Set(faults.map(({ scenario }) => scenario))];
  const order = autoscalers.map(({ name }) => name);
  return html`<p>With the fault − without it, on the same seeds. In each cell: attainment in percentage points; GPU-hours; seconds in an unsafe state (over budget, below the minimum
viable set, or pending for too long), which should be 0.</p>
${scenarios.map((scenario) => {
  const of = faults.filter((one) => one.scenario === scenario);
  const columns = [...new Set(of.map(({ fault }) => fault))];
  const rows = [...new Set(of.map(nameOf))].sort(
    (a, b) => order.indexOf(a.replace(/ \(.*/, "")) - order.indexOf(b.replace(/ \(.*/, "")),
  );
  return table(
    `Faults in ${scenario}`,
    ["autoscaler", ...columns],
    rows.map((name) => ({
      cells: [
        name,
        ...columns.map((fault) => {
          const cell = of.find((one) => nameOf(one) === name && one.fault === fault);
          if (cell === undefined) return "–";
          return `${formatChange(cell.attainmentChange, "%")} pt; ${formatChange(cell.gpuHoursChange, "GPU-h")} GPU-h; ${formatEstimate(cell.unsafeSeconds, "s")} s`;
        }),
      ],
    })),
  );
})}`;
}

export function ablationTable({ ablations }: ComparisonReport): Markup {
  return html`<p>Ours without one of its parts − ours complete, on the same seeds, each where the part has something to do.</p>
${table(
  "What each part of ours is good for",
  ABLATION_HEAD,
  ablations.map((one) => ({ cells: ablationCells(one) })),
)}`;
}

export function validationTable({ validation }: ComparisonReport): Markup {
  return html`<p>The engine model against recorded runs of real engines, without tuning to them. The last column holds the series second by second against each other. What was not recorded is not here: KV usage,
KV transfer, more than one engine.</p>
${table(
  "Simulated and recorded",
  ["run", "quantity", "recorded", "simulated", "error, %", "mean absolute error of each second"],
  validation.map(({ run, quantity, unit, recorded, simulated, meanAbsoluteError }) => ({
    cells: [
      run,
      unit === "" ? quantity : `${quantity}, ${unit}`,
      formatNumber(recorded, ""),
      formatNumber(simulated, ""),
      recorded === 0 ? "–" : formatChange({ mean: (simulated - recorded) / recorded, seeds: 1 }, "%"),
      meanAbsoluteError === undefined ? "–" : formatNumber(meanAbsoluteError, ""),
    ],
  })),
)}`;
}

/** The comparison as Markdown: a row for each autoscaler and case. Pure. */
import type { AutoscalerResult, ComparisonReport, ScenarioResults } from "../../src/report/comparison-report.ts";
import type { Estimate } from "../../src/trial/measures/bootstrap.ts";

export function tableOf(report: ComparisonReport): string {
  const kinds = new Map(report.autoscalers.map(({ name, kind }) => [name, kind]));
  return report.scenarios.map((scenario) => scenarioTable(scenario, kinds)).join("\n");
}

function scenarioTable({ name, about, results }: ScenarioResults, kinds: ReadonlyMap<string, string>): string {
  const rows = results.map((result) => {
    const { autoscaler, parameters, measures } = result;
    const { values, bySlo } = measures;
    const slo = bySlo[0];
    const cells = [
      kinds.get(autoscaler) === "ours" ? `**${autoscaler}**` : autoscaler,
      kinds.get(autoscaler) === "oracle" ? "hindsight" : parameters,
      percent(slo?.values.attainmentRatio),
      number(values.allocatedGpuHours, 1),
      number(slo?.costGpuHours["mid"], 1),
      number(values.ttftP99Ms, 0),
      number(values.itlP99Ms, 1),
      number(values.flaps, 1),
      number(values.lostOnScaleIn, 0),
    ];
    return { cost: costOf(result), line: `| ${cells.join(" | ")} |` };
  });
  return [
    `### ${name}`,
    "",
    about,
    "",
    "| autoscaler | parameters | in time | GPU-hours | GPU-hours with misses | TTFT p99, ms | ITL p99, ms | flaps | lost |",
    "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ...rows.toSorted((a, b) => a.cost - b.cost).map(({ line }) => line),
    "",
  ].join("\n");
}

const costOf = ({ measures }: AutoscalerResult): number =>
  measures.bySlo[0]?.costGpuHours["mid"]?.mean ?? Number.POSITIVE_INFINITY;

/** With the half of its interval where there is one. */
function number(estimate: Estimate | null | undefined, digits: number): string {
  if (estimate === null || estimate === undefined) return "–";
  const { mean, interval } = estimate;
  const text = mean.toFixed(digits);
  return interval === undefined ? text : `${text} ± ${((interval[1] - interval[0]) / 2).toFixed(digits)}`;
}

function percent(estimate: Estimate | null | undefined): string {
  if (estimate === null || estimate === undefined) return "–";
  const { mean, interval } = estimate;
  const text = (100 * mean).toFixed(2);
  return interval === undefined ? `${text} %` : `${text} ± ${(50 * (interval[1] - interval[0])).toFixed(2)} %`;
}

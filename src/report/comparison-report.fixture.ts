/** A comparison made up for tests: three scenarios, twelve autoscalers, numbers from closed forms. */
import type { Estimate } from "../trial/measures/bootstrap.ts";
import { MISS_WORTHS } from "../trial/measures/cost.ts";
import { SLO_SETS } from "../trial/measures/slo.ts";
import type { MeasureSummary } from "../trial/measures/summarize.ts";
import type { TimeLine } from "../trial/measures/time-line.ts";
import { PLAIN_COLUMNS } from "./columns.ts";
import type { AutoscalerResult, ComparisonReport, ReportedAutoscaler } from "./comparison-report.ts";

export const known = (mean: number, halfWidth = 0): Estimate => ({
  mean,
  interval: [mean - halfWidth, mean + halfWidth],
  seeds: 10,
});

/** @param attainment of the first SLO set; the others are met a little more often */
export function summaryOf(attainment: number | null, gpuHours: number | null): MeasureSummary {
  const hours = gpuHours === null ? null : known(gpuHours, gpuHours * 0.02);
  return {
    values: {
      ...(Object.fromEntries(
        Object.keys(PLAIN_COLUMNS).map((key, index) => [key, known((index + 1) * 12.3456, 1)]),
      ) as MeasureSummary["values"]),
      allocatedGpuHours: hours,
      overBudgetSeconds: null,
    },
    bySlo: SLO_SETS.map(({ name }, index) => {
      const share = attainment === null ? null : known(1 - (1 - attainment) / (index + 1), 0.004);
      return {
        slo: name,
        values: {
          attainmentRatio: share,
          ttftAttainmentRatio: share,
          itlAttainmentRatio: share,
          missedRequests: known(1_234.4, 30),
          goodputPerSecond: known(3.21987, 0.1),
          goodputPerGpuHour: known(512.3, 4),
        },
        costGpuHours: Object.fromEntries(MISS_WORTHS.map((worth) => [worth.name, hours])),
        regretRatio: Object.fromEntries(MISS_WORTHS.map((worth) => [worth.name, known(0.123, 0.01)])),
      };
    }),
    bands: [{ band: "prefill to decode", specSeconds: known(15, 2), readySeconds: known(61, 5) }],
  };
}

const BUCKETS = 96;

function timeLineOf(lag: number, extra: number): TimeLine & { readonly seed: number } {
  const at = <T>(value: (index: number) => T): T[] => Array.from({ length: BUCKETS }, (_, index) => value(index));
  const load = (index: number): number => 6 + 4 * Math.sin((2 * Math.PI * index) / 48);
  const ready = (index: number, share: number): number => Math.max(1, Math.round(load(index - lag) * share + extra));
  const pressure = (index: number): number => load(index) / (ready(index, 0.5) * 2);
  return {
    seed: 3,
    bucketMs: 60_000,
    offeredPerSecond: at((index) => Number(load(index).toPrecision(4))),
    ttftP90Ms: at((index) =>
      index === 40 ? null : Math.round(120 * Math.exp(3 * Math.max(0, pressure(index) - 0.9))),
    ),
    itlP90Ms: at((index) => 18 + 20 * pressure(index)),
    allocatedGpus: at((index) => ready(index, 0.5) + 2 * ready(index, 0.8)),
    targets: [
      {
        name: "prefill",
        role: "prefill",
        spec: at((index) => ready(index + 1, 0.5)),
        ready: at((index) => ready(index, 0.5)),
      },
      {
        name: "decode",
        role: "decode",
        spec: at((index) => ready(index + 1, 0.8)),
        ready: at((index) => ready(index, 0.8)),
      },
    ],
  };
}

const AUTOSCALERS: readonly ReportedAutoscaler[] = [
  { name: "ours", title: "grove-autoscaler", kind: "ours", source: "this repository" },
  ...[
    "hpa",
    "keda",
    "knative-kpa",
    "aibrix-apa",
    "wva-v2",
    "dynamo-load",
    "dynamo-sla",
    "kthena",
    "heteroscale",
    "ray-serve",
  ].map((name) => ({
    name,
    title: `${name} (re-implemented)`,
    kind: "peer" as const,
    source: `example/${name}:scale.go`,
  })),
  { name: "clairvoyant", title: "Clairvoyant fluid oracle, replayed", kind: "oracle", source: "this repository" },
];

function resultsOf(scenario: number): readonly AutoscalerResult[] {
  return AUTOSCALERS.flatMap(({ name, kind }, index) =>
    (kind === "oracle" ? (["hindsight"] as const) : (["default", "tuned"] as const)).map((parameters, tuned) => {
      const skill = kind === "ours" ? 0.985 : kind === "oracle" ? 0.992 : 0.985 - 0.013 * ((index * 3 + scenario) % 11);
      const hours = kind === "oracle" ? 14 : kind === "ours" ? 17.5 : 16 + 1.3 * ((index * 7 + scenario) % 9);
      return {
        autoscaler: name,
        parameters,
        parameterValues: parameters === "tuned" ? { tolerance: 0.05 * index } : {},
        bySeed: [],
        measures: summaryOf(Math.min(0.999, skill + 0.004 * tuned), hours - 0.6 * tuned),
        ...(index < 5 && { timeLine: timeLineOf(index + 1, kind === "ours" ? 1 : index / 3) }),
      };
    }),
  );
}

export function comparisonOf(more: Partial<ComparisonReport> = {}): ComparisonReport {
  const scenarios = ["azure-2023-code", "servegen-m-large-d00", "step-x5"].map((name, index) => ({
    name,
    about: ["bursty, long prompts and short answers", "a day of language traffic", "five times the load at once"][
      index
    ]!,
    windowHours: [0.4, 14.4, 1.16][index]!,
    gpuHoursPerMiss: { low: 0.00012 * (index + 1), mid: 0.0006 * (index + 1), high: index === 2 ? null : 0.003 },
    results: resultsOf(index),
  }));
  return {
    version: 1,
    title: "Autoscalers for disaggregated inference, compared",
    generatedAt: "2026-11-28T16:00:00Z",
    command: "npm run bench:compare -- --seeds 10",
    versions: { "grove-autoscaler": "0.1.0", commit: "0216401", node: "24.21.0" },
    machine: "2 cores, 8 GiB, Linux 6.1",
    seeds: [101, 102, 103, 104, 105, 106, 107, 108, 109, 110],
    sloSets: SLO_SETS,
    missWorths: MISS_WORTHS.map(({ name }, index) => ({ name, timesAverageRequest: [2, 10, 50][index]! })),
    tuning: {
      trials: 60,
      scenarios: ["azure-2023-code", "servegen-m-large-d00"],
      tunedOn: "the first 40 % of each trace",
      reportedOn: "the remaining 60 %",
    },
    autoscalers: AUTOSCALERS,
    scenarios,
    reactions: ["ours", "hpa"].map((autoscaler, row) => ({
      scenario: "step-x5",
      stepAtSeconds: 1_200,
      autoscaler,
      parameters: "tuned",
      target: "decode",
      firstOrderSeconds: known(15 + 40 * row, 4),
      specReachedSeconds: known(30 + 90 * row, 5),
      readyReachedSeconds: { mean: 140 + 200 * row, seeds: 10 - 3 * row },
      overshootReplicas: known(1 + row, 0.5),
      sloRecoverySeconds: row === 0 ? known(160, 20) : null,
    })),
    faults: ["Prometheus down at peak", "node loss 25 %"].flatMap((fault, column) =>
      ["ours", "hpa", "keda"].map((autoscaler, row) => ({
        scenario: "servegen-m-large-d00",
        fault,
        autoscaler,
        parameters: "tuned" as const,
        attainmentChange: row === 2 && column === 1 ? null : known(-0.004 * (row + 1), 0.001),
        gpuHoursChange: known(0.31 * (row - column), 0.05),
        unsafeSeconds: known(row * 30, 0),
      })),
    ),
    ablations: ["ratio", "forecast", "stabilization"].map((without, index) => ({
      scenario: "servegen-m-large-d00",
      without,
      attainmentChange: known(-0.01 * (index + 1), 0.002),
      gpuHoursChange: known(0.4 - 0.3 * index, 0.1),
      flapsPerHourChange: known(index * 2.5, 0.4),
      outOfBandSecondsChange: known(index === 0 ? 812.6 : 0, 20),
      overBudgetSecondsChange: index === 1 ? known(340, 20) : null,
    })),
    validation: [
      { run: "llama-3.1-8b-tp1", quantity: "mean TTFT", unit: "s", recorded: 7.1, simulated: 6.22 },
      { run: "llama-3.1-8b-tp1", quantity: "mean TPOT", unit: "ms", recorded: 32.5, simulated: 30.8 },
      {
        run: "llama-3.1-8b-tp1",
        quantity: "running, mean of all seconds",
        unit: "",
        recorded: 94.9,
        simulated: 90.1,
        meanAbsoluteError: 5.5,
      },
    ],
    notes: ["The run of ray-serve on step-x5 was cut off after 8 of 10 seeds."],
    ...more,
  };
}

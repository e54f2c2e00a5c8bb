/** From the results of all trials to the document of the report. Pure. */

import { seededRandom } from "../../src/random.ts";
import { bySeed, gpuHoursPerMiss } from "../../src/report/by-seed.ts";
import type {
  AblationResult,
  ComparisonReport,
  FaultResult,
  ParameterSet,
  ReactionResult,
} from "../../src/report/comparison-report.ts";
import { ABLATIONS, type Ablation } from "../../src/trial/ablations.ts";
import { type BySeed, type Estimate, pairedDifference } from "../../src/trial/measures/bootstrap.ts";
import { summarizeClients } from "../../src/trial/measures/by-client.ts";
import type { TrialMeasures } from "../../src/trial/measures/measure-trial.ts";
import { summarize } from "../../src/trial/measures/summarize.ts";
import { summarizeReactions } from "../../src/trial/measures/summarize-reactions.ts";
import type { Validation } from "../validate.ts";
import { type Case, TUNING_TRIALS } from "./cases.ts";
import type { ContestantSpec, JobResult } from "./job.ts";
import { stepTimes } from "./steps.ts";
import { AUTOSCALERS } from "./who.ts";
import { MISS_FACTORS } from "./worth.ts";

interface Common {
  readonly case: Case;
  readonly spec: ContestantSpec;
  readonly result: JobResult;
}

export type Entry =
  | (Common & { readonly kind: "Plain"; readonly parameters: ParameterSet })
  | (Common & { readonly kind: "Fault"; readonly fault: string })
  | (Common & { readonly kind: "Ablation"; readonly ablation: Ablation });

export interface ReportFacts {
  readonly cases: readonly Case[];
  readonly seeds: readonly number[];
  readonly command: string;
  readonly generatedAt: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: string;
  readonly validation: Validation;
  readonly notes: readonly string[];
}

const PARAMETER_SETS = ["default", "tuned", "hindsight"] as const satisfies readonly ParameterSet[];

/** Of the bootstrap alone. */
const BOOTSTRAP_SEED = 1;

export function reportOf(entries: readonly Entry[], facts: ReportFacts): ComparisonReport {
  const random = seededRandom(BOOTSTRAP_SEED);
  const plain = entries.filter((entry) => entry.kind === "Plain");
  const measuresOf = (name: string, autoscaler: string, parameters: ParameterSet): readonly TrialMeasures[] =>
    plain
      .filter((one) => one.case.name === name && one.spec.name === autoscaler && one.parameters === parameters)
      .map(({ result }) => byOwnGoals(result.measures));
  const scenarios = facts.cases.flatMap((one) => {
    const oracle = measuresOf(one.name, "clairvoyant", "hindsight");
    const results = AUTOSCALERS.flatMap(({ name }) =>
      PARAMETER_SETS.flatMap((parameters) => {
        const mine = plain.filter(
          (entry) => entry.case === one && entry.spec.name === name && entry.parameters === parameters,
        );
        const [first] = mine;
        if (first === undefined) return [];
        const measures = summarize(
          mine.map(({ result }) => byOwnGoals(result.measures)),
          random,
          oracle,
        );
        return [
          {
            autoscaler: name,
            parameters,
            parameterValues: first.spec.parameters,
            ...(first.spec.replicas === undefined ? {} : { replicas: first.spec.replicas }),
            measures,
            bySeed: bySeed(mine.map(({ result }) => result.measures)),
            clients: summarizeClients(
              mine.map(({ result }) => result.clients),
              random,
            ),
            timeLine: { ...first.result.timeLine, seed: first.result.measures.seed },
          },
        ];
      }),
    );
    const { fromSeconds, toSeconds } = one.report;
    const about = `${one.about}; ${trafficText(one)}; profile ${one.profile.replace(".json", "")}; TTFT ${one.ttftMs} ms, ITL ${one.itlMs} ms`;
    if (results.length === 0) return [];
    const priced = plain.filter((entry) => entry.case === one).map(({ result }) => result.measures);
    return [
      {
        name: one.name,
        about,
        windowHours: (toSeconds - fromSeconds) / 3_600,
        gpuHoursPerMiss: gpuHoursPerMiss(priced, Object.keys(MISS_FACTORS)),
        results,
      },
    ];
  });
  const changes = (
    one: Case,
    autoscaler: string,
    changed: readonly JobResult[],
    read: (measures: TrialMeasures) => number | undefined,
  ): Estimate | null => {
    const valuesOf = (list: readonly TrialMeasures[]): BySeed => new Map(list.map((each) => [each.seed, read(each)]));
    const with_ = valuesOf(changed.map(({ measures }) => byOwnGoals(measures)));
    return pairedDifference(with_, valuesOf(measuresOf(one.name, autoscaler, "default")), random) ?? null;
  };
  const faults = group(
    entries.filter((entry) => entry.kind === "Fault"),
    ({ case: one, fault, spec }) => JSON.stringify([one.name, fault, spec.name]),
  ).map((list): FaultResult => {
    const { case: one, fault, spec } = list[0] as (typeof list)[number];
    const results = list.map(({ result }) => result);
    return {
      scenario: one.name,
      fault,
      autoscaler: spec.name,
      parameters: "default",
      attainmentChange: changes(one, spec.name, results, attainment),
      gpuHoursChange: changes(one, spec.name, results, gpuHours),
      unsafeSeconds: changes(one, spec.name, results, unsafeSeconds),
    };
  });
  const ablations = group(
    entries.filter((entry) => entry.kind === "Ablation"),
    ({ case: one, ablation }) => JSON.stringify([one.name, ablation]),
  ).map((list): AblationResult => {
    const { case: one, ablation } = list[0] as (typeof list)[number];
    const results = list.map(({ result }) => result);
    return {
      scenario: one.name,
      without: ABLATIONS[ablation],
      attainmentChange: changes(one, "grove", results, attainment),
      gpuHoursChange: changes(one, "grove", results, gpuHours),
      flapsPerHourChange: changes(one, "grove", results, ({ values }) => values.flapsPerHour),
      outOfBandSecondsChange: changes(one, "grove", results, ({ values }) => values.outOfBandSpecSeconds),
      overBudgetSecondsChange: changes(one, "grove", results, ({ values }) => values.overBudgetSeconds),
    };
  });
  const reactions = group(
    plain.filter(({ result }) => result.reactions.length > 0),
    ({ case: one, spec, parameters }) => JSON.stringify([one.name, spec.name, parameters]),
  ).flatMap((list) => {
    const { case: one, spec, parameters } = list[0] as (typeof list)[number];
    const steps = stepTimes(one);
    return steps.flatMap((stepAtSeconds, index): readonly ReactionResult[] => {
      const known = list.map(({ result }) => result.reactions[index]).filter((each) => each !== undefined);
      return summarizeReactions(known, random)
        .filter(({ target }) => target !== "frontend")
        .map((summary) => ({ ...summary, scenario: one.name, stepAtSeconds, autoscaler: spec.name, parameters }));
    });
  });
  const first = plain[0]?.result.measures.bySlo[0];
  const tuned = scenarios
    .filter(({ results }) => results.some(({ parameters }) => parameters === "tuned"))
    .map(({ name }) => name);
  return {
    version: 1,
    title: "Autoscalers for disaggregated LLM inference, compared in simulation",
    generatedAt: facts.generatedAt,
    command: facts.command,
    versions: facts.versions,
    machine: facts.machine,
    seeds: facts.seeds,
    sloSets: first === undefined ? [] : [{ ...first.slo, name: OWN_GOALS }],
    missWorths: Object.entries(MISS_FACTORS).map(([name, timesAverageRequest]) => ({ name, timesAverageRequest })),
    tuning: {
      trials: tuned.length === 0 ? 0 : TUNING_TRIALS,
      scenarios: tuned,
      tunedOn: "the first 40 % of each trace",
      reportedOn: "the rest",
    },
    autoscalers: AUTOSCALERS,
    scenarios,
    reactions,
    faults,
    ablations,
    validation: facts.validation.rows,
    notes: [
      ...facts.notes,
      ...(facts.validation.absence === undefined ? [] : [facts.validation.absence]),
      "Each scenario is judged by its own goals. A missed request is worth 2, 10 or 50 times (low, mid, high) the GPU time that an average request of the scenario needs at its goals.",
    ],
  };
}

const OWN_GOALS = "the goals of the scenario";

/** Every scenario has goals of its own, and the report has one name for them. */
const byOwnGoals = (measures: TrialMeasures): TrialMeasures => ({
  ...measures,
  bySlo: measures.bySlo.map((one) => ({ ...one, slo: { ...one.slo, name: OWN_GOALS } })),
});

const attainment = ({ bySlo }: TrialMeasures): number | undefined => bySlo[0]?.values.attainmentRatio;
const gpuHours = ({ values }: TrialMeasures): number => values.allocatedGpuHours;
const unsafeSeconds = ({ values }: TrialMeasures): number =>
  (values.overBudgetSeconds ?? 0) + values.belowFloorSpecSeconds + values.overduePendingSeconds;

function trafficText({ traffic }: Case): string {
  return "synthetic" in traffic
    ? `multiples of ${traffic.requestsPerSecond} requests/s`
    : `${traffic.trace.replace(".csv.gz", "")} × ${traffic.rateFactor} by superposition`;
}

function group<T>(list: readonly T[], keyOf: (one: T) => string): readonly (readonly T[])[] {
  return [...Map.groupBy(list, keyOf).values()];
}

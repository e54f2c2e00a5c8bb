/** Results of trials as the document that the report shows. Pure. */

import { seededRandom } from "../../random.ts";
import { bySeed } from "../../report/by-seed.ts";
import type { AutoscalerResult, ComparisonReport } from "../../report/comparison-report.ts";
import { summarizeClients } from "../../trial/measures/by-client.ts";
import { MISS_WORTHS } from "../../trial/measures/cost.ts";
import type { SloTargets } from "../../trial/measures/slo.ts";
import { summarize } from "../../trial/measures/summarize.ts";
import type { TrialResult } from "../../trial/try-out.ts";
import type { Rival } from "./rivals.ts";

export interface Tried {
  readonly autoscaler: Rival;
  /** One a seed. */
  readonly results: readonly TrialResult[];
}

export interface ComparisonFacts {
  readonly title: string;
  readonly about: string;
  readonly generatedAt: string;
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: string;
  readonly seeds: readonly number[];
  readonly slo: SloTargets;
  readonly windowHours: number;
  readonly notes: readonly string[];
}

/** Of the bootstrap alone: the same document from the same results. */
const BOOTSTRAP_SEED = 1;

export function comparisonOf(tried: readonly Tried[], facts: ComparisonFacts): ComparisonReport {
  const oracle = tried.find(({ autoscaler }) => autoscaler.name === "clairvoyant");
  const random = seededRandom(BOOTSTRAP_SEED);
  const { title, generatedAt, command, versions, machine, seeds, slo, windowHours, about, notes } = facts;
  return {
    version: 1,
    title,
    generatedAt,
    command,
    versions,
    machine,
    seeds,
    sloSets: [slo],
    missWorths: MISS_WORTHS.map(({ name }) => ({ name })),
    tuning: { trials: 0, scenarios: [], tunedOn: "nothing", reportedOn: "the whole traffic after the warm-up" },
    autoscalers: tried.map(({ autoscaler: { name, title: full, kind, source } }) => ({
      name,
      title: full,
      kind,
      source,
    })),
    scenarios: [
      {
        name: title,
        about,
        windowHours,
        gpuHoursPerMiss: Object.fromEntries(MISS_WORTHS.map((worth) => [worth.name, worth.gpuHoursPerMiss])),
        results: tried
          .filter(({ results }) => results.length > 0)
          .map(({ autoscaler, results }) => ({
            autoscaler: autoscaler.name,
            parameters: autoscaler.kind === "oracle" ? ("hindsight" as const) : ("default" as const),
            ...settingsOf(autoscaler),
            measures: summarize(
              results.map(({ measures }) => measures),
              random,
              oracle?.results.map(({ measures }) => measures) ?? [],
            ),
            bySeed: bySeed(results.map(({ measures }) => measures)),
            clients: summarizeClients(
              results.map(({ clients }) => clients),
              random,
            ),
            timeLine: {
              ...(results[0] as TrialResult).timeLine,
              seed: (results[0] as TrialResult).measures.seed,
            },
          })),
      },
    ],
    faults: [],
    ablations: [],
    validation: [],
    notes,
  };
}

function settingsOf({ contestant }: Rival): Pick<AutoscalerResult, "parameterValues" | "replicas"> {
  return contestant.kind === "Static"
    ? { parameterValues: {}, replicas: Object.fromEntries(contestant.replicas) }
    : { parameterValues: contestant.parameters };
}

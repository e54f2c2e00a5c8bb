/** Results of trials as the document that the report shows. Pure. */

import { seededRandom } from "../../random.ts";
import type { ComparisonReport, ReportedAutoscaler } from "../../report/comparison-report.ts";
import { summarizeClients } from "../../trial/measures/by-client.ts";
import { MISS_WORTHS } from "../../trial/measures/cost.ts";
import type { SloTargets } from "../../trial/measures/slo.ts";
import { summarize } from "../../trial/measures/summarize.ts";
import type { TrialResult } from "../../trial/try-out.ts";

export interface Tried {
  readonly autoscaler: ReportedAutoscaler;
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
    missWorths: MISS_WORTHS,
    tuning: { trials: 0, tunedOn: "nothing", reportedOn: "the whole traffic after the warm-up" },
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
        results: tried
          .filter(({ results }) => results.length > 0)
          .map(({ autoscaler, results }) => ({
            autoscaler: autoscaler.name,
            parameters: "default" as const,
            measures: summarize(
              results.map(({ measures }) => measures),
              random,
              oracle?.results.map(({ measures }) => measures) ?? [],
            ),
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

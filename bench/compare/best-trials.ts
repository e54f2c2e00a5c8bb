/** What a tuning keeps of its trials. Pure. */
import type { Parameters } from "../../src/peers/peer.ts";
import type { Job, JobResult } from "./job.ts";

export interface BestTrial {
  readonly parameters: Parameters;
  readonly cost: number;
  readonly defaultCost: number;
}

/** By case, then by autoscaler. */
export type BestTrials = Readonly<Record<string, Readonly<Record<string, BestTrial>>>>;

/**
 * The cheapest trial of each autoscaler on each case, in the place of what was known of them. An autoscaler of which a trial is missing keeps what is known:
 * the best of fewer trials than everybody else had is no fair best.
 *
 * @param results in the order of the jobs; undefined where the run was cut off
 */
export function withBestTrials(
  known: BestTrials,
  jobs: readonly Job[],
  results: readonly (JobResult | undefined)[],
): BestTrials {
  const best: Record<string, Record<string, BestTrial>> = Object.fromEntries(
    Object.entries(known).map(([name, ofCase]) => [name, { ...ofCase }]),
  );
  const trials = jobs.map((job, index) => ({ job, result: results[index] }));
  const groups = Map.groupBy(trials, ({ job }) => JSON.stringify([job.case, job.contestant.name]));
  for (const group of groups.values()) {
    const complete = group.flatMap(({ job, result }) =>
      result === undefined ? [] : [{ parameters: job.contestant.parameters, cost: costOf(result) }],
    );
    const [{ job }] = group as [(typeof group)[number]];
    const byDefault = complete.find(({ parameters }) => Object.keys(parameters).length === 0);
    if (complete.length < group.length || byDefault === undefined) continue;
    const cheapest = complete.reduce((least, one) => (one.cost < least.cost ? one : least), byDefault);
    const ofCase = best[job.case] ?? {};
    best[job.case] = ofCase;
    ofCase[job.contestant.name] = { ...cheapest, defaultCost: byDefault.cost };
  }
  return best;
}

const costOf = ({ measures }: JobResult): number => measures.bySlo[0]?.costGpuHours["mid"] ?? Number.POSITIVE_INFINITY;

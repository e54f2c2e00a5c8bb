/** What each seed gave, for who wants to pair or to pool them anew, and what a miss was worth in it. Pure. */
import { mean } from "simple-statistics";
import type { TrialMeasures } from "../trial/measures/measure-trial.ts";
import type { SeedResult } from "./comparison-report.ts";

export const bySeed = (trials: readonly TrialMeasures[]): readonly SeedResult[] =>
  trials.map(({ seed, values, bySlo: [first] }) => ({
    seed,
    attainmentRatio: first?.values.attainmentRatio ?? null,
    allocatedGpuHours: values.allocatedGpuHours,
    costGpuHours: first?.costGpuHours ?? {},
  }));

/**
 * GPU-hours of one miss by the name of its worth, as the trials of one scenario priced them: a seed has an average request of its own, so the mean over seeds.
 *
 * @param names of the worths
 */
export function gpuHoursPerMiss(
  trials: readonly TrialMeasures[],
  names: readonly string[],
): Readonly<Record<string, number | null>> {
  // Of each seed the trial with the most misses: the difference of two costs is the more exact the larger it is.
  const worst = new Map<number, TrialMeasures>();
  for (const trial of trials) {
    const known = worst.get(trial.seed);
    if (missed(trial) > (known === undefined ? 0 : missed(known))) worst.set(trial.seed, trial);
  }
  return Object.fromEntries(
    names.map((name) => {
      const worths = [...worst.values()].flatMap((trial) => {
        const cost = trial.bySlo[0]?.costGpuHours[name];
        return cost === undefined ? [] : (cost - trial.values.allocatedGpuHours) / missed(trial);
      });
      return [name, worths.length === 0 ? null : Number(mean(worths).toPrecision(6))];
    }),
  );
}

const missed = ({ bySlo }: TrialMeasures): number => bySlo[0]?.values.missedRequests ?? 0;

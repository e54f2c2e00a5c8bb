/** From the measures of each seed to estimates over all of them. */
import type { Random } from "../../random.ts";
import { type Estimate, estimate } from "./bootstrap.ts";
import { regretRatio } from "./cost.ts";
import type { PlainMeasures, SloMeasures, TrialMeasures } from "./measure-trial.ts";

/** Null: no seed gave a value. */
export type Estimates<Key extends string> = Readonly<Record<Key, Estimate | null>>;

export interface MeasureSummary {
  readonly values: Estimates<keyof PlainMeasures>;
  readonly bySlo: readonly {
    /** Its name. */
    readonly slo: string;
    readonly values: Estimates<keyof SloMeasures>;
    /** By the worth of a miss. */
    readonly costGpuHours: Estimates<string>;
    /** Against the oracle on the same seed, as a share; empty without one. */
    readonly regretRatio: Estimates<string>;
  }[];
  readonly bands: readonly {
    readonly band: string;
    readonly specSeconds: Estimate | null;
    readonly readySeconds: Estimate | null;
  }[];
}

/**
 * @param trials of one autoscaler on one scenario, one a seed, all with the same SLO sets and bands
 * @throws RangeError when there is none
 */
export function summarize(
  trials: readonly TrialMeasures[],
  random: Random,
  oracle: readonly TrialMeasures[] = [],
): MeasureSummary {
  const [first] = trials;
  if (first === undefined) throw new RangeError("there is no trial to summarize");
  const over = (read: (trial: TrialMeasures) => number | undefined): Estimate | null =>
    estimate(trials.map(read), random) ?? null;
  const each = <Key extends string>(
    keys: object,
    read: (trial: TrialMeasures, key: Key) => number | undefined,
  ): Estimates<Key> =>
    Object.fromEntries(
      (Object.keys(keys) as Key[]).map((key) => [key, over((trial) => read(trial, key))]),
    ) as Estimates<Key>;
  const oracleOf = new Map(oracle.map((trial) => [trial.seed, trial]));
  return {
    values: each(first.values, ({ values }, key) => values[key]),
    bySlo: first.bySlo.map(({ slo, values, costGpuHours }, at) => ({
      slo: slo.name,
      values: each(values, ({ bySlo }, key) => bySlo[at]?.values[key]),
      costGpuHours: each(costGpuHours, ({ bySlo }, worth) => bySlo[at]?.costGpuHours[worth]),
      regretRatio: each(oracle.length === 0 ? {} : costGpuHours, ({ seed, bySlo }, worth) => {
        const cost = bySlo[at]?.costGpuHours[worth];
        const least = oracleOf.get(seed)?.bySlo[at]?.costGpuHours[worth];
        return cost === undefined || least === undefined ? undefined : regretRatio(cost, least);
      }),
    })),
    bands: first.bands.map(({ band }, at) => ({
      band,
      specSeconds: over(({ bands }) => bands[at]?.specSeconds),
      readySeconds: over(({ bands }) => bands[at]?.readySeconds),
    })),
  };
}

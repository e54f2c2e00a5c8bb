/** One contestant on one scenario from one seed, as measures. */
import { type Contestant, goalsOf, scalerOf } from "./contestants.ts";
import { MISS_WORTHS, type MissWorth } from "./measures/cost.ts";
import { measureTrial, type TrialMeasures } from "./measures/measure-trial.ts";
import type { SloTargets } from "./measures/slo.ts";
import { type TimeLine, timeLine } from "./measures/time-line.ts";
import type { TrialRecord } from "./record.ts";
import { runTrial, type TrialOptions } from "./run.ts";
import type { Scenario } from "./scenario.ts";

export interface TrialResult {
  readonly measures: TrialMeasures;
  readonly timeLine: TimeLine;
}

export interface TryOutOptions extends Omit<TrialOptions, "scaler"> {
  readonly missWorths?: readonly MissWorth[];
}

export async function tryOut(contestant: Contestant, options: TryOutOptions): Promise<TrialResult> {
  const record = await runTrial({ ...options, scaler: (stage) => scalerOf(contestant, stage) });
  return resultOf(record, options.scenario, options.missWorths);
}

/** Judged by the goals of the scenario's policy, whatever a contestant makes of them. */
export function resultOf(
  record: TrialRecord,
  scenario: Scenario,
  missWorths: readonly MissWorth[] = MISS_WORTHS,
): TrialResult {
  return { measures: measureTrial(record, { sloSets: [sloOf(scenario)], missWorths }), timeLine: timeLine(record) };
}

export function sloOf(scenario: Scenario): SloTargets {
  const { ttft, itl } = goalsOf(scenario);
  return { name: `${ttft.targetMs} ms / ${itl.targetMs} ms`, ttftMs: ttft.targetMs, itlMs: itl.targetMs };
}

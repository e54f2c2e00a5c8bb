/** One contestant on one scenario from one seed, as measures. */
import { type Contestant, goalsOf, scalerOf } from "./contestants.ts";
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

export async function tryOut(contestant: Contestant, options: Omit<TrialOptions, "scaler">): Promise<TrialResult> {
  return resultOf(await runTrial({ ...options, scaler: (stage) => scalerOf(contestant, stage) }), options.scenario);
}

/** Judged by the goals of the scenario's policy, whatever a contestant makes of them. */
export function resultOf(record: TrialRecord, scenario: Scenario): TrialResult {
  return { measures: measureTrial(record, { sloSets: [sloOf(scenario)] }), timeLine: timeLine(record) };
}

export function sloOf(scenario: Scenario): SloTargets {
  const { ttft, itl } = goalsOf(scenario);
  return { name: `${ttft.targetMs} ms / ${itl.targetMs} ms`, ttftMs: ttft.targetMs, itlMs: itl.targetMs };
}

/** One contestant on one scenario from one seed, as measures. */
import { type Contestant, goalsOf, scalerOf } from "./contestants.ts";
import { attainmentByClient, type ClientAttainment } from "./measures/by-client.ts";
import { MISS_WORTHS, type MissWorth } from "./measures/cost.ts";
import { measureTrial, type TrialMeasures } from "./measures/measure-trial.ts";
import { type KnownStep, type Reaction, reaction } from "./measures/reaction.ts";
import type { SloTargets } from "./measures/slo.ts";
import { type TimeLine, timeLine } from "./measures/time-line.ts";
import type { TrialRecord } from "./record.ts";
import { runTrial, type TrialOptions } from "./run.ts";
import type { Scenario } from "./scenario.ts";

export interface TrialResult {
  readonly measures: TrialMeasures;
  readonly timeLine: TimeLine;
  /** To the steps that were asked about, in their order. */
  readonly reactions: readonly Reaction[];
  /** None where the traffic does not tell clients apart. */
  readonly clients: readonly ClientAttainment[];
}

export interface Judgement {
  readonly missWorths?: readonly MissWorth[];
  /** Known steps of the load, in the arrivals' time. Default: none. */
  readonly steps?: readonly KnownStep[];
}

export interface TryOutOptions extends Omit<TrialOptions, "scaler">, Judgement {}

export async function tryOut(contestant: Contestant, options: TryOutOptions): Promise<TrialResult> {
  const record = await runTrial({ ...options, scaler: (stage) => scalerOf(contestant, stage) });
  return resultOf(record, options.scenario, options);
}

/** Judged by the goals of the scenario's policy, whatever a contestant makes of them. */
export function resultOf(
  record: TrialRecord,
  scenario: Scenario,
  { missWorths = MISS_WORTHS, steps = [] }: Judgement = {},
): TrialResult {
  const slo = sloOf(scenario);
  const originMs = record.window.startMs - scenario.window.startMs;
  return {
    measures: measureTrial(record, { sloSets: [slo], missWorths }),
    timeLine: timeLine(record),
    clients: attainmentByClient(
      record.requests,
      scenario.arrivals.map(({ client }) => client),
      slo,
      record.window,
    ),
    reactions: steps.map((step) =>
      reaction(record, { ...step, atMs: originMs + step.atMs, untilMs: originMs + step.untilMs }, slo),
    ),
  };
}

export function sloOf(scenario: Scenario): SloTargets {
  const { ttft, itl } = goalsOf(scenario);
  return { name: `${ttft.targetMs} ms / ${itl.targetMs} ms`, ttftMs: ttft.targetMs, itlMs: itl.targetMs };
}

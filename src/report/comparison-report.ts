/** The JSON document of a comparison of autoscalers: what the page shows, and all that it shows. Unknown is null, never 0. */
import type { Estimate } from "../trial/measures/bootstrap.ts";
import type { ClientSummary } from "../trial/measures/by-client.ts";
import type { SloTargets } from "../trial/measures/slo.ts";
import type { MeasureSummary } from "../trial/measures/summarize.ts";
import type { ReactionSummary } from "../trial/measures/summarize-reactions.ts";
import type { TimeLine } from "../trial/measures/time-line.ts";

export interface ComparisonReport {
  readonly version: 1;
  readonly title: string;
  /** RFC 3339. */
  readonly generatedAt: string;
  /** Which gives this document again. */
  readonly command: string;
  /** By name: of this program, its commit, Node. */
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: string;
  /** Frozen before the run. */
  readonly seeds: readonly number[];
  /** The first is the one of the summaries. */
  readonly sloSets: readonly SloTargets[];
  /** What a missed request may be worth; how many GPU-hours that is each scenario says. */
  readonly missWorths: readonly {
    readonly name: string;
    /** Of the GPU time of an average request of the scenario. Absent: the worth is the same in all of them. */
    readonly timesAverageRequest?: number;
  }[];
  readonly tuning: {
    /** Random-search trials that each autoscaler had on each tuned scenario. 0: nothing was tuned. */
    readonly trials: number;
    /** Their names; in the others are defaults alone. */
    readonly scenarios: readonly string[];
    /** What they saw, and what is reported, in words. */
    readonly tunedOn: string;
    readonly reportedOn: string;
  };
  readonly autoscalers: readonly ReportedAutoscaler[];
  readonly scenarios: readonly ScenarioResults[];
  /** To steps of the load whose right answer is known. */
  readonly reactions?: readonly ReactionResult[];
  readonly faults: readonly FaultResult[];
  readonly ablations: readonly AblationResult[];
  readonly validation: readonly ValidationResult[];
  /** What a reader must know beside the numbers: losses, runs that were cut off. */
  readonly notes: readonly string[];
}

export interface ReportedAutoscaler {
  /** Short: `hpa`. */
  readonly name: string;
  /** For people: `HPA (re-implemented)`. */
  readonly title: string;
  /** Oracles and the best static choice know what an autoscaler cannot. */
  readonly kind: "ours" | "peer" | "oracle";
  /** Where the rule was read. */
  readonly source: string;
}

export interface ScenarioResults {
  readonly name: string;
  readonly about: string;
  /** Of one seed. */
  readonly windowHours: number;
  /** By the name of a worth, mean over the seeds; null: nobody missed a request, so nothing was priced by it. */
  readonly gpuHoursPerMiss: Readonly<Record<string, number | null>>;
  readonly results: readonly AutoscalerResult[];
}

/** By hindsight: of an oracle or of fixed replicas, chosen with what is reported in view. */
export type ParameterSet = "default" | "tuned" | "hindsight";

/** What one seed gave, of the first SLO. */
export interface SeedResult {
  readonly seed: number;
  readonly attainmentRatio: number | null;
  readonly allocatedGpuHours: number;
  /** GPU-hours and the misses, by each worth of a miss. */
  readonly costGpuHours: Readonly<Record<string, number>>;
}

export interface AutoscalerResult {
  /** Name of one of the autoscalers. */
  readonly autoscaler: string;
  readonly parameters: ParameterSet;
  /** Those that are not the autoscaler's own defaults. */
  readonly parameterValues: Readonly<Record<string, number>>;
  /** Of fixed replicas, by role. */
  readonly replicas?: Readonly<Record<string, number>>;
  readonly measures: MeasureSummary;
  readonly bySeed: readonly SeedResult[];
  /** By the first SLO; absent where the traffic does not tell clients apart. */
  readonly clients?: readonly ClientSummary[];
  /** Of one seed that stands for the others. */
  readonly timeLine?: TimeLine & { readonly seed: number };
}

/** One target's answer to one step. */
export interface ReactionResult extends ReactionSummary {
  readonly scenario: string;
  /** Since the start of the traffic. */
  readonly stepAtSeconds: number;
  readonly autoscaler: string;
  readonly parameters: ParameterSet;
}

export interface FaultResult {
  readonly scenario: string;
  readonly fault: string;
  readonly autoscaler: string;
  readonly parameters: ParameterSet;
  /** With the fault − without it, on the same seeds; of the first SLO. */
  readonly attainmentChange: Estimate | null;
  readonly gpuHoursChange: Estimate | null;
  /** Over budget, below the minimum viable set, or pending for too long, together. */
  readonly unsafeSeconds: Estimate | null;
}

export interface AblationResult {
  readonly scenario: string;
  /** What was taken away. */
  readonly without: string;
  /** Without it − complete, on the same seeds; of the first SLO. */
  readonly attainmentChange: Estimate | null;
  readonly gpuHoursChange: Estimate | null;
  readonly flapsPerHourChange: Estimate | null;
  readonly outOfBandSecondsChange: Estimate | null;
  /** Null: there is no budget. */
  readonly overBudgetSecondsChange: Estimate | null;
}

export interface ValidationResult {
  readonly run: string;
  readonly quantity: string;
  readonly unit: string;
  readonly recorded: number;
  readonly simulated: number;
  /** Second by second, where the quantity is a mean over time: means alone may hide what is late. */
  readonly meanAbsoluteError?: number;
}

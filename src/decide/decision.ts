/** The record of one decision: what every output (status, events, metrics, `explain`) renders, and nothing else is. */
import type { Offer } from "./arbitrate.ts";
import type { SloState } from "./capacity/slo.ts";
import type { Demand } from "./demand.ts";
import type { ForecastResult } from "./forecast/forecast.ts";
import type { Neighbours } from "./neighbours.ts";
import type { ZeroState } from "./scale-to-zero.ts";
import type { Relaxation } from "./solve.ts";
import type { Transition } from "./transition.ts";

/** The eleven stages in their order. */
export const STAGES = [
  "collect",
  "demand",
  "forecast",
  "bounds",
  "arbitrate",
  "solve",
  "step",
  "override",
  "transition",
  "gate",
  "record",
] as const;
export type Stage = (typeof STAGES)[number];

export interface StageRecord {
  readonly stage: Stage;
  /** Absent: about the whole policy. */
  readonly target?: string;
  readonly before?: number;
  readonly after?: number;
  readonly reason: string;
  readonly detail?: string;
}

/** `decode/1` for the decode object of set replica 1. */
export const nameOf = (target: string, setIndex?: number): string =>
  setIndex === undefined ? target : `${target}/${setIndex}`;

export interface TargetDecision {
  readonly name: string;
  readonly level: "PodClique" | "PodCliqueScalingGroup" | "PodCliqueSet";
  /** Sums over the set replicas, in units of the level. */
  readonly current: number;
  readonly ready: number;
  readonly starting: number;
  readonly pending: number;
  readonly goal: number;
  /** The goal, after the tolerance and the stabilization windows. */
  readonly stabilized: number;
  /** That, after the rate policies; what else holds the step, and the ratios, come after it. */
  readonly rateLimited: number;
  readonly desired: number;
  /** Least there may be with the set replicas there are. */
  readonly minViable: number;
  readonly demand?: Demand;
  readonly forecast?: Omit<ForecastResult, "memory">;
  /** Only where both are known: the p99 of how long a request takes, and what its pod has to finish it. */
  readonly drain?: { readonly requestMs: number; readonly graceMs: number };
  /** Worked out when it is read, from what was decided on. Absent inside set replicas where there is none. */
  readonly neighbours?: Neighbours;
}

export interface RatioDecision {
  readonly name: string;
  /** `ready a : ready b` over the whole set, for people. */
  readonly ready: string;
  readonly min?: string;
  readonly max?: string;
  /** Desired replicas of every set replica are in the band. */
  readonly desiredWithinBand: boolean;
  /** Ready replicas of every set replica are in the band, widened by the transient slack. */
  readonly readyWithinSlack: boolean;
}

export type Outcome = "Scaled" | "Held" | "Limited" | "Advisory" | "Failed";

export interface Decision {
  readonly id: string;
  readonly atMs: number;
  readonly outcome: Outcome;
  readonly reason: string;
  /** One sentence for people. */
  readonly message: string;
  readonly stages: readonly StageRecord[];
  /** The set first when the policy scales it, then the targets in the order of the policy. */
  readonly targets: readonly TargetDecision[];
  readonly desired: { readonly sets: number; readonly perSet: readonly (readonly number[])[] };
  readonly ratios: readonly RatioDecision[];
  readonly budget: {
    readonly gpusUsed: number;
    readonly gpusRequested: number;
    /** Absent: no budget. */
    readonly gpusMax?: number;
    readonly isLimited: boolean;
    /** The queue of the scheduler that leaves less than any budget. */
    readonly queue?: string;
    /** The minimum viable set itself does not fit. */
    readonly isInfeasible: boolean;
    /** A GPU cost is unknown: nothing grows. */
    readonly isUnknown: boolean;
    /** What the policy holds beside `gpusUsed`, of which the GPUs are not known. */
    readonly gpusUnknown?: string;
  };
  readonly servedRatio: number;
  /** Only when the policy has latency goals. */
  readonly slo?: SloState;
  readonly relaxed: readonly Relaxation[];
  readonly transition: Transition;
  /** Once it was acted on: what was written, by target, summed over the set replicas. Absent: nothing was. */
  readonly changes?: Readonly<Record<string, { readonly from: number; readonly to: number }>>;
  /** Only when the policy shares a budget. */
  readonly offer?: Pick<Offer, "minGpus" | "curve" | "backlog">;
  /** Windows that are open, and those that are about to be. */
  readonly schedules: { readonly active: readonly string[]; readonly early: readonly string[] };
  /** When a window opens or closes next, epoch ms: a decision is due then. */
  readonly nextChangeMs?: number;
  /** Only when the policy scales to zero. */
  readonly zero?: Pick<ZeroState, "isAsleep" | "reason" | "detail">;
  readonly override?: { readonly name: string; readonly reason: string; readonly expiresAtMs: number };
}

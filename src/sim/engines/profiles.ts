/** What the simulated engines run on: one configuration of model, GPUs and engine, from a performance profile. */
import type { ProfileProblem } from "../../api/autoscaling/performance-profile.ts";
import { parseWholeProfile, type WholeProfile, type WorkerShape } from "../../api/autoscaling/whole-profile.ts";
import { BUILT_IN_PROFILES } from "./built-in-profiles.ts";
import { type StepCalibration, StepTimes } from "./step-times.ts";

export interface EngineProfile {
  readonly name: string;
  readonly modelName: string;
  /** One instance by role; an aggregated engine is a decode worker that takes prompts too. */
  readonly workers: { readonly prefill: WorkerShape; readonly decode: WorkerShape };
  readonly stepTimes: StepTimes;
  readonly maxRequests: number;
  readonly maxBatchedTokens: number;
  readonly kvBytesPerToken: number;
  readonly transferBytesPerMs: number;
  readonly transferFixedMs: number;
  /** What clients wait for beside queue, prefill and transfer. */
  readonly ttftOverheadMs: number;
  /** Start of a pod until ready, image on the node: median and 90th percentile. Absent: the profile does not say. */
  readonly startupMedianMs?: number;
  readonly startupP90Ms?: number;
}

/** How far table values are corrected by what was measured; at most one of the two ways. */
type Calibration = "decode multiplier" | "step overhead" | "none";

export interface EngineProfileOptions {
  /** Default: the first of them that the profile has. */
  readonly calibration?: Calibration;
}

type Made =
  | { readonly ok: true; readonly profile: EngineProfile }
  | { readonly ok: false; readonly problem: ProfileProblem };

/** Spread of start-ups around the profile's sum of stages; an assumption, storage alone varies by a factor of 20. */
const STARTUP_P90_OVER_MEDIAN = 1.5;

/** Never throws. A profile by which no request could be served is refused with the field that says so. */
function engineProfileOf(whole: WholeProfile, options: EngineProfileOptions = {}): Made {
  const problem = impossible(whole);
  if (problem !== undefined) return { ok: false, problem };
  const { kvTransfer, coldStart } = whole;
  return {
    ok: true,
    profile: {
      name: whole.name,
      modelName: whole.model,
      workers: whole.workers,
      stepTimes: new StepTimes(whole, calibrationOf(whole, options.calibration)),
      maxRequests: whole.maxRequests,
      maxBatchedTokens: whole.maxBatchedTokens,
      kvBytesPerToken: kvTransfer?.bytesPerToken ?? 0,
      transferBytesPerMs: kvTransfer?.bytesPerMs ?? Number.POSITIVE_INFINITY,
      transferFixedMs: kvTransfer?.fixedMs ?? 0,
      ttftOverheadMs: whole.ttftOverheadMs,
      ...(coldStart === undefined ? {} : startupOf(coldStart)),
    },
  };
}

/** @param text a profile file */
export function parseEngineProfile(text: string, options?: EngineProfileOptions): Made {
  const parsed = parseWholeProfile(text);
  return parsed.ok ? engineProfileOf(parsed.profile, options) : parsed;
}

function calibrationOf({ calibrations }: WholeProfile, wanted: Calibration | undefined): StepCalibration {
  const { decodeMultiplier, stepOverheadMs } = calibrations;
  const chosen = wanted ?? (decodeMultiplier === undefined ? "step overhead" : "decode multiplier");
  return {
    decodeMultiplier: chosen === "decode multiplier" ? (decodeMultiplier ?? 1) : 1,
    stepOverheadMs: chosen === "step overhead" ? (stepOverheadMs ?? 0) : 0,
  };
}

function startupOf(stages: NonNullable<WholeProfile["coldStart"]>) {
  const { scheduleMs, imagePullMs, processStartMs, weightsLoadMs, compileMs, firstRequestMs } = stages;
  const startupMedianMs = scheduleMs + imagePullMs + processStartMs + weightsLoadMs + compileMs + firstRequestMs;
  return { startupMedianMs, startupP90Ms: STARTUP_P90_OVER_MEDIAN * startupMedianMs };
}

function impossible({ prefill, workers, maxRequests, maxBatchedTokens }: WholeProfile): ProfileProblem | undefined {
  const shortest = prefill.points[0]?.[0] ?? 1;
  for (const role of ["prefill", "decode"] as const) {
    const { kvTokens, ranks } = workers[role];
    // A request lives on one rank, with its prompt and at least one token of answer.
    if (kvTokens / ranks < shortest + 1) {
      return {
        field: `kv_cache.${role}.worker_tokens`,
        message: `${kvTokens} tokens on ${ranks} ${ranks === 1 ? "rank" : "ranks"} have no room for one request: the shortest prompt of prefill.single has ${shortest} tokens`,
      };
    }
  }
  if (maxBatchedTokens < maxRequests) {
    return {
      field: "limits.max_num_batched_tokens",
      message: `must be at least limits.max_num_seqs (${maxRequests}), or running requests leave no room for prompts`,
    };
  }
  return undefined;
}

export const PROFILES: Readonly<Record<string, EngineProfile>> = Object.fromEntries(
  BUILT_IN_PROFILES.map((raw) => {
    const made = parseEngineProfile(JSON.stringify(raw));
    if (!made.ok) throw new Error(`built-in profile: ${made.problem.field}: ${made.problem.message}`);
    return [made.profile.name, made.profile] as const;
  }),
);

export const DEFAULT_PROFILE = "llama-3.1-8b-bf16-h100-tp1";

export const transferMs = (profile: EngineProfile, tokens: number): number =>
  profile.transferFixedMs + (tokens * profile.kvBytesPerToken) / profile.transferBytesPerMs;

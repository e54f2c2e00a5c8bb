/**
 * What the comparison runs: traffic, hardware and goals of each case, fixed before anybody was measured on it.
 *
 * Rates are multiplied by superposition: whole copies of the trace, each shifted by its own random time of up to a minute, which keeps the shape of the day
 * and smooths bursts. Seeds draw the shifts, the start-up times and the jitter.
 */

import { SYNTHETIC_SCENARIOS, syntheticScenario } from "../../src/sim/traffic/synthetic.ts";

export type TrafficSource =
  | { readonly trace: string; readonly rateFactor: number; readonly jitterSeconds?: number }
  | { readonly synthetic: string; readonly requestsPerSecond: number };

/** Seconds of the traffic. */
export interface Part {
  readonly fromSeconds: number;
  readonly toSeconds: number;
  /** Replayed before, and not judged. */
  readonly warmUpSeconds: number;
}

export interface Case {
  readonly name: string;
  readonly about: string;
  readonly traffic: TrafficSource;
  /** A file of the profiles. */
  readonly profile: string;
  readonly ttftMs: number;
  readonly itlMs: number;
  /** Engines reuse the prompt blocks of the trace, and requests go where theirs are. */
  readonly prefixCaching?: true;
  readonly maxPrefill: number;
  readonly maxDecode: number;
  /** Of prefill to decode. Default: 1:24 to 24:1, which binds nobody. */
  readonly ratio?: { readonly min: string; readonly max: string };
  /** GPUs. Default: none but the bounds. */
  readonly gpuBudget?: number;
  /** What each step of the engines takes beyond what the profile says that the policy plans with. */
  readonly stepOverheadMs?: number;
  /** What is tuned on; never judged. Absent: nothing is tuned, defaults alone are compared. */
  readonly tuning?: Part;
  readonly report: Part;
}

const HOUR = 3_600;

/** The first 40 % is tuned on, the rest is reported. */
function parts(totalSeconds: number, warmUpSeconds: number): { readonly tuning: Part; readonly report: Part } {
  const cut = 0.4 * totalSeconds;
  return {
    tuning: { fromSeconds: warmUpSeconds, toSeconds: cut, warmUpSeconds },
    report: { fromSeconds: cut, toSeconds: totalSeconds, warmUpSeconds },
  };
}

export const CASES: readonly Case[] = [
  {
    name: "m-large-day",
    about: "a day of a general chat service; prefill-heavy, workers that take ten minutes to start",
    traffic: { trace: "servegen-m-large-d00.csv.gz", rateFactor: 20 },
    profile: "deepseek-r1-fp8-h200-tp8.json",
    ttftMs: 1_500,
    itlMs: 50,
    maxPrefill: 16,
    maxDecode: 8,
    ...parts(24 * HOUR, HOUR),
  },
  {
    name: "reasoning-14h",
    about: "fourteen hours of a reasoning service; answers of 2,000 tokens, decode-heavy",
    traffic: { trace: "servegen-deepseek-r1-h00-h14.csv.gz", rateFactor: 6 },
    profile: "llama-3.3-70b-fp8-h100-tp4.json",
    ttftMs: 500,
    itlMs: 50,
    maxPrefill: 6,
    maxDecode: 24,
    ...parts(14 * HOUR, 0.5 * HOUR),
  },
  {
    name: "reasoning-peak",
    about: "one hour of the same service at its full rate",
    traffic: { trace: "servegen-deepseek-r1-h02-fullrate.csv.gz", rateFactor: 1 },
    profile: "llama-3.3-70b-fp8-h100-tp4.json",
    ttftMs: 500,
    itlMs: 50,
    maxPrefill: 8,
    maxDecode: 32,
    ...parts(HOUR, 600),
  },
  {
    name: "azure-conversation",
    about: "forty minutes of conversation; steady",
    traffic: { trace: "azure-2023-conv.csv.gz", rateFactor: 12 },
    profile: "llama-3.1-8b-bf16-h100-tp1.json",
    ttftMs: 500,
    itlMs: 50,
    maxPrefill: 12,
    maxDecode: 8,
    ...parts(2_400, 300),
  },
  {
    name: "azure-code",
    about: "forty minutes of code completion; the burstiest of all, answers of 28 tokens",
    traffic: { trace: "azure-2023-code.csv.gz", rateFactor: 12 },
    profile: "llama-3.1-8b-bf16-h100-tp1.json",
    ttftMs: 1_500,
    itlMs: 50,
    maxPrefill: 24,
    maxDecode: 6,
    ...parts(2_400, 300),
  },
  {
    name: "mooncake-conversation",
    about: "half an hour of long prompts, 12,870 tokens on average, with prefix caching",
    prefixCaching: true,
    traffic: { trace: "mooncake-conversation.csv.gz", rateFactor: 4, jitterSeconds: 3 },
    profile: "llama-3.1-8b-bf16-h100-tp1.json",
    ttftMs: 4_000,
    itlMs: 50,
    maxPrefill: 24,
    maxDecode: 16,
    ...parts(1_800, 300),
  },
  {
    name: "mooncake-synthetic",
    about: "seventeen minutes of long prompts, 15,326 tokens on average, with prefix caching",
    prefixCaching: true,
    traffic: { trace: "mooncake-synthetic.csv.gz", rateFactor: 4, jitterSeconds: 3 },
    profile: "llama-3.1-8b-bf16-h100-tp1.json",
    ttftMs: 4_000,
    itlMs: 50,
    maxPrefill: 24,
    maxDecode: 16,
    ...parts(1_020, 180),
  },
];

/** Requests a second of which all rates of a shape are multiples. */
const SYNTHETIC_RATE = 10;

/** Known answers: nothing is tuned on them. */
export const SYNTHETIC_CASES: readonly Case[] = SYNTHETIC_SCENARIOS.map((synthetic) => ({
  name: synthetic,
  about: `generated: ${syntheticScenario(synthetic, SYNTHETIC_RATE).about}`,
  traffic: { synthetic, requestsPerSecond: SYNTHETIC_RATE },
  profile: "llama-3.3-70b-fp8-h100-tp4.json",
  ttftMs: 500,
  itlMs: 50,
  maxPrefill: 16,
  maxDecode: 16,
  report: {
    fromSeconds: 300,
    toSeconds: syntheticScenario(synthetic, SYNTHETIC_RATE).durationSeconds,
    warmUpSeconds: 300,
  },
}));

/** Frozen before the first report. */
export const REPORT_SEEDS: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
export const TUNING_SEED = 101;
/** Random-search trials of each autoscaler and case, ours included. */
export const TUNING_TRIALS = 16;

const named = (name: string): Case => CASES.find((one) => one.name === name) as Case;

/** Where parts of ours are taken away whose constraint exists nowhere else. Nobody is compared on them. */
export const BOUND_CASE: Case = {
  ...named("azure-code"),
  name: "azure-code with 8 GPUs and 1:2 to 2:1",
  ratio: { min: "1:2", max: "2:1" },
  gpuBudget: 8,
};
export const SLOW_CASE: Case = {
  ...named("azure-conversation"),
  name: "azure-conversation with steps 15 ms longer than the profile says",
  stepOverheadMs: 15,
};

export function caseOf(name: string): Case {
  const found = [...CASES, ...SYNTHETIC_CASES, BOUND_CASE, SLOW_CASE].find((one) => one.name === name);
  if (found === undefined) throw new RangeError(`there is no case "${name}"`);
  return found;
}

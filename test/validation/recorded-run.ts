/** A recorded run of a real engine, and the same requests through the simulated one. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { InferenceEngine } from "../../src/sim/engines/inference-engine.ts";
import { type EngineProfile, type EngineProfileOptions, parseEngineProfile } from "../../src/sim/engines/profiles.ts";
import { type Attempt, newAttempt } from "../../src/sim/engines/request.ts";

export const RUNS = ["llama-3.1-8b-bf16-rtxpro6000-tp1", "qwen3-32b-bf16-rtxpro6000-tp2"] as const;
export type RunName = (typeof RUNS)[number];

/** What one request met, in milliseconds. */
export interface Latencies {
  readonly queueMs: number;
  readonly ttftMs: number;
  readonly tpotMs: number;
  readonly e2eMs: number;
}

export interface Second {
  readonly running: number;
  readonly waiting: number;
  /** Of the second before. */
  readonly generatedTokens: number;
  /** In [0, 1]; undefined: not recorded. */
  readonly kvCacheRatio?: number;
}

export interface Run {
  readonly requests: readonly Latencies[];
  /** At 1 s, 2 s, … */
  readonly series: readonly Second[];
  readonly durationMs: number;
}

export interface RecordedRun extends Run {
  readonly arrivals: readonly { readonly atMs: number; readonly inputTokens: number; readonly outputTokens: number }[];
}

/** Where the recordings of this repository are. */
const HERE = fileURLToPath(new URL(".", import.meta.url));

/** Of one run: its requests, its seconds, the profile to simulate it with. */
export const filesOf = (name: RunName): readonly [requests: string, series: string, profile: string] => [
  `${name}-requests.csv.gz`,
  `${name}-timeseries.csv.gz`,
  `${name}.json`,
];

/** Rows by column name. */
const csv = (path: string): readonly Readonly<Record<string, number>>[] => {
  const [header = "", ...lines] = gunzipSync(readFileSync(path)).toString().trim().split("\n");
  const names = header.split(",");
  return lines.map((line) => Object.fromEntries(line.split(",").map((value, index) => [names[index], Number(value)])));
};

export function recordedRun(name: RunName, folder = HERE): RecordedRun {
  const [requestsFile, seriesFile] = filesOf(name);
  const rows = csv(join(folder, requestsFile));
  const at = (row: Readonly<Record<string, number>>, column: string): number => {
    const value = row[column];
    if (value === undefined) throw new Error(`${name}: no column ${column}`);
    return value;
  };
  const requests = rows.map((row) => ({
    queueMs: 1000 * at(row, "queue_seconds"),
    ttftMs: 1000 * at(row, "ttft_seconds"),
    tpotMs: 1000 * at(row, "mean_tpot_seconds"),
    e2eMs: 1000 * at(row, "e2e_seconds"),
  }));
  const arrivals = rows.map((row) => ({
    atMs: 1000 * at(row, "arrival_seconds"),
    inputTokens: at(row, "input_tokens"),
    outputTokens: at(row, "output_tokens"),
  }));
  return {
    requests,
    arrivals,
    series: csv(join(folder, seriesFile)).map((row) => ({
      running: at(row, "running"),
      waiting: at(row, "waiting"),
      generatedTokens: at(row, "generation_tokens_per_s"),
    })),
    durationMs: Math.max(...requests.map(({ e2eMs }, index) => (arrivals[index]?.atMs ?? 0) + e2eMs)),
  };
}

/** The limits both runs were started with. */
const LIMITS = { max_num_seqs: 128, max_num_batched_tokens: 2_048 };

export function recordedProfile(
  name: RunName,
  options: EngineProfileOptions & { stepOverheadMs?: number; folder?: string } = {},
): EngineProfile {
  const { stepOverheadMs = 0, folder = HERE } = options;
  const [, , profileFile] = filesOf(name);
  const raw = JSON.parse(readFileSync(join(folder, profileFile), "utf8")) as object;
  const whole = { ...raw, limits: LIMITS, calibration: { step_overhead_ms: stepOverheadMs } };
  const made = parseEngineProfile(JSON.stringify(whole), options);
  if (!made.ok) throw new Error(`${name}: ${made.problem.field}: ${made.problem.message}`);
  return made.profile;
}

/** One aggregated engine; looked at every second for as long as the recorded series is. */
export function replayRun(profile: EngineProfile, { arrivals, series }: RecordedRun): Run {
  const ends = new Map<Attempt, { firstMs: number; endMs: number }>();
  const engine = new InferenceEngine(profile, "aggregated", {
    prefilled: () => undefined,
    transferring: () => undefined,
    firstToken: (attempt, atMs) => ends.set(attempt, { firstMs: atMs, endMs: Number.NaN }),
    finished: (attempt, atMs) => {
      const times = ends.get(attempt);
      if (times !== undefined) times.endMs = atMs;
    },
    rejected: () => {
      throw new Error("a recorded request does not fit");
    },
  });
  const attempts: Attempt[] = [];
  const seen: Second[] = [];
  let generated = 0;
  const lookUntil = (nowMs: number): void => {
    while (seen.length < series.length && (seen.length + 1) * 1000 <= nowMs) {
      engine.advanceTo((seen.length + 1) * 1000);
      const { runningRequests: running, waitingRequests: waiting, kvCacheRatio, generationTokens } = engine;
      seen.push({ running, waiting, kvCacheRatio, generatedTokens: generationTokens - generated });
      generated = generationTokens;
    }
  };
  for (const [id, { atMs, ...lengths }] of arrivals.entries()) {
    lookUntil(atMs);
    const attempt = newAttempt({ id, arrivedMs: atMs, ...lengths, attempts: 0, current: undefined, ended: false });
    attempts.push(attempt);
    engine.submit(attempt, atMs);
  }
  lookUntil(series.length * 1000);
  engine.advanceTo(Number.MAX_SAFE_INTEGER);
  const requests = attempts.map((attempt) => {
    const { arrivedMs, outputTokens } = attempt.request;
    const { firstMs, endMs } = ends.get(attempt) ?? { firstMs: Number.NaN, endMs: Number.NaN };
    return {
      queueMs: (attempt.admittedMs ?? Number.NaN) - arrivedMs,
      ttftMs: firstMs - arrivedMs,
      tpotMs: outputTokens > 1 ? (endMs - firstMs) / (outputTokens - 1) : 0,
      e2eMs: endMs - arrivedMs,
    };
  });
  return {
    requests,
    series: seen,
    durationMs: Math.max(...requests.map(({ e2eMs }, id) => e2eMs + (arrivals[id]?.atMs ?? 0))),
  };
}

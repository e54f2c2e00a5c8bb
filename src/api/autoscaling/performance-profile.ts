/**
 * A performance profile: how long one worker takes for a prompt and for a decode step. The text of a ConfigMap, read into plain numbers.
 *
 * Format `grove-autoscaler/perf-profile/v1`: tables of measured points, a fit for what lies outside them, the KV cache of a worker, the engine's
 * limits and the calibration against measured runs. `docs/slo.md` lists the fields.
 */

import { at, number, ProfileError, rows } from "./profile-fields.ts";

export interface PerformanceProfile {
  readonly name: string;
  readonly prefill: {
    /** `[new tokens, ms]` of one prompt alone on one rank, by tokens. */
    readonly points: readonly (readonly [number, number])[];
    /** ms = c0 + c1 n + c2 n². */
    readonly fit: readonly [number, number, number];
    /** Data-parallel ranks: prompts that one worker computes at the same time. */
    readonly ranks: number;
  };
  readonly decode: {
    /** By batch of the whole worker, then by context: `[batch, [[context tokens, ms], ...]]`. */
    readonly rows: readonly (readonly [number, readonly (readonly [number, number])[]])[];
    /** ms = c0 + c1 batch + c2 batch × context. */
    readonly fit: readonly [number, number, number];
  };
  /** KV cache of one decode (or aggregated) worker, in tokens. */
  readonly kvTokens: number;
  readonly maxRequests: number;
  readonly maxBatchedTokens: number;
  /** Absent: the KV cache of a prompt moves in no time. */
  readonly kvTransfer?: { readonly bytesPerToken: number; readonly bytesPerMs: number; readonly fixedMs: number };
  /** Measured over tabulated time of a decode step. */
  readonly decodeMultiplier: number;
  /** Of the time to the first token, what is neither queue nor prefill nor transfer. */
  readonly ttftOverheadMs: number;
}

const PROFILE_SCHEMA = "grove-autoscaler/perf-profile/v1";

/** The field and the way out. */
export interface ProfileProblem {
  readonly field: string;
  readonly message: string;
}

export type Parsed<T> =
  | { readonly ok: true; readonly profile: T }
  | { readonly ok: false; readonly problem: ProfileProblem };

export type ParsedProfile = Parsed<PerformanceProfile>;

/** Never throws. @param text JSON */
export const parseProfile = (text: string): ParsedProfile => parseWith(text, readProfile);

/** @param read throws {@link ProfileError} for what is wrong */
export function parseWith<T>(text: string, read: (raw: unknown) => T): Parsed<T> {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return { ok: false, problem: { field: "", message: "is not JSON" } };
  }
  try {
    return { ok: true, profile: read(raw) };
  } catch (error) {
    if (error instanceof ProfileError) return { ok: false, problem: { field: error.field, message: error.message } };
    throw error;
  }
}

export function readProfile(raw: unknown): PerformanceProfile {
  const schema = at(raw, "schema");
  if (schema !== PROFILE_SCHEMA) throw new ProfileError("schema", `must be "${PROFILE_SCHEMA}"`);
  const name = at(raw, "name");
  if (typeof name !== "string" || name === "") throw new ProfileError("name", "must be a text that is not empty");
  const transfer = at(raw, "kv_transfer");
  return {
    name,
    prefill: {
      points: readPoints(raw),
      fit: readFit(raw, "prefill.fit.c"),
      ranks: number(raw, "prefill.dp_ranks", { min: 1, fallback: 1 }),
    },
    decode: { rows: readGrid(raw), fit: readFit(raw, "decode.fit.c") },
    kvTokens: number(raw, "kv_cache.decode.worker_tokens", { min: 1 }),
    maxRequests: number(raw, "limits.max_num_seqs", { min: 1 }),
    maxBatchedTokens: number(raw, "limits.max_num_batched_tokens", { min: 1 }),
    decodeMultiplier: number(raw, "calibration.decode_multiplier", { min: 0.1, fallback: 1 }),
    ttftOverheadMs: number(raw, "calibration.ttft_overhead_ms", { min: 0, fallback: 0 }),
    ...(transfer === undefined
      ? {}
      : {
          kvTransfer: {
            bytesPerToken: number(raw, "kv_transfer.bytes_per_token", { min: 0 }),
            bytesPerMs: number(raw, "kv_transfer.effective_bandwidth", { min: 1 }) / 1000,
            fixedMs: number(raw, "kv_transfer.fixed_latency", { min: 0, fallback: 0 }),
          },
        }),
  };
}

function readPoints(raw: unknown): PerformanceProfile["prefill"]["points"] {
  const field = "prefill.single";
  const points = rows(raw, field, 2).map(([tokens = 0, ms = 0]) => [tokens, ms] as const);
  if (points.length < 2) throw new ProfileError(field, "must have at least two points");
  const sorted = points.toSorted(([a], [b]) => a - b);
  sorted.forEach(([tokens], index) => {
    if (index > 0 && sorted[index - 1]?.[0] === tokens) throw new ProfileError(field, `has ${tokens} tokens twice`);
  });
  return rising(sorted);
}

function readGrid(raw: unknown): PerformanceProfile["decode"]["rows"] {
  const field = "decode.grid";
  const byBatch = new Map<number, Map<number, number>>();
  for (const [batch = 0, context = 0, ms = 0] of rows(raw, field, 3)) {
    const row = byBatch.get(batch) ?? new Map<number, number>();
    byBatch.set(batch, row.set(context, ms));
  }
  if (byBatch.size < 2) throw new ProfileError(field, "must have at least two batch sizes");
  return [...byBatch]
    .toSorted(([a], [b]) => a - b)
    .map(([batch, row]) => [batch, rising([...row].toSorted(([a], [b]) => a - b))] as const);
}

/** Measured points jitter by a percent; more work never takes less time. */
function rising(points: readonly (readonly [number, number])[]): readonly (readonly [number, number])[] {
  let most = 0;
  return points.map(([x, ms]) => {
    most = Math.max(most, ms);
    return [x, most] as const;
  });
}

function readFit(raw: unknown, field: string): readonly [number, number, number] {
  const list = at(raw, field);
  const [c0, c1, c2] = Array.isArray(list) ? (list as unknown[]) : [];
  if (![c0, c1, c2].every((one) => typeof one === "number" && Number.isFinite(one) && one >= 0)) {
    throw new ProfileError(field, "must be three numbers, 0 or more");
  }
  return [c0, c1, c2] as [number, number, number];
}

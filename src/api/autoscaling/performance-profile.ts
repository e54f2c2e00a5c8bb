/**
 * A performance profile: how long one worker takes for a prompt and for a decode step. The text of a ConfigMap, read into plain numbers.
 *
 * Format `grove-autoscaler/perf-profile/v1`: tables of measured points, a fit for what lies outside them, the KV cache of a worker, the engine's
 * limits and the calibration against measured runs. `docs/slo.md` lists the fields.
 */

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

export type ParsedProfile =
  | { readonly ok: true; readonly profile: PerformanceProfile }
  | { readonly ok: false; readonly problem: ProfileProblem };

/** Never throws. @param text JSON */
export function parseProfile(text: string): ParsedProfile {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return { ok: false, problem: { field: "", message: "is not JSON" } };
  }
  try {
    return { ok: true, profile: readProfile(raw) };
  } catch (error) {
    if (error instanceof ProfileError) return { ok: false, problem: { field: error.field, message: error.message } };
    throw error;
  }
}

class ProfileError extends Error {
  readonly field: string;
  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

/** Tables of the real profiles have up to 120 points. */
const MAX_POINTS = 2_000;

function readProfile(raw: unknown): PerformanceProfile {
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

function rows(raw: unknown, field: string, columns: number): readonly (readonly number[])[] {
  const list = at(raw, field);
  if (!Array.isArray(list) || list.length === 0) throw new ProfileError(field, "must be a list of points");
  if (list.length > MAX_POINTS) throw new ProfileError(field, `has ${list.length} points: at most ${MAX_POINTS}`);
  return list.map((row: unknown, index) => {
    const numbers = Array.isArray(row) ? (row as unknown[]).slice(0, columns) : [];
    if (numbers.length < columns || !numbers.every(isPositive)) {
      throw new ProfileError(`${field}[${index}]`, `must be ${columns} numbers above 0`);
    }
    return numbers;
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

/** A plain number, or `{value, unit, source}` as the profiles write what has a source. */
function number(
  raw: unknown,
  field: string,
  { min, fallback }: { readonly min: number; readonly fallback?: number },
): number {
  const found = at(raw, field);
  if (found === undefined && fallback !== undefined) return fallback;
  const value = typeof found === "object" && found !== null ? at(found, "value") : found;
  if (typeof value !== "number" || !Number.isFinite(value) || value < min) {
    throw new ProfileError(field, `must be a number, ${min} or more`);
  }
  return value;
}

function at(raw: unknown, path: string): unknown {
  let value = raw;
  for (const key of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[key];
  }
  return value;
}

const isPositive = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value) && value > 0;

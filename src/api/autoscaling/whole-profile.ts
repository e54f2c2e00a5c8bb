/**
 * The whole of a performance profile: beside what capacity is computed from, what a simulation of the workers needs. Everything beyond
 * {@link PerformanceProfile} may be left out. The fields are those of `docs/slo.md`.
 */
import { type Parsed, type PerformanceProfile, parseWith, readProfile } from "./performance-profile.ts";
import { at, number, ProfileError, rows } from "./profile-fields.ts";

/** One worker of a role. An aggregated worker is a decode worker that takes prompts too. */
export interface WorkerShape {
  readonly gpus: number;
  readonly nodes: number;
  /** Data-parallel ranks. */
  readonly ranks: number;
  /** KV cache of the whole worker. */
  readonly kvTokens: number;
}

/** Stages of a start one after the other, on a node that is there. */
export interface ColdStart {
  readonly scheduleMs: number;
  /** The image is on the node. */
  readonly imagePullMs: number;
  readonly coldImagePullMs: number;
  readonly processStartMs: number;
  readonly weightsLoadMs: number;
  /** What one node reads; 0 when not said. */
  readonly weightsBytesPerNode: number;
  readonly compileMs: number;
  readonly warmCompileMs: number;
  readonly firstRequestMs: number;
  /** Before all of it, when no node is free. */
  readonly nodeProvisioningMs: number;
}

export interface WholeProfile extends PerformanceProfile {
  /** The name that engines export; the profile's own when not said. */
  readonly model: string;
  readonly workers: { readonly prefill: WorkerShape; readonly decode: WorkerShape };
  /** One pass over several prompts of one length: `[prompts, tokens of each, ms]`. */
  readonly batchedPrompts: readonly (readonly [number, number, number])[];
  /** One pass over the rest of a prompt: `[cached tokens, new tokens, ms]`. */
  readonly cachedPrefixes: readonly (readonly [number, number, number])[];
  /** Two ways to say what a measured step takes beyond the table; only one of them may be applied. */
  readonly calibrations: { readonly decodeMultiplier?: number; readonly stepOverheadMs?: number };
  readonly coldStart?: ColdStart;
}

/** Never throws. @param text JSON */
export const parseWholeProfile = (text: string): Parsed<WholeProfile> => parseWith(text, readWhole);

function readWhole(raw: unknown): WholeProfile {
  const core = readProfile(raw);
  return {
    ...core,
    model: text(raw, "model", core.name),
    workers: {
      prefill: workerOf(raw, "prefill", { ranks: core.prefill.ranks, kvTokens: core.kvTokens }),
      decode: workerOf(raw, "decode", { ranks: 1, kvTokens: core.kvTokens }),
    },
    batchedPrompts: triples(raw, "prefill.batched"),
    cachedPrefixes: triples(raw, "prefill.cached_prefix"),
    calibrations: {
      ...(at(raw, "calibration.decode_multiplier") === undefined ? {} : { decodeMultiplier: core.decodeMultiplier }),
      ...(at(raw, "calibration.step_overhead_ms") === undefined
        ? {}
        : { stepOverheadMs: number(raw, "calibration.step_overhead_ms", { min: 0 }) }),
    },
    ...(at(raw, "cold_start") === undefined ? {} : { coldStart: coldStartOf(raw) }),
  };
}

function workerOf(
  raw: unknown,
  role: "prefill" | "decode",
  fallback: Pick<WorkerShape, "ranks" | "kvTokens">,
): WorkerShape {
  const ranks = number(raw, `${role}.dp_ranks`, { min: 1, fallback: fallback.ranks });
  return {
    gpus: whole(raw, `workers.${role}.gpus`, 1),
    nodes: whole(raw, `workers.${role}.nodes`, 1),
    ranks: whole(raw, `workers.${role}.dp_ranks`, ranks),
    kvTokens: number(raw, `kv_cache.${role}.worker_tokens`, { min: 1, fallback: fallback.kvTokens }),
  };
}

function whole(raw: unknown, field: string, fallback: number): number {
  const value = number(raw, field, { min: 1, fallback });
  if (!Number.isInteger(value)) throw new ProfileError(field, "must be a whole number, 1 or more");
  return value;
}

function text(raw: unknown, field: string, fallback: string): string {
  const found = at(raw, field);
  if (found === undefined) return fallback;
  if (typeof found !== "string" || found === "") throw new ProfileError(field, "must be a text that is not empty");
  return found;
}

function triples(raw: unknown, field: string): readonly (readonly [number, number, number])[] {
  if (at(raw, field) === undefined) return [];
  return rows(raw, field, 3).map(([a = 0, b = 0, c = 0]) => [a, b, c] as const);
}

const BYTES_PER_GIB = 2 ** 30;

function coldStartOf(raw: unknown): ColdStart {
  const stage = (name: string, detail = "", fallback = 0): number =>
    number(raw, `cold_start.stages.${name}${detail}`, { min: 0, fallback });
  const imagePull = stage("image_pull");
  const compile = stage("compile_profile_and_graphs");
  return {
    scheduleMs: 1000 * stage("schedule_and_container_start"),
    imagePullMs: 1000 * imagePull,
    coldImagePullMs: 1000 * stage("image_pull", ".cold_node_value", imagePull),
    processStartMs: 1000 * stage("process_start_and_imports"),
    weightsLoadMs: 1000 * stage("weights_load"),
    weightsBytesPerNode: BYTES_PER_GIB * stage("weights_load", ".bytes_gib_per_node"),
    compileMs: 1000 * compile,
    warmCompileMs: 1000 * stage("compile_profile_and_graphs", ".with_warm_compile_cache_s", compile),
    firstRequestMs: 1000 * stage("first_request_warmup"),
    nodeProvisioningMs: 1000 * number(raw, "cold_start.node_provisioning", { min: 0, fallback: 0 }),
  };
}

import { expect, test } from "vitest";
import { parseWholeProfile } from "./whole-profile.ts";

const least = {
  schema: "grove-autoscaler/perf-profile/v1",
  name: "m",
  prefill: {
    single: [
      [100, 10],
      [1_000, 20],
    ],
    fit: { c: [1, 0.02, 0] },
  },
  decode: {
    grid: [
      [1, 1_000, 10],
      [8, 1_000, 12],
    ],
    fit: { c: [10, 0.1, 0.00001] },
  },
  kv_cache: { decode: { worker_tokens: 100_000 } },
  limits: { max_num_seqs: 256, max_num_batched_tokens: 8_192 },
};

const parse = (change: object) => parseWholeProfile(JSON.stringify({ ...least, ...change }));

test("a file that says only what capacity needs stands for workers of one GPU with the cache of decode workers", () => {
  const worker = { gpus: 1, nodes: 1, ranks: 1, kvTokens: 100_000 };
  const parsed = parse({});
  expect(parsed).toMatchObject({
    ok: true,
    profile: {
      model: "m",
      workers: { prefill: worker, decode: worker },
      batchedPrompts: [],
      cachedPrefixes: [],
      calibrations: {},
    },
  });
  expect(parsed.ok && parsed.profile.coldStart).toBe(undefined);
});

test("workers, calibrations and stages of a start are read with their units", () => {
  const parsed = parse({
    model: "org/m",
    workers: { prefill: { gpus: 16, nodes: 2, dp_ranks: 16 }, decode: { gpus: 32, nodes: 4 } },
    prefill: { ...least.prefill, batched: [[2, 100, 12]], cached_prefix: [[100, 50, 7]] },
    decode: { ...least.decode, dp_ranks: 32 },
    kv_cache: { prefill: { worker_tokens: 50_000 }, decode: { worker_tokens: 100_000 } },
    calibration: { decode_multiplier: { value: 1.1 }, step_overhead_ms: 2 },
    cold_start: {
      stages: {
        schedule_and_container_start: 10,
        image_pull: { value: 0, cold_node_value: 90 },
        weights_load: { value: 7, bytes_gib_per_node: 15 },
        compile_profile_and_graphs: { value: 40, with_warm_compile_cache_s: 20 },
      },
      node_provisioning: { value: 300 },
    },
  });
  expect(parsed).toMatchObject({
    ok: true,
    profile: {
      model: "org/m",
      workers: {
        prefill: { gpus: 16, nodes: 2, ranks: 16, kvTokens: 50_000 },
        decode: { gpus: 32, nodes: 4, ranks: 32, kvTokens: 100_000 },
      },
      batchedPrompts: [[2, 100, 12]],
      cachedPrefixes: [[100, 50, 7]],
      calibrations: { decodeMultiplier: 1.1, stepOverheadMs: 2 },
      coldStart: {
        scheduleMs: 10_000,
        coldImagePullMs: 90_000,
        processStartMs: 0,
        weightsBytesPerNode: 15 * 2 ** 30,
        compileMs: 40_000,
        warmCompileMs: 20_000,
        nodeProvisioningMs: 300_000,
      },
    },
  });
});

test.each([
  { field: "model", change: { model: 1 } },
  { field: "workers.prefill.gpus", change: { workers: { prefill: { gpus: 0 } } } },
  { field: "workers.decode.nodes", change: { workers: { decode: { nodes: 1.5 } } } },
  { field: "workers.decode.dp_ranks", change: { workers: { decode: { dp_ranks: "2" } } } },
  {
    field: "kv_cache.prefill.worker_tokens",
    change: { kv_cache: { ...least.kv_cache, prefill: { worker_tokens: 0 } } },
  },
  { field: "prefill.batched[0]", change: { prefill: { ...least.prefill, batched: [[2, 100]] } } },
  { field: "prefill.cached_prefix", change: { prefill: { ...least.prefill, cached_prefix: {} } } },
  { field: "calibration.step_overhead_ms", change: { calibration: { step_overhead_ms: -1 } } },
  { field: "cold_start.stages.weights_load", change: { cold_start: { stages: { weights_load: "7 s" } } } },
  { field: "limits.max_num_seqs", change: { limits: { ...least.limits, max_num_seqs: 0 } } },
])("what is wrong is named: $field", ({ field, change }) => {
  expect(parse(change)).toMatchObject({ ok: false, problem: { field } });
});

/**
 * Two configurations that need no file, in the format of profile files.
 *
 * Source: operator times of aiconfigurator (github.com/ai-dynamo/aiconfigurator @ a77804e, Apache-2.0) for vLLM 0.24 on
 * H100 SXM; KV capacity by its memory model at 0.9 of 79.19 GiB; limits from vLLM's `arg_utils.py`; KV transfer at half of
 * one 400 Gb/s NIC (assumption; Mooncake measured 22-24 GB/s a NIC). Decode multiplier: median of measured over tabulated
 * steps, 15 runs of the 70B model; for the 8B model an assumption between the measured models. Start-up: vLLM PR #11005,
 * issues #19824 and #44881, weights at an assumed 2 GiB/s.
 */

const PROMPT_TOKENS = [128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072];
const CONTEXT_TOKENS = [256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072];

/** Milliseconds in the order of {@link PROMPT_TOKENS}. */
const prompts = (ms: readonly number[]) => ms.map((value, index) => [PROMPT_TOKENS[index], value]);

/** Milliseconds by batch, in the order of {@link CONTEXT_TOKENS}. */
const grid = (rows: Readonly<Record<number, readonly number[]>>) =>
  Object.entries(rows).flatMap(([batch, ms]) =>
    ms.map((value, index) => [Number(batch), CONTEXT_TOKENS[index], value]),
  );

const SHARED = {
  schema: "grove-autoscaler/perf-profile/v1",
  limits: { max_num_seqs: 1024, max_num_batched_tokens: 8192 },
};
const TRANSFER = { effective_bandwidth: 25e9, fixed_latency: 5 };
const COLD_START = {
  schedule_and_container_start: 10,
  image_pull: { value: 0, cold_node_value: 90 },
  process_start_and_imports: 16,
};

const LLAMA_8B = {
  ...SHARED,
  name: "llama-3.1-8b-bf16-h100-tp1",
  model: "meta-llama/Llama-3.1-8B-Instruct",
  workers: { prefill: { gpus: 1 }, decode: { gpus: 1 } },
  prefill: {
    single: prompts([7.615, 8.733, 12.019, 22.109, 43.508, 90.066, 199.719, 440.218, 1074.93, 3024.643, 9438.033]),
    fit: { c: [4.31158, 0.0181786, 4.30451e-7] },
  },
  decode: {
    grid: grid({
      1: [6.14, 6.168, 6.181, 6.236, 6.286, 6.395, 7.047, 7.909, 9.512, 13.242],
      2: [6.372, 6.399, 6.435, 6.479, 6.583, 7.216, 8.043, 9.663, 12.969, 19.96],
      4: [6.534, 6.577, 6.629, 6.71, 7.368, 8.164, 9.811, 12.835, 17.916, 29.626],
      8: [6.451, 6.483, 6.596, 7.265, 7.868, 9.237, 12.667, 17.775, 28.222],
      16: [6.839, 6.946, 7.511, 8.214, 9.987, 13.082, 18.081, 28.553],
      32: [7.069, 7.724, 8.324, 9.633, 12.353, 17.742, 28.46],
      64: [8.015, 8.783, 10.345, 12.56, 17.87, 28.594],
      128: [9.067, 10.445, 12.834, 18.131, 28.816],
      256: [11.985, 14.862, 19.556, 31.109],
      512: [18.362, 24.11, 36.874, 62.482],
    }),
    fit: { c: [6.35631, 0.0103362, 4.52309e-5] },
  },
  kv_cache: { prefill: { worker_tokens: 427_020 }, decode: { worker_tokens: 431_948 } },
  kv_transfer: { ...TRANSFER, bytes_per_token: 131_072 },
  calibration: { decode_multiplier: 1.05, ttft_overhead_ms: 25 },
  cold_start: {
    stages: {
      ...COLD_START,
      weights_load: { value: 7, bytes_gib_per_node: 15 },
      compile_profile_and_graphs: { value: 39.34, with_warm_compile_cache_s: 20 },
    },
    node_provisioning: 300,
  },
};

const LLAMA_70B = {
  ...SHARED,
  name: "llama-3.3-70b-fp8-h100-tp4",
  model: "meta-llama/Llama-3.3-70B-Instruct",
  workers: { prefill: { gpus: 4 }, decode: { gpus: 4 } },
  prefill: {
    single: prompts([15.958, 20.659, 30.94, 57.527, 110.804, 213.186, 398.853, 897.605, 1953.179, 4961.598, 14173.099]),
    fit: { c: [9.45349, 0.0456991, 4.63807e-7] },
  },
  decode: {
    grid: grid({
      1: [11.007, 11.027, 11.04, 11.148, 11.256, 11.363, 11.549, 11.924, 13.242, 15.064],
      2: [10.507, 10.519, 10.601, 10.684, 10.791, 10.905, 11.241, 12.587, 14.457, 18.109],
      4: [11.02, 10.963, 11.009, 11.157, 11.207, 11.479, 12.884, 14.697, 18.272, 25.225],
      8: [10.82, 10.892, 11.022, 11.079, 11.317, 12.743, 14.465, 17.946, 24.652, 38.141],
      16: [11.145, 11.28, 11.355, 11.577, 13.021, 14.742, 18.225, 25.279, 38.56],
      32: [12.563, 12.637, 12.86, 14.317, 16.151, 19.503, 26.258, 40.04],
      64: [12.913, 13.132, 14.654, 16.305, 19.689, 26.396, 40.034],
      128: [15.565, 16.937, 18.695, 22.033, 28.791, 42.203],
      256: [22.142, 23.865, 27.056, 33.711, 48.919],
      512: [34.898, 38.102, 44.892, 61.052],
    }),
    fit: { c: [10.6631, 0.0371091, 2.70539e-5] },
  },
  kv_cache: { prefill: { worker_tokens: 653_356 }, decode: { worker_tokens: 660_524 } },
  kv_transfer: { ...TRANSFER, bytes_per_token: 327_680 },
  calibration: { decode_multiplier: 1.046, ttft_overhead_ms: 25.7 },
  cold_start: {
    stages: {
      ...COLD_START,
      weights_load: { value: 34, bytes_gib_per_node: 67.7 },
      compile_profile_and_graphs: { value: 145, with_warm_compile_cache_s: 75 },
    },
    node_provisioning: 300,
  },
};

export const BUILT_IN_PROFILES: readonly { readonly name: string }[] = [LLAMA_8B, LLAMA_70B];

/**
 * How fast an engine is: compact constants of two measured configurations.
 *
 * Source: operator times of aiconfigurator (github.com/ai-dynamo/aiconfigurator @ a77804e, Apache-2.0) for vLLM 0.24 on
 * H100 SXM, fitted by prefill ms = c0 + c1 n + c2 n² (mean error 3-5 %) and decode ms = c0 + c1 batch + c2 KV tokens
 * (mean error 2-3 %); KV capacity by its memory model at 0.9 of 79.19 GiB; step limits from vLLM's `arg_utils.py`;
 * KV transfer at half of one 400 Gb/s NIC (assumption; Mooncake measured 22-24 GB/s a NIC).
 */
export interface EngineProfile {
  readonly name: string;
  readonly modelName: string;
  /** GPUs of one instance. */
  readonly gpus: number;
  /** ms, ms per token, ms per token². */
  readonly prefillMs: readonly [number, number, number];
  /** ms, ms per running request, ms per KV token in use. */
  readonly decodeMs: readonly [number, number, number];
  readonly kvCapacityTokens: number;
  readonly maxRequests: number;
  readonly maxBatchedTokens: number;
  readonly kvBytesPerToken: number;
  readonly transferBytesPerMs: number;
  readonly transferFixedMs: number;
  /** Start of a pod until ready, image on the node: median and 90th percentile. */
  readonly startupMedianMs: number;
  readonly startupP90Ms: number;
}

const LIMITS = {
  maxRequests: 1024,
  maxBatchedTokens: 8192,
  transferBytesPerMs: 25_000_000,
  transferFixedMs: 5,
} as const;

export const PROFILES: Readonly<Record<string, EngineProfile>> = {
  "llama-3.1-8b-bf16-h100-tp1": {
    ...LIMITS,
    name: "llama-3.1-8b-bf16-h100-tp1",
    modelName: "meta-llama/Llama-3.1-8B-Instruct",
    gpus: 1,
    prefillMs: [4.31158, 0.0181786, 4.30451e-7],
    decodeMs: [6.35631, 0.0103362, 4.52309e-5],
    kvCapacityTokens: 431_948,
    kvBytesPerToken: 131_072,
    startupMedianMs: 72_300,
    startupP90Ms: 110_000,
  },
  "llama-3.3-70b-fp8-h100-tp4": {
    ...LIMITS,
    name: "llama-3.3-70b-fp8-h100-tp4",
    modelName: "meta-llama/Llama-3.3-70B-Instruct",
    gpus: 4,
    prefillMs: [9.45349, 0.0456991, 4.63807e-7],
    decodeMs: [10.6631, 0.0371091, 2.70539e-5],
    kvCapacityTokens: 660_524,
    kvBytesPerToken: 327_680,
    startupMedianMs: 205_000,
    startupP90Ms: 310_000,
  },
};

export const DEFAULT_PROFILE = "llama-3.1-8b-bf16-h100-tp1";

export const transferMs = (profile: EngineProfile, tokens: number): number =>
  profile.transferFixedMs + (tokens * profile.kvBytesPerToken) / profile.transferBytesPerMs;

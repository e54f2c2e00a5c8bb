/** What every engine pack answers. */
import type { ScaleTargetRole } from "../../api/autoscaling/scale-target.ts";
import type { SignalQuery } from "../signal-query.ts";

/** What a model of capacity reads, each per pod. Rates are per second, usage and ratios in [0, 1], latencies in seconds. */
export const LOAD_SIGNALS = [
  "requestsPerSecond",
  /** All prompt tokens that arrive, cached ones included. */
  "promptTokensPerSecond",
  /** Without those that the prefix cache had. */
  "computedPromptTokensPerSecond",
  "prefixCacheHitRatio",
  /** p99 of the lengths of prompts over their median. */
  "promptSpread",
  "generationTokensPerSecond",
  "runningRequests",
  "waitingRequests",
  "kvCacheUsage",
  /** Capacity in tokens. */
  "kvCacheTokens",
  "timeToFirstToken",
  "interTokenLatency",
  /** Of one request in this pod, from its arrival to its last token. */
  "requestDuration",
] as const;
export type LoadSignal = (typeof LOAD_SIGNALS)[number];

export interface SignalOptions {
  /** Of the target: prefill and decode workers have different queues. */
  readonly role: ScaleTargetRole;
  /** Of latencies, in (0, 1). */
  readonly quantile: number;
}

type Signal = (options: SignalOptions) => SignalQuery;

export type SignalPack = Readonly<Record<Exclude<LoadSignal, "promptSpread">, Signal>> & {
  /** TensorRT-LLM has no histogram of lengths. */
  readonly promptSpread?: Signal;
  /** KV usage with what is already queued for it; may pass 1. */
  readonly kvCacheDemand: Signal;
  /** Share of time in which the GPU computes. */
  readonly busyRatio: Signal;
};

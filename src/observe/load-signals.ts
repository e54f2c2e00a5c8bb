/** What the performance model reads of an engine: load and latency, as presets are read. */
import type { ScaleTargetRole } from "../api/autoscaling/scale-target.ts";
import { type Engine, type Preset, presetOf } from "./presets.ts";

export type LoadSignal =
  | "requestsPerSecond"
  | "promptTokensPerSecond"
  | "computedPromptTokensPerSecond"
  | "generationTokensPerSecond"
  | "runningRequests"
  | "waitingRequests"
  | "kvCacheUsage"
  | "kvCacheTokens"
  | "timeToFirstToken"
  | "interTokenLatency";

export interface LoadSignalOptions {
  readonly role: ScaleTargetRole;
  /** Of latencies, in (0, 1). */
  readonly quantile: number;
}

const rateOf = (name: string): Preset => ({
  query: `sum by (namespace, pod) (rate(${name}[1m]))`,
  freshnessQuery: `max by (namespace, pod) (timestamp(${name}))`,
  perReplica: "sum",
});

export function loadSignal(engine: Engine, signal: LoadSignal, { role, quantile }: LoadSignalOptions): Preset {
  switch (signal) {
    case "timeToFirstToken":
    case "interTokenLatency": {
      const preset = presetOf(role === "frontend" ? "dynamo" : engine, signal);
      return {
        ...preset,
        query: preset.query.replaceAll("histogram_quantile(0.9,", `histogram_quantile(${quantile},`),
      };
    }
    case "promptTokensPerSecond":
      return rateOf("vllm:prompt_tokens_total");
    case "computedPromptTokensPerSecond":
      return rateOf("vllm:request_prefill_kv_computed_tokens_sum");
    case "kvCacheTokens":
      return {
        query: "sum by (namespace, pod) (sglang:num_used_tokens)",
        freshnessQuery: "max by (namespace, pod) (timestamp(sglang:num_used_tokens))",
        perReplica: "sum",
      };
    default:
      return presetOf(engine, signal);
  }
}

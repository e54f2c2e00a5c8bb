/** Traffic as Dynamo's planners read it from its frontend. Source: ai-dynamo/dynamo:components/src/dynamo/planner/monitoring/traffic_metrics.py. */
import { finite } from "../finite.ts";
import type { PeerInput, PeerQuery } from "../peer.ts";
import type { Lengths } from "./capacity.ts";

const meanQuery = (metric: string, seconds: number): PeerQuery => ({
  promql: `sum(increase(${metric}_sum[${seconds}s])) / sum(increase(${metric}_count[${seconds}s]))`,
  per: "Total",
});

/** @param seconds whole */
export const lengthQueries = (seconds: number): Readonly<Record<"inputTokens" | "outputTokens", PeerQuery>> => ({
  inputTokens: meanQuery("dynamo_frontend_input_sequence_tokens", seconds),
  outputTokens: meanQuery("dynamo_frontend_output_sequence_tokens", seconds),
});

export const trafficQueries = (
  seconds: number,
): Readonly<Record<"requests" | "inputTokens" | "outputTokens", PeerQuery>> => ({
  requests: { promql: `sum(increase(dynamo_frontend_requests_started_total[${seconds}s]))`, per: "Total" },
  ...lengthQueries(seconds),
});

export const latencyQueries = (seconds: number): Readonly<Record<"ttft" | "itl" | "duration", PeerQuery>> => ({
  ttft: meanQuery("dynamo_frontend_time_to_first_token_seconds", seconds),
  itl: meanQuery("dynamo_frontend_inter_token_latency_seconds", seconds),
  duration: meanQuery("dynamo_frontend_request_duration_seconds", seconds),
});

/** Undefined while nobody knows: no request had its first token, or had ended, in the interval. */
export function lengthsOf({ totals }: PeerInput): Lengths | undefined {
  const inputTokens = finite(totals["inputTokens"]);
  const outputTokens = finite(totals["outputTokens"]);
  return inputTokens !== undefined && inputTokens > 0 && outputTokens !== undefined && outputTokens > 0
    ? { inputTokens, outputTokens }
    : undefined;
}

/**
 * What one engine serves within a latency target, and how long what it has will take it.
 *
 * Source: ai-dynamo/dynamo:components/src/dynamo/planner/core/perf_model/{prefill,decode,agg}.py. There a regression of measured passes, here the profile of
 * the trial: it is never "not ready".
 */
import type { PeerPerformance } from "../peer.ts";

const DEFAULT_BATCHED_TOKENS = 8_192;

const batchedTokens = ({ maxBatchedTokens = DEFAULT_BATCHED_TOKENS }: PeerPerformance): number => maxBatchedTokens;

/** Passes of at most `maxBatchedTokens` tokens, each with `besideSeconds` of other work. */
export function prefillQueueSeconds(performance: PeerPerformance, tokens: number, besideSeconds = 0): number {
  if (!(tokens > 0)) return 0;
  const most = batchedTokens(performance);
  const full = Math.ceil(tokens / most) - 1;
  const rest = tokens - full * most;
  return full * (performance.prefillSeconds(most) + besideSeconds) + performance.prefillSeconds(rest) + besideSeconds;
}

export interface DecodePoint {
  readonly batch: number;
  readonly stepSeconds: number;
}

/** The largest batch whose step is within the target; one request when not even that is. */
export function bestDecode(performance: PeerPerformance, contextTokens: number, itlSeconds: number): DecodePoint {
  const step = (batch: number): number => performance.decodeStepSeconds(batch, contextTokens);
  let low = 1;
  let high = Math.max(1, Math.min(Math.floor(performance.kvTokens / contextTokens), performance.maxRequests));
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (step(middle) <= itlSeconds) low = middle;
    else high = middle - 1;
  }
  return { batch: low, stepSeconds: step(low) };
}

export interface Lengths {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Tokens of a request in the middle of its answer. */
export const contextOf = ({ inputTokens, outputTokens }: Lengths): number => inputTokens + outputTokens / 2;

/** Step of an aggregated engine: a decode step and the prompt tokens that ride on it, whose fixed cost the step already has. */
export const mixedStepSeconds = (
  performance: PeerPerformance,
  prefillTokens: number,
  batch: number,
  contextTokens: number,
): number =>
  performance.decodeStepSeconds(batch, contextTokens) +
  (prefillTokens > 1 ? Math.max(0, performance.prefillSeconds(prefillTokens) - performance.prefillSeconds(1)) : 0);

/** Requests a second of an aggregated engine with both targets met: prompts come in as fast as answers end. */
export function bestAggregated(
  performance: PeerPerformance,
  lengths: Lengths,
  targets: { readonly ttftSeconds: number; readonly itlSeconds: number },
): number {
  const { inputTokens, outputTokens } = lengths;
  const context = contextOf(lengths);
  const most = batchedTokens(performance);
  const balanced = Math.floor(most - inputTokens / outputTokens);
  const cap = Math.max(
    1,
    Math.min(Math.floor(performance.kvTokens / context), performance.maxRequests, most - 1, balanced),
  );
  let best = 0;
  for (let batch = 1; batch <= cap; batch++) {
    const prefillTokens = Math.min((batch * inputTokens) / Math.max(1, outputTokens), most);
    const step = mixedStepSeconds(performance, prefillTokens, batch, context);
    const beside = performance.decodeStepSeconds(batch, context);
    const ttft = prefillQueueSeconds(performance, prefillTokens + inputTokens, beside);
    const isWithin = step <= targets.itlSeconds && ttft <= targets.ttftSeconds;
    if (isWithin || batch === 1) best = batch / (outputTokens * step);
    if (!isWithin) break;
  }
  return best;
}

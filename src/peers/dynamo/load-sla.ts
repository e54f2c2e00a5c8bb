/**
 * Dynamo's load scaling by latency goals: up when every engine is expected to miss, down when those that would be left are expected to hold.
 *
 * Source: ai-dynamo/dynamo:components/src/dynamo/planner/core/load_scaling.py (`_prefill_load_decision`, `_decode_load_decision`, `_agg_*_scaling`).
 */
import type { PeerPerformance } from "../peer.ts";
import { contextOf, type Lengths, mixedStepSeconds, prefillQueueSeconds } from "./capacity.ts";
import { type LoadRule, queuedTokens, type Worker } from "./load.ts";

export interface SlaOptions {
  readonly ttftSeconds: number;
  readonly itlSeconds: number;
  /** Of the goal that the queue may take, or the step, after one replica less. */
  readonly sensitivity: number;
  readonly performance: PeerPerformance;
}

interface Judged {
  readonly seconds: number;
  /** One replica less would do, as far as this engine goes. */
  readonly canLose: boolean;
}

export const byLatency =
  (options: SlaOptions): LoadRule =>
  (role, workers, lengths) => {
    if (workers.length === 0 || lengths === undefined) return undefined;
    const judge = (one: (worker: Worker) => Judged, goalSeconds: number): -1 | 0 | 1 => {
      const judged = workers.map(one);
      if (judged.every(({ seconds }) => seconds > goalSeconds)) return 1;
      return workers.length > 1 && judged.every(({ canLose }) => canLose) ? -1 : 0;
    };
    /** Load of one engine when all are spread over one engine less. */
    const spread = workers.length > 1 ? workers.length / (workers.length - 1) : 1;
    const ttft = judge(
      (worker) => prefillOf(worker, lengths, spread, role === "aggregated", options),
      options.ttftSeconds,
    );
    if (role === "prefill") return ttft;
    const itl = judge(
      (worker) => decodeOf(worker, lengths, spread, role === "aggregated", options),
      options.itlSeconds,
    );
    if (role === "decode") return itl;
    if (ttft === 1 || itl === 1) return 1;
    return ttft === -1 && itl === -1 ? -1 : 0;
  };

/** The own work of a new prompt does not shrink with more engines: the margin is held by the queue alone. */
function prefillOf(
  worker: Worker,
  lengths: Lengths,
  spread: number,
  isAggregated: boolean,
  { ttftSeconds, sensitivity, performance }: SlaOptions,
): Judged {
  const queued = queuedTokens(worker, lengths) ?? 0;
  const beside = (factor: number): number =>
    isAggregated ? stepSeconds(performance, worker, worker.kvTokens * factor, lengths) : 0;
  const seconds = prefillQueueSeconds(performance, queued + lengths.inputTokens, beside(1));
  const own = prefillQueueSeconds(performance, lengths.inputTokens, beside(spread));
  const after = prefillQueueSeconds(performance, Math.trunc(queued * spread) + lengths.inputTokens, beside(spread));
  const margin = (ttftSeconds - own) * sensitivity;
  return { seconds, canLose: margin > 0 && after - own < margin };
}

function decodeOf(
  worker: Worker,
  lengths: Lengths,
  spread: number,
  isAggregated: boolean,
  { itlSeconds, sensitivity, performance }: SlaOptions,
): Judged {
  const queued = queuedTokens(worker, lengths) ?? 0;
  const estimate = (kvTokens: number): number => {
    const batch = worker.running + 1;
    const all = kvTokens + contextOf(lengths);
    const prefillTokens = isAggregated ? (worker.running * lengths.inputTokens) / lengths.outputTokens : 0;
    return mixedStepSeconds(performance, prefillTokens, batch, all / batch);
  };
  // On an aggregated engine queued prompts are not yet KV, but one replica less has to hold them too.
  const seconds = estimate(worker.kvTokens + (isAggregated ? 0 : queued));
  const after = Math.trunc((worker.kvTokens + queued) * spread);
  return { seconds, canLose: after < performance.kvTokens && estimate(after) < itlSeconds * sensitivity };
}

function stepSeconds(performance: PeerPerformance, worker: Worker, kvTokens: number, lengths: Lengths): number {
  const batch = worker.running;
  if (batch === 0) return 0;
  return performance.decodeStepSeconds(batch, kvTokens > 0 ? kvTokens / batch : contextOf(lengths));
}

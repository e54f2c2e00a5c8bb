/**
 * Dynamo's load scaling by thresholds: one replica up or down a decision.
 *
 * Source: ai-dynamo/dynamo:components/src/dynamo/planner/core/load_scaling.py (`_prefill_easy_decision`, `_decode_easy_decision`, `_agg_easy_decision`).
 */
import type { PeerRole } from "../peer.ts";
import type { Lengths } from "./capacity.ts";

/** One engine as its forward passes tell; here from scrapes. */
export interface Worker {
  readonly running: number;
  readonly waiting: number;
  /** In use. */
  readonly kvTokens: number;
}

/** The change that load asks for; undefined: nobody can tell. */
export type LoadRule = (
  role: PeerRole,
  workers: readonly Worker[],
  lengths: Lengths | undefined,
) => -1 | 0 | 1 | undefined;

/** Prompt tokens that wait; undefined when requests wait and their length is not known. */
export const queuedTokens = ({ waiting }: Worker, lengths: Lengths | undefined): number | undefined =>
  waiting === 0 ? 0 : lengths && waiting * lengths.inputTokens;

export interface Thresholds {
  /** Queued prompt tokens of one prefill engine over the context length. */
  readonly prefillUp: number;
  readonly prefillDown: number;
  /** KV tokens in use and queued of one decode engine over those it has. */
  readonly decodeUp: number;
  readonly decodeDown: number;
  /** Target latency: prefill goes down only when it is at, not below, its threshold. */
  readonly downAtThreshold: boolean;
}

export interface LoadOptions extends Thresholds {
  readonly contextLengthTokens: number;
  readonly kvTokens: number;
}

export const byThresholds =
  (options: LoadOptions): LoadRule =>
  (role, workers, lengths) => {
    const loads = workers.map((worker) => {
      const queued = queuedTokens(worker, lengths);
      if (queued === undefined) return undefined;
      return role === "prefill" ? queued / options.contextLengthTokens : (worker.kvTokens + queued) / options.kvTokens;
    });
    const known = loads.filter((load) => load !== undefined);
    if (known.length < loads.length || known.length === 0) return undefined;
    const mayLose = workers.length > 1;
    if (role === "prefill") {
      if (known.some((load) => load >= options.prefillUp)) return 1;
      const isLow = (load: number): boolean =>
        options.downAtThreshold ? load <= options.prefillDown : load < options.prefillDown;
      return mayLose && known.every(isLow) ? -1 : 0;
    }
    if (known.some((load) => load > options.decodeUp)) return 1;
    return mayLose && known.every((load) => load < options.decodeDown) ? -1 : 0;
  };

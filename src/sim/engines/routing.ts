/** Which of several engines takes a request. */
import type { InferenceEngine } from "./inference-engine.ts";
import { PREFIX_BLOCK_TOKENS } from "./prefix-cache.ts";
import type { Attempt } from "./request.ts";

/**
 * - `least-loaded`: the fewest tokens, KV in use and prompts that wait;
 * - `round-robin`: one after the other;
 * - `kv-aware`: the fewest blocks to compute and in use together, at temperature 0, as Dynamo's KV router does
 *   (docs.nvidia.com/dynamo/components/router/routing-concepts: prefill blocks = prompt tokens to compute, those of the request
 *   less its cached prefix included, by the block size; decode blocks = blocks of the active sequences; both weighed 1).
 */
export type Routing = "least-loaded" | "round-robin" | "kv-aware";

interface Candidate {
  readonly engine: InferenceEngine;
}

export class Router {
  readonly #routing: Routing;
  #turn = 0;

  constructor(routing: Routing) {
    this.#routing = routing;
  }

  /** The first of the best, in the order given: ties are broken the same way every time. */
  pick<T extends Candidate>(
    candidates: Iterable<T>,
    isOpen: (candidate: T) => boolean,
    attempt: Attempt,
    nowMs: number,
  ): T | undefined {
    if (this.#routing === "round-robin") return this.#next(candidates, isOpen);
    let best: T | undefined;
    let bestCost = Number.POSITIVE_INFINITY;
    for (const candidate of candidates) {
      if (!isOpen(candidate)) continue;
      const cost =
        this.#routing === "kv-aware" ? blocks(candidate, attempt, nowMs) : candidate.engine.loadTokens(nowMs);
      if (cost < bestCost) {
        best = candidate;
        bestCost = cost;
      }
    }
    return best;
  }

  #next<T>(candidates: Iterable<T>, isOpen: (candidate: T) => boolean): T | undefined {
    const open = [...candidates].filter(isOpen);
    return open.length === 0 ? undefined : open[this.#turn++ % open.length];
  }
}

function blocks({ engine }: Candidate, attempt: Attempt, nowMs: number): number {
  // Brought to the present first: what has ended by now is cached by now.
  const active = engine.loadTokens(nowMs);
  // A decode engine computes no prompt.
  const own = engine.role === "decode" ? 0 : attempt.request.inputTokens - engine.cachedTokens(attempt);
  return (engine.backlogTokens + own + active) / PREFIX_BLOCK_TOKENS;
}

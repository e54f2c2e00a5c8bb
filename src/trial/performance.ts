/** What planners that take a profile are given: the tables that capacity is computed from. */
import type { WholeProfile } from "../api/autoscaling/whole-profile.ts";
import { decodeStepMs, prefillMs } from "../decide/capacity/step-times.ts";
import type { PeerPerformance } from "../peers/peer.ts";

export function performanceOf(profile: WholeProfile): PeerPerformance {
  return {
    prefillSeconds: (inputTokens) => prefillMs(profile, inputTokens) / 1000,
    decodeStepSeconds: (batch, contextTokens) => decodeStepMs(profile, batch, contextTokens) / 1000,
    kvTokens: profile.kvTokens,
    maxRequests: profile.maxRequests,
    maxBatchedTokens: profile.maxBatchedTokens,
    prefillGpus: profile.workers.prefill.gpus,
    decodeGpus: profile.workers.decode.gpus,
  };
}

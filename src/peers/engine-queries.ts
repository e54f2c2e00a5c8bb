/** The vLLM series that several peers read, of one role. */
import type { PeerQuery, PeerRole } from "./peer.ts";

type Query = Omit<PeerQuery, "role">;

export const waitingPerReplica = (role: PeerRole): Query => ({
  promql: `vllm:num_requests_waiting{ {{${role}}} }`,
  per: "Replica",
});

export const kvUsagePerReplica = (role: PeerRole): Query => ({
  promql: `vllm:kv_cache_usage_perc{ {{${role}}} }`,
  per: "Replica",
});

export const runningPerReplica = (role: PeerRole): Query => ({
  promql: `vllm:num_requests_running{ {{${role}}} }`,
  per: "Replica",
});

/** A sum over no series is no answer, not zero. */
export const waitingTotal = (role: PeerRole): Query => ({
  promql: `sum(vllm:num_requests_waiting{ {{${role}}} })`,
  per: "Total",
});

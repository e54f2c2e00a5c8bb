/** The highest of a minute, as the variant autoscaler reads engines. Source: llm-d/llm-d-workload-variant-autoscaler:internal/collector/registration. */
import { finite } from "../finite.ts";
import type { PeerQuery, PeerRole, RoleCounts } from "../peer.ts";
import type { RoleInput } from "../per-role.ts";

export const replicaQueries = (role: PeerRole): Readonly<Record<"kvUsage" | "waiting", Omit<PeerQuery, "role">>> => ({
  kvUsage: { promql: `max_over_time(vllm:kv_cache_usage_perc{ {{${role}}} }[1m])`, per: "Replica" },
  waiting: { promql: `max_over_time(vllm:num_requests_waiting{ {{${role}}} }[1m])`, per: "Replica" },
});

export interface ReplicaLoad {
  /** In [0, 1]. */
  readonly kvUsage: number;
  readonly waiting: number;
}

/** Ready replicas that report both. */
export function loadsOf({ perReplica }: RoleInput, { ready }: RoleCounts): readonly ReplicaLoad[] {
  return ready.flatMap((replica) => {
    const kvUsage = finite(perReplica("kvUsage").get(replica));
    const waiting = finite(perReplica("waiting").get(replica));
    return kvUsage === undefined || waiting === undefined ? [] : [{ kvUsage, waiting }];
  });
}

/** Autoscalers that know one target: one instance of the rule for each role of the system, which know nothing of one another. */
import { clampReplicas } from "./clamp-replicas.ts";
import type { Peer, PeerInput, PeerQuery, PeerRole, RoleCounts } from "./peer.ts";

export interface RoleInput {
  readonly nowMs: number;
  readonly role: PeerRole;
  readonly counts: RoleCounts;
  /** Samples of a query of the rule, by replica; non-finite ones as they come. */
  perReplica(query: string): ReadonlyMap<string, number>;
  /** Undefined: the answer was empty, or could not be had. */
  total(query: string): number | undefined;
}

export interface RoleRule<Memory> {
  readonly tickMs: number;
  queries(role: PeerRole): Readonly<Record<string, Omit<PeerQuery, "role">>>;
  /** @param memory undefined at the first decision after a start. @returns no replicas: leave the role as it is */
  decide(
    input: RoleInput,
    memory: Memory | undefined,
  ): { readonly replicas?: number | undefined; readonly memory: Memory | undefined };
}

export type RoleMemory<Memory> = { readonly [Role in PeerRole]?: Memory | undefined };

const NO_SAMPLES: ReadonlyMap<string, number> = new Map();

export function perRole<Memory>(roles: readonly PeerRole[], rule: RoleRule<Memory>): Peer<RoleMemory<Memory>> {
  const key = (role: PeerRole, query: string): string => `${role} ${query}`;
  return {
    tickMs: rule.tickMs,
    queries: Object.fromEntries(
      roles.flatMap((role) =>
        Object.entries(rule.queries(role)).map(([name, query]) => [key(role, name), { ...query, role }] as const),
      ),
    ),
    initialMemory: {},
    decide(input: PeerInput, memory) {
      const replicas = new Map<PeerRole, number>();
      const next: { [Role in PeerRole]?: Memory | undefined } = {};
      for (const role of roles) {
        const counts = input.roles.get(role);
        if (counts === undefined) continue;
        const decided = rule.decide(
          {
            nowMs: input.nowMs,
            role,
            counts,
            perReplica: (query) => input.perReplica[key(role, query)] ?? NO_SAMPLES,
            total: (query) => input.totals[key(role, query)],
          },
          memory[role],
        );
        next[role] = decided.memory;
        if (decided.replicas !== undefined) replicas.set(role, clampReplicas(decided.replicas, counts));
      }
      return { replicas, memory: next };
    },
  };
}

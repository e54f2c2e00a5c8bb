/** kthena's policy for prefill and decode: each role by its metrics, then both into a ratio. */
import { clampReplicas } from "../clamp-replicas.ts";
import { kvUsagePerReplica, waitingPerReplica } from "../engine-queries.ts";
import { finite } from "../finite.ts";
import type { Peer, PeerDefinition, PeerInput, PeerQuery, PeerRole, RoleCounts } from "../peer.ts";
import { type BehaviorOptions, correct, type RoleHistory, startHistory } from "./correction.ts";
import { enforceRatio } from "./ratio.ts";
import { recommend, type SummedMetric } from "./recommendation.ts";

type Memory = { readonly [Role in PeerRole]?: RoleHistory };

const SYNC_MS = 15_000;
const TOLERANCE = 0.1;

export const KTHENA: PeerDefinition = {
  name: "kthena",
  title: "kthena, disaggregated target (re-implemented)",
  source: "volcano-sh/kthena:pkg/autoscaler/{algorithm,autoscaler}",
  parameters: {
    waitingTarget: { default: 5, min: 0.2, max: 100, scale: "log", about: "waiting requests per replica" },
    kvTarget: { default: 0.7, min: 0.05, max: 0.95, scale: "linear", about: "KV cache usage per replica, of 1" },
    downWindowSeconds: { default: 300, min: 0, max: 1800, scale: "linear", about: "stabilizationWindow of scaleDown" },
    panicThresholdPercent: { default: 200, min: 110, max: 1000, scale: "linear", about: "recommended over current" },
    minRatio: { default: 0.25, min: 0.02, max: 1, scale: "log", about: "prefill per decode replica, least" },
    maxRatio: { default: 1, min: 0.1, max: 20, scale: "log", about: "prefill per decode replica, most" },
  },
  create(parameters, { roles }): Peer<Memory> {
    const { waitingTarget = 5, kvTarget = 0.7, downWindowSeconds = 300, minRatio = 0.25, maxRatio = 1 } = parameters;
    const band = { min: minRatio, max: Math.max(minRatio, maxRatio) };
    const behavior: BehaviorOptions = {
      upInstances: 1,
      upPercent: 100,
      panicPercent: 1000,
      periodMs: SYNC_MS,
      panicThresholdPercent: parameters["panicThresholdPercent"] ?? 200,
      panicHoldMs: 60_000,
      downWindowMs: downWindowSeconds * 1000,
    };
    const metricsOf = (input: PeerInput, role: PeerRole, counts: RoleCounts): readonly SummedMetric[] => [
      ...(role === "decode" ? [] : [{ sum: sumOf(input, `${role} waiting`, counts), target: waitingTarget }]),
      ...(role === "prefill" ? [] : [{ sum: sumOf(input, `${role} kvUsage`, counts), target: kvTarget }]),
    ];
    return {
      tickMs: SYNC_MS,
      queries: Object.assign({}, ...roles.map(queriesOf)),
      initialMemory: {},
      decide(input, before) {
        const replicas = new Map<PeerRole, number>();
        const memory: { [Role in PeerRole]?: RoleHistory } = {};
        for (const role of roles) {
          const counts = input.roles.get(role);
          if (counts === undefined) continue;
          const { specReplicas: current, starting, pending } = counts;
          const recommended = recommend(
            { ...counts, current, unready: starting + pending },
            metricsOf(input, role, counts),
            TOLERANCE,
          );
          // A role without metrics skips the whole policy.
          if (recommended === undefined) return { replicas: new Map(), memory: before };
          const next = correct(
            input.nowMs,
            recommended,
            current,
            before[role] ?? startHistory(input.nowMs, current),
            behavior,
          );
          memory[role] = next.history;
          replicas.set(role, clampReplicas(next.replicas, counts));
        }
        const prefill = input.roles.get("prefill");
        const decode = input.roles.get("decode");
        const [wantsPrefill, wantsDecode] = [replicas.get("prefill"), replicas.get("decode")];
        if (prefill && decode && wantsPrefill !== undefined && wantsDecode !== undefined) {
          const [p, d] = enforceRatio(
            { ...prefill, replicas: wantsPrefill },
            { ...decode, replicas: wantsDecode },
            band,
          );
          replicas.set("prefill", p).set("decode", d);
        }
        return { replicas, memory };
      },
    };
  },
};

const queriesOf = (role: PeerRole): Readonly<Record<string, PeerQuery>> => ({
  ...(role === "decode" ? {} : { [`${role} waiting`]: { ...waitingPerReplica(role), role } }),
  ...(role === "prefill" ? {} : { [`${role} kvUsage`]: { ...kvUsagePerReplica(role), role } }),
});

function sumOf({ perReplica }: PeerInput, query: string, { ready }: RoleCounts): number | undefined {
  const values = ready.map((replica) => finite(perReplica[query]?.get(replica))).filter((value) => value !== undefined);
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
}

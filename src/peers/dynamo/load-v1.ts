/**
 * Dynamo's first load planner: means of an interval against two thresholds a side, one replica a step.
 *
 * Source: ai-dynamo/dynamo:docs/planner/load_planner.md and examples/llm/components/planner.py of that time (`collect_metrics`, `make_adjustments`).
 */
import { clampReplicas } from "../clamp-replicas.ts";
import { kvUsagePerReplica, waitingPerReplica, waitingTotal } from "../engine-queries.ts";
import { finite } from "../finite.ts";
import type { Peer, PeerDefinition, PeerInput, PeerQuery, PeerRole, RoleCounts } from "../peer.ts";

interface Sums {
  readonly sum: number;
  readonly count: number;
}

interface Memory {
  readonly beganMs: number;
  /** While workers start. */
  readonly isPaused: boolean;
  /** Replicas when the interval began, by role. */
  readonly replicas: { readonly [Role in PeerRole]?: number };
  /** Of every decode worker at every sample. */
  readonly kvUsage: Sums;
  /** Waiting requests per prefill worker. */
  readonly queue: Sums & { readonly first: number; readonly last: number };
  /** Intervals in which decode takes nothing away. */
  readonly grace: number;
}

const SAMPLE_MS = 1_000;
const MIN_ENDPOINT = 1;
/** After a new decode worker, until its cache has filled. */
const DECODE_GRACE_INTERVALS = 3;
/** A queue that its own trend would empty in this many intervals needs no new worker. */
const TREND_INTERVALS = 3;
/** Of a cache, for a request that waits: the planner's own guess. */
const KV_OF_WAITING_REQUEST = 0.02;

const NOTHING: Sums = { sum: 0, count: 0 };

export const DYNAMO_LOAD_V1: PeerDefinition = {
  name: "dynamo-load-v1",
  title: "Dynamo load planner, first version (re-implemented)",
  source: "ai-dynamo/dynamo:docs/planner/load_planner.md, examples/llm/components/planner.py",
  parameters: {
    adjustmentSeconds: { default: 30, min: 5, max: 300, scale: "integer", about: "adjustment interval" },
    decodeUp: { default: 0.9, min: 0.2, max: 1.5, scale: "linear", about: "mean KV usage of decode, of 1" },
    decodeDown: { default: 0.5, min: 0.02, max: 0.9, scale: "linear", about: "mean KV usage of decode, of 1" },
    prefillUp: { default: 0.5, min: 0.05, max: 50, scale: "log", about: "mean queue per prefill worker" },
    prefillDown: { default: 0.2, min: 0.01, max: 10, scale: "log", about: "mean queue per prefill worker" },
  },
  create(parameters, { roles }): Peer<Memory | undefined> {
    const adjustmentMs = (parameters["adjustmentSeconds"] ?? 30) * 1000;
    const { decodeUp = 0.9, decodeDown = 0.5, prefillUp = 0.5, prefillDown = 0.2 } = parameters;
    const decoding: PeerRole = roles.includes("aggregated") ? "aggregated" : "decode";
    return {
      tickMs: SAMPLE_MS,
      queries: Object.assign({}, ...roles.map(queriesOf)),
      initialMemory: undefined,
      decide(input, before) {
        const started = begin(input, roles, before?.grace ?? 0);
        // The planner waits until a worker that it added serves, and does not measure meanwhile.
        if (roles.some((role) => !isSettled(input.roles.get(role)))) {
          return { replicas: new Map(), memory: { ...started, isPaused: true } };
        }
        const memory = sample(input, before === undefined || before.isPaused ? started : before, decoding);
        if (input.nowMs - memory.beganMs < adjustmentMs) return { replicas: new Map(), memory };
        const restarted = (grace: number): Memory => begin(input, roles, grace);
        if (roles.some((role) => input.roles.get(role)?.ready.length !== memory.replicas[role])) {
          return { replicas: new Map(), memory: restarted(memory.grace) };
        }
        const target = new Map(roles.map((role) => [role, memory.replicas[role] ?? 0] as const));
        const gpus = (role: PeerRole): number => input.roles.get(role)?.gpusPerReplica ?? 0;
        let used = [...target].reduce((sum, [role, replicas]) => sum + replicas * gpus(role), 0);
        const change = (role: PeerRole, by: 1 | -1): void => {
          target.set(role, (target.get(role) ?? 0) + by);
          used += by * gpus(role);
        };
        const fits = (role: PeerRole): boolean => used + gpus(role) <= (input.gpuBudget ?? Number.POSITIVE_INFINITY);
        const queue = memory.queue.sum / memory.queue.count;
        const kvUsage = memory.kvUsage.sum / memory.kvUsage.count;
        let grace = memory.grace;
        // Means over no sample are not numbers, and nothing below holds for them.
        if (queue < prefillDown && (target.get("prefill") ?? 0) > MIN_ENDPOINT) change("prefill", -1);
        if (kvUsage < decodeDown && (target.get(decoding) ?? 0) > MIN_ENDPOINT && grace === 0) change(decoding, -1);
        const { first, last } = memory.queue;
        const staysLong = last + (last - first) * TREND_INTERVALS > prefillUp;
        if (queue > prefillUp && staysLong && target.has("prefill") && fits("prefill")) change("prefill", 1);
        if (kvUsage > decodeUp && target.has(decoding) && fits(decoding)) {
          change(decoding, 1);
          grace = DECODE_GRACE_INTERVALS;
        }
        const replicas = new Map(
          [...target].map(
            ([role, count]) => [role, clampReplicas(count, input.roles.get(role) as RoleCounts)] as const,
          ),
        );
        return { replicas, memory: restarted(Math.max(0, grace - 1)) };
      },
    };
  },
};

const queriesOf = (role: PeerRole): Readonly<Record<string, PeerQuery>> =>
  role === "prefill"
    ? { queue: { ...waitingTotal(role), role } }
    : {
        kvUsage: { ...kvUsagePerReplica(role), role },
        waiting: { ...waitingPerReplica(role), role },
      };

const isSettled = (counts: RoleCounts | undefined): boolean =>
  counts !== undefined && counts.starting + counts.pending === 0 && counts.ready.length === counts.specReplicas;

const begin = (input: PeerInput, roles: readonly PeerRole[], grace: number): Memory => ({
  beganMs: input.nowMs,
  isPaused: false,
  replicas: Object.fromEntries(roles.map((role) => [role, input.roles.get(role)?.ready.length ?? 0])),
  kvUsage: NOTHING,
  queue: { ...NOTHING, first: 0, last: 0 },
  grace,
});

function sample({ roles, perReplica, totals }: PeerInput, memory: Memory, decoding: PeerRole): Memory {
  const queued = finite(totals["queue"]);
  const perWorker = queued === undefined ? undefined : queued / Math.max(1, roles.get("prefill")?.ready.length ?? 0);
  const usages = (roles.get(decoding)?.ready ?? []).flatMap((replica) => {
    const usage = finite(perReplica["kvUsage"]?.get(replica));
    const waiting = finite(perReplica["waiting"]?.get(replica)) ?? 0;
    return usage === undefined ? [] : [usage + KV_OF_WAITING_REQUEST * waiting];
  });
  return {
    ...memory,
    kvUsage: {
      sum: memory.kvUsage.sum + usages.reduce((sum, usage) => sum + usage, 0),
      count: memory.kvUsage.count + usages.length,
    },
    queue:
      perWorker === undefined
        ? memory.queue
        : {
            sum: memory.queue.sum + perWorker,
            count: memory.queue.count + 1,
            first: memory.queue.count === 0 ? perWorker : memory.queue.first,
            last: perWorker,
          },
  };
}

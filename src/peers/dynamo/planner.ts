/**
 * Dynamo's planner of today: gates, then load, then the lower bound of throughput, then the GPU budget.
 *
 * Source: ai-dynamo/dynamo:components/src/dynamo/planner/core/{state_machine,load_scaling,budget}.py.
 */
import { clampReplicas } from "../clamp-replicas.ts";
import { kvUsagePerReplica, runningPerReplica, waitingPerReplica } from "../engine-queries.ts";
import { finite } from "../finite.ts";
import type { Peer, PeerInput, PeerQuery, PeerRole, RoleCounts } from "../peer.ts";
import type { Lengths } from "./capacity.ts";
import { guardPair, guardSingle } from "./gpu-budget.ts";
import type { LoadRule, Worker } from "./load.ts";
import { advanceThroughput, NO_TRAFFIC, type ThroughputMemory, type ThroughputOptions } from "./throughput.ts";
import { lengthQueries, lengthsOf, trafficQueries } from "./traffic.ts";

export interface PlannerOptions {
  readonly roles: readonly PeerRole[];
  readonly intervalSeconds: number;
  readonly load: LoadRule;
  readonly kvTokens: number;
  /** Undefined: load scaling alone. */
  readonly throughput?: ThroughputOptions;
}

interface Memory {
  readonly traffic: ThroughputMemory;
  /** Of the last requests that there were: means of the planner outlast an idle time. */
  readonly lengths: Lengths | undefined;
  /** Of the last throughput decision; undefined before the first. */
  readonly advancedMs: number | undefined;
}

const MIN_ENDPOINT = 1;
/** Lengths of requests where no throughput decision says how far back to look: its default interval. */
const LENGTHS_SECONDS = 180;

export function planner({ roles, intervalSeconds, load, kvTokens, throughput }: PlannerOptions): Peer<Memory> {
  return {
    tickMs: intervalSeconds * 1000,
    queries: {
      ...Object.assign({}, ...roles.map(workerQueries)),
      ...(throughput === undefined ? lengthQueries(LENGTHS_SECONDS) : trafficQueries(throughput.intervalSeconds)),
    },
    initialMemory: { traffic: NO_TRAFFIC, lengths: undefined, advancedMs: undefined },
    decide(input, before) {
      const advanced = throughput === undefined ? before : advance(input, before, roles, throughput);
      const memory = { ...advanced, lengths: lengthsOf(input) ?? before.lengths };
      const hold = { replicas: new Map<PeerRole, number>(), memory };
      const wanted = new Map<PeerRole, number>();
      for (const role of roles) {
        const counts = input.roles.get(role);
        const workers = counts && workersOf(input, role, counts, kvTokens);
        // One side that is on its way, or that does not report as it should, holds both.
        if (counts === undefined || workers === undefined) return hold;
        const change = load(role, workers, memory.lengths) ?? 0;
        const bound = memory.traffic.bounds[role] ?? 0;
        wanted.set(role, Math.max(counts.specReplicas + change, bound, MIN_ENDPOINT));
      }
      return { replicas: withinBudget(input, wanted), memory };
    },
  };
}

const workerQueries = (role: PeerRole): Readonly<Record<string, PeerQuery>> => ({
  [`${role} running`]: { ...runningPerReplica(role), role },
  [`${role} waiting`]: { ...waitingPerReplica(role), role },
  [`${role} kvUsage`]: { ...kvUsagePerReplica(role), role },
});

function advance(input: PeerInput, before: Memory, roles: readonly PeerRole[], options: ThroughputOptions): Memory {
  // The first interval has to be over before there is a whole one to look at.
  if (before.advancedMs === undefined) return { ...before, advancedMs: input.nowMs };
  if (input.nowMs - before.advancedMs < options.intervalSeconds * 1000) return before;
  const traffic = advanceThroughput(input.totals, before.traffic, roles, options);
  return { ...before, traffic, advancedMs: input.nowMs };
}

/** @returns undefined: replicas start, wait or go, or those that report are not those that are there */
function workersOf(
  { perReplica }: PeerInput,
  role: PeerRole,
  { specReplicas, ready, starting, pending }: RoleCounts,
  kvTokens: number,
): readonly Worker[] | undefined {
  if (starting > 0 || pending > 0 || ready.length !== specReplicas || ready.length === 0) return undefined;
  const [running, waiting, kvUsage] = ["running", "waiting", "kvUsage"].map((name) => perReplica[`${role} ${name}`]);
  if (running === undefined || waiting === undefined || kvUsage === undefined) return undefined;
  if ([running, waiting, kvUsage].some(({ size }) => size !== ready.length)) return undefined;
  const workers: Worker[] = [];
  for (const replica of ready) {
    const [active, queued, usage] = [running, waiting, kvUsage].map((samples) => finite(samples.get(replica)));
    if (active === undefined || queued === undefined || usage === undefined) return undefined;
    workers.push({ running: active, waiting: queued, kvTokens: usage * kvTokens });
  }
  return workers;
}

function withinBudget(input: PeerInput, wanted: ReadonlyMap<PeerRole, number>): ReadonlyMap<PeerRole, number> {
  const { roles, gpuBudget: maxGpus } = input;
  const [prefill, decode] = [roles.get("prefill"), roles.get("decode")];
  const [prefillWanted, decodeWanted] = [wanted.get("prefill"), wanted.get("decode")];
  const fitting = new Map(wanted);
  if (prefill && decode && prefillWanted !== undefined && decodeWanted !== undefined) {
    const pair = guardPair(
      { prefill: prefill.specReplicas, decode: decode.specReplicas },
      { prefill: prefillWanted, decode: decodeWanted },
      {
        maxGpus,
        gpus: { prefill: prefill.gpusPerReplica, decode: decode.gpusPerReplica },
        minEndpoint: MIN_ENDPOINT,
      },
    );
    fitting.set("prefill", pair.prefill).set("decode", pair.decode);
  } else {
    for (const [role, replicas] of wanted) {
      const counts = roles.get(role);
      if (counts) fitting.set(role, guardSingle(counts.specReplicas, replicas, counts.gpusPerReplica, maxGpus));
    }
  }
  return new Map(
    [...fitting].map(([role, replicas]) => [role, clampReplicas(replicas, roles.get(role) as RoleCounts)] as const),
  );
}

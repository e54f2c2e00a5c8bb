/**
 * A scaler in the style of HeteroScale: decode tokens a second drive both roles at a fixed ratio, latency only pushes.
 *
 * Source: HeteroScale (arXiv 2508.19559), by its description. It publishes no numbers: the target is a share of what the profile says one replica makes at the
 * ITL goal, as its pressure tests would find, and the rest is for tuning. Topology, deployment groups and schedules are left out.
 */
import { clampReplicas } from "./clamp-replicas.ts";
import { bestDecode } from "./dynamo/capacity.ts";
import { finite } from "./finite.ts";
import type { Peer, PeerDefinition, PeerPerformance, PeerQuery, PeerRole } from "./peer.ts";
import { remember, type Stamped } from "./stamped.ts";
import { isWithinTolerance } from "./tolerance.ts";

interface Memory {
  readonly recommended: readonly Stamped[];
  /** Of the last push by latency. */
  readonly pushedMs: number;
}

const TICK_MS = 15_000;
/** Of a request, for the capacity of a replica. */
const NOMINAL_CONTEXT_TOKENS = 2_048;
const PUSH_COOLDOWN_MS = 60_000;

/** Decode tokens a second of one replica at the ITL goal. */
export function tokensPerSecond(performance: PeerPerformance, itlSeconds: number): number {
  const { batch, stepSeconds } = bestDecode(performance, NOMINAL_CONTEXT_TOKENS, itlSeconds);
  return batch / stepSeconds;
}

/** Proportional, and still within the tolerance. */
export function proportional(current: number, load: number, target: number, tolerance: number): number {
  const ratio = load / (target * Math.max(1, current));
  return isWithinTolerance(ratio, tolerance) ? current : Math.ceil(load / target);
}

export const HETEROSCALE: PeerDefinition = {
  name: "heteroscale-style",
  title: "HeteroScale-style, from the paper's description (re-implemented)",
  source: "arXiv 2508.19559",
  parameters: {
    targetShare: {
      default: 0.6,
      min: 0.05,
      max: 1.2,
      scale: "log",
      about: "decode tokens/s per replica over what it makes at the ITL goal",
    },
    prefillPerDecode: { default: 0.5, min: 0.05, max: 16, scale: "log", about: "prefill replicas per decode replica" },
    tolerance: {
      default: 0.1,
      min: 0,
      max: 0.5,
      scale: "linear",
      about: "ratio to the target within which nothing moves",
    },
    downWindowSeconds: { default: 300, min: 0, max: 1800, scale: "linear", about: "highest recommendation that holds" },
    guards: {
      default: 1,
      min: 0,
      max: 1,
      scale: "integer",
      about: "1: one more of both while p90 TTFT or ITL is over its goal",
    },
  },
  create(parameters, { roles, slo, performance }): Peer<Memory> {
    const { targetShare = 0.6, prefillPerDecode = 0.5, tolerance = 0.1, downWindowSeconds = 300 } = parameters;
    const decoding: PeerRole = roles.includes("aggregated") ? "aggregated" : "decode";
    const target = targetShare * tokensPerSecond(performance, slo.itlSeconds);
    const guards = parameters["guards"] !== 0;
    return {
      tickMs: TICK_MS,
      queries: {
        tokens: {
          promql: `sum(rate(vllm:generation_tokens_total{ {{${decoding}}} }[1m]))`,
          per: "Total",
          role: decoding,
        },
        ttft: p90("dynamo_frontend_time_to_first_token_seconds"),
        itl: p90("dynamo_frontend_inter_token_latency_seconds"),
      },
      initialMemory: { recommended: [], pushedMs: Number.NEGATIVE_INFINITY },
      decide({ nowMs, roles: counts, totals }, memory) {
        const decode = counts.get(decoding);
        const load = finite(totals["tokens"]);
        if (decode === undefined || load === undefined) return { replicas: new Map(), memory };
        const current = decode.specReplicas;
        const wanted = proportional(current, load, target, tolerance);
        const recommended = remember(
          memory.recommended,
          { atMs: nowMs, value: wanted },
          Math.max(1, downWindowSeconds * 1000),
        );
        const calm = wanted < current ? Math.min(current, Math.max(...recommended.map(({ value }) => value))) : wanted;
        const isOver = (totals["ttft"] ?? 0) > slo.ttftSeconds || (totals["itl"] ?? 0) > slo.itlSeconds;
        const pushes = guards && isOver && nowMs - memory.pushedMs >= PUSH_COOLDOWN_MS;
        // While a goal is missed nothing goes, pushed or not.
        const least = guards && isOver ? current + (pushes ? 1 : 0) : 0;
        const decodeReplicas = clampReplicas(Math.max(calm, least), decode);
        const replicas = new Map<PeerRole, number>([[decoding, decodeReplicas]]);
        const prefill = counts.get("prefill");
        if (prefill !== undefined) {
          replicas.set("prefill", clampReplicas(Math.ceil(prefillPerDecode * decodeReplicas), prefill));
        }
        return { replicas, memory: { recommended, pushedMs: pushes ? nowMs : memory.pushedMs } };
      },
    };
  },
};

const p90 = (metric: string): PeerQuery => ({
  promql: `histogram_quantile(0.9, sum by (le) (rate(${metric}_bucket[1m])))`,
  per: "Total",
});

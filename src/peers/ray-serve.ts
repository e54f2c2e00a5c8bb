/**
 * Ray Serve's replica autoscaling on ongoing requests: proportional, and only after the same direction has held for a while.
 *
 * Source: ray-project/ray:python/ray/serve/autoscaling_policy.py, python/ray/serve/config.py. One deployment a role. It looks every 0.1 s there, every 1 s here.
 */
import { clampReplicas } from "./clamp-replicas.ts";
import { finite } from "./finite.ts";
import type { PeerDefinition, PeerRole, RoleCounts } from "./peer.ts";
import { perRole, type RoleInput } from "./per-role.ts";

const TICK_MS = 1_000;

export interface RayOptions {
  readonly targetOngoing: number;
  readonly upscaleDelayMs: number;
  readonly downscaleDelayMs: number;
  readonly upscalingFactor: number;
  readonly downscalingFactor: number;
}

export interface RayState {
  readonly direction: -1 | 0 | 1;
  /** Since when every look has said so. */
  readonly sinceMs: number;
}

const STILL: RayState = { direction: 0, sinceMs: 0 };

/** @param ongoing requests that run and wait, of the whole deployment */
export function raySteps(
  nowMs: number,
  ongoing: number,
  counts: RoleCounts,
  before: RayState | undefined,
  options: RayOptions,
): { readonly replicas: number; readonly state: RayState } {
  const running = counts.ready.length;
  const target = counts.specReplicas;
  if (running === 0) {
    // From nothing it starts at once.
    const replicas = ongoing > 0 ? Math.max(Math.ceil(options.upscalingFactor), target) : target;
    return { replicas, state: before ?? STILL };
  }
  const bounded = clampReplicas(scaled(ongoing / options.targetOngoing, running, options), counts);
  const direction = Math.sign(bounded - target) as -1 | 0 | 1;
  if (direction === 0) return { replicas: target, state: STILL };
  // Only the last replica may go to zero.
  const wanted = direction < 0 && target > 1 ? Math.max(1, bounded) : bounded;
  const sinceMs = before?.direction === direction ? before.sinceMs : nowMs;
  const delayMs = direction > 0 ? options.upscaleDelayMs : options.downscaleDelayMs;
  return nowMs - sinceMs >= delayMs
    ? { replicas: wanted, state: STILL }
    : { replicas: target, state: { direction, sinceMs } };
}

/** A gain on the way from what runs to what is wanted; rounding up may not hold it back on the way down. */
function scaled(desired: number, running: number, { upscalingFactor, downscalingFactor }: RayOptions): number {
  const factor = desired > running ? upscalingFactor : downscalingFactor;
  const replicas = Math.ceil(running + factor * (desired - running));
  return Math.ceil(desired) < running && replicas === running ? replicas - 1 : replicas;
}

export const RAY_SERVE: PeerDefinition = {
  name: "ray-serve",
  title: "Ray Serve (re-implemented)",
  source: "ray-project/ray:python/ray/serve/autoscaling_policy.py",
  parameters: {
    targetOngoing: {
      default: 2,
      min: 0.5,
      max: 500,
      scale: "log",
      about: "ongoing requests per replica (Ray Serve LLM: 16)",
    },
    upscaleDelaySeconds: { default: 30, min: 0, max: 300, scale: "linear", about: "upscale_delay_s" },
    downscaleDelaySeconds: { default: 600, min: 0, max: 1800, scale: "linear", about: "downscale_delay_s" },
    lookBackSeconds: { default: 30, min: 30, max: 300, scale: "integer", about: "look_back_period_s" },
    upscalingFactor: { default: 1, min: 0.2, max: 3, scale: "log", about: "gain on the way up" },
    downscalingFactor: { default: 1, min: 0.1, max: 2, scale: "log", about: "gain on the way down" },
  },
  create(parameters, { roles }) {
    const options: RayOptions = {
      targetOngoing: parameters["targetOngoing"] ?? 2,
      upscaleDelayMs: (parameters["upscaleDelaySeconds"] ?? 30) * 1000,
      downscaleDelayMs: (parameters["downscaleDelaySeconds"] ?? 600) * 1000,
      upscalingFactor: parameters["upscalingFactor"] ?? 1,
      downscalingFactor: parameters["downscalingFactor"] ?? 1,
    };
    const lookBack = `${Math.round(parameters["lookBackSeconds"] ?? 30)}s`;
    const over = (metric: string, role: PeerRole): string => `avg_over_time(${metric}{ {{${role}}} }[${lookBack}])`;
    return perRole<RayState>(roles, {
      tickMs: TICK_MS,
      queries: (role) => ({
        running: { promql: over("vllm:num_requests_running", role), per: "Replica" },
        waiting: { promql: over("vllm:num_requests_waiting", role), per: "Replica" },
        // Handles hold what no replica has taken; those of decode hold nothing, prefill comes first.
        ...(role === "decode"
          ? {}
          : {
              queued: {
                promql: `sum(avg_over_time(dynamo_frontend_router_queue_pending_requests[${lookBack}]))`,
                per: "Total" as const,
              },
            }),
      }),
      decide(input, memory) {
        const { replicas, state } = raySteps(input.nowMs, ongoingOf(input), input.counts, memory, options);
        return { replicas, memory: state };
      },
    });
  },
};

/** What is missing sums up to nothing, as shipped: only the delay stands between an outage and the minimum. */
function ongoingOf({ perReplica, total, counts }: RoleInput): number {
  const ofReplicas = counts.ready.flatMap((replica) =>
    ["running", "waiting"].map((query) => finite(perReplica(query).get(replica)) ?? 0),
  );
  return ofReplicas.reduce((sum, value) => sum + value, finite(total("queued")) ?? 0);
}

/**
 * The pod autoscaler of Knative: a stable and a panic window over requests in flight.
 *
 * Source: knative/serving:pkg/autoscaler/scaling/autoscaler.go, defaults of config/core/configmaps/autoscaler.yaml.
 */
import { finite } from "../finite.ts";
import type { PeerDefinition, PeerRole } from "../peer.ts";
import { perRole } from "../per-role.ts";
import { meanOf, remember, type Stamped, within } from "../stamped.ts";

const TICK_MS = 2_000;

export interface KpaOptions {
  /** Requests in flight per replica. */
  readonly target: number;
  readonly stableWindowMs: number;
  /** Of ready replicas that the panic window asks for, over ready replicas. */
  readonly panicThreshold: number;
  readonly maxScaleUpRate: number;
  readonly maxScaleDownRate: number;
  readonly scaleDownDelayMs: number;
}

export interface KpaState {
  /** Last time over the panic threshold; undefined: not in panic. */
  readonly panicMs: number | undefined;
  readonly maxPanicPods: number;
  /** Inside the scale-down delay. */
  readonly wanted: readonly Stamped[];
}

/** A decider that starts with several replicas starts in panic, so that it takes none away before a whole stable window. */
export const startKpa = (nowMs: number, ready: number): KpaState => ({
  panicMs: ready > 1 ? nowMs : undefined,
  maxPanicPods: ready,
  wanted: [],
});

/** @param stable requests in flight, mean of the stable window. @param panic the same of the panic window */
export function kpaScale(
  { nowMs, ready, stable, panic }: { nowMs: number; ready: number; stable: number; panic: number },
  state: KpaState,
  options: KpaOptions,
): { readonly replicas: number; readonly state: KpaState } {
  const pods = Math.max(1, ready);
  const most = Math.ceil(options.maxScaleUpRate * pods);
  const least = Math.floor(pods / options.maxScaleDownRate);
  const inReach = (wanted: number): number => Math.min(Math.max(wanted, least), most);
  const panicPods = Math.ceil(panic / options.target);
  const stableWanted = inReach(Math.ceil(stable / options.target));
  const isOver = panicPods / pods >= options.panicThreshold;
  const calmsDown = state.panicMs !== undefined && state.panicMs + options.stableWindowMs < nowMs;
  const panicMs = isOver ? nowMs : calmsDown ? undefined : state.panicMs;
  const maxBefore = !isOver && calmsDown ? 0 : state.maxPanicPods;
  const inPanic = Math.max(stableWanted, inReach(panicPods), maxBefore);
  const replicas = panicMs === undefined ? stableWanted : inPanic;
  const maxPanicPods = panicMs === undefined ? maxBefore : inPanic;
  if (options.scaleDownDelayMs === 0) return { replicas, state: { panicMs, maxPanicPods, wanted: [] } };
  const wanted = remember(state.wanted, { atMs: nowMs, value: replicas }, options.scaleDownDelayMs);
  return {
    replicas: Math.max(...wanted.map(({ value }) => value)),
    state: { panicMs, maxPanicPods, wanted },
  };
}

interface Memory {
  readonly state: KpaState;
  /** One a tick with an answer: windows are means of what is there. */
  readonly inFlight: readonly Stamped[];
}

export const KPA: PeerDefinition = {
  name: "kpa",
  title: "Knative pod autoscaler (re-implemented)",
  source: "knative/serving:pkg/autoscaler/scaling/autoscaler.go",
  parameters: {
    targetConcurrency: {
      default: 70,
      min: 0.5,
      max: 500,
      scale: "log",
      about: "requests in flight per replica (as shipped: 70 % of 100)",
    },
    stableWindowSeconds: { default: 60, min: 10, max: 600, scale: "linear", about: "stable-window" },
    panicWindowPercentage: { default: 10, min: 2, max: 100, scale: "linear", about: "of the stable window" },
    panicThresholdPercentage: { default: 200, min: 110, max: 1000, scale: "linear", about: "of what is ready" },
    maxScaleDownRate: {
      default: 2,
      min: 1.05,
      max: 10,
      scale: "log",
      about: "replicas at most divided by this a step",
    },
    scaleDownDelaySeconds: { default: 0, min: 0, max: 900, scale: "linear", about: "scale-down-delay" },
  },
  create(parameters, { roles }) {
    const stableWindowMs = (parameters["stableWindowSeconds"] ?? 60) * 1000;
    // A window shorter than a tick would never hold anything.
    const panicWindowMs = Math.max(TICK_MS, (stableWindowMs * (parameters["panicWindowPercentage"] ?? 10)) / 100);
    const options: KpaOptions = {
      target: parameters["targetConcurrency"] ?? 70,
      stableWindowMs,
      panicThreshold: (parameters["panicThresholdPercentage"] ?? 200) / 100,
      maxScaleUpRate: 1000,
      maxScaleDownRate: parameters["maxScaleDownRate"] ?? 2,
      scaleDownDelayMs: (parameters["scaleDownDelaySeconds"] ?? 0) * 1000,
    };
    return perRole<Memory>(roles, {
      tickMs: TICK_MS,
      queries: (role) => ({ inFlight: { promql: inFlight(role), per: "Total" } }),
      decide({ nowMs, counts, total }, memory) {
        const state = memory?.state ?? startKpa(nowMs, counts.ready.length);
        const value = finite(total("inFlight"));
        const before = memory?.inFlight ?? [];
        const seen =
          value === undefined
            ? within(before, nowMs, stableWindowMs)
            : remember(before, { atMs: nowMs, value }, stableWindowMs);
        const stable = mean(seen);
        const panic = mean(within(seen, nowMs, panicWindowMs));
        if (stable === undefined || panic === undefined) return { memory: { state, inFlight: seen } };
        const next = kpaScale({ nowMs, ready: counts.ready.length, stable, panic }, state, options);
        return { replicas: next.replicas, memory: { state: next.state, inFlight: seen } };
      },
    });
  },
};

const inFlight = (role: PeerRole): string =>
  `sum(vllm:num_requests_running{ {{${role}}} }) + sum(vllm:num_requests_waiting{ {{${role}}} })`;

const mean = (observations: readonly Stamped[]): number | undefined => meanOf(observations.map(({ value }) => value));

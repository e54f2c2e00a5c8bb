/**
 * AIBrix's application-specific pod autoscaler, as it is shipped and with two repairs.
 *
 * Source: vllm-project/aibrix:pkg/controller/podautoscaler/algorithm/apa.go, podautoscaler_controller.go, metrics/{client,fetcher}.go.
 */
import { clampReplicas } from "../clamp-replicas.ts";
import { kvUsagePerReplica, waitingPerReplica } from "../engine-queries.ts";
import { finite } from "../finite.ts";
import type { PeerDefinition, RoleCounts } from "../peer.ts";
import { perRole } from "../per-role.ts";
import { meanOf, remember, type Stamped, within } from "../stamped.ts";

interface Variant {
  readonly name: string;
  readonly title: string;
  /** What a pod that could not be read counts as. */
  readonly failedPod: "Idle" | "Dropped";
  /** Of the recommendations in the down window. */
  readonly down: "Lowest" | "Highest";
}

interface Memory {
  /** Means over the pods. */
  readonly observed: readonly Stamped[];
  readonly recommended: readonly Stamped[];
}

const RESYNC_MS = 10_000;
const METRIC_WINDOW_MS = 180_000;

export interface ApaOptions {
  readonly upTolerance: number;
  readonly downTolerance: number;
  readonly maxUpRate: number;
  readonly maxDownRate: number;
}

/** @param ratio of the mean per pod to the target */
export function apaReplicas(current: number, ratio: number, options: ApaOptions): number {
  const wanted = Math.ceil(current * ratio);
  if (ratio > 1 + options.upTolerance) return Math.min(wanted, Math.ceil(options.maxUpRate * current));
  if (ratio < 1 - options.downTolerance) return Math.max(wanted, Math.floor(current / options.maxDownRate));
  return current;
}

/** As shipped the lowest of the window: one dip in five minutes comes back whenever it goes down. HPA takes the highest. */
export function stabilize(
  recommendation: number,
  current: number,
  recommended: readonly Stamped[],
  down: Variant["down"],
): number {
  if (recommendation >= current) return recommendation;
  const values = [recommendation, ...recommended.map(({ value }) => value)];
  return down === "Lowest" ? Math.min(...values) : Math.min(current, Math.max(...values));
}

function apa({ name, title, failedPod, down }: Variant): PeerDefinition {
  return {
    name,
    title,
    source: "vllm-project/aibrix:pkg/controller/podautoscaler/algorithm/apa.go",
    parameters: {
      kvTarget: {
        default: 0.5,
        min: 0.05,
        max: 0.95,
        scale: "linear",
        about: "KV cache usage per decode replica, of 1",
      },
      waitingTarget: { default: 10, min: 0.2, max: 100, scale: "log", about: "waiting requests per prefill replica" },
      tolerance: {
        default: 0.1,
        min: 0,
        max: 0.5,
        scale: "linear",
        about: "ratio to the target within which nothing moves",
      },
      maxUpRate: { default: 2, min: 1.1, max: 10, scale: "log", about: "at most times this a step" },
      maxDownRate: { default: 2, min: 1.1, max: 10, scale: "log", about: "at most divided by this a step" },
      downWindowSeconds: { default: 300, min: 0, max: 1800, scale: "linear", about: "scale-down-cooldown-window" },
    },
    create(parameters, { roles }) {
      const { kvTarget = 0.5, waitingTarget = 10, tolerance = 0.1, maxUpRate = 2, maxDownRate = 2 } = parameters;
      const downWindowMs = (parameters["downWindowSeconds"] ?? 300) * 1000;
      const options = { upTolerance: tolerance, downTolerance: tolerance, maxUpRate, maxDownRate };
      return perRole<Memory>(roles, {
        tickMs: RESYNC_MS,
        queries: (role) => ({ load: role === "prefill" ? waitingPerReplica(role) : kvUsagePerReplica(role) }),
        decide({ nowMs, role, counts, perReplica }, memory = { observed: [], recommended: [] }) {
          const current = counts.specReplicas;
          const mean = meanOverPods(perReplica("load"), counts, failedPod);
          // At zero with a minimum above it is switched off.
          if (mean === undefined || (current === 0 && counts.minReplicas > 0)) return { memory };
          const observed = remember(memory.observed, { atMs: nowMs, value: mean }, METRIC_WINDOW_MS);
          const load = meanOf(observed.map(({ value }) => value)) ?? mean;
          const ratio = load / (role === "prefill" ? waitingTarget : kvTarget);
          const recommendation = clampReplicas(apaReplicas(current, ratio, options), counts);
          const inWindow = within(memory.recommended, nowMs, downWindowMs);
          return {
            replicas: stabilize(recommendation, current, inWindow, down),
            memory: { observed, recommended: [...inWindow, { atMs: nowMs, value: recommendation }] },
          };
        },
      });
    },
  };
}

/** @returns undefined: no pod to read, or none that could be read where those are dropped */
function meanOverPods(
  samples: ReadonlyMap<string, number>,
  { ready }: RoleCounts,
  failedPod: Variant["failedPod"],
): number | undefined {
  const values = ready.map((replica) => finite(samples.get(replica)));
  return meanOf(
    failedPod === "Idle" ? values.map((value) => value ?? 0) : values.filter((value) => value !== undefined),
  );
}

export const AIBRIX_APA = apa({
  name: "aibrix-apa",
  title: "AIBrix APA as shipped: lowest of 300 s on the way down, failed pods count as idle (re-implemented)",
  failedPod: "Idle",
  down: "Lowest",
});

export const AIBRIX_APA_FIXED = apa({
  name: "aibrix-apa-fixed",
  title: "AIBrix APA, repaired: highest of 300 s on the way down, failed pods left out (re-implemented)",
  failedPod: "Dropped",
  down: "Highest",
});

/**
 * One sync of the horizontal pod autoscaler: from proposals of metrics to `spec.replicas`.
 *
 * Source: kubernetes/kubernetes:pkg/controller/podautoscaler/horizontal.go (`reconcileAutoscaler`, `normalizeDesiredReplicasWithBehaviors`).
 */
import { clampReplicas } from "../clamp-replicas.ts";
import type { RoleCounts } from "../peer.ts";
import { remember, type Stamped } from "../stamped.ts";
import {
  type Behavior,
  longestPeriodMs,
  longestWindowMs,
  rateLimited,
  type ScaleEvents,
  stabilized,
} from "./behavior.ts";

/** Every 15 s, `--horizontal-pod-autoscaler-sync-period`. */
export const SYNC_MS = 15_000;

export interface HpaMemory extends ScaleEvents {
  readonly recommendations: readonly Stamped[];
}

export interface Sync {
  readonly nowMs: number;
  readonly counts: RoleCounts;
  /** One a metric; undefined: invalid. */
  readonly proposals: readonly (number | undefined)[];
  readonly behavior: Behavior;
}

/** @returns no replicas: scaling is off (someone scaled to 0), or metrics that are invalid might have said otherwise */
export function hpaSync(
  { nowMs, counts, proposals, behavior }: Sync,
  previous: HpaMemory | undefined,
): { readonly replicas?: number; readonly memory: HpaMemory } {
  const current = counts.specReplicas;
  // What was there at the start counts as recommended, so that a restart takes nothing away inside the window.
  const memory = previous ?? { recommendations: [{ atMs: nowMs, value: current }], ups: [], downs: [] };
  if (current === 0 && counts.minReplicas > 0) return { memory };
  if (current !== clampReplicas(current, counts)) {
    const replicas = clampReplicas(current, counts);
    return { replicas, memory: { ...memory, ...withEvent(memory, current, replicas, behavior, nowMs) } };
  }
  const valid = proposals.filter((proposal) => proposal !== undefined);
  const desired = Math.max(...valid);
  if (valid.length === 0 || (valid.length < proposals.length && desired < current)) return { memory };
  const calm = stabilized(desired, current, memory.recommendations, behavior, nowMs);
  const replicas = clampReplicas(rateLimited(calm, current, memory, behavior, nowMs), counts);
  return {
    replicas,
    memory: {
      recommendations: remember(
        memory.recommendations,
        { atMs: nowMs, value: desired },
        Math.max(1, longestWindowMs(behavior)),
      ),
      ...withEvent(memory, current, replicas, behavior, nowMs),
    },
  };
}

function withEvent(
  { ups, downs }: ScaleEvents,
  from: number,
  to: number,
  behavior: Behavior,
  atMs: number,
): ScaleEvents {
  const periodMs = longestPeriodMs(behavior);
  return {
    ups: to > from ? remember(ups, { atMs, value: to - from }, periodMs) : ups,
    downs: to < from ? remember(downs, { atMs, value: from - to }, periodMs) : downs,
  };
}

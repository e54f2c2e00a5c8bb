/** What the metrics of the set itself ask for, with the HPA's tolerance: a demand that close to what is there asks for nothing. Pure. */
import type { Demand } from "./demand.ts";
import type { TargetPolicy } from "./policy.ts";

/** Of rounding in sums of metrics. */
const EPSILON = 1e-9;

export interface SetAsk {
  /** Set replicas; 0 without metrics of its own. */
  readonly replicas: number;
  /** What it would be without the tolerance; absent: the same. */
  readonly tolerated?: number;
}

/** @param bounds what a demand beyond them is not held for: they move the set whatever the metrics say */
export function setAsk(
  target: TargetPolicy | undefined,
  demand: Demand | undefined,
  current: number,
  bounds: { readonly min: number; readonly max: number },
): SetAsk {
  const demandReplicas = demand?.replicas ?? 0;
  const replicas = Math.min(bounds.max, Math.ceil(demandReplicas - EPSILON));
  if (target === undefined || replicas === current || current < bounds.min || current > bounds.max) return { replicas };
  const { scaleUp, scaleDown } = target.behavior;
  const change = current === 0 ? Number.POSITIVE_INFINITY : demandReplicas / current - 1;
  const { toleranceRatio } = change > 0 ? scaleUp : scaleDown;
  return Math.abs(change) <= toleranceRatio + EPSILON ? { replicas: current, tolerated: replicas } : { replicas };
}

import type { RoleCounts } from "./peer.ts";

type Bounds = Pick<RoleCounts, "minReplicas" | "maxReplicas">;

/** Whole replicas inside the bounds: the last step of every peer. @param replicas not NaN */
export const clampReplicas = (replicas: number, { minReplicas, maxReplicas }: Bounds): number =>
  Math.max(minReplicas, Math.min(maxReplicas, Math.trunc(replicas)));

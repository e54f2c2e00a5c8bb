/** One number for GPUs and misses, for a stated worth of a miss. The Pareto plot needs none. */

/** What a missed request is worth. */
export interface MissWorth {
  readonly name: string;
  readonly gpuHoursPerMiss: number;
}

/** 0.36, 3.6 and 36 seconds of one GPU. */
export const MISS_WORTHS: readonly MissWorth[] = [
  { name: "low", gpuHoursPerMiss: 0.0001 },
  { name: "mid", gpuHoursPerMiss: 0.001 },
  { name: "high", gpuHoursPerMiss: 0.01 },
];

export function costGpuHours(
  outcome: { readonly allocatedGpuHours: number; readonly missedRequests: number },
  { gpuHoursPerMiss }: MissWorth,
): number {
  return outcome.allocatedGpuHours + gpuHoursPerMiss * outcome.missedRequests;
}

/** How much more than the oracle, as a share of the oracle's cost; undefined when that is 0. */
export function regretRatio(cost: number, oracleCost: number): number | undefined {
  return oracleCost > 0 ? (cost - oracleCost) / oracleCost : undefined;
}

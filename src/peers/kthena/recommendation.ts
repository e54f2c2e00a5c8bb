/**
 * What kthena proposes for one role.
 *
 * Source: volcano-sh/kthena:pkg/autoscaler/algorithm/recommendation.go, pkg/autoscaler/autoscaler/scaler.go. The collector hands the sums over all pods on as
 * if they were one instance, so the tolerance holds the sum against the target of one replica: as shipped, it acts as meant with one replica only.
 */

export interface RoleState {
  readonly current: number;
  /** Not ready, for whatever reason. */
  readonly unready: number;
  readonly minReplicas: number;
  readonly maxReplicas: number;
}

export interface SummedMetric {
  /** Over the pods that report; undefined: none does. */
  readonly sum: number | undefined;
  readonly target: number;
}

/** @returns undefined: no metric, the role is skipped */
export function recommend(state: RoleState, metrics: readonly SummedMetric[], tolerance: number): number | undefined {
  const { current, minReplicas, maxReplicas } = state;
  if (current < minReplicas) return minReplicas;
  if (current > maxReplicas) return maxReplicas;
  const proposals = metrics.flatMap(({ sum, target }) =>
    sum === undefined ? [] : [proposalOf(sum / target, state, tolerance)],
  );
  return proposals.length === 0 ? undefined : Math.min(Math.max(minReplicas, ...proposals), maxReplicas);
}

/** @param ratio of the sum to the target of one replica */
function proposalOf(ratio: number, { current, unready }: RoleState, tolerance: number): number {
  const isWithin = (one: number): boolean => Math.abs(one - 1) <= tolerance;
  const isUp = ratio >= 1;
  if (!isUp || unready === 0) return isWithin(ratio) ? current : Math.ceil(ratio);
  const instances = 1 + unready;
  const diluted = ratio / instances;
  if (isWithin(diluted) || diluted < 1) return current;
  const proposal = Math.ceil(diluted * instances);
  return proposal < current ? current : proposal;
}

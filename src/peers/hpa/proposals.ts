/**
 * What the horizontal pod autoscaler of Kubernetes proposes for one metric.
 *
 * Source: kubernetes/kubernetes:pkg/controller/podautoscaler/replica_calculator.go. Values are milli-values there, whole numbers with truncated means;
 * a rule that compares a ratio with a tolerance shows the difference, so they are here too.
 */
import { finite } from "../finite.ts";
import type { RoleCounts } from "../peer.ts";
import { isWithinTolerance } from "../tolerance.ts";

const milli = (value: number): number => Math.trunc(value * 1000);

const ratioOf = (values: readonly number[], target: number): number =>
  Math.trunc(values.reduce((sum, value) => sum + value, 0) / values.length) / target;

/**
 * `Pods` with `AverageValue`. A replica on nodes without a sample counts as exactly on target when the others say less, and as idle when they say more;
 * one without a node counts as idle when they say more, and not at all when they say less.
 *
 * @param samples by replica; only those of ready replicas count
 * @returns undefined: the metric is invalid, no ready replica has a sample
 */
export function podsAverageValue(
  samples: ReadonlyMap<string, number>,
  targetValue: number,
  { specReplicas, ready, starting, pending }: RoleCounts,
  tolerance: number,
): number | undefined {
  const target = milli(targetValue);
  const values = ready.flatMap((replica) => {
    const value = finite(samples.get(replica));
    return value === undefined ? [] : [milli(value)];
  });
  if (values.length === 0) return undefined;
  const missing = ready.length - values.length + starting;
  const ratio = ratioOf(values, target);
  const countsPending = pending > 0 && ratio > 1;
  if (missing === 0 && !countsPending) {
    return isWithinTolerance(ratio, tolerance) ? specReplicas : Math.ceil(ratio * values.length);
  }
  const filled = [
    ...values,
    ...Array<number>(missing).fill(ratio < 1 ? target : 0),
    ...Array<number>(countsPending ? pending : 0).fill(0),
  ];
  const refilled = ratioOf(filled, target);
  const flips = (ratio < 1 && refilled > 1) || (ratio > 1 && refilled < 1);
  if (isWithinTolerance(refilled, tolerance) || flips) return specReplicas;
  const proposal = Math.ceil(refilled * filled.length);
  const isAgainst = (refilled < 1 && proposal > specReplicas) || (refilled > 1 && proposal < specReplicas);
  return isAgainst ? specReplicas : proposal;
}

/**
 * `External` with `AverageValue`: one total for all replicas.
 *
 * @returns undefined: no value
 */
export function externalAverageValue(
  total: number | undefined,
  targetValue: number,
  specReplicas: number,
  tolerance: number,
): number | undefined {
  const value = finite(total);
  if (value === undefined) return undefined;
  const perReplica = milli(targetValue);
  const sum = milli(value);
  return isWithinTolerance(sum / (perReplica * specReplicas), tolerance) ? specReplicas : Math.ceil(sum / perReplica);
}

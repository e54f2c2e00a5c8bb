/**
 * kthena's `EnforceRoleRatio`: one pass that raises the side that is short, and lowers the other only where a maximum is in the way.
 *
 * One pass of rounded numbers can leave the band that it has just enforced (0.5 to 0.5 with 1 and 3 gives 2/3); so it is at the commit that was read, and
 * so it is here. Later versions search for the closest pair.
 *
 * Source: volcano-sh/kthena:pkg/autoscaler/algorithm/disaggregated_ratio.go @ 768013f.
 */
import { clampReplicas } from "../clamp-replicas.ts";

interface Range {
  readonly minReplicas: number;
  readonly maxReplicas: number;
}

export interface RatioSide extends Range {
  readonly replicas: number;
}

export interface RatioBand {
  readonly min: number;
  readonly max: number;
}

/** @returns replicas of the numerator and of the denominator */
export function enforceRatio(numerator: RatioSide, denominator: RatioSide, band: RatioBand): readonly [number, number] {
  let a = clampReplicas(numerator.replicas, numerator);
  let b = clampReplicas(denominator.replicas, denominator);
  if (a === 0 && b === 0) return [0, 0];
  // One role alone serves nothing.
  if (a === 0) a = clampReplicas(1, numerator);
  if (b === 0) b = clampReplicas(1, denominator);
  const ratio = a / b;
  if (ratio < band.min) {
    const raised = Math.ceil(band.min * b);
    if (raised <= numerator.maxReplicas) a = raised;
    else {
      a = numerator.maxReplicas;
      b = Math.floor(a / band.min);
    }
  } else if (ratio > band.max) {
    const raised = Math.ceil(a / band.max);
    if (raised <= denominator.maxReplicas) b = raised;
    else {
      b = denominator.maxReplicas;
      a = Math.floor(band.max * b);
    }
  }
  return [clampReplicas(a, numerator), clampReplicas(b, denominator)];
}

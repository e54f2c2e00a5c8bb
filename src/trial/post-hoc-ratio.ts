/** Ratios as kthena keeps them: nobody plans with them, and what was decided is repaired in one pass, rate limits and windows behind it. Pure. */
import { enforceRatio } from "../peers/kthena/ratio.ts";
import type { RatioBand } from "./record.ts";

interface Range {
  readonly minReplicas: number;
  readonly maxReplicas: number;
}

/**
 * @param replicas of each target, as decided
 * @param ranges of each target
 * @param bands over those targets, repaired in their order
 */
export function repairRatios(
  replicas: readonly number[],
  ranges: readonly Range[],
  bands: readonly RatioBand[],
): readonly number[] {
  const repaired = [...replicas];
  for (const { a, b, min, max } of bands) {
    const side = (target: number) => ({ replicas: repaired[target] as number, ...(ranges[target] as Range) });
    [repaired[a], repaired[b]] = enforceRatio(side(a), side(b), { min, max });
  }
  return repaired;
}

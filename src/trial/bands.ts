import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { readPolicy } from "../decide/policy.ts";
import type { RatioBand } from "./record.ts";

/** The ratio bands of a policy, over its targets inside a set replica in their order. */
export function bandsOf({ spec }: ScalingPolicy): readonly RatioBand[] {
  const targets = spec.scaleTargets.filter(({ level }) => level !== "PodCliqueSet").map(({ name }) => name);
  return readPolicy(spec).ratios.map(({ name, between: [a, b], min, max }) => ({
    name,
    a: targets.indexOf(a),
    b: targets.indexOf(b),
    min: min === undefined ? 0 : min.numerator / min.denominator,
    max: max === undefined ? Number.POSITIVE_INFINITY : max.numerator / max.denominator,
  }));
}

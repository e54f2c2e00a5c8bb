/** PromQL of a policy that cannot work, found before it is sent anywhere. */
import type { ScalingPolicySpec } from "../api/autoscaling/scaling-policy.ts";
import { parsePromql } from "../observe/promql.ts";
import { fillQuery } from "../observe/query-text.ts";
import type { ResolutionProblem } from "./resolve.ts";

const ANY_SCOPE = { namespace: "namespace", podRegex: "pod-.*" };

export function queryProblems({ scaleTargets }: ScalingPolicySpec): readonly ResolutionProblem[] {
  return scaleTargets.flatMap(({ metrics }, target) =>
    metrics.flatMap(({ prometheus }, metric) => {
      if (prometheus === undefined) return [];
      const field = `spec.scaleTargets[${target}].metrics[${metric}].prometheus.query`;
      const fault = faultOf(prometheus.query);
      return fault === undefined ? [] : [{ reason: "InvalidQuery" as const, message: `${field}: ${fault}` }];
    }),
  );
}

function faultOf(query: string): string | undefined {
  let filled: string;
  try {
    filled = fillQuery(query, ANY_SCOPE);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const parsed = parsePromql(filled);
  return parsed.ok ? undefined : `not valid PromQL: ${parsed.message}`;
}

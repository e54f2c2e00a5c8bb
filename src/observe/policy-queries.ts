/** The PromQL in a policy, checked before its first query. Pure. */
import type { ScalingPolicySpec } from "../api/autoscaling/scaling-policy.ts";
import type { FieldError } from "../api/schema/validate.ts";
import { parsePromql } from "./promql.ts";
import { fillQuery } from "./query-text.ts";

/** Stands for any scope: the placeholders only have to leave PromQL. */
const SAMPLE_SCOPE = { namespace: "namespace", podRegex: "pod-[0-9]+-.*" };

/** @param spec with its defaults */
export function policyQueryErrors(spec: ScalingPolicySpec): readonly FieldError[] {
  const errors: FieldError[] = [];
  const check = (field: string, query: string | undefined): void => {
    const message = query === undefined ? undefined : queryProblem(query);
    if (message !== undefined) errors.push({ field, message });
  };
  spec.scaleTargets.forEach(({ metrics }, target) => {
    metrics.forEach(({ prometheus }, metric) => {
      check(`spec.scaleTargets[${target}].metrics[${metric}].prometheus.query`, prometheus?.query);
    });
  });
  check("spec.scaleToZero.demandQuery", spec.scaleToZero.demandQuery);
  return errors;
}

function queryProblem(query: string): string | undefined {
  let filled: string;
  try {
    filled = fillQuery(query, SAMPLE_SCOPE);
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
  const parsed = parsePromql(filled);
  if (parsed.ok) return undefined;
  const near = filled.slice(parsed.position, parsed.position + 30).trim();
  return `is not PromQL: ${parsed.message}${near === "" ? " (at its end)" : ` (at "${near}")`}`;
}

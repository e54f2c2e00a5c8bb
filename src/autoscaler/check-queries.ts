/** PromQL of a policy that cannot work, found before it is sent anywhere. Pure. */
import type { ScalingPolicySpec } from "../api/autoscaling/scaling-policy.ts";
import type { FieldError } from "../api/schema/validate.ts";
import { parsePromql } from "../observe/promql.ts";
import { fillQuery } from "../observe/query-text.ts";
import type { ResolutionProblem } from "./resolve.ts";

const ANY_SCOPE = { namespace: "namespace", podRegex: "pod-.*" };

export function queryProblems(spec: ScalingPolicySpec): readonly ResolutionProblem[] {
  return queryErrors(spec).map(({ field, message }) => ({
    reason: "InvalidQuery",
    field,
    message: `${field}: ${message}`,
  }));
}

/** @param spec with its defaults */
export function queryErrors({ scaleTargets, scaleToZero }: ScalingPolicySpec): readonly FieldError[] {
  const errors: FieldError[] = [];
  const check = (field: string, query: string | undefined): void => {
    const message = query === undefined ? undefined : faultOf(query);
    if (message !== undefined) errors.push({ field, message });
  };
  scaleTargets.forEach(({ metrics }, target) => {
    metrics.forEach(({ prometheus }, metric) => {
      check(`spec.scaleTargets[${target}].metrics[${metric}].prometheus.query`, prometheus?.query);
    });
  });
  check("spec.scaleToZero.demandQuery", scaleToZero.demandQuery);
  return errors;
}

/** Characters of the query that show where it went wrong. */
const CONTEXT_LENGTH = 30;

function faultOf(query: string): string | undefined {
  let filled: string;
  try {
    filled = fillQuery(query, ANY_SCOPE);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const parsed = parsePromql(filled);
  if (parsed.ok) return undefined;
  const near = filled.slice(parsed.position, parsed.position + CONTEXT_LENGTH).trim();
  return `not valid PromQL: ${parsed.message} (at ${near === "" ? "its end" : JSON.stringify(near)})`;
}

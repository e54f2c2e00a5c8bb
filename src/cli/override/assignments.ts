/** `TARGET=REPLICAS` arguments as the `scaleTargets` of an override. Pure. */
import type { ScalingOverride } from "../../api/autoscaling/scaling-override.ts";
import { UsageError } from "../errors.ts";
import { someNames } from "../find.ts";

export type OverrideTargets = ScalingOverride["spec"]["scaleTargets"];

export interface Assignments {
  readonly exact: readonly string[];
  readonly min: readonly string[];
  readonly max: readonly string[];
}

const INT32_MAX = 2 ** 31 - 1;

/** @param known names of the policy's targets */
export function parseAssignments(
  { exact, min, max }: Assignments,
  policy: string,
  known: readonly string[],
): OverrideTargets {
  const targets: Record<string, OverrideTargets[string]> = {};
  const add = (flag: string, field: "replicas" | "minReplicas" | "maxReplicas", texts: readonly string[]): void => {
    for (const text of texts) {
      const { target, replicas } = parseAssignment(text, flag);
      if (!known.includes(target)) {
        throw new UsageError(
          `${flag}"${text}": ${policy} has no target "${target}"; its targets: ${someNames(known, target)}`,
        );
      }
      if (targets[target]?.[field] !== undefined)
        throw new UsageError(`${flag}"${text}": ${target} is set twice; keep one`);
      targets[target] = { ...targets[target], [field]: replicas };
    }
  };
  add("", "replicas", exact);
  add("--min ", "minReplicas", min);
  add("--max ", "maxReplicas", max);
  for (const [target, { replicas, minReplicas, maxReplicas }] of Object.entries(targets)) {
    if (replicas !== undefined && (minReplicas !== undefined || maxReplicas !== undefined)) {
      throw new UsageError(`${target}=${replicas} excludes --min and --max for ${target}; keep one of the two`);
    }
    if ((minReplicas ?? 0) > (maxReplicas ?? INT32_MAX)) {
      throw new UsageError(`--min ${target}=${minReplicas} is above --max ${target}=${maxReplicas}; swap them`);
    }
  }
  if (Object.keys(targets).length === 0) {
    throw new UsageError(`say what to set: TARGET=REPLICAS, --min or --max; targets of ${policy}: ${known.join(", ")}`);
  }
  return targets;
}

function parseAssignment(text: string, flag: string): { readonly target: string; readonly replicas: number } {
  const [, target, digits] = /^([^=]+)=(\d+)$/.exec(text) ?? [];
  const replicas = Number(digits);
  if (target === undefined || digits === undefined || replicas > INT32_MAX) {
    throw new UsageError(`${flag}"${text}" is not TARGET=REPLICAS with a whole number, such as decode=3`);
  }
  return { target, replicas };
}

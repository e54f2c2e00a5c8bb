/** What an override asks of the others that share a budget. Pure. */
import { MAX_SET_REPLICAS } from "../api/autoscaling/scale-target.ts";
import type { Observation } from "./observation.ts";
import { overriddenValue } from "./override.ts";
import type { Policy } from "./policy.ts";
import type { SolveInput } from "./solve.ts";

/** The problem with the bounds that the override in force leaves its targets: what its numbers ask for beside the demand of the others. */
export function withinOverride(
  problem: SolveInput,
  policy: Policy,
  { override, targets, ownedTargets = [] }: Observation,
): SolveInput {
  if (override === undefined) return problem;
  const bounded = (at: number, name: string, min: number, max: number): { min: number; max: number } => {
    if (ownedTargets.includes(name)) return { min, max };
    const one = { name, minAvailable: targets[at]?.minAvailable ?? 0, min, max };
    const [low, high] = [0, Number.MAX_SAFE_INTEGER].map((value) => overriddenValue(value, one, override)?.value);
    return { min: low ?? min, max: Math.max(low ?? min, high ?? max) };
  };
  const { sets } = problem;
  const set = policy.set === undefined ? sets : bounded(-1, policy.set.name, sets.min, sets.max);
  const cap = Math.max(MAX_SET_REPLICAS, sets.max);
  return {
    ...problem,
    sets: { ...sets, min: Math.min(set.min, cap), max: Math.min(set.max, cap) },
    targets: problem.targets.map((target, index) => ({
      ...target,
      ...bounded(index, policy.targets[index]?.name ?? "", target.min, target.max),
    })),
  };
}

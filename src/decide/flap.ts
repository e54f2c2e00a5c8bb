/**
 * The flap budget: a target that changed direction too often goes down more slowly for a while. Reversals are counted on what was written, so
 * that a wish that never left the desk costs nothing.
 */
import type { Memory } from "./memory.ts";
import type { Policy, TargetPolicy } from "./policy.ts";
import type { ScaleWrite } from "./transition.ts";

export interface FlapMemory {
  readonly direction: 1 | -1;
  /** When the direction changed, monotonic ms, by time. */
  readonly reversalsMs: readonly number[];
}

/** The window that is doubled where a policy has none. */
const LEAST_WINDOW_MS = 60_000;
/** More are not told apart: the window has long reached its cap. */
const MAX_REVERSALS = 32;

/** The policy with the scale-down windows of flapping targets widened. */
export function widenFlapping(policy: Policy, flaps: Memory["flaps"], nowMs: number): Policy {
  const { flapBudget } = policy;
  if (flapBudget === undefined) return policy;
  const widen = (target: TargetPolicy): TargetPolicy => {
    const excess = reversalsWithin(flaps[target.name], nowMs - flapBudget.perMs) - flapBudget.reversals;
    if (excess < 0) return target;
    const { scaleUp, scaleDown } = target.behavior;
    const windowMs = Math.max(LEAST_WINDOW_MS, scaleDown.stabilizationWindowMs) * 2 ** (excess + 1);
    const stabilizationWindowMs = Math.max(scaleDown.stabilizationWindowMs, Math.min(flapBudget.perMs, windowMs));
    return { ...target, behavior: { scaleUp, scaleDown: { ...scaleDown, stabilizationWindowMs } } };
  };
  return {
    ...policy,
    targets: policy.targets.map(widen),
    ...(policy.set === undefined ? {} : { set: widen(policy.set) }),
  };
}

/** Reversals of a target since a moment. */
function reversalsWithin(flap: FlapMemory | undefined, sinceMs: number): number {
  return flap?.reversalsMs.filter((atMs) => atMs > sinceMs).length ?? 0;
}

/** The flaps after `writes` were made. */
export function recordDirections(
  flaps: Memory["flaps"],
  writes: readonly ScaleWrite[],
  nowMs: number,
): Memory["flaps"] {
  const next: Record<string, FlapMemory> = { ...flaps };
  for (const { target, from, to } of writes) {
    if (from === to) continue;
    const direction = to > from ? 1 : -1;
    const known = next[target];
    const reversalsMs = known?.reversalsMs ?? [];
    const isReversal = known !== undefined && known.direction !== direction && reversalsMs.at(-1) !== nowMs;
    next[target] = {
      direction,
      reversalsMs: isReversal ? [...reversalsMs, nowMs].slice(-MAX_REVERSALS) : reversalsMs,
    };
  }
  return next;
}

/**
 * After a gap in the metrics (their server restarted, we did, the network was gone) rates over a window that is just filling read low. Until they
 * can be believed nothing goes down.
 */
import type { Demand } from "./demand.ts";
import type { Memory } from "./memory.ts";
import type { Policy } from "./policy.ts";

export interface KnownMemory {
  /** When the target's demand was last known, monotonic ms. */
  readonly atMs: number;
  readonly warmUpUntilMs?: number;
}

/** @param demands by target name; a demand that is held or unknown is no measurement */
export function rememberKnown(
  demands: readonly (readonly [string, Demand])[],
  policy: Policy,
  known: Memory["known"],
  nowMs: number,
): Memory["known"] {
  const { staleAfterMs, warmUpMs } = policy.metricsPolicy;
  const gapMs = Math.max(staleAfterMs, 2 * policy.intervalMs);
  const next: Record<string, KnownMemory> = {};
  for (const [name, demand] of demands) {
    const before = known[name];
    if (demand.isUnknown || demand.reason === "NoMetrics") {
      if (before !== undefined) next[name] = before;
      continue;
    }
    const isBack = before !== undefined && nowMs - before.atMs > gapMs;
    const warmUpUntilMs = isBack ? nowMs + warmUpMs : before?.warmUpUntilMs;
    next[name] = { atMs: nowMs, ...(warmUpUntilMs === undefined || warmUpUntilMs <= nowMs ? {} : { warmUpUntilMs }) };
  }
  return next;
}

/** A demand that holds while its metrics warm up. */
export function holdWhileWarming(demand: Demand, known: KnownMemory | undefined, nowMs: number): Demand {
  if (known?.warmUpUntilMs === undefined || demand.holdsDown) return demand;
  const seconds = Math.ceil((known.warmUpUntilMs - nowMs) / 1000);
  return { ...demand, holdsDown: true, holdsBecause: `its metrics are back after a gap and warm up for ${seconds} s` };
}

/** What latency goals leave for the next decision: plain JSON, bounded, checkpointed. */
import type { AttainmentBuckets } from "./attainment.ts";
import type { Correction } from "./correction.ts";
import type { LatencySamples } from "./learn.ts";
import type { LoadMemory } from "./load.ts";
import type { SloName } from "./slo-term.ts";

export interface SloTargetMemory {
  readonly load?: LoadMemory;
  readonly corrections: Partial<Record<SloName, Correction>>;
  readonly samples: Partial<Record<SloName, LatencySamples>>;
  /** Of its own latency: a goal that users miss for another target's sake does not make this one larger. */
  readonly attainment?: Partial<Record<SloName, AttainmentBuckets>>;
  /** Ready replicas, and since when there are exactly these, all ready and nothing starting. */
  readonly steady?: { readonly replicas: number; readonly sinceMs: number };
}

export interface SloMemory {
  readonly targets: Readonly<Record<string, SloTargetMemory>>;
  readonly attainment: Partial<Record<SloName, AttainmentBuckets>>;
}

export const emptySloMemory: SloMemory = { targets: {}, attainment: {} };

/** Windows are in monotonic time; what lies ahead of the clock would count for ever. */
export function resumeSloMemory(stored: SloMemory, nowMs: number): SloMemory {
  const targets = Object.fromEntries(
    Object.entries(stored.targets).map(([name, { steady: _, load, corrections, samples, attainment }]) => [
      name,
      {
        ...(load?.shape === undefined
          ? {}
          : { load: { shape: { ...load.shape, atMs: Math.min(load.shape.atMs, nowMs) } } }),
        ...(attainment === undefined ? {} : { attainment }),
        corrections: Object.fromEntries(
          Object.entries(corrections).map(([slo, one]) => [slo, { ...one, atMs: Math.min(one.atMs, nowMs) }]),
        ),
        samples: Object.fromEntries(
          Object.entries(samples).map(([slo, list]) => [slo, list.filter(([atMs]) => atMs <= nowMs)]),
        ),
      } satisfies SloTargetMemory,
    ]),
  );
  return { ...stored, targets };
}

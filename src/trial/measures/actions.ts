/** How much an autoscaler moves, and how often it takes a move back. */
import type { Order, TrialTarget } from "../record.ts";
import { isInside, MS_PER_HOUR, quotient, type Window } from "./window.ts";

export interface Actions {
  /** Of one `spec.replicas` each. */
  readonly writes: number;
  readonly replicasMoved: number;
  /** Reversals of direction on one target within {@link flapWindowMs}. */
  readonly flaps: number;
  readonly flapsPerHour: number | undefined;
}

const MIN_FLAP_WINDOW_MS = 300_000;

/** A reversal sooner than this undoes what cannot have helped yet. */
export const flapWindowMs = ({ medianStartupMs }: TrialTarget): number =>
  Math.max(MIN_FLAP_WINDOW_MS, 2 * medianStartupMs);

/** @param orders by time; those before the window give the direction that the first inside may reverse */
export function actions(orders: readonly Order[], targets: readonly TrialTarget[], window: Window): Actions {
  const last = new Map<number, { readonly direction: number; readonly atMs: number }>();
  let writes = 0;
  let replicasMoved = 0;
  let flaps = 0;
  for (const { atMs, target, from, to } of orders) {
    const counted = isInside(atMs, window);
    if (counted) {
      writes++;
      replicasMoved += Math.abs(to - from);
    }
    const direction = Math.sign(to - from);
    if (direction === 0) continue;
    const before = last.get(target);
    const reversed = before !== undefined && before.direction !== direction;
    if (counted && reversed && atMs - before.atMs <= flapWindowMs(targets[target]!)) flaps++;
    last.set(target, { direction, atMs });
  }
  const hours = (window.endMs - window.startMs) / MS_PER_HOUR;
  return { writes, replicasMoved, flaps, flapsPerHour: quotient(flaps, hours) };
}

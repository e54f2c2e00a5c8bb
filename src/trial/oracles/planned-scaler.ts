/** Replays a plan of replicas over time. */
import type { Clock } from "../../clock.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Scaler } from "../scaler.ts";

export interface ReplicaPlan {
  readonly intervalMs: number;
  /** `spec.replicas` by interval of the arrivals' time, then by target; the last one goes on. */
  readonly replicas: readonly (readonly number[])[];
  /** Names in the template, in the order of the targets. */
  readonly refs: readonly string[];
}

/** @param startMs of the arrivals on the clock */
export function plannedScaler(
  plan: ReplicaPlan,
  { clock, fleet }: { clock: Clock; fleet: Fleet },
  startMs: number,
): Scaler {
  return {
    tickMs: plan.intervalMs,
    families: new Set(),
    tick() {
      const interval = Math.floor((clock.monotonicMs() - startMs) / plan.intervalMs);
      const now = plan.replicas[Math.min(interval, plan.replicas.length - 1)] ?? [];
      for (const [index, ref] of plan.refs.entries()) {
        const object = fleet.object(ref, 0);
        const replicas = now[index];
        if (object !== undefined && replicas !== undefined) fleet.scale(object, replicas);
      }
    },
    restart: () => undefined,
  };
}

/**
 * When to order so that what is planned is ready in time: at each moment the most that is planned within the next `leadMs`. What the plan gives up for less
 * than a start it keeps.
 */
export function ordersFor(
  ready: readonly (readonly number[])[],
  leadsMs: readonly number[],
  intervalMs: number,
): readonly (readonly number[])[] {
  return ready.map((_, interval) =>
    leadsMs.map((leadMs, target) => {
      const ahead = Math.ceil(leadMs / intervalMs);
      let most = 0;
      for (let at = interval; at <= Math.min(ready.length - 1, interval + ahead); at++) {
        most = Math.max(most, ready[at]?.[target] as number);
      }
      return most;
    }),
  );
}

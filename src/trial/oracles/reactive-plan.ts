/**
 * What somebody would order who knows the demand of this moment exactly, and nothing of the next. Pure.
 *
 * The need of the last whole interval, rounded up; what was needed within `holdMs` is kept, or every dip would cost a start.
 */
import type { PlannedRole } from "./clairvoyant-plan.ts";
import type { Needs } from "./needs.ts";

export interface ReactiveOptions {
  readonly needs: Needs;
  readonly roles: readonly PlannedRole[];
  readonly holdMs: number;
}

/** @returns `spec.replicas` by interval, then by role */
export function reactivePlan({ needs, roles, holdMs }: ReactiveOptions): readonly (readonly number[])[] {
  const back = Math.ceil(holdMs / needs.intervalMs);
  return needs.requests.map((_, interval) =>
    roles.map(({ minReplicas, maxReplicas }, role) => {
      let most = 0;
      for (let at = Math.max(0, interval - 1 - back); at < interval; at++) {
        most = Math.max(most, needs.replicas[role]?.[at] as number);
      }
      return Math.min(maxReplicas, Math.max(minReplicas, Math.ceil(most)));
    }),
  );
}

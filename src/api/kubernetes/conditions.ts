/** metav1.Condition: its schema, and the standard way to set one. */
import { array, dateTime, int64, literals, object, optional, string } from "../schema/builder.ts";
import type { Condition } from "./meta.ts";

const CONDITION = object({
  lastTransitionTime: dateTime(),
  message: string({ maxLength: 32768 }),
  observedGeneration: optional(int64({ minimum: 0 })),
  reason: string({ minLength: 1, maxLength: 1024, pattern: "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$" }),
  status: literals(["True", "False", "Unknown"]),
  type: string({
    maxLength: 316,
    pattern:
      "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
  }),
});

export const CONDITIONS = array(CONDITION);

/** For our own kinds, where nothing has to be identical to upstream: one entry per type, merged by apply. */
export const CONDITION_MAP = array(CONDITION, { listType: "map", mapKeys: ["type"] });

/**
 * Sets one condition. `lastTransitionTime` moves only when the status changes; the same list comes back when nothing
 * changed at all.
 */
export function withCondition(
  conditions: readonly Condition[] | undefined,
  next: Omit<Condition, "lastTransitionTime">,
  now: string,
): readonly Condition[] {
  const list = conditions ?? [];
  const old = list.find(({ type }) => type === next.type);
  if (old === undefined) return [...list, { ...next, lastTransitionTime: now }];
  const same =
    old.status === next.status &&
    old.reason === next.reason &&
    old.message === next.message &&
    (next.observedGeneration === undefined || old.observedGeneration === next.observedGeneration);
  if (same) return list;
  const lastTransitionTime = old.status === next.status ? old.lastTransitionTime : now;
  return list.map((condition) => (condition === old ? { ...next, lastTransitionTime } : condition));
}

export function conditionOf(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

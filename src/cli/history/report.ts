/** Decisions of several policies in one order of time, what each changed and what it wants. Pure. */
import type { ScalingPolicy } from "../../api/autoscaling/scaling-policy.ts";
import { type DecisionOutcome, HISTORY_MAX_ENTRIES } from "../../api/autoscaling/scaling-policy-status.ts";
import { keyOf } from "../../api/kubernetes/meta.ts";
import { formatTime, parseTime } from "../../api/kubernetes/time.ts";
import type { DecisionLog } from "../../jobs/decision-log.ts";

export interface HistoryItem {
  readonly time: string;
  /** `namespace/name`. */
  readonly policy: string;
  readonly decision: string;
  readonly outcome: DecisionOutcome;
  readonly reason: string;
  readonly message?: string;
  /** What it wrote. */
  readonly changes: readonly TargetChange[];
  /** Replicas by target that it wants in the end: some may have to wait for objects that are not made yet, or for replicas to be ready. */
  readonly wants: Readonly<Record<string, number>>;
}

/** Replicas over all set replicas. */
export interface TargetChange {
  readonly target: string;
  readonly from: number;
  readonly to: number;
}

/** How far back the decisions of a policy are kept. */
export interface KeptSince {
  readonly policy: string;
  readonly since: string;
  /** Nothing before `since` was dropped: it is where the policy begins. */
  readonly isAll: boolean;
}

export interface History {
  readonly items: readonly HistoryItem[];
  readonly kept: readonly KeptSince[];
  /** By item: targets of which it wants another number than the decision that is kept before it. */
  readonly newWishes: ReadonlyMap<HistoryItem, readonly string[]>;
}

export interface HistoryInput {
  readonly policies: readonly ScalingPolicy[];
  /** What a Redis has of the same policies, and of ones that are gone. */
  readonly log?: DecisionLog;
  /** Epoch milliseconds. */
  readonly fromMs?: number;
  /** Only what changed this target. */
  readonly target?: string;
}

export function historyOf({ policies, log, fromMs, target }: HistoryInput): History {
  const entries = new Map<string, HistoryItem>();
  // A decision that is in both is one; numbers start again when a policy forgets.
  for (const entry of [...policies.flatMap(statusEntries), ...logEntries(log)])
    entries.set(`${entry.policy} ${entry.decision} ${entry.time}`, entry);
  const before = new Map<string, HistoryItem>();
  const newWishes = new Map<HistoryItem, readonly string[]>();
  const sorted = [...entries.values()].toSorted(inTime);
  for (const item of sorted) {
    const { wants } = before.get(item.policy) ?? item;
    newWishes.set(
      item,
      Object.keys(item.wants).filter((name) => wants[name] !== item.wants[name]),
    );
    before.set(item.policy, item);
  }
  const isAbout = (item: HistoryItem, name: string): boolean =>
    item.changes.some((change) => change.target === name) || newWishes.get(item)?.includes(name) === true;
  return {
    items: sorted.filter(
      (item) =>
        (fromMs === undefined || parseTime(item.time) >= fromMs) && (target === undefined || isAbout(item, target)),
    ),
    kept: policies.flatMap((policy) => keptSince(policy, log)),
    newWishes,
  };
}

const inTime = (a: HistoryItem, b: HistoryItem): number =>
  parseTime(a.time) - parseTime(b.time) ||
  (a.policy === b.policy ? Number(a.decision) - Number(b.decision) : a.policy < b.policy ? -1 : 1);

const statusEntries = (policy: ScalingPolicy): readonly HistoryItem[] =>
  (policy.status?.history ?? []).map(({ id, time, outcome, reason, message, desired, changes }) => ({
    time,
    policy: keyOf(policy),
    decision: id,
    outcome,
    reason,
    ...(message === undefined ? {} : { message }),
    changes: listed(changes),
    wants: desired,
  }));

const logEntries = (log: DecisionLog | undefined): readonly HistoryItem[] =>
  (log?.decisions ?? []).map(({ policy, atMs, decision: { id, outcome, reason, message, targets, changes } }) => ({
    time: formatTime(atMs),
    policy,
    decision: id,
    outcome,
    reason,
    message,
    changes: listed(changes),
    wants: Object.fromEntries(targets.map(({ name, desired }) => [name, desired])),
  }));

const listed = (changes: Readonly<Record<string, Omit<TargetChange, "target">>> = {}): readonly TargetChange[] =>
  Object.entries(changes).map(([target, change]) => ({ target, ...change }));

function keptSince(policy: ScalingPolicy, log: DecisionLog | undefined): readonly KeptSince[] {
  const history = policy.status?.history ?? [];
  const [oldest] = history;
  if (oldest === undefined) return [];
  const sinceMs = Math.min(parseTime(oldest.time), log?.sinceMs ?? Number.POSITIVE_INFINITY);
  return [{ policy: keyOf(policy), since: formatTime(sinceMs), isAll: history.length < HISTORY_MAX_ENTRIES }];
}

/** Decisions of several policies in one order of time, and what each changed. Pure. */
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
  /** Targets whose wanted replicas are others than after the decision that is kept before it. */
  readonly changes: readonly TargetChange[];
}

export interface TargetChange {
  readonly target: string;
  /** Absent when what was before is not kept. */
  readonly from?: number;
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
}

interface Entry extends Omit<HistoryItem, "changes"> {
  readonly desired: Readonly<Record<string, number>>;
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
  const entries = new Map<string, Entry>();
  // A decision that is in both is one; numbers start again when a policy forgets.
  for (const entry of [...policies.flatMap(statusEntries), ...logEntries(log)])
    entries.set(`${entry.policy} ${entry.decision} ${entry.time}`, entry);
  const sorted = [...entries.values()].toSorted(inTime);
  const before = new Map<string, Entry>();
  const items = sorted.map((entry): HistoryItem => {
    const changes = changesOf(before.get(entry.policy)?.desired, entry.desired);
    before.set(entry.policy, entry);
    const { desired: _, ...item } = entry;
    return { ...item, changes };
  });
  return {
    items: items
      .filter(({ time }) => fromMs === undefined || parseTime(time) >= fromMs)
      .map((item) =>
        target === undefined ? item : { ...item, changes: item.changes.filter((one) => one.target === target) },
      )
      .filter(({ changes }) => target === undefined || changes.length > 0),
    kept: policies.flatMap((policy) => keptSince(policy, log)),
  };
}

const inTime = (a: Entry, b: Entry): number =>
  parseTime(a.time) - parseTime(b.time) ||
  (a.policy === b.policy ? Number(a.decision) - Number(b.decision) : a.policy < b.policy ? -1 : 1);

const statusEntries = (policy: ScalingPolicy): readonly Entry[] =>
  (policy.status?.history ?? []).map(({ id, time, outcome, reason, message, desired }) => ({
    time,
    policy: keyOf(policy),
    decision: id,
    outcome,
    reason,
    ...(message === undefined ? {} : { message }),
    desired,
  }));

const logEntries = (log: DecisionLog | undefined): readonly Entry[] =>
  (log?.decisions ?? []).map(({ policy, atMs, decision: { id, outcome, reason, message, targets } }) => ({
    time: formatTime(atMs),
    policy,
    decision: id,
    outcome,
    reason,
    message,
    desired: Object.fromEntries(targets.map(({ name, desired }) => [name, desired])),
  }));

function changesOf(before: Entry["desired"] | undefined, after: Entry["desired"]): readonly TargetChange[] {
  return Object.entries(after).flatMap(([target, to]) => {
    const from = before?.[target];
    if (from === to) return [];
    return [{ target, ...(from === undefined ? {} : { from }), to }];
  });
}

function keptSince(policy: ScalingPolicy, log: DecisionLog | undefined): readonly KeptSince[] {
  const history = policy.status?.history ?? [];
  const [oldest] = history;
  if (oldest === undefined) return [];
  const sinceMs = Math.min(parseTime(oldest.time), log?.sinceMs ?? Number.POSITIVE_INFINITY);
  return [{ policy: keyOf(policy), since: formatTime(sinceMs), isAll: history.length < HISTORY_MAX_ENTRIES }];
}

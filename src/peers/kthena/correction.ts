/**
 * How fast kthena follows a recommendation: a stable mode, and a panic mode that only goes up.
 *
 * Source: volcano-sh/kthena:pkg/autoscaler/algorithm/revision.go, pkg/autoscaler/autoscaler/{scaler,status}.go.
 */
import { remember, type Stamped, within } from "../stamped.ts";

export interface BehaviorOptions {
  /** Up by the larger of both in a period. */
  readonly upInstances: number;
  readonly upPercent: number;
  readonly panicPercent: number;
  readonly periodMs: number;
  /** Recommendation over current, in percent, from which it panics. */
  readonly panicThresholdPercent: number;
  readonly panicHoldMs: number;
  readonly downWindowMs: number;
}

export interface RoleHistory {
  readonly recommendations: readonly Stamped[];
  /** Before the ratio: what the ratio made of it is not remembered, as shipped. */
  readonly corrected: readonly Stamped[];
  readonly panicEndsMs: number;
}

export const NO_HISTORY: RoleHistory = { recommendations: [], corrected: [], panicEndsMs: Number.NEGATIVE_INFINITY };

/** What was there at the start counts as recommended (`InitializeWithCurrentReplicas`): a restart takes nothing away inside the window. */
export const startHistory = (nowMs: number, current: number): RoleHistory => ({
  ...NO_HISTORY,
  recommendations: [{ atMs: nowMs, value: current }],
});

export function correct(
  nowMs: number,
  recommended: number,
  current: number,
  history: RoleHistory,
  options: BehaviorOptions,
): { readonly replicas: number; readonly history: RoleHistory } {
  const panics = recommended * 100 >= current * options.panicThresholdPercent;
  const isPanic = options.panicHoldMs > 0 && (panics || nowMs <= history.panicEndsMs);
  const replicas = isPanic
    ? inPanic(nowMs, recommended, current, history, options)
    : stable(nowMs, recommended, current, history, options);
  return {
    replicas,
    history: {
      recommendations: remember(history.recommendations, { atMs: nowMs, value: recommended }, options.downWindowMs),
      corrected: [...lasting(history.corrected, nowMs, options.periodMs), { atMs: nowMs, value: replicas }],
      panicEndsMs: panics ? nowMs + options.panicHoldMs : history.panicEndsMs,
    },
  };
}

function inPanic(
  nowMs: number,
  recommended: number,
  current: number,
  history: RoleHistory,
  { panicPercent, periodMs }: BehaviorOptions,
): number {
  const past = leastOf(history, current, nowMs, periodMs);
  const most = past > 0 ? past + Math.trunc((past * panicPercent) / 100) : recommended;
  return Math.max(Math.min(recommended, most), current);
}

function stable(
  nowMs: number,
  recommended: number,
  current: number,
  history: RoleHistory,
  { upInstances, upPercent, periodMs, downWindowMs }: BehaviorOptions,
): number {
  if (recommended < current) {
    const recent = within(history.recommendations, nowMs, downWindowMs).map(({ value }) => value);
    return Math.min(Math.max(recommended, ...recent), current);
  }
  if (recommended === current) return current;
  const past = leastOf(history, current, nowMs, periodMs);
  const most = Math.max(past + upInstances, past + Math.trunc((past * upPercent) / 100));
  return Math.max(Math.min(recommended, most), current);
}

/** The fewest that there were in the period. */
const leastOf = ({ corrected }: RoleHistory, current: number, nowMs: number, periodMs: number): number =>
  Math.min(current, ...lasting(corrected, nowMs, periodMs).map(({ value }) => value));

/** Those that held at some time of the period: each holds until the next. */
const lasting = (corrected: readonly Stamped[], nowMs: number, periodMs: number): readonly Stamped[] =>
  corrected.filter((_, index) => (corrected[index + 1]?.atMs ?? nowMs) > nowMs - periodMs);

/**
 * HPA v2 `behavior`, word for word: stabilization windows and rate policies of one scaled object.
 * Rules: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#configurable-scaling-behavior
 */

export interface RatePolicy {
  readonly type: "Pods" | "Percent";
  readonly value: number;
  readonly periodMs: number;
}

export interface DirectionBehavior {
  readonly stabilizationWindowMs: number;
  /** Relative band around the current value inside which nothing moves, in [0, 1). */
  readonly toleranceRatio: number;
  readonly selectPolicy: "Max" | "Min" | "Disabled";
  readonly policies: readonly RatePolicy[];
}

export interface Behavior {
  readonly scaleUp: DirectionBehavior;
  readonly scaleDown: DirectionBehavior;
}

/** `[monotonic ms, replicas]`, by time. */
export type Recommendations = readonly (readonly [number, number])[];
/** `[monotonic ms, replicas added (+) or removed (−)]`, by time. */
export type ScaleEvents = readonly (readonly [number, number])[];

/** Most changes that are kept; a change is a write, and writes are minutes apart. */
const MAX_EVENTS = 512;

/** What one object may become now: `lo ≤ current ≤ hi`. */
export interface Interval {
  readonly lo: number;
  readonly hi: number;
  /** What holds it back on either side, for the explanation. */
  readonly loReason?: "ScaleDownStabilized" | "ScaleDownLimit";
  readonly hiReason?: "ScaleUpStabilized" | "ScaleUpLimit";
}

/**
 * The interval that the stabilization windows and the rate policies leave around `current`.
 *
 * On the way up nothing passes the least recommendation of the up window, on the way down nothing falls below the greatest of the
 * down window. With an empty history the current value is the first recommendation (HPA's `recordInitialRecommendation`), so a
 * restart cannot scale down before a whole window has passed.
 */
export function permittedInterval(
  current: number,
  behavior: Behavior,
  history: { readonly recommendations: Recommendations; readonly events: ScaleEvents },
  nowMs: number,
): Interval {
  const { scaleUp, scaleDown } = behavior;
  const within = (windowMs: number): number[] =>
    history.recommendations
      .filter(([atMs]) => atMs > nowMs - windowMs || windowMs === 0)
      .map(([, replicas]) => replicas);
  const last = history.recommendations.at(-1)?.[1] ?? current;
  const stableHi =
    scaleUp.stabilizationWindowMs === 0 ? last : Math.min(last, ...within(scaleUp.stabilizationWindowMs));
  const stableLo =
    scaleDown.stabilizationWindowMs === 0 ? last : Math.max(last, ...within(scaleDown.stabilizationWindowMs));

  const upLimit = scaleUpLimit(current, scaleUp, history.events, nowMs);
  const downLimit = scaleDownLimit(current, scaleDown, history.events, nowMs);
  const hi = Math.max(current, Math.min(stableHi, upLimit));
  const lo = Math.min(current, Math.max(stableLo, downLimit));
  return {
    lo,
    hi,
    ...(last > hi ? { hiReason: upLimit < stableHi ? "ScaleUpLimit" : "ScaleUpStabilized" } : {}),
    ...(last < lo ? { loReason: downLimit > stableLo ? "ScaleDownLimit" : "ScaleDownStabilized" } : {}),
  };
}

function scaleUpLimit(current: number, rule: DirectionBehavior, events: ScaleEvents, nowMs: number): number {
  if (rule.selectPolicy === "Disabled") return current;
  if (rule.policies.length === 0) return Number.POSITIVE_INFINITY;
  const limits = rule.policies.map(({ type, value, periodMs }) => {
    const start = current - added(events, nowMs - periodMs) + removed(events, nowMs - periodMs);
    return type === "Pods" ? start + value : Math.ceil(start * (1 + value / 100));
  });
  return rule.selectPolicy === "Min" ? Math.min(...limits) : Math.max(...limits);
}

function scaleDownLimit(current: number, rule: DirectionBehavior, events: ScaleEvents, nowMs: number): number {
  if (rule.selectPolicy === "Disabled") return current;
  if (rule.policies.length === 0) return 0;
  const limits = rule.policies.map(({ type, value, periodMs }) => {
    const start = current - added(events, nowMs - periodMs) + removed(events, nowMs - periodMs);
    return type === "Pods" ? start - value : Math.floor(start * (1 - value / 100));
  });
  return rule.selectPolicy === "Min" ? Math.max(...limits) : Math.min(...limits);
}

const added = (events: ScaleEvents, sinceMs: number): number =>
  events.reduce((sum, [atMs, change]) => (atMs > sinceMs && change > 0 ? sum + change : sum), 0);
const removed = (events: ScaleEvents, sinceMs: number): number =>
  events.reduce((sum, [atMs, change]) => (atMs > sinceMs && change < 0 ? sum - change : sum), 0);

/**
 * History with one more recommendation, without those that no window can see any more, and without those that are neither the greatest nor the least
 * since their time: no window ends between them and now, so they never decide. A steady target has one entry, however long its windows.
 */
export function recordRecommendation(
  recommendations: Recommendations,
  nowMs: number,
  replicas: number,
  { scaleUp, scaleDown }: Behavior,
): Recommendations {
  const windowMs = Math.max(scaleUp.stabilizationWindowMs, scaleDown.stabilizationWindowMs);
  const kept: (readonly [number, number])[] = [[nowMs, replicas]];
  let greatest = replicas;
  let least = replicas;
  for (const entry of recommendations.toReversed()) {
    const [atMs, value] = entry;
    if (atMs <= nowMs - windowMs) break;
    if (value <= greatest && value >= least) continue;
    greatest = Math.max(greatest, value);
    least = Math.min(least, value);
    kept.push(entry);
  }
  return kept.reverse();
}

/** History with one more change, without those that no policy can see any more. */
export function recordScaleEvent(
  events: ScaleEvents,
  nowMs: number,
  change: number,
  { scaleUp, scaleDown }: Behavior,
): ScaleEvents {
  const periodMs = Math.max(0, ...[...scaleUp.policies, ...scaleDown.policies].map((policy) => policy.periodMs));
  const kept = events.filter(([atMs]) => atMs > nowMs - periodMs);
  return change === 0 ? kept : [...kept, [nowMs, change] as const].slice(-MAX_EVENTS);
}

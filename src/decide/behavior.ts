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
  /** What the windows alone leave: `stableLo ≤ lo` and `hi ≤ stableHi`. */
  readonly stableLo: number;
  readonly stableHi: number;
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
    stableLo: Math.min(current, stableLo),
    stableHi: Math.max(current, stableHi),
    ...(last > hi ? { hiReason: upLimit < stableHi ? "ScaleUpLimit" : "ScaleUpStabilized" } : {}),
    ...(last < lo ? { loReason: downLimit > stableLo ? "ScaleDownLimit" : "ScaleDownStabilized" } : {}),
  };
}

/** One thing that keeps an object from going to a value now. */
export interface Hold {
  readonly kind: "Window" | "Rate" | "Disabled";
  /** When it lets go if nothing else is wanted until then; absent: time alone does not. */
  readonly endsInMs?: number;
  readonly detail: string;
}

export interface Ahead {
  /** What there is; `desired` is written next and counts for the rates as well. */
  readonly current: number;
  readonly desired: number;
  /** What is asked about: above `desired`, or below it. */
  readonly to: number;
}

/**
 * Which window and which rate keep an object from `to`, and for how long. Empty where they do not, also where the last recommendation itself does not
 * ask for it.
 */
export function holdsOf(
  { current, desired, to }: Ahead,
  behavior: Behavior,
  { recommendations, events }: { readonly recommendations: Recommendations; readonly events: ScaleEvents },
  nowMs: number,
): readonly Hold[] {
  const isUp = to > desired;
  const rule = isUp ? behavior.scaleUp : behavior.scaleDown;
  const name = isUp ? "scale-up" : "scale-down";
  if (rule.selectPolicy === "Disabled") return [{ kind: "Disabled", detail: `${name} is disabled` }];
  const forbids = (replicas: number): boolean => (isUp ? replicas < to : replicas > to);
  const last = recommendations.at(-1)?.[1] ?? current;
  if (forbids(last)) return [];
  const holds: Hold[] = [];
  const blocking = recommendations.findLast(
    ([atMs, replicas]) => atMs > nowMs - rule.stabilizationWindowMs && forbids(replicas),
  );
  if (blocking !== undefined) {
    const endsInMs = blocking[0] + rule.stabilizationWindowMs - nowMs;
    const detail = `${name} window: ${blocking[1]} was wanted ${seconds(nowMs - blocking[0])} ago; it ends in ${seconds(endsInMs)}`;
    holds.push({ kind: "Window", endsInMs, detail });
  }
  const made: ScaleEvents = desired === current ? events : [...events, [nowMs, desired - current]];
  const isFree = (atMs: number): boolean =>
    isUp ? scaleUpLimit(desired, rule, made, atMs) >= to : scaleDownLimit(desired, rule, made, atMs) <= to;
  if (!isFree(nowMs)) {
    const ends = made.flatMap(([atMs]) => rule.policies.map(({ periodMs }) => atMs + periodMs));
    const freeMs = ends.toSorted((a, b) => a - b).find((atMs) => atMs > nowMs && isFree(atMs));
    const rate = rule.policies
      .map(({ type, value, periodMs }) => `${value}${type === "Percent" ? " %" : ""} in ${seconds(periodMs)}`)
      .join(rule.selectPolicy === "Min" ? " and " : " or ");
    holds.push(
      freeMs === undefined
        ? { kind: "Rate", detail: `${name} rate ${rate} does not admit it` }
        : {
            kind: "Rate",
            endsInMs: freeMs - nowMs,
            detail: `${name} rate ${rate} is used up; next in ${seconds(freeMs - nowMs)}`,
          },
    );
  }
  return holds;
}

const seconds = (ms: number): string => `${Math.ceil(ms / 1000)} s`;

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

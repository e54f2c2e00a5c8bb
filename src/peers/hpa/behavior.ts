/**
 * `behavior` of a HorizontalPodAutoscaler: stabilization windows and rate limits by the scale events of a period.
 *
 * Source: kubernetes/kubernetes:pkg/controller/podautoscaler/horizontal.go, defaults from pkg/apis/autoscaling/v2/defaults.go. Of several policies the one
 * that allows the largest change counts (`selectPolicy: Max`).
 */
import { type Stamped, within } from "../stamped.ts";

interface RatePolicy {
  readonly type: "Pods" | "Percent";
  readonly value: number;
  readonly periodMs: number;
}

export interface ScalingRules {
  readonly stabilizationMs: number;
  readonly policies: readonly RatePolicy[];
}

export interface Behavior {
  readonly up: ScalingRules;
  readonly down: ScalingRules;
}

/** Sizes of changes, by direction; positive. */
export interface ScaleEvents {
  readonly ups: readonly Stamped[];
  readonly downs: readonly Stamped[];
}

const PERIOD_MS = 15_000;

/** What Kubernetes fills in: up by 4 or to the double in 15 s at once, down to anything after the window. */
export const behaviorOf = (windows: { readonly upMs: number; readonly downMs: number }): Behavior => ({
  up: {
    stabilizationMs: windows.upMs,
    policies: [
      { type: "Pods", value: 4, periodMs: PERIOD_MS },
      { type: "Percent", value: 100, periodMs: PERIOD_MS },
    ],
  },
  down: { stabilizationMs: windows.downMs, policies: [{ type: "Percent", value: 100, periodMs: PERIOD_MS }] },
});

/** Not above the highest recommendation of the down window, not below the lowest of the up window, else where it is. */
export function stabilized(
  desired: number,
  current: number,
  recommendations: readonly Stamped[],
  { up, down }: Behavior,
  nowMs: number,
): number {
  const since = (windowMs: number): number[] => [
    desired,
    ...within(recommendations, nowMs, windowMs).map(({ value }) => value),
  ];
  const lowest = Math.min(...since(up.stabilizationMs));
  const highest = Math.max(...since(down.stabilizationMs));
  return Math.min(Math.max(current, lowest), highest);
}

/** The step towards `desired` that the events of each policy's period leave room for. */
export function rateLimited(
  desired: number,
  current: number,
  { ups, downs }: ScaleEvents,
  { up, down }: Behavior,
  nowMs: number,
): number {
  const changed = (events: readonly Stamped[], periodMs: number): number =>
    within(events, nowMs, periodMs).reduce((sum, { value }) => sum + value, 0);
  const start = (periodMs: number): number => current - changed(ups, periodMs) + changed(downs, periodMs);
  if (desired > current) {
    const limits = up.policies.map(({ type, value, periodMs }) =>
      type === "Pods" ? start(periodMs) + value : Math.ceil(start(periodMs) * (1 + value / 100)),
    );
    return Math.min(desired, Math.max(current, ...limits));
  }
  if (desired < current) {
    const limits = down.policies.map(({ type, value, periodMs }) =>
      type === "Pods" ? start(periodMs) - value : Math.trunc(start(periodMs) * (1 - value / 100)),
    );
    return Math.max(desired, Math.min(current, ...limits));
  }
  return desired;
}

export const longestPeriodMs = ({ up, down }: Behavior): number =>
  Math.max(...[...up.policies, ...down.policies].map(({ periodMs }) => periodMs));

export const longestWindowMs = ({ up, down }: Behavior): number => Math.max(up.stabilizationMs, down.stabilizationMs);

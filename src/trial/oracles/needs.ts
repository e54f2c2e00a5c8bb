/**
 * How many replicas a traffic needs at every moment, by a fluid model: requests flow, nobody waits for whole ones. Pure.
 *
 * Prefill and aggregated: the rate of an interval over what one replica serves in time. Decode: requests in decode, each from its arrival for as long as its
 * answer takes at the goal, over what one replica holds in time. Capacities are those of the decision's own profile model, at the lengths around the interval.
 */
import type { PerformanceProfile } from "../../api/autoscaling/performance-profile.ts";
import {
  aggregatedCapacity,
  decodeCapacity,
  type LatencyGoal,
  prefillCapacity,
  type RequestShape,
} from "../../decide/capacity/replica-capacity.ts";
import type { Arrival } from "../../sim/engines/data-plane.ts";

export type NeedRole = "prefill" | "decode" | "aggregated";

export interface NeedsOptions {
  readonly arrivals: readonly Arrival[];
  readonly roles: readonly NeedRole[];
  readonly profile: PerformanceProfile;
  readonly goals: { readonly ttft: LatencyGoal; readonly itl: LatencyGoal };
  readonly intervalMs: number;
  readonly endMs: number;
  /** Of the capacity, in (0, 1]: what is left is for bursts that are shorter than an interval. */
  readonly usedRatio: number;
  /** Whether prefill replicas share one queue, as behind a router that looks at their load; else each has its own, which takes more of them. */
  readonly sharesQueue: boolean;
}

export interface Needs {
  readonly intervalMs: number;
  /** Requests that arrive in each interval. */
  readonly requests: readonly number[];
  /** Replicas, real numbers, by role and interval. */
  readonly replicas: readonly (readonly number[])[];
}

/** Lengths are the means over so many intervals to both sides: over one of them alone they are noise. */
const SHAPE_INTERVALS = 10;

export function needsOf(options: NeedsOptions): Needs {
  const { arrivals, roles, intervalMs, endMs } = options;
  const count = Math.max(1, Math.ceil(endMs / intervalMs));
  const sums = Array.from({ length: count }, () => ({ requests: 0, input: 0, input2: 0, output: 0, output2: 0 }));
  for (const { atMs, inputTokens, outputTokens } of arrivals) {
    const sum = sums[Math.floor(atMs / intervalMs)];
    if (sum === undefined) continue;
    sum.requests++;
    sum.input += inputTokens;
    sum.input2 += inputTokens * inputTokens;
    sum.output += outputTokens;
    sum.output2 += outputTokens * outputTokens;
  }
  const shapes = sums.map((_, index) => shapeAround(sums, index));
  const rates = sums.map(({ requests }) => (1000 * requests) / intervalMs);
  return {
    intervalMs,
    requests: sums.map(({ requests }) => requests),
    replicas: roles.map((role) =>
      role === "decode" ? decodeNeeds(options, shapes) : rateNeeds(options, role, shapes, rates),
    ),
  };
}

function rateNeeds(
  { profile, goals, usedRatio, sharesQueue }: NeedsOptions,
  role: NeedRole,
  shapes: readonly (RequestShape | undefined)[],
  rates: readonly number[],
): readonly number[] {
  return rates.map((rate, index) => {
    const shape = shapes[index];
    if (shape === undefined || rate === 0) return 0;
    const { requestsPerSecond } =
      role === "prefill"
        ? prefillCapacity(profile, shape, goals.ttft, sharesQueue ? { pool: { requestsPerSecond: rate } } : {})
        : aggregatedCapacity(profile, shape, { ttft: goals.ttft, itl: goals.itl });
    return rate / (requestsPerSecond * usedRatio);
  });
}

function decodeNeeds(
  { arrivals, profile, goals, intervalMs, usedRatio }: NeedsOptions,
  shapes: readonly (RequestShape | undefined)[],
): readonly number[] {
  const capacities = shapes.map((shape) =>
    shape === undefined ? undefined : decodeCapacity(profile, shape, goals.itl),
  );
  // Running requests by interval: +share where one begins, −share where it ends, summed up.
  const needs = Array<number>(shapes.length).fill(0);
  for (const { atMs, outputTokens } of arrivals) {
    const first = Math.floor(atMs / intervalMs);
    const capacity = capacities[first];
    const shape = shapes[first];
    if (capacity?.runningRequests === undefined || shape === undefined) continue;
    const slots = capacity.runningRequests * usedRatio;
    const perTokenMs =
      (1000 * capacity.runningRequests) / (capacity.requestsPerSecond * Math.max(1, shape.outputTokens));
    const endMs = atMs + outputTokens * perTokenMs;
    for (let index = first; index * intervalMs < endMs && index < needs.length; index++) {
      const insideMs = Math.min(endMs, (index + 1) * intervalMs) - Math.max(atMs, index * intervalMs);
      needs[index] = (needs[index] as number) + insideMs / intervalMs / slots;
    }
  }
  return needs;
}

interface LengthSums {
  readonly requests: number;
  readonly input: number;
  readonly input2: number;
  readonly output: number;
  readonly output2: number;
}

function shapeAround(sums: readonly LengthSums[], index: number): RequestShape | undefined {
  let [requests, input, input2, output, output2] = [0, 0, 0, 0, 0];
  for (const sum of sums.slice(Math.max(0, index - SHAPE_INTERVALS), index + SHAPE_INTERVALS + 1)) {
    requests += sum.requests;
    input += sum.input;
    input2 += sum.input2;
    output += sum.output;
    output2 += sum.output2;
  }
  if (requests === 0) return undefined;
  return {
    inputTokens: input / requests,
    outputTokens: output / requests,
    prefixHitRatio: 0,
    inputVariation: variation(requests, input, input2),
    outputVariation: variation(requests, output, output2),
  };
}

const variation = (count: number, sum: number, squares: number): number =>
  Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2)) / (sum / count);

/** Any policy that a server admits: what properties over `decide` draw from. */
import fc from "fast-check";
import { admit } from "../api/admission.ts";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";

/** Of targets. */
export const NAMES = [
  "prefill",
  "decode",
  "frontend",
  "engine",
  ...["router", "encoder", "embedder", "reranker", "draft", "verifier", "cache", "gateway"],
  // As many as a policy may have, with its set.
  ...Array.from({ length: 19 }, (_, index) => `expert-${index}`),
] as const;

const duration = fc.constantFrom("1s", "15s", "60s", "2m", "10m", "1h", "1h30m", "24h", "168h", "1ms", "0.5s");
/** Of a latency. */
const goal = fc.constantFrom("1ms", "0.5s", "1s", "15s", "10m", "1h");
/** Whatever of it the schema admits. */
const quantity = fc.constantFrom("1", "1n", "1E", "500m", "64", "1e18", "1e-9", "9e18", "0.1", "7Ei");
const percent = fc.constantFrom("0%", "10%", "25%", "100%");
const side = fc.oneof(
  { weight: 15, arbitrary: fc.integer({ min: 1, max: 6 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 999_999 }) },
);
const ratio = fc.tuple(side, side);
const text = ([a, b]: readonly [number, number]): string => `${a}:${b}`;
/** Without the fields that are undefined. */
export const present = <T extends object>(one: T): T =>
  Object.fromEntries(Object.entries(one).filter(([, value]) => value !== undefined)) as T;
export const optional: { requiredKeys: [] } = { requiredKeys: [] };

const rules = fc.record(
  {
    stabilizationWindowSeconds: fc.constantFrom(0, 30, 300, 3600),
    tolerance: fc.constantFrom("0", "0.1", "0.5", "999m", "1n"),
    selectPolicy: fc.constantFrom("Max", "Min", "Disabled"),
    policies: fc.array(
      fc.record({
        type: fc.constantFrom("Percent", "Pods"),
        value: fc.oneof(
          { weight: 9, arbitrary: fc.integer({ min: 1, max: 200 }) },
          { weight: 1, arbitrary: fc.constant(2 ** 31 - 1) },
        ),
        periodSeconds: fc.integer({ min: 1, max: 300 }),
      }),
      { minLength: 1, maxLength: 2 },
    ),
  },
  optional,
);

const metric = fc.oneof(
  fc.record({
    type: fc.constant("Preset"),
    preset: fc.oneof(
      fc.record({
        name: fc.constantFrom("kvCacheUsage", "gpuUtilization"),
        target: fc.record({ type: fc.constant("Utilization"), averageUtilization: fc.integer({ min: 1, max: 100 }) }),
      }),
      fc.record({
        name: fc.constantFrom(
          "waitingRequests",
          "runningRequests",
          "requestsPerSecond",
          "promptTokensPerSecond",
          "generationTokensPerSecond",
        ),
        target: fc.record({ type: fc.constant("AverageValue"), averageValue: quantity }),
      }),
      fc.record({
        name: fc.constantFrom("timeToFirstToken", "interTokenLatency"),
        target: fc.record({ type: fc.constant("Value"), value: quantity }),
      }),
    ),
  }),
  fc.record({
    type: fc.constant("Prometheus"),
    prometheus: fc.record({
      query: fc.constant('sum(load{namespace="{{namespace}}"})'),
      target: fc.oneof(
        fc.record({ type: fc.constant("AverageValue"), averageValue: quantity }),
        fc.record({ type: fc.constant("Value"), value: quantity }),
      ),
    }),
    advisoryOnly: fc.boolean(),
  }),
);

const behavior = fc.record(
  {
    scaleUp: rules,
    scaleDown: rules,
    panic: fc.record({ thresholdPercent: fc.integer({ min: 101, max: 400 }) }, optional),
  },
  optional,
);

const target = (name: string) =>
  fc
    .record({
      level: fc.constantFrom("PodClique", "PodCliqueScalingGroup"),
      minReplicas: fc.integer({ min: 0, max: 2 }),
      spread: fc.oneof(
        { weight: 9, arbitrary: fc.integer({ min: 0, max: 12 }) },
        { weight: 1, arbitrary: fc.constant(2 ** 31 - 8) },
      ),
      gpusPerReplica: fc.oneof(fc.constant("auto"), fc.integer({ min: 0, max: 8 })),
      metrics: fc.array(metric, { maxLength: 2 }),
      behavior,
    })
    .map(({ spread, minReplicas, ...rest }) => ({
      ...rest,
      name,
      ref: name,
      minReplicas,
      maxReplicas: Math.max(1, minReplicas + spread),
    }));

const set = fc
  .record({
    minReplicas: fc.integer({ min: 0, max: 2 }),
    spread: fc.integer({ min: 0, max: 3 }),
    metrics: fc.array(metric, { maxLength: 1 }),
    behavior,
  })
  .map(({ minReplicas, spread, ...rest }) => ({
    ...rest,
    name: "instances",
    level: "PodCliqueSet",
    minReplicas,
    maxReplicas: Math.max(1, minReplicas + spread),
  }));

const targetCounts = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 4 }) },
  { weight: 1, arbitrary: fc.oneof(fc.integer({ min: 5, max: 12 }), fc.integer({ min: 5, max: NAMES.length })) },
);

/** One or two, of two to four targets each. */
const couplingsOf = (names: readonly string[]) =>
  fc
    .record({
      members: fc.shuffledSubarray([...names], { minLength: 2, maxLength: Math.min(8, names.length) }),
      steps: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 8, maxLength: 8 }),
      first: fc.integer({ min: 2, max: 4 }),
    })
    .map(({ members, steps, first }) =>
      [members.slice(0, first), members.slice(first, first + 4)]
        .filter((some) => some.length > 1)
        .map((some, at) => ({
          name: `unit-${at}`,
          step: Object.fromEntries(some.map((name, index) => [name, steps[4 * at + index] as number])),
        })),
    );

const spec = targetCounts.chain((count) => {
  const names = NAMES.slice(0, count);
  const name = fc.constantFrom(...names);
  return fc.record(
    {
      scaleTargets: fc
        .tuple(fc.tuple(...names.map(target)), fc.option(set, { nil: undefined }))
        .map(([inside, outside]) => [...inside, ...(outside === undefined ? [] : [outside])]),
      interval: fc.constantFrom("1s", "15s", "5m"),
      ratios:
        count < 2
          ? fc.constant([])
          : fc.uniqueArray(
              fc
                .record({
                  between: fc.shuffledSubarray([...names], { minLength: 2, maxLength: 2 }),
                  sides: fc.tuple(ratio, ratio),
                  has: fc.constantFrom("min", "max", "both"),
                  enforcement: fc.constantFrom("Hard", "Soft"),
                  transientSlack: percent,
                })
                .map(({ between, sides, has, ...rest }) => {
                  const [low, high] = sides.toSorted(([a, b], [c, d]) => a * d - c * b) as typeof sides;
                  return {
                    ...rest,
                    between,
                    ...(has === "max" ? {} : { min: text(low) }),
                    ...(has === "min" ? {} : { max: text(high) }),
                  };
                }),
              { maxLength: count < 5 ? 4 : 8, selector: ({ between }) => between.toSorted().join("/") },
            ),
      coupling:
        count < 2
          ? fc.constant([])
          : fc.oneof({ weight: 1, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: couplingsOf(names) }),
      gpuBudget: fc
        .record(
          { max: fc.integer({ min: 0, max: 80 * Math.ceil(count / 4) }), min: fc.integer({ min: 0, max: 40 }) },
          optional,
        )
        .map(({ max, min }) => present({ max, min: min === undefined ? undefined : Math.min(min, max ?? min) })),
      minimumViableSet: fc.record({ overrides: fc.dictionary(name, fc.integer({ min: 1, max: 3 }), { maxKeys: 2 }) }),
      slo: fc.record({ ttft: fc.record({ target: goal }), itl: fc.record({ target: goal }) }, optional),
      performanceModel: fc.oneof(
        fc.record({ source: fc.constantFrom("Online", "None") }),
        fc.record({
          source: fc.constant("Profile"),
          routing: fc.constantFrom("LeastLoaded", "RoundRobin"),
          profileRef: fc.constant({ name: "profile" }),
        }),
      ),
      forecast: fc.record(
        {
          enabled: fc.boolean(),
          horizon: fc.constantFrom("auto", "5m"),
          season: fc.constantFrom("1h", "24h"),
          maxError: percent,
          quantile: fc.constantFrom("p50", "p80", "p99.9"),
        },
        optional,
      ),
      coldStart: fc.record(
        {
          leadTime: fc.constantFrom("auto", "1m"),
          scaleDownWindow: fc.constantFrom("auto", "0s", "10m"),
          pendingTimeout: duration,
          changeDeadline: duration,
          maxConcurrentStarting: fc.integer({ min: 1, max: 4 }),
        },
        optional,
      ),
      schedules: fc.array(
        fc.record({
          name: fc.constant("window"),
          schedule: fc.constantFrom("* * * * *", "0 7 * * 1-5", "30 2 29 2 *"),
          timeZone: fc.constantFrom("UTC", "Europe/Berlin", "America/New_York"),
          duration,
          bounds: fc.dictionary(
            name,
            fc.record(
              { minReplicas: fc.integer({ min: 0, max: 2 }), maxReplicas: fc.integer({ min: 1, max: 3 }) },
              optional,
            ),
            { maxKeys: 2 },
          ),
          gpuBudgetMax: fc.integer({ min: 0, max: 80 }),
        }),
        { maxLength: 1 },
      ),
      scaleToZero: fc.oneof(
        fc.constant({}),
        fc.record({
          enabled: fc.constant(true),
          idleWindow: duration,
          demandQuery: fc.constant("sum(waiting)"),
          set: fc.shuffledSubarray([...names], { minLength: 1 }),
        }),
      ),
      metricsPolicy: fc.record(
        { staleAfter: duration, minCoverage: percent, warmUp: fc.constantFrom("0s", "2m") },
        optional,
      ),
      fallback: fc.record({
        failureThreshold: fc.integer({ min: 1, max: 2 }),
        behavior: fc.constantFrom("static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"),
        replicas: fc.dictionary(name, fc.integer({ min: 0, max: 1 }), { minKeys: 1, maxKeys: 2 }),
      }),
      flapBudget: fc.record({ reversals: fc.integer({ min: 1, max: 3 }), per: duration }, optional),
    },
    { requiredKeys: ["scaleTargets"] },
  );
});

/** A policy as a server stores it, with its defaults; drawn until it passes admission. */
export const admittedPolicies: fc.Arbitrary<ScalingPolicy> = spec
  .map((drawn) =>
    admit({
      operation: "CREATE",
      object: {
        apiVersion: "autoscaling.grove.io/v1alpha1",
        kind: "ScalingPolicy",
        metadata: { namespace: "default", name: "p" },
        spec: { targetRef: { name: "x" }, ...drawn },
      } as never,
    }),
  )
  .filter(({ errors }) => errors.length === 0)
  .map(({ object }) => object as ScalingPolicy);

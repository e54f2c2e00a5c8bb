/** Any policy that a server admits, and any observation however broken: what properties over `decide` draw from. */
import { readFileSync } from "node:fs";
import fc, { type GeneratorValue } from "fast-check";
import { parse } from "yaml";
import { admit } from "../api/admission.ts";
import { type PerformanceProfile, parseProfile } from "../api/autoscaling/performance-profile.ts";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type {
  Measured,
  MetricReading,
  Observation,
  ProfileObservation,
  ScaledObject,
  TargetLoad,
} from "./observation.ts";
import type { Policy } from "./policy.ts";

const NAMES = [
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
const present = <T extends object>(one: T): T =>
  Object.fromEntries(Object.entries(one).filter(([, value]) => value !== undefined)) as T;
const optional: { requiredKeys: [] } = { requiredKeys: [] };

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

/** Numbers as measurements bring them. */
const anyNumber = fc.oneof(
  { weight: 5, arbitrary: fc.double({ min: 0, max: 100, noNaN: true }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(0, -0, -1, Number.NaN, Infinity, -Infinity, 1e308, -1e308, 5e-324, 2 ** 53, 2 ** 31),
  },
);
const anyAge = fc.option(fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: anyNumber }), {
  nil: undefined,
});

const sample = fc.record({
  value: fc.option(anyNumber, { nil: undefined }),
  ageMs: anyAge,
  isAsleep: fc.constantFrom(undefined, undefined, undefined, true as const),
});
const reading = fc.oneof(
  fc.array(sample, { maxLength: 5 }).map((samples) => ({
    kind: "PerReplica",
    samples: samples.map((one, at) => present({ replica: `${at}`, ...one })),
  })),
  fc.record({ value: anyNumber, ageMs: anyAge }).map((one) => ({ kind: "Total", sample: present(one) })),
  fc.constant({ kind: "Total" }),
  fc
    .constantFrom("Unreachable", "QueryInvalid", "TooLarge", "Failed")
    .map((reason) => ({ kind: "Error", reason, message: "" })),
) as fc.Arbitrary<MetricReading>;

const count = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 0, max: 12 }) },
  { weight: 1, arbitrary: fc.constantFrom(1_000, 2 ** 31 - 1) },
);
const few = fc.integer({ min: 0, max: 6 });
const measured = fc.option(fc.record({ value: anyNumber, ageMs: anyNumber }), { nil: undefined }) as fc.Arbitrary<
  Measured | undefined
>;
const load = fc
  .record({
    requestsPerSecond: measured,
    promptTokensPerSecond: measured,
    computedPromptTokensPerSecond: measured,
    generationTokensPerSecond: measured,
    runningRequests: measured,
    waitingRequests: measured,
    kvCacheUsage: measured,
    promptSpread: measured,
    timeToFirstToken: measured,
    interTokenLatency: measured,
    requestDuration: measured,
  })
  .map(present) as fc.Arbitrary<TargetLoad>;

const profileFile = new URL("../../policies/prefill-decode-slo/profile.yaml", import.meta.url);

function readProfile(): PerformanceProfile {
  const { data } = parse(readFileSync(profileFile, "utf8")) as { data: Record<string, string> };
  const read = parseProfile(data["profile.json"] ?? "");
  if (!read.ok) throw new Error(read.problem.message);
  return read.profile;
}

const measuredProfile = readProfile();
const profiles: fc.Arbitrary<ProfileObservation> = fc.oneof(
  fc
    .record(
      {
        kvTokens: fc.constantFrom(1, 1_000, 1e15),
        maxRequests: fc.constantFrom(1, 1_000_000),
        maxBatchedTokens: fc.constantFrom(1, 1_000_000),
        decodeMultiplier: fc.constantFrom(1e-6, 1, 1_000),
        ttftOverheadMs: fc.constantFrom(0, 1e9),
      },
      optional,
    )
    .map((change) => ({ kind: "Profile" as const, profile: { ...measuredProfile, ...change } })),
  fc
    .constantFrom("ProfileNotFound" as const, "ProfileInvalid" as const, "ProfileUnread" as const)
    .map((reason) => ({ kind: "Problem" as const, reason, message: "field kv: is missing" })),
);

/** Counts need not fit together, sums need not be sums: whatever an API server or a metrics server may show while things go wrong. */
export function anyObservation(draw: GeneratorValue, policy: Policy, nowMs: number, monotonicMs: number): Observation {
  const sets = draw(fc.integer, { min: 0, max: 3 });
  const isWhole = draw(fc.boolean);
  const object = (setIndex: number): ScaledObject => {
    const replicas = draw(() => count);
    const some = (): number => (isWhole ? 0 : draw(() => few));
    return {
      setIndex,
      objectName: `x-${setIndex}`,
      resourceVersion: "1",
      replicas,
      ready: isWhole ? replicas : some(),
      starting: some(),
      pending: some(),
      overdue: some(),
      overdueUnplaced: some(),
      uncreated: some(),
      isChanging: !isWhole && draw(fc.boolean),
    };
  };
  const rarely = (): boolean => draw(fc.integer, { min: 0, max: 19 }) === 0;
  const foreignWriters = draw(() =>
    fc.option(fc.dictionary(fc.constantFrom(...NAMES.slice(0, 4), "instances"), fc.constant("hpa"), { maxKeys: 2 }), {
      freq: 3,
      nil: {},
    }),
  );
  const override = draw(() =>
    fc.option(
      fc.record({
        force: fc.boolean(),
        scaleTargets: fc.dictionary(
          fc.constantFrom(...NAMES, "instances"),
          fc.record({ replicas: count, minReplicas: count, maxReplicas: count }, optional),
          { maxKeys: 3 },
        ),
      }),
      { freq: 5, nil: undefined },
    ),
  );
  return {
    nowMs,
    monotonicMs,
    set: present({
      objectName: "x",
      resourceVersion: "1",
      replicas: sets,
      ready: draw(() => few),
      fixedGpus: draw(() => fc.constantFrom(undefined, 0, 1, 8)) as number,
      metrics: (policy.set?.metrics ?? []).map(() => draw(() => reading)),
    }),
    targets: policy.targets.map(({ metrics }) =>
      present({
        objects: Array.from({ length: sets }, (_, setIndex) => setIndex)
          .filter(() => draw(fc.integer, { min: 0, max: 9 }) > 0)
          .map(object),
        minAvailable: draw(fc.integer, { min: 0, max: 3 }),
        templateReplicas: draw(() => few),
        gpusPerReplica: draw(() => fc.constantFrom(undefined, 0, 1, 1, 2, 8)) as number,
        metrics: metrics.map(() => draw(() => reading)),
        gracePeriodMs: draw(() => fc.constantFrom(undefined, 0, 30_000, 2 ** 53)) as number,
        load: policy.slo === undefined ? undefined : draw(() => load),
      }),
    ) as Observation["targets"],
    gpusInUse: draw(() => count),
    isSharing: draw(fc.boolean),
    startupsMs: draw(() => fc.array(fc.tuple(fc.constantFrom(...NAMES), anyNumber), { maxLength: 2 })),
    foreignWriters,
    ownedTargets: Object.keys(foreignWriters).filter(() => draw(fc.boolean)),
    ...(draw(fc.integer, { min: 0, max: 4 }) === 0 ? { gpusGranted: draw(() => count) } : {}),
    ...(draw(fc.integer, { min: 0, max: 19 }) === 0 ? { isBudgetMissing: true as const } : {}),
    ...(rarely() ? { gpusUnknown: "pod x-0-decode-1" } : {}),
    ...(rarely() ? { sharedGpusUnknown: "ScalingPolicy serving/chat (pod chat-0-decode-1)" } : {}),
    ...(draw(fc.integer, { min: 0, max: 4 }) === 0
      ? { queue: present({ name: "team", gpus: draw(() => fc.option(count, { nil: undefined })) }) as { name: string } }
      : {}),
    ...(policy.slo?.source === "Profile" ? { profile: draw(() => profiles) } : {}),
    ...(policy.scaleToZero === undefined ? {} : { zeroDemand: draw(() => reading) }),
    ...(override === undefined
      ? {}
      : {
          override: { name: "o", reason: "incident", expiresAtMs: nowMs + 60_000, ...override } as NonNullable<
            Observation["override"]
          >,
        }),
  };
}

/** Any observation, however broken: what properties over `decide` draw from. */
import { readFileSync } from "node:fs";
import fc, { type GeneratorValue } from "fast-check";
import { parse } from "yaml";
import { type PerformanceProfile, parseProfile } from "../api/autoscaling/performance-profile.ts";
import { NAMES, optional, present } from "./any-policy.fixture.ts";
import type {
  Measured,
  MetricReading,
  Observation,
  ProfileObservation,
  ScaledObject,
  TargetLoad,
} from "./observation.ts";
import type { Policy } from "./policy.ts";

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

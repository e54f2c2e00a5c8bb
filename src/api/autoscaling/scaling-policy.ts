/** ScalingPolicy: how one PodCliqueSet follows its load, at all its levels together. */
import { DURATION_PATTERN } from "../duration.ts";
import type { Resource } from "../kubernetes/meta.ts";
import { PERCENT_PATTERN, RATIO_PATTERN, SHARE_PATTERN } from "../ratio.ts";
import {
  array,
  boolean,
  defaulted,
  derived,
  type Infer,
  type InferInput,
  int32,
  literals,
  object,
  optional,
  record,
  string,
} from "../schema/builder.ts";
import {
  AGE_COLUMN,
  column,
  type ObjectInputOf,
  type ObjectOf,
  objectSchema,
  type ResourceDefinition,
} from "../schema/resource-definition.ts";
import type { ValidationRule } from "../schema/structural-schema.ts";
import { type DurationField, LONGEST_DURATIONS, tooLong } from "./duration-limits.ts";
import { SCALE_TARGET } from "./scale-target.ts";
import { SCALING_POLICY_STATUS } from "./scaling-policy-status.ts";
import { AUTOSCALING_GROUP, AUTOSCALING_VERSION } from "./shared.ts";

/** Targets of a policy. Bounds on lists and maps also keep the CEL rules within the API server's cost limit. */
const TARGETS_MAX = 32;

const atMost = (field: DurationField): string => `duration(self) <= duration('${LONGEST_DURATIONS[field]}')`;
const duration = (field: DurationField, description?: string) =>
  string({
    pattern: DURATION_PATTERN,
    maxLength: 32,
    rules: [{ rule: atMost(field), message: tooLong(field) }],
    ...(description !== undefined && { description }),
  });
const durationOrAuto = (field: DurationField, description: string) =>
  string({
    pattern: `^auto$|${DURATION_PATTERN}`,
    maxLength: 32,
    rules: [{ rule: `self == 'auto' || ${atMost(field)}`, message: tooLong(field) }],
    description,
  });
/** Of all there are. */
const share = (description: string) => string({ pattern: SHARE_PATTERN, maxLength: 16, description });
const percent = (description: string) => string({ pattern: PERCENT_PATTERN, maxLength: 16, description });

const RATIO = object(
  {
    name: derived(string({ minLength: 1, maxLength: 127 })),
    between: array(string({ maxLength: 63 }), {
      listType: "atomic",
      minItems: 2,
      maxItems: 2,
      description: "Two target names, a and b.",
    }),
    min: optional(string({ pattern: RATIO_PATTERN, maxLength: 32, description: "`p:q`: a to b is at least p to q." })),
    max: optional(string({ pattern: RATIO_PATTERN, maxLength: 32, description: "`u:v`: a to b is at most u to v." })),
    enforcement: defaulted(literals(["Hard", "Soft"]), "Hard"),
    transientSlack: defaulted(percent("Allowed deviation of ready replicas while a change is under way."), "25%"),
  },
  {
    rules: [
      {
        rule: "size(self.between) != 2 || self.between[0] != self.between[1]",
        message: "must name two different targets",
        fieldPath: ".between",
      },
      { rule: "has(self.min) || has(self.max)", message: "must have min, max or both" },
      {
        // a:b <= c:d is a*d <= c*b; six digits a side leave room in 64 bits.
        rule: "!has(self.min) || !has(self.max) || int(self.min.split(':')[0]) * int(self.max.split(':')[1]) <= int(self.max.split(':')[0]) * int(self.min.split(':')[1])",
        message: "must not be above max; swap them",
        fieldPath: ".min",
      },
    ],
  },
);

const COUPLING = object(
  {
    name: string({ minLength: 1, maxLength: 63 }),
    step: record(int32({ minimum: 1, maximum: 1000 }), {
      maxProperties: TARGETS_MAX,
      description: "Replicas that come and go together, by target: `{prefill: 1, decode: 2}` admits 1:2, 2:4, 3:6.",
    }),
  },
  {
    rules: [
      {
        rule: "size(self.step) > 0",
        message: "must name at least one target, such as {prefill: 1, decode: 2}",
        fieldPath: ".step",
      },
    ],
  },
);

const GPU_BUDGET = object(
  {
    max: optional(int32({ minimum: 0, description: "GPUs; hard." })),
    min: optional(int32({ minimum: 0, description: "GPUs; a floor." })),
    sharedBudgetRef: optional(object({ name: string({ minLength: 1 }) })),
    priority: defaulted(int32({ description: "Among the policies of the shared budget; higher goes first." }), 0),
    queueRef: optional(
      object({
        kind: defaulted(literals(["Queue"]), "Queue"),
        name: string({
          minLength: 1,
          description: "A KAI Scheduler queue: what its limit leaves is all that may grow.",
        }),
      }),
    ),
  },
  {
    rules: [
      {
        rule: "!has(self.min) || !has(self.max) || self.min <= self.max",
        message: "must not be below min; raise it or lower min",
        fieldPath: ".max",
      },
    ],
  },
);

/** More digits would round to the whole, which no latency has a quantile for. */
const QUANTILE_PATTERN = "^p(50|[5-9][0-9](\\.[0-9]{1,3})?)$";

const latencyGoal = (field: "slo.ttft.target" | "slo.itl.target") =>
  object({
    quantile: defaulted(string({ pattern: QUANTILE_PATTERN, description: "p50 to p99.999." }), "p90"),
    target: duration(field),
  });

const SLO = object(
  {
    ttft: optional(latencyGoal("slo.ttft.target")),
    itl: optional(latencyGoal("slo.itl.target")),
    attainment: defaulted(share("Share of requests that must meet the goals."), "95%"),
    window: defaulted(duration("slo.window"), "10m"),
  },
  {
    rules: [
      { rule: "has(self.ttft) || has(self.itl)", message: "must have ttft, itl or both; remove the block otherwise" },
    ],
  },
);

const PERFORMANCE_MODEL = object(
  {
    source: derived(literals(["Profile", "Online", "None"])),
    routing: defaulted(
      literals(["LeastLoaded", "RoundRobin"], {
        description:
          "How prompts reach prefill replicas: LeastLoaded, to the one with least to do (KV-aware routers too), so that they share one queue; RoundRobin, whatever they have to do.",
      }),
      "LeastLoaded",
    ),
    profileRef: optional(
      object({ kind: defaulted(literals(["ConfigMap"]), "ConfigMap"), name: string({ minLength: 1 }) }),
    ),
  },
  {
    rules: [
      {
        rule: "!has(self.source) || self.source != 'Profile' || has(self.profileRef)",
        message: "profileRef is required with source Profile",
      },
    ],
  },
);

const FORECAST = object({
  enabled: defaulted(boolean(), true),
  method: defaulted(
    literals(["Auto", "LastValue", "LinearTrend", "HoltWinters", "SeasonalNaive"], {
      description: "`Auto`: the one with the least rolling error.",
    }),
    "Auto",
  ),
  horizon: defaulted(
    durationOrAuto("forecast.horizon", "`auto`: the measured p90 start-up time plus one interval."),
    "auto",
  ),
  season: defaulted(duration("forecast.season"), "24h"),
  maxError: defaulted(percent("Rolling error (WAPE) above which forecasts are ignored."), "40%"),
  quantile: defaulted(
    string({
      pattern: QUANTILE_PATTERN,
      description:
        "Of what may come within the horizon, by how far forecasts were too low: sized for this quantile. `p50`: for the forecast itself.",
    }),
    "p80",
  ),
});

const COLD_START = object({
  leadTime: defaulted(durationOrAuto("coldStart.leadTime", "`auto`: measured from Pending to Ready."), "auto"),
  scaleDownWindow: defaulted(
    durationOrAuto(
      "coldStart.scaleDownWindow",
      "Least scale-down window of every target: `auto`, as long as a replica was measured to take from Pending to Ready. What is let go sooner is gone for less time than its return takes.",
    ),
    "auto",
  ),
  pendingTimeout: defaulted(
    duration("coldStart.pendingTimeout", "A replica that waits longer counts as absent."),
    "10m",
  ),
  changeDeadline: defaulted(
    duration(
      "coldStart.changeDeadline",
      "How long an update, a recreation or an object that does not appear may hold a target.",
    ),
    "30m",
  ),
  maxConcurrentStarting: optional(
    int32({ minimum: 1, description: "Replicas of one target that may start at the same time, in one set replica." }),
  ),
});

const SCHEDULE = object({
  name: string({ minLength: 1, maxLength: 63 }),
  timeZone: defaulted(string({ maxLength: 64, description: "IANA name." }), "UTC"),
  schedule: string({ minLength: 1, maxLength: 128, description: "Start, as five cron fields." }),
  duration: duration("schedules.duration"),
  bounds: defaulted(
    record(
      object(
        { minReplicas: optional(int32({ minimum: 0 })), maxReplicas: optional(int32({ minimum: 1 })) },
        {
          rules: [
            {
              rule: "!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
              message: "must not be above maxReplicas; lower it or raise maxReplicas",
              fieldPath: ".minReplicas",
            },
          ],
        },
      ),
      { maxProperties: TARGETS_MAX },
    ),
    {},
  ),
  gpuBudgetMax: optional(int32({ minimum: 0 })),
});

const SCALE_TO_ZERO = object(
  {
    enabled: defaulted(boolean(), false),
    idleWindow: defaulted(duration("scaleToZero.idleWindow"), "15m"),
    demandQuery: optional(
      string({ minLength: 1, maxLength: 8192, description: "PromQL that has a value at 0 replicas." }),
    ),
    set: derived(
      array(string({ maxLength: 63 }), {
        listType: "set",
        maxItems: TARGETS_MAX,
        description: "Targets that go to zero together.",
      }),
    ),
  },
  {
    rules: [
      {
        rule: "!has(self.enabled) || !self.enabled || has(self.demandQuery)",
        message: "demandQuery is required when enabled, because pods that do not exist report no demand",
      },
      {
        rule: "!has(self.enabled) || !self.enabled || !has(self.set) || size(self.set) > 0",
        message: "must name at least one target",
        fieldPath: ".set",
      },
    ],
  },
);

const FLAP_BUDGET = object({
  reversals: defaulted(int32({ minimum: 1, maximum: 100, description: "Changes of direction that are tolerated." }), 3),
  per: defaulted(duration("flapBudget.per"), "1h"),
  onExceeded: defaulted(
    literals(["WidenScaleDown"], { description: "Past the budget the scale-down window is doubled, up to `per`." }),
    "WidenScaleDown",
  ),
});

const METRICS_POLICY = object({
  staleAfter: defaulted(duration("metricsPolicy.staleAfter"), "60s"),
  minCoverage: defaulted(share("Ready replicas that must report."), "70%"),
  nonFinite: defaulted(literals(["Missing"]), "Missing"),
  onMissing: defaulted(literals(["Hold", "Fallback"]), "Hold"),
  warmUp: defaulted(
    duration(
      "metricsPolicy.warmUp",
      "After a gap in the metrics nothing goes down for this long: rates over a fresh window read low.",
    ),
    "2m",
  ),
});

const FALLBACK = object(
  {
    failureThreshold: defaulted(int32({ minimum: 1, description: "Intervals without metrics." }), 4),
    behavior: defaulted(
      literals(["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"]),
      "currentReplicasIfHigher",
    ),
    replicas: defaulted(record(int32({ minimum: 0 }), { maxProperties: TARGETS_MAX }), {}),
  },
  {
    rules: [
      {
        rule: "self.behavior != 'static' || size(self.replicas) > 0",
        message: "must have at least one entry with behavior static",
        fieldPath: ".replicas",
      },
    ],
  },
);

/** Names of targets in the blocks that refer to them, and blocks that need another one. The rest of the rules: `scaling-policy-validation.ts`. */
const SPEC_RULES: readonly ValidationRule[] = [
  {
    rule: "self.scaleTargets.filter(t, t.level == 'PodCliqueSet').size() <= 1",
    message: "at most one target may have level PodCliqueSet; merge them",
    fieldPath: ".scaleTargets",
  },
  {
    rule: "self.ratios.all(r, r.between.all(n, self.scaleTargets.exists(t, t.name == n)))",
    message: "between must name scale targets of this policy",
    fieldPath: ".ratios",
  },
  {
    rule: "self.ratios.all(r, self.scaleTargets.all(t, t.level != 'PodCliqueSet' || !(t.name in r.between)))",
    message: "ratios hold inside one PodCliqueSet replica; name a clique or a scaling group",
    fieldPath: ".ratios",
  },
  {
    rule: "self.coupling.all(c, c.step.all(n, self.scaleTargets.exists(t, t.name == n && t.level != 'PodCliqueSet')))",
    message: "step must name scale targets of this policy, cliques or scaling groups",
    fieldPath: ".coupling",
  },
  {
    rule: "self.minimumViableSet.overrides.all(n, self.scaleTargets.exists(t, t.name == n && self.minimumViableSet.overrides[n] <= t.maxReplicas))",
    message: "overrides must name scale targets of this policy and stay within their maxReplicas",
    fieldPath: ".minimumViableSet.overrides",
  },
  {
    rule: "self.schedules.all(s, s.bounds.all(n, self.scaleTargets.exists(t, t.name == n)))",
    message: "bounds must name scale targets of this policy",
    fieldPath: ".schedules",
  },
  {
    rule: "!has(self.scaleToZero.set) || self.scaleToZero.set.all(n, self.scaleTargets.exists(t, t.name == n))",
    message: "set must name scale targets of this policy",
    fieldPath: ".scaleToZero",
  },
  {
    rule: "!has(self.fallback) || self.fallback.replicas.all(n, self.scaleTargets.exists(t, t.name == n && self.fallback.replicas[n] <= t.maxReplicas))",
    message: "replicas must name scale targets of this policy and stay within their maxReplicas",
    fieldPath: ".fallback",
  },
  {
    rule: "self.metricsPolicy.onMissing != 'Fallback' || has(self.fallback)",
    message: "fallback is required with metricsPolicy.onMissing Fallback",
  },
];

const SPEC = object(
  {
    targetRef: object({
      apiVersion: defaulted(literals(["grove.io/v1alpha1"]), "grove.io/v1alpha1"),
      kind: defaulted(literals(["PodCliqueSet"]), "PodCliqueSet"),
      name: string({ minLength: 1 }),
    }),
    mode: defaulted(
      literals(["Active", "Advisory", "Paused", "Shadow"], {
        description:
          "Advisory decides and never writes; Shadow does so beside the policy that is active, and compares.",
      }),
      "Active",
    ),
    interval: defaulted(duration("interval", "Time between decisions."), "15s"),
    engine: defaulted(literals(["vllm", "sglang", "trtllm", "dynamo", "custom"]), "vllm"),
    scaleTargets: array(SCALE_TARGET, { listType: "map", mapKeys: ["name"], minItems: 1, maxItems: TARGETS_MAX }),
    ratios: defaulted(array(RATIO, { listType: "atomic", maxItems: 64 }), []),
    coupling: defaulted(array(COUPLING, { listType: "map", mapKeys: ["name"], maxItems: 16 }), []),
    gpuBudget: defaulted(GPU_BUDGET, {}),
    minimumViableSet: defaulted(
      object({
        source: defaulted(literals(["MinAvailable"]), "MinAvailable"),
        overrides: defaulted(record(int32({ minimum: 1 }), { maxProperties: TARGETS_MAX }), {}),
      }),
      {},
    ),
    slo: optional(SLO),
    performanceModel: defaulted(PERFORMANCE_MODEL, {}),
    forecast: defaulted(FORECAST, {}),
    coldStart: defaulted(COLD_START, {}),
    schedules: defaulted(array(SCHEDULE, { listType: "map", mapKeys: ["name"], maxItems: 64 }), []),
    scaleToZero: defaulted(SCALE_TO_ZERO, {}),
    metricsPolicy: defaulted(METRICS_POLICY, {}),
    fallback: optional(FALLBACK),
    flapBudget: optional(FLAP_BUDGET),
  },
  { rules: SPEC_RULES },
);

export type ScalingPolicySpec = Infer<typeof SPEC>;
export type ScalingPolicySpecInput = InferInput<typeof SPEC>;
export type ScalingPolicy = ObjectOf<typeof SPEC, typeof SCALING_POLICY_STATUS>;
export type ScalingPolicyInput = ObjectInputOf<typeof SPEC>;
export type PolicyMode = ScalingPolicySpec["mode"];
export type RatioConstraint = ScalingPolicySpec["ratios"][number];
export type Coupling = ScalingPolicySpec["coupling"][number];
export type PolicySchedule = ScalingPolicySpec["schedules"][number];

export const SCALING_POLICIES: Resource<ScalingPolicy> = {
  group: AUTOSCALING_GROUP,
  version: AUTOSCALING_VERSION,
  kind: "ScalingPolicy",
  plural: "scalingpolicies",
  namespaced: true,
};

export const SCALING_POLICY_DEFINITION: ResourceDefinition<ScalingPolicy> = {
  resource: SCALING_POLICIES,
  shortNames: ["sp"],
  schema: objectSchema(
    "How one PodCliqueSet follows its load, at all its levels together.",
    SPEC,
    SCALING_POLICY_STATUS,
  ),
  printerColumns: [
    column("Target", "string", ".spec.targetRef.name"),
    column("Mode", "string", ".spec.mode"),
    column("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
    column("Replicas", "string", ".status.replicas"),
    column("GPUs", "integer", ".status.budget.gpusUsed"),
    AGE_COLUMN,
  ],
};

/** One scale target of a ScalingPolicy: a level of Grove, its bounds, its metrics, and how fast it may move. */
import { QUANTITY_MAX_LENGTH, QUANTITY_PATTERN } from "../quantity.ts";
import {
  array,
  boolean,
  defaulted,
  derived,
  type Infer,
  int32,
  intOrString,
  literals,
  object,
  optional,
  string,
} from "../schema/builder.ts";

/**
 * Replicas of a PodCliqueSet that are planned at all. Each is planned by itself, so a mistyped number would take the memory of the process and with it
 * every other policy.
 */
export const MAX_SET_REPLICAS = 1_000;

/** No machine room has more, and the sum over the most replicas is still a number. */
export const MAX_GPUS_PER_REPLICA = 99_999;

/** Whatever is kept by the names of targets, every object of JavaScript has this one: the only such field that a name can be. */
export const RESERVED_NAME = "constructor";

/** Ready-made queries; each engine pack knows its own series for them. */
export const METRIC_PRESETS = [
  "kvCacheUsage",
  "waitingRequests",
  "runningRequests",
  "gpuUtilization",
  "requestsPerSecond",
  "promptTokensPerSecond",
  "generationTokensPerSecond",
  "timeToFirstToken",
  "interTokenLatency",
] as const;
export type MetricPreset = (typeof METRIC_PRESETS)[number];

const NAME = string({ minLength: 1, maxLength: 63, pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" });

const quantity = (description?: string) =>
  intOrString({
    pattern: QUANTITY_PATTERN,
    maxLength: QUANTITY_MAX_LENGTH,
    ...(description !== undefined && { description }),
  });

/** HPA v2 MetricTarget. */
const METRIC_TARGET = object({
  type: literals(["Utilization", "AverageValue", "Value"]),
  averageUtilization: optional(int32({ minimum: 1, description: "Percent; for Utilization." })),
  averageValue: optional(quantity("Per replica; for AverageValue.")),
  value: optional(quantity("For the whole target; for Value.")),
});

const METRIC = object({
  type: literals(["Preset", "Prometheus"]),
  preset: optional(object({ name: literals(METRIC_PRESETS), target: METRIC_TARGET })),
  prometheus: optional(object({ query: string({ minLength: 1, maxLength: 8192 }), target: METRIC_TARGET })),
  advisoryOnly: defaulted(boolean({ description: "Shown in decisions, never acted on." }), false),
});

/** HPA v2 HPAScalingRules. Percent and Pods count replicas of this target's level. */
const scalingRules = (
  windowSeconds: number,
  selected: readonly { readonly type: "Percent" | "Pods"; readonly value: number; readonly periodSeconds: number }[],
) =>
  object({
    stabilizationWindowSeconds: defaulted(int32({ minimum: 0, maximum: 3600 }), windowSeconds),
    tolerance: defaulted(quantity(), "0.1"),
    selectPolicy: defaulted(literals(["Max", "Min", "Disabled"]), "Max"),
    policies: defaulted(
      array(
        object({
          type: literals(["Percent", "Pods"]),
          value: int32({ minimum: 1 }),
          periodSeconds: int32({ minimum: 1, maximum: 1800 }),
        }),
        { listType: "atomic", minItems: 1, maxItems: 16 },
      ),
      selected,
    ),
  });

/** Defaults are those of the HPA: up by the greater of 100 % and 4 in 15 s, down by up to 100 % in 15 s after 300 s. */
const BEHAVIOR = object({
  scaleUp: defaulted(
    scalingRules(0, [
      { type: "Percent", value: 100, periodSeconds: 15 },
      { type: "Pods", value: 4, periodSeconds: 15 },
    ]),
    {},
  ),
  scaleDown: defaulted(scalingRules(300, [{ type: "Percent", value: 100, periodSeconds: 15 }]), {}),
  panic: optional(
    object({
      thresholdPercent: defaulted(
        int32({ minimum: 101, maximum: 10000, description: "Demand over current replicas that starts a panic." }),
        200,
      ),
      windowSeconds: defaulted(int32({ minimum: 1, maximum: 3600 }), 60),
      holdSeconds: defaulted(int32({ minimum: 0, maximum: 3600 }), 120),
    }),
  ),
});

export const SCALE_TARGET = object(
  {
    name: NAME,
    level: literals(["PodClique", "PodCliqueScalingGroup", "PodCliqueSet"]),
    ref: optional(
      string({
        minLength: 1,
        description: "Name of the clique or scaling group in the template; absent for PodCliqueSet.",
      }),
    ),
    role: derived(
      literals(["prefill", "decode", "aggregated", "frontend", "other"], {
        description: "Read off the name when absent.",
      }),
    ),
    minReplicas: defaulted(int32({ minimum: 0, description: "In units of the level, per PodCliqueSet replica." }), 1),
    maxReplicas: int32({ minimum: 1 }),
    gpusPerReplica: defaulted(
      intOrString({ pattern: "^(auto|[0-9]{1,5})$", description: "`auto` reads it off the pod templates." }),
      "auto",
    ),
    metrics: derived(array(METRIC, { listType: "atomic", maxItems: 16 })),
    behavior: defaulted(BEHAVIOR, {}),
    overflow: optional(
      object({
        after: array(NAME, { listType: "set", minItems: 1, maxItems: 32 }),
        when: defaulted(literals(["AtMax"]), "AtMax"),
      }),
    ),
  },
  {
    rules: [
      {
        rule: `self.name != '${RESERVED_NAME}'`,
        message: `must not be ${RESERVED_NAME}; choose another name, ref says which object it is`,
        fieldPath: ".name",
      },
      {
        rule: "self.minReplicas <= self.maxReplicas",
        message: "must not be above maxReplicas; lower it or raise maxReplicas",
        fieldPath: ".minReplicas",
      },
      {
        rule: `self.level != 'PodCliqueSet' || self.maxReplicas <= ${MAX_SET_REPLICAS}`,
        message: `must not be above ${MAX_SET_REPLICAS} for level PodCliqueSet; lower it`,
        fieldPath: ".maxReplicas",
      },
      {
        rule: `type(self.gpusPerReplica) == string || (int(self.gpusPerReplica) >= 0 && int(self.gpusPerReplica) <= ${MAX_GPUS_PER_REPLICA})`,
        message: `must be from 0 to ${MAX_GPUS_PER_REPLICA}, or "auto"`,
        fieldPath: ".gpusPerReplica",
      },
      {
        rule: "self.level != 'PodCliqueSet' || !has(self.ref)",
        message: "ref must not be set for level PodCliqueSet, which is the target itself; remove it",
      },
      {
        rule: "self.level == 'PodCliqueSet' || has(self.ref)",
        message: "ref is required for levels PodClique and PodCliqueScalingGroup: the name in the template",
      },
      {
        rule: "!has(self.overflow) || !(self.name in self.overflow.after)",
        message: "must not come after itself; name another target",
        fieldPath: ".overflow",
      },
    ],
  },
);

export type MetricTarget = Infer<typeof METRIC_TARGET>;
export type PolicyMetric = Infer<typeof METRIC>;
export type ScaleTarget = Infer<typeof SCALE_TARGET>;
export type ScaleTargetLevel = ScaleTarget["level"];
export type ScaleTargetRole = ScaleTarget["role"];
export type ScalingBehavior = ScaleTarget["behavior"];
export type ScalingRules = ScalingBehavior["scaleUp"];

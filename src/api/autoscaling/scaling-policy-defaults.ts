/** Defaults of a ScalingPolicy that depend on other fields. With those of the schema, every block is complete. */
import { applyDefaults } from "../schema/defaults.ts";
import type { PolicyMetric, ScaleTarget, ScaleTargetRole } from "./scale-target.ts";
import { SCALING_POLICY_DEFINITION, type ScalingPolicy, type ScalingPolicyInput } from "./scaling-policy.ts";

/** Queued requests per replica that a prefill replica may have in front of it. */
const WAITING_REQUESTS: PolicyMetric = {
  type: "Preset",
  preset: { name: "waitingRequests", target: { type: "AverageValue", averageValue: "5" } },
  advisoryOnly: false,
};
/** Full caches preempt requests; the rest is room for the sequences that are still growing. */
const KV_CACHE_USAGE: PolicyMetric = {
  type: "Preset",
  preset: { name: "kvCacheUsage", target: { type: "Utilization", averageUtilization: 80 } },
  advisoryOnly: false,
};

/**
 * An empty queue says nothing about how much a prefill replica has to do, so a queue alone would swing between its bounds. The busy share of a
 * prefill GPU is close to the load of queueing theory, and delay grows as load / (1 − load): it keeps what is busy and never adds any.
 */
const GPU_UTILIZATION: PolicyMetric = {
  type: "Preset",
  preset: { name: "gpuUtilization", target: { type: "Utilization", averageUtilization: 70 } },
  advisoryOnly: false,
};

const DEFAULT_METRICS: Readonly<Record<ScaleTargetRole, readonly PolicyMetric[]>> = {
  prefill: [WAITING_REQUESTS, GPU_UTILIZATION],
  decode: [KV_CACHE_USAGE],
  aggregated: [WAITING_REQUESTS, KV_CACHE_USAGE],
  // Nothing says what loads them; they follow bounds, ratios and schedules.
  frontend: [],
  other: [],
};

/** Idempotent. The object must have the shape of the schema. */
export function defaultScalingPolicy(object: ScalingPolicyInput): ScalingPolicy {
  const policy = applyDefaults(SCALING_POLICY_DEFINITION.schema, object) as ScalingPolicy;
  const { spec } = policy;
  const scaleTargets = spec.scaleTargets.map(defaultTarget);
  return {
    ...policy,
    spec: {
      ...spec,
      scaleTargets,
      ratios: spec.ratios.map((ratio) => ({ ...ratio, name: ratio.name ?? ratio.between.join("-") })),
      performanceModel: {
        ...spec.performanceModel,
        source: spec.performanceModel.source ?? (spec.performanceModel.profileRef === undefined ? "Online" : "Profile"),
      },
      scaleToZero: {
        ...spec.scaleToZero,
        set: spec.scaleToZero.set ?? scaleTargets.filter(servesTokens).map(({ name }) => name),
      },
    },
  };
}

function defaultTarget(target: ScaleTarget): ScaleTarget {
  const role = target.role ?? roleOf(target);
  const metrics = target.metrics ?? (target.level === "PodCliqueSet" ? [] : DEFAULT_METRICS[role]);
  return { ...target, role, metrics };
}

const ROLES = ["prefill", "decode", "aggregated", "frontend"] as const;

function roleOf({ name, ref, level }: ScaleTarget): ScaleTargetRole {
  if (level === "PodCliqueSet") return "other";
  const words = [name, ref].flatMap((text) =>
    String(text ?? "")
      .toLowerCase()
      .split(/[^a-z]+/u),
  );
  return ROLES.find((role) => words.includes(role)) ?? "other";
}

const servesTokens = ({ role, level }: ScaleTarget): boolean =>
  level !== "PodCliqueSet" && (role === "prefill" || role === "decode" || role === "aggregated");

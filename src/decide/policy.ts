/** A ScalingPolicy's spec as the decision reads it: numbers instead of text, indexes instead of names. */
import type { PolicyMetric, ScaleTarget, ScalingRules } from "../api/autoscaling/scale-target.ts";
import type { ScalingPolicySpec } from "../api/autoscaling/scaling-policy.ts";
import { parseDurationMs } from "../api/duration.ts";
import { parseQuantity } from "../api/quantity.ts";
import { parsePercentRatio, parseRatio } from "../api/ratio.ts";
import type { Behavior, DirectionBehavior } from "./behavior.ts";
import type { LatencyGoal } from "./capacity/replica-capacity.ts";
import type { Coupling } from "./coupling.ts";
import type { Fraction, RatioBand } from "./ratio.ts";

export interface MetricPolicy {
  /** How it is called in the explanation. */
  readonly label: string;
  readonly targetType: "Utilization" | "AverageValue" | "Value";
  /** Per replica for Utilization (a share, 0.8 for 80 %) and AverageValue; for the whole target with Value. */
  readonly targetValue: number;
  /** A queue: it says how far behind the target is, not how much capacity is missing. */
  readonly isBacklog: boolean;
  /** For the whole target it is the mean over its replicas, as a latency is; absent: their sum. */
  readonly isMean?: true;
  /** It can keep replicas and never adds any: a duty cycle is full long before an engine is. */
  readonly isBrake?: true;
  readonly advisoryOnly: boolean;
}

export interface PanicPolicy {
  readonly thresholdRatio: number;
  /** Demand is averaged over this time before it is held against the threshold. */
  readonly windowMs: number;
  readonly holdMs: number;
}

export interface TargetPolicy {
  readonly name: string;
  readonly level: ScaleTarget["level"];
  readonly role: ScaleTarget["role"];
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** Raises Grove's minAvailable; 0 when not raised. */
  readonly minViableOverride: number;
  readonly metrics: readonly MetricPolicy[];
  readonly behavior: Behavior;
  readonly panic?: PanicPolicy;
  /** On the set: targets that must be at their maximum before it grows. */
  readonly overflowAfter?: readonly string[];
}

export interface SchedulePolicy {
  readonly name: string;
  readonly cron: string;
  readonly timeZone: string;
  readonly durationMs: number;
  readonly bounds: Readonly<Record<string, { readonly minReplicas?: number; readonly maxReplicas?: number }>>;
  readonly gpuBudgetMax?: number;
}

/** Latency goals, and where the capacity of a replica at them comes from. */
export interface SloPolicy {
  readonly ttft?: LatencyGoal;
  readonly itl?: LatencyGoal;
  /** Share of the decisions within the window that must meet the goals, in [0, 1]. */
  readonly attainmentRatio: number;
  readonly windowMs: number;
  readonly source: NonNullable<ScalingPolicySpec["performanceModel"]["source"]>;
  readonly routing: ScalingPolicySpec["performanceModel"]["routing"];
}

export interface FallbackPolicy {
  readonly failureThreshold: number;
  readonly behavior: NonNullable<ScalingPolicySpec["fallback"]>["behavior"];
  readonly replicas: Readonly<Record<string, number>>;
}

export interface Policy {
  readonly mode: ScalingPolicySpec["mode"];
  readonly intervalMs: number;
  /** Targets inside a set replica, in the order of the spec. */
  readonly targets: readonly TargetPolicy[];
  /** The PodCliqueSet itself, when the policy scales it. */
  readonly set?: TargetPolicy;
  readonly ratios: readonly RatioBand[];
  /** Absent: none. */
  readonly couplings?: readonly Coupling[];
  readonly gpuBudgetMax?: number;
  readonly gpuBudgetMin?: number;
  readonly metricsPolicy: {
    readonly staleAfterMs: number;
    readonly minCoverageRatio: number;
    readonly warmUpMs: number;
  };
  readonly fallback?: FallbackPolicy;
  readonly forecast: {
    readonly enabled: boolean;
    readonly method: ScalingPolicySpec["forecast"]["method"];
    readonly seasonMs: number;
    /** Absent: measured lead time plus one interval. */
    readonly horizonMs?: number;
    readonly maxErrorRatio: number;
    /** Of what may come within the horizon, in [0.5, 1). */
    readonly quantile: number;
  };
  readonly slo?: SloPolicy;
  readonly coldStart: {
    readonly leadTimeMs?: number;
    /** Least scale-down window; absent: as long as a replica takes to start. */
    readonly scaleDownWindowMs?: number;
    readonly pendingTimeoutMs: number;
    readonly changeDeadlineMs: number;
    /** Inside one set replica, of one target. */
    readonly maxConcurrentStarting?: number;
  };
  readonly schedules: readonly SchedulePolicy[];
  readonly flapBudget?: { readonly reversals: number; readonly perMs: number };
  /** Absent: never to zero. */
  readonly scaleToZero?: {
    readonly targets: readonly string[];
    readonly idleWindowMs: number;
    /** What is learned of it is forgotten with it. */
    readonly demandQuery?: string;
  };
}

/** @param spec after defaulting and validation: a text that does not parse is a broken invariant and throws */
export function readPolicy(spec: ScalingPolicySpec): Policy {
  const targets = spec.scaleTargets.map((target) => readTarget(target, spec));
  const set = targets.find(({ level }) => level === "PodCliqueSet");
  const { gpuBudget, fallback, forecast, coldStart, metricsPolicy, flapBudget, scaleToZero } = spec;
  return {
    mode: spec.mode,
    intervalMs: durationMs(spec.interval),
    targets: targets.filter(({ level }) => level !== "PodCliqueSet"),
    ...(set === undefined ? {} : { set }),
    ratios: spec.ratios.map(readBand),
    ...(spec.coupling.length === 0 ? {} : { couplings: spec.coupling.map(readCoupling) }),
    ...(gpuBudget.max === undefined ? {} : { gpuBudgetMax: gpuBudget.max }),
    ...(gpuBudget.min === undefined ? {} : { gpuBudgetMin: gpuBudget.min }),
    metricsPolicy: {
      staleAfterMs: durationMs(metricsPolicy.staleAfter),
      minCoverageRatio: percentRatio(metricsPolicy.minCoverage),
      warmUpMs: durationMs(metricsPolicy.warmUp),
    },
    ...(fallback === undefined || metricsPolicy.onMissing !== "Fallback" ? {} : { fallback }),
    forecast: {
      enabled: forecast.enabled,
      method: forecast.method,
      seasonMs: durationMs(forecast.season),
      ...(forecast.horizon === "auto" ? {} : { horizonMs: durationMs(forecast.horizon) }),
      maxErrorRatio: percentRatio(forecast.maxError),
      quantile: Number(forecast.quantile.slice(1)) / 100,
    },
    ...(spec.slo === undefined ? {} : { slo: readSlo(spec.slo, spec.performanceModel) }),
    coldStart: {
      ...(coldStart.leadTime === "auto" ? {} : { leadTimeMs: durationMs(coldStart.leadTime) }),
      ...(coldStart.scaleDownWindow === "auto" ? {} : { scaleDownWindowMs: durationMs(coldStart.scaleDownWindow) }),
      pendingTimeoutMs: durationMs(coldStart.pendingTimeout),
      changeDeadlineMs: durationMs(coldStart.changeDeadline),
      ...(coldStart.maxConcurrentStarting === undefined
        ? {}
        : { maxConcurrentStarting: coldStart.maxConcurrentStarting }),
    },
    schedules: spec.schedules.map(readSchedule),
    ...(flapBudget === undefined
      ? {}
      : { flapBudget: { reversals: flapBudget.reversals, perMs: durationMs(flapBudget.per) } }),
    ...(scaleToZero.enabled
      ? {
          scaleToZero: {
            targets: scaleToZero.set,
            idleWindowMs: durationMs(scaleToZero.idleWindow),
            ...(scaleToZero.demandQuery === undefined ? {} : { demandQuery: scaleToZero.demandQuery }),
          },
        }
      : {}),
  };
}

function readTarget(target: ScaleTarget, spec: ScalingPolicySpec): TargetPolicy {
  const { panic, scaleUp, scaleDown } = target.behavior;
  return {
    name: target.name,
    level: target.level,
    role: target.role,
    minReplicas: target.minReplicas,
    maxReplicas: target.maxReplicas,
    minViableOverride: spec.minimumViableSet.overrides[target.name] ?? 0,
    metrics: target.metrics.map(readMetric),
    behavior: { scaleUp: readRules(scaleUp), scaleDown: readRules(scaleDown) },
    ...(panic === undefined
      ? {}
      : {
          panic: {
            thresholdRatio: panic.thresholdPercent / 100,
            windowMs: panic.windowSeconds * 1000,
            holdMs: panic.holdSeconds * 1000,
          },
        }),
    ...(target.overflow === undefined ? {} : { overflowAfter: target.overflow.after }),
  };
}

function readMetric(metric: PolicyMetric): MetricPolicy {
  const preset = metric.preset?.name;
  const target = metric.preset?.target ?? metric.prometheus?.target;
  if (target === undefined) throw new TypeError(`metric of type ${metric.type} has no target`);
  const value = target.averageValue ?? target.value;
  return {
    label: preset ?? shorten(metric.prometheus?.query ?? ""),
    targetType: target.type,
    targetValue:
      target.averageUtilization === undefined ? quantity(value ?? Number.NaN) : target.averageUtilization / 100,
    isBacklog: preset === "waitingRequests",
    ...(preset === "timeToFirstToken" || preset === "interTokenLatency" ? { isMean: true } : {}),
    ...(preset === "gpuUtilization" ? { isBrake: true } : {}),
    advisoryOnly: metric.advisoryOnly,
  };
}

function readSchedule({
  name,
  schedule,
  timeZone,
  duration,
  bounds,
  gpuBudgetMax,
}: ScalingPolicySpec["schedules"][number]): SchedulePolicy {
  return {
    name,
    cron: schedule,
    timeZone,
    durationMs: durationMs(duration),
    bounds,
    ...(gpuBudgetMax === undefined ? {} : { gpuBudgetMax }),
  };
}

function readSlo(
  slo: NonNullable<ScalingPolicySpec["slo"]>,
  { source = "None", routing }: ScalingPolicySpec["performanceModel"],
): SloPolicy {
  const goal = ({ quantile: text, target }: { readonly quantile: string; readonly target: string }): LatencyGoal => ({
    quantile: Number(text.slice(1)) / 100,
    targetMs: durationMs(target),
  });
  return {
    ...(slo.ttft === undefined ? {} : { ttft: goal(slo.ttft) }),
    ...(slo.itl === undefined ? {} : { itl: goal(slo.itl) }),
    attainmentRatio: percentRatio(slo.attainment),
    windowMs: durationMs(slo.window),
    source,
    routing,
  };
}

function readRules(rules: ScalingRules): DirectionBehavior {
  return {
    stabilizationWindowMs: rules.stabilizationWindowSeconds * 1000,
    toleranceRatio: quantity(rules.tolerance),
    selectPolicy: rules.selectPolicy,
    policies: rules.policies.map(({ type, value, periodSeconds }) => ({ type, value, periodMs: periodSeconds * 1000 })),
  };
}

function readBand(ratio: ScalingPolicySpec["ratios"][number]): RatioBand {
  const [a = "", b = ""] = ratio.between;
  return {
    name: ratio.name,
    between: [a, b],
    ...(ratio.min === undefined ? {} : { min: fraction(ratio.min) }),
    ...(ratio.max === undefined ? {} : { max: fraction(ratio.max) }),
    enforcement: ratio.enforcement,
    transientSlackRatio: percentRatio(ratio.transientSlack),
  };
}

function readCoupling({ name, step }: ScalingPolicySpec["coupling"][number]): Coupling {
  return { name, steps: Object.entries(step).map(([target, replicas]) => ({ target, replicas })) };
}

function fraction(text: string): Fraction {
  const ratio = parsed(parseRatio(text), text);
  return { numerator: ratio.first, denominator: ratio.second };
}

const durationMs = (text: string): number => parsed(parseDurationMs(text), text);
const percentRatio = (text: string): number => parsed(parsePercentRatio(text), text);
const quantity = (text: string | number): number => parsed(parseQuantity(text), String(text));

/** The metric that a query reads first, which says more in a sentence than the head of the query. */
function shorten(query: string): string {
  const name = /([a-zA-Z_:][a-zA-Z0-9_:]*)\s*[{[]/.exec(query)?.[1];
  return name ?? (query.length <= 60 ? query : `${query.slice(0, 57)}...`);
}

function parsed<T>(value: T | undefined, text: string): T {
  if (value === undefined) throw new TypeError(`"${text}" passed validation but does not parse`);
  return value;
}

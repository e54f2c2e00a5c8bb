/** Rules of a ScalingPolicy that need only the object. What needs the target or Prometheus is checked by the controller. */
import { cronProblem } from "../cron.ts";
import { parseDurationMs } from "../duration.ts";
import { parseQuantity } from "../quantity.ts";
import { compareRatios, parseRatio } from "../ratio.ts";
import type { FieldError } from "../schema/validate.ts";
import { checkCouplings } from "./coupling-validation.ts";
import { type DurationField, LONGEST_DURATIONS, tooLong } from "./duration-limits.ts";
import { inactiveFieldWarnings } from "./inactive-fields.ts";
import { leastReplicas } from "./least-replicas.ts";
import { validateMetric } from "./metric-validation.ts";
import { type Band, type Bounds, feasibility, type Tuple } from "./ratio-feasibility.ts";
import {
  MAX_GPUS_PER_REPLICA,
  MAX_SET_REPLICAS,
  type PolicyMetric,
  RESERVED_NAME,
  type ScaleTarget,
} from "./scale-target.ts";
import type { PolicySchedule, RatioConstraint, ScalingPolicy, ScalingPolicySpec } from "./scaling-policy.ts";
import { overlapWarnings } from "./schedule-overlap.ts";
import { windowWarnings } from "./window-warnings.ts";

type Report = (field: string, message: string) => void;
type Targets = ReadonlyMap<string, ScaleTarget>;

/** Decisions more often than this only repeat the same samples. */
const INTERVAL_MIN_MS = 1000;

export function validateScalingPolicy({ spec }: ScalingPolicy): {
  readonly errors: readonly FieldError[];
  readonly warnings: readonly string[];
} {
  const errors: FieldError[] = [];
  const warnings: string[] = [];
  const report: Report = (field, message) => {
    errors.push({ field, message });
  };
  const targets: Targets = new Map(spec.scaleTargets.map((target) => [target.name, target]));
  checkTargets(spec, targets, errors, warnings);
  const bounds = boundsOf(spec, targets);
  const hardBands = checkRatios(spec, targets, bounds, checkCouplings(spec, targets, bounds, report, warnings), report);
  checkBudget(spec, targets, report);
  checkTimes(spec, report);
  checkSchedules(spec, targets, report);
  checkNames(spec, targets, report);
  checkModes(spec, report);
  if (errors.length === 0)
    warnings.push(
      ...windowWarnings(spec),
      ...overlapWarnings(spec),
      ...scheduledRatioWarnings(spec, targets, hardBands),
    );
  return { errors, warnings: [...warnings, ...inactiveFieldWarnings(spec)] };
}

function checkTargets(
  { scaleTargets, scaleToZero }: ScalingPolicySpec,
  targets: Targets,
  errors: FieldError[],
  warnings: string[],
): void {
  const addressed = new Map<string, string>();
  for (const [index, target] of scaleTargets.entries()) {
    const path = `spec.scaleTargets[${index}]`;
    const report: Report = (field, message) => {
      errors.push({ field: `${path}.${field}`, message });
    };
    const { level, ref, name, minReplicas, maxReplicas } = target;
    if (name === RESERVED_NAME)
      report("name", `must not be ${RESERVED_NAME}; choose another name, ref says which object it is`);
    if (minReplicas > maxReplicas) {
      report("minReplicas", `must not be above maxReplicas (${maxReplicas}); lower it or raise maxReplicas`);
    }
    if (level === "PodCliqueSet" && maxReplicas > MAX_SET_REPLICAS) {
      report("maxReplicas", `must not be above ${MAX_SET_REPLICAS} for level PodCliqueSet; lower it`);
    }
    if (level === "PodCliqueSet" && ref !== undefined) {
      report("ref", "must not be set for level PodCliqueSet, which is the target itself; remove it");
    } else if (level !== "PodCliqueSet" && ref === undefined) {
      report("ref", `is required for level ${level}: the name of the ${level} in the template`);
    }
    const address = `${level} ${ref ?? ""}`.trim();
    const other = addressed.get(address);
    if (other !== undefined) report("ref", `${address} is already scaled by ${JSON.stringify(other)}; merge the two`);
    addressed.set(address, name);
    const { gpusPerReplica: gpus } = target;
    if (typeof gpus === "number" && (gpus < 0 || gpus > MAX_GPUS_PER_REPLICA)) {
      report("gpusPerReplica", `must be from 0 to ${MAX_GPUS_PER_REPLICA}, or "auto"`);
    }
    checkBehavior(target, report);
    for (const [at, metric] of target.metrics.entries()) {
      const tolerance = parseQuantity(target.behavior.scaleUp.tolerance) ?? 0;
      errors.push(...validateMetric(metric, `${path}.metrics[${at}]`, tolerance));
      // On a prefill worker the busy share is its load; a decode worker is busy from its first request on.
      if (isBrake(metric) && target.role !== "prefill") {
        warnings.push(
          `${path}.metrics[${at}]: GPU utilisation is near 100 % long before an engine is full; ` +
            "prefer kvCacheUsage or waitingRequests and set advisoryOnly here",
        );
      }
    }
    const acting = target.metrics.filter(({ advisoryOnly }) => !advisoryOnly);
    if (acting.length > 0 && acting.every(isBrake)) {
      warnings.push(
        `${path}.metrics: GPU utilisation can only keep replicas, never add any, so this target holds what it has; ` +
          "add a metric that says how many are needed, such as waitingRequests",
      );
    }
    for (const [at, first] of (target.overflow?.after ?? []).entries()) {
      if (!targets.has(first) || first === name) report(`overflow.after[${at}]`, unknownTarget(first, targets));
    }
    if (minReplicas === 0 && !(scaleToZero.enabled && scaleToZero.set.includes(name))) {
      warnings.push(`${path}.minReplicas: 0 is raised to minAvailable unless scaleToZero is enabled for this target`);
    }
  }
}

const isBrake = ({ preset, advisoryOnly }: PolicyMetric): boolean => preset?.name === "gpuUtilization" && !advisoryOnly;

function checkBehavior({ behavior }: ScaleTarget, report: Report): void {
  for (const direction of ["scaleUp", "scaleDown"] as const) {
    const tolerance = parseQuantity(behavior[direction].tolerance);
    if (tolerance === undefined || tolerance < 0 || tolerance >= 1) {
      report(`behavior.${direction}.tolerance`, 'must be a quantity from 0 to below 1, such as "0.1"');
    }
  }
}

/** @param during the bounds of a schedule that is in force, which raise minima and lower maxima */
function boundsOf(
  spec: ScalingPolicySpec,
  targets: Targets,
  during: PolicySchedule["bounds"] = {},
): ReadonlyMap<string, Bounds> {
  return new Map(
    [...targets.values()].map((target) => {
      const { name } = target;
      const max = Math.min(target.maxReplicas, during[name]?.maxReplicas ?? Number.POSITIVE_INFINITY);
      const least = Math.max(leastReplicas(spec, target), Math.min(during[name]?.minReplicas ?? 0, max));
      // A state in which nothing runs satisfies every ratio and helps nobody.
      return [name, { min: Math.max(1, least), max: Math.max(max, during[name] === undefined ? 0 : least) }];
    }),
  );
}

function scheduledRatioWarnings(
  spec: ScalingPolicySpec,
  targets: Targets,
  hardBands: readonly Band[],
): readonly string[] {
  if (hardBands.length === 0) return [];
  return spec.schedules.flatMap(({ name, bounds }, index) =>
    feasibility(boundsOf(spec, targets, bounds), hardBands) !== "Possible"
      ? [
          `spec.schedules[${index}].bounds: no state inside them satisfies the hard ratios (${hardBands.map(({ a, b }) => `${a}:${b}`).join(", ")}), which are given up while ${name} lasts; widen them`,
        ]
      : [],
  );
}

/** @returns the bands that hold for certain */
function checkRatios(
  { ratios }: ScalingPolicySpec,
  targets: Targets,
  bounds: ReadonlyMap<string, Bounds>,
  couplings: readonly Tuple[],
  report: Report,
): readonly Band[] {
  const names = new Set<string>();
  const hardBands: Band[] = [];
  for (const [index, ratio] of ratios.entries()) {
    const path = `spec.ratios[${index}]`;
    if (names.has(ratio.name))
      report(`${path}.name`, `Duplicate value: ${JSON.stringify(ratio.name)}; give it another name`);
    names.add(ratio.name);
    const band = checkRatio(ratio, path, targets, report);
    if (band === undefined) continue;
    const pair = new Map([...bounds].filter(([name]) => name === band.a || name === band.b));
    // Bounds that exclude one another are reported where they stand.
    if ([...pair.values()].some(({ min, max }) => min > max)) continue;
    const possible = feasibility(pair, [band]);
    if (possible === "Impossible") {
      report(
        path,
        `no whole numbers of ${band.a} and ${band.b} inside their bounds satisfy it; widen the band or the bounds`,
      );
    } else if (possible === "TooFar") {
      report(
        path,
        `only very large numbers of ${band.a} and ${band.b} satisfy it, if any; widen the band or use rounder numbers`,
      );
    } else if (ratio.enforcement === "Hard") hardBands.push(band);
  }
  const together = hardBands.length > 1 ? feasibility(bounds, hardBands) : "Possible";
  if (together === "Impossible") {
    report("spec.ratios", "no state inside the bounds satisfies all hard ratios together; widen one or make it Soft");
  } else if (together === "TooFar") {
    report(
      "spec.ratios",
      "only very large numbers of replicas satisfy all hard ratios together, if any; use rounder numbers, widen one or make it Soft",
    );
  } else if (couplings.length > 0 && hardBands.length > 0) {
    const coupled = feasibility(bounds, hardBands, couplings);
    if (coupled !== "Possible") {
      report(
        "spec.coupling",
        coupled === "Impossible"
          ? "no state inside the bounds satisfies the couplings and the hard ratios together; change a step, widen a ratio or make it Soft"
          : "only very large numbers of replicas satisfy the couplings and the hard ratios together, if any; change a step, widen a ratio or make it Soft",
      );
    }
  }
  return hardBands;
}

function checkRatio(ratio: RatioConstraint, path: string, targets: Targets, report: Report): Band | undefined {
  const [a, b] = ratio.between;
  if (a === undefined || b === undefined) return undefined;
  let good = true;
  const fail: Report = (field, message) => {
    good = false;
    report(field, message);
  };
  for (const [at, name] of [a, b].entries()) {
    const target = targets.get(name);
    if (target === undefined) fail(`${path}.between[${at}]`, unknownTarget(name, targets));
    else if (target.level === "PodCliqueSet") {
      fail(`${path}.between[${at}]`, "ratios hold inside one PodCliqueSet replica; name a clique or a scaling group");
    }
  }
  if (a === b) fail(`${path}.between`, "must name two different targets");
  if (ratio.min === undefined && ratio.max === undefined) fail(path, "must have min, max or both");
  const parsed = { min: parseSide(ratio.min, `${path}.min`, fail), max: parseSide(ratio.max, `${path}.max`, fail) };
  if (parsed.min !== undefined && parsed.max !== undefined && compareRatios(parsed.min, parsed.max) > 0) {
    fail(`${path}.min`, `${ratio.min} is above max ${ratio.max}; swap them`);
  }
  if (!good) return undefined;
  return { a, b, ...(parsed.min && { min: parsed.min }), ...(parsed.max && { max: parsed.max }) };
}

function parseSide(text: string | undefined, field: string, report: Report): ReturnType<typeof parseRatio> {
  if (text === undefined) return undefined;
  const ratio = parseRatio(text);
  if (ratio === undefined) report(field, `${JSON.stringify(text)} is not a ratio such as "1:4"`);
  return ratio;
}

function checkBudget(spec: ScalingPolicySpec, targets: Targets, report: Report): void {
  const { min, max } = spec.gpuBudget;
  if (max === undefined) return;
  if (min !== undefined && max < min) {
    report("spec.gpuBudget.max", `must not be below min (${min}); raise it or lower min`);
  }
  let gpus = 0;
  let sets = 1;
  for (const target of targets.values()) {
    const each = Number(target.gpusPerReplica);
    if (target.level === "PodCliqueSet") sets = Math.max(1, leastReplicas(spec, target));
    else if (Number.isInteger(each)) gpus += each * leastReplicas(spec, target);
  }
  const least = gpus * sets;
  if (least > max) {
    report(
      "spec.gpuBudget.max",
      `the minimum replicas alone need ${least} GPUs; raise it, or lower minReplicas or minimumViableSet.overrides`,
    );
  }
}

/** Fields that may be 0: what they hold back is then not held back. */
const ZERO_ALLOWED: ReadonlySet<DurationField> = new Set([
  "coldStart.scaleDownWindow",
  "coldStart.changeDeadline",
  "flapBudget.per",
  "metricsPolicy.warmUp",
]);

function checkTimes(spec: ScalingPolicySpec, report: Report): void {
  const { slo, forecast, coldStart, scaleToZero, metricsPolicy, flapBudget } = spec;
  const texts: Readonly<Record<Exclude<DurationField, "schedules.duration">, string | undefined>> = {
    interval: spec.interval,
    "slo.window": slo?.window,
    "slo.ttft.target": slo?.ttft?.target,
    "slo.itl.target": slo?.itl?.target,
    "forecast.horizon": forecast.horizon,
    "forecast.season": forecast.season,
    "coldStart.leadTime": coldStart.leadTime,
    "coldStart.scaleDownWindow": coldStart.scaleDownWindow,
    "coldStart.pendingTimeout": coldStart.pendingTimeout,
    "coldStart.changeDeadline": coldStart.changeDeadline,
    "scaleToZero.idleWindow": scaleToZero.idleWindow,
    "flapBudget.per": flapBudget?.per,
    "metricsPolicy.staleAfter": metricsPolicy.staleAfter,
    "metricsPolicy.warmUp": metricsPolicy.warmUp,
  };
  for (const [field, text] of Object.entries(texts) as [keyof typeof texts, string | undefined][]) {
    if (text === undefined || text === "auto") continue;
    const problem = durationProblem(field, text);
    if (problem !== undefined) report(`spec.${field}`, problem);
    else if (field === "interval" && (parseDurationMs(text) ?? 0) < INTERVAL_MIN_MS)
      report("spec.interval", "must be at least 1s");
  }
}

function durationProblem(field: DurationField, text: string): string | undefined {
  const durationMs = parseDurationMs(text);
  if (durationMs === undefined || durationMs < 0 || (durationMs === 0 && !ZERO_ALLOWED.has(field)))
    return `${JSON.stringify(text)} must be a duration above 0, such as 90s or 1h30m`;
  return durationMs > (parseDurationMs(LONGEST_DURATIONS[field]) as number)
    ? `${JSON.stringify(text)} ${tooLong(field)}`
    : undefined;
}

function checkSchedules({ schedules }: ScalingPolicySpec, targets: Targets, report: Report): void {
  for (const [index, schedule] of schedules.entries()) {
    const path = `spec.schedules[${index}]`;
    const isZone = isTimeZone(schedule.timeZone);
    const problem = cronProblem(schedule.schedule, isZone ? schedule.timeZone : "UTC");
    if (problem !== undefined) {
      report(
        `${path}.schedule`,
        `${JSON.stringify(schedule.schedule)} ${problem}; write five cron fields, such as "0 7 * * 1-5" for 7:00 on working days`,
      );
    }
    if (!isZone) {
      report(`${path}.timeZone`, `${JSON.stringify(schedule.timeZone)} is not an IANA time zone such as Europe/Berlin`);
    }
    const tooLongOrNone = durationProblem("schedules.duration", schedule.duration);
    if (tooLongOrNone !== undefined) report(`${path}.duration`, tooLongOrNone);
    checkScheduleBounds(schedule, path, targets, report);
  }
}

function checkScheduleBounds({ bounds }: PolicySchedule, path: string, targets: Targets, report: Report): void {
  for (const [name, { minReplicas, maxReplicas }] of Object.entries(bounds)) {
    const at = `${path}.bounds.${name}`;
    const target = targets.get(name);
    if (target === undefined) {
      report(at, unknownTarget(name, targets));
      continue;
    }
    const max = Math.min(maxReplicas ?? Infinity, target.maxReplicas);
    if (minReplicas !== undefined && minReplicas > max) {
      report(
        `${at}.minReplicas`,
        `must not be above the maximum then in force (${max}); lower it or raise the maximum`,
      );
    }
  }
}

function isTimeZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
    return true;
  } catch {
    return false;
  }
}

/** Names of targets in the blocks that refer to them. */
function checkNames(spec: ScalingPolicySpec, targets: Targets, report: Report): void {
  for (const [name, floor] of Object.entries(spec.minimumViableSet.overrides)) {
    const field = `spec.minimumViableSet.overrides.${name}`;
    const target = targets.get(name);
    if (target === undefined) report(field, unknownTarget(name, targets));
    else if (floor > target.maxReplicas)
      report(field, `must not be above maxReplicas (${target.maxReplicas}); lower it`);
  }
  for (const [index, name] of spec.scaleToZero.set.entries()) {
    if (!targets.has(name)) report(`spec.scaleToZero.set[${index}]`, unknownTarget(name, targets));
  }
  for (const [name, replicas] of Object.entries(spec.fallback?.replicas ?? {})) {
    const field = `spec.fallback.replicas.${name}`;
    const target = targets.get(name);
    if (target === undefined) report(field, unknownTarget(name, targets));
    else if (replicas > target.maxReplicas)
      report(field, `must not be above maxReplicas (${target.maxReplicas}); lower it`);
  }
}

/** Choices that need another block to mean something. */
function checkModes(
  { slo, performanceModel, scaleToZero, metricsPolicy, fallback }: ScalingPolicySpec,
  report: Report,
): void {
  if (slo !== undefined && slo.ttft === undefined && slo.itl === undefined) {
    report("spec.slo", "must have ttft, itl or both; remove the block otherwise");
  }
  if (performanceModel.source === "Profile" && performanceModel.profileRef === undefined) {
    report("spec.performanceModel.profileRef", "is required with source Profile");
  }
  if (scaleToZero.enabled && scaleToZero.demandQuery === undefined) {
    report("spec.scaleToZero.demandQuery", "is required, because pods that do not exist report no demand");
  }
  if (scaleToZero.enabled && scaleToZero.set.length === 0) {
    report("spec.scaleToZero.set", "must name at least one target");
  }
  if (metricsPolicy.onMissing === "Fallback" && fallback === undefined) {
    report("spec.fallback", "is required with metricsPolicy.onMissing Fallback");
  }
  if (fallback?.behavior === "static" && Object.keys(fallback.replicas).length === 0) {
    report("spec.fallback.replicas", "must have at least one entry with behavior static");
  }
}

const unknownTarget = (name: string, targets: Targets): string =>
  `${JSON.stringify(name)} is not another scale target of this policy; targets: ${[...targets.keys()].join(", ")}`;

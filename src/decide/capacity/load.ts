/** The load of the targets now, from the measured signals: who brings how many requests of what length. Pure. */
import { probit } from "simple-statistics";
import type { PerformanceProfile } from "../../api/autoscaling/performance-profile.ts";
import { totalsOf } from "../current.ts";
import type { Measured, Observation, TargetLoad } from "../observation.ts";
import type { Policy, TargetPolicy } from "../policy.ts";
import { arrivalsOf, type SystemHistory } from "./arrivals.ts";
import type { RequestShape } from "./replica-capacity.ts";

/** Lengths as they were, slowly following: a minute's mean over few requests is noise. */
export interface ShapeMemory {
  readonly inputTokens: number;
  readonly outputTokens?: number;
  readonly prefixHitRatio: number;
  /** p99 of the lengths of prompts over their median, as a logarithm. */
  readonly logSpread?: number;
  /** Share of one replica's KV cache that a running request holds. */
  readonly kvShare?: number;
  readonly atMs: number;
}

export interface Load {
  /** Of the whole target; what waits is to be served within a minute, or within a start where that takes longer. */
  readonly requestsPerSecond: number;
  /** Part of it that comes now. */
  readonly arrivalsPerSecond: number;
  /** Not measured now: as it was a moment ago. */
  readonly isRemembered?: true;
  /** Fewer replicas report than the policy asks for. */
  readonly isPartial?: true;
  /** Absent: not known yet, and nothing was remembered. */
  readonly shape?: RequestShape;
  /** Requests in the engines, over the whole target. */
  readonly running?: number;
  readonly waiting: number;
  /** Share of one replica's KV cache that a running request holds. */
  readonly kvShare?: number;
}

const SHAPE_TIME_CONSTANT_MS = 120_000;
const BACKLOG_DRAIN_SECONDS = 60;
/**
 * Where lengths are known by their mean alone: prompts of the public traces vary by 0.97 (Azure code and conversation, 2023) to 1.3 (Mooncake)
 * of their mean, answers by about as much.
 */
const ASSUMED_VARIATION = 1;
const ASSUMED_LOG_SPREAD = probit(0.99) * Math.sqrt(Math.log1p(ASSUMED_VARIATION ** 2));
/** A prompt is never wholly cached: engines compute its last block. */
const MAX_HIT_RATIO = 0.99;

/** What one decision keeps of the load of a target for the next. */
export interface LoadMemory {
  readonly shape?: ShapeMemory;
  /** Running and waiting on the input side of the target. */
  readonly inSystem?: SystemHistory;
  /** That side is the prefill targets': a history of theirs says nothing of the target's own engines. */
  readonly isOfPrefill?: true;
  /** Waiting alone, of an aggregated target: what its prompts are counted beside. */
  readonly inQueue?: SystemHistory;
  readonly last?: { readonly atMs: number; readonly arrivalsPerSecond: number };
}

/**
 * What is over before a replica that is ordered now is ready needs none: arrivals are followed with this share of a start as time constant. A queue is
 * counted as it is.
 */
const SMOOTHED_SHARE = 0.25;
const MAX_SMOOTHED_MS = 180_000;

/** More requests in the queue of a replica are more than it can take. */
const MAX_WAITING = 4;

export interface LoadContext {
  readonly policy: Policy;
  readonly observation: Observation;
  /** From the order of a replica to its readiness. */
  readonly leadMs: number;
}

/** New replicas have no rates yet, and with many of them too few report: the load has not gone because more serve it. */
const REMEMBERED_MS = 90_000;

/** The value of a signal that can be used: fresh, finite, not negative. */
export function usable(measured: Measured | undefined, staleAfterMs: number): number | undefined {
  if (measured === undefined) return undefined;
  const { value, ageMs } = measured;
  return Number.isFinite(value) && value >= 0 && ageMs <= staleAfterMs ? value : undefined;
}

/**
 * The load of target `index`.
 *
 * A prefill engine makes one token of each answer, so how long answers are is known by the decode side alone; prompts and the rate at which requests come
 * are known by the prefill side, before decode sees them.
 *
 * @returns undefined when the rate cannot be measured
 */
export function loadOf(
  { policy, observation, leadMs }: LoadContext,
  index: number,
  known: LoadMemory,
): { readonly load: Load | undefined; readonly memory: LoadMemory } {
  const { staleAfterMs } = policy.metricsPolicy;
  const target = policy.targets[index] as TargetPolicy;
  const sum = (role: TargetPolicy["role"], key: keyof TargetLoad): number | undefined => {
    const indexes = policy.targets.map((_, at) => at).filter((at) => policy.targets[at]?.role === role);
    const values = indexes.map((at) => usable(observation.targets[at]?.load?.[key], staleAfterMs));
    return values.length === 0 || values.includes(undefined)
      ? undefined
      : finite(values.reduce<number>((total, one) => total + (one ?? 0), 0));
  };
  const own = (key: keyof TargetLoad): number | undefined =>
    usable(observation.targets[index]?.load?.[key], staleAfterMs);
  const hasOneDecode = policy.targets.filter(({ role }) => role === "decode").length === 1;
  const fromPrefill = target.role === "decode" && hasOneDecode;
  const inputSide = (key: keyof TargetLoad) => (fromPrefill ? (sum("prefill", key) ?? own(key)) : own(key));
  const outputSide = (key: keyof TargetLoad) => (target.role === "prefill" ? sum("decode", key) : own(key));

  const { monotonicMs } = observation;
  const isOfPrefill = fromPrefill && sum("prefill", "requestsPerSecond") !== undefined;
  /** Rates and what is in the system must be of the same engines. */
  const flow = (key: keyof TargetLoad) => (isOfPrefill ? sum("prefill", key) : own(key));
  const done = flow("requestsPerSecond");
  const running = own("runningRequests");
  const promptRate = inputSide("promptTokensPerSecond");
  const shape = follow(known.shape, monotonicMs, {
    ...optional("inputTokens", ratio(promptRate, done)),
    ...optional("outputTokens", ratio(outputSide("generationTokensPerSecond"), outputSide("requestsPerSecond"))),
    ...optional("prefixHitRatio", hitRatio(inputSide("computedPromptTokensPerSecond"), promptRate)),
    ...optional("logSpread", logSpreadOf(own("promptSpread"), done)),
    ...optional("kvShare", kvShareOf(own("kvCacheUsage"), running, totalsOf(observation, index).ready)),
  });
  const isPartial = policy.targets.some(
    ({ role }, at) =>
      (at === index || (fromPrefill && role === "prefill")) && isPartlyMeasured(observation.targets[at]?.load),
  );
  const kept = shape === undefined ? {} : { shape };
  const waiting = own("waitingRequests") ?? 0;
  // What waits for its prompt waits for its answer too.
  const inFront = fromPrefill ? (sum("prefill", "waitingRequests") ?? 0) : 0;
  const load = (arrivalsPerSecond: number): Load => ({
    arrivalsPerSecond,
    requestsPerSecond: arrivalsPerSecond + (waiting + inFront) / Math.max(BACKLOG_DRAIN_SECONDS, leadMs / 1000),
    waiting,
    ...(isPartial ? { isPartial: true as const } : {}),
    ...optional("running", running),
    ...optional("kvShare", shape?.kvShare),
    ...(shape === undefined ? {} : { shape: requestShape(shape) }),
  });
  if (done === undefined) {
    const { last } = known;
    const isRecent = last !== undefined && monotonicMs - last.atMs <= REMEMBERED_MS && monotonicMs >= last.atMs;
    return {
      load: isRecent ? { ...load(last.arrivalsPerSecond), isRemembered: true } : undefined,
      memory: { ...kept, ...(isRecent ? { last } : {}) },
    };
  }
  // Requests count when they are done. In an engine that also decodes that is much later than their prompt is.
  const byRequests = arrivalsOf(
    done,
    plus(flow("runningRequests"), flow("waitingRequests")),
    (known.isOfPrefill === true) === isOfPrefill ? (known.inSystem ?? []) : [],
    monotonicMs,
  );
  const byPrompts =
    target.role !== "aggregated" || shape === undefined || promptRate === undefined
      ? undefined
      : arrivalsOf(promptRate / shape.inputTokens, own("waitingRequests"), known.inQueue ?? [], monotonicMs);
  const perSecond = Math.max(byRequests.perSecond, byPrompts?.perSecond ?? 0);
  const followed = smoothed(known.last, perSecond, monotonicMs, leadMs);
  // A queue of its own says that it is no noise.
  const isQueueing = waiting > MAX_WAITING * Math.max(1, totalsOf(observation, index).ready);
  const arrivalsPerSecond = isQueueing ? Math.max(followed, perSecond) : followed;
  return {
    load: load(arrivalsPerSecond),
    memory: {
      ...kept,
      inSystem: byRequests.history,
      ...(isOfPrefill ? { isOfPrefill } : {}),
      ...(byPrompts === undefined ? {} : { inQueue: byPrompts.history }),
      last: { atMs: monotonicMs, arrivalsPerSecond },
    },
  };
}

const isPartlyMeasured = (load: TargetLoad | undefined): boolean =>
  Object.values(load ?? {}).some((measured: Measured | undefined) => measured?.isPartial === true);

function smoothed(last: LoadMemory["last"], now: number, nowMs: number, leadMs: number): number {
  const timeConstantMs = Math.min(MAX_SMOOTHED_MS, SMOOTHED_SHARE * leadMs);
  if (last === undefined || nowMs <= last.atMs || !(timeConstantMs > 0)) return now;
  return now + (last.arrivalsPerSecond - now) * Math.exp((last.atMs - nowMs) / timeConstantMs);
}

/** Sums of finite numbers may be too large to be one. */
const finite = (value: number): number | undefined => (Number.isFinite(value) ? value : undefined);

const plus = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : finite(a + b);

/**
 * The shape with the context that running requests were seen to hold. It makes the cache's limit independent of the profile's: engines are often given
 * less memory. While the load rises the running requests are young and hold little, so it is never less than half of the answer is on average.
 */
export function shapeFor({ shape, kvShare }: Load, { kvTokens }: PerformanceProfile): RequestShape | undefined {
  if (shape === undefined || kvShare === undefined) return shape;
  return { ...shape, contextTokens: Math.max(shape.inputTokens + shape.outputTokens / 2, kvShare * kvTokens) };
}

function requestShape({ inputTokens, outputTokens = 0, prefixHitRatio, logSpread }: ShapeMemory): RequestShape {
  const sigma = logSpread === undefined ? undefined : logSpread / Z_99;
  return {
    inputTokens,
    outputTokens,
    prefixHitRatio,
    inputVariation: sigma === undefined ? ASSUMED_VARIATION : Math.sqrt(Math.expm1(sigma * sigma)),
    outputVariation: ASSUMED_VARIATION,
  };
}

const Z_99 = probit(0.99);
/** Of a log-normal: a thousand times the median is beyond any traffic. */
const MAX_SPREAD = 1_000;
/** The observer looks back so far. */
const SPREAD_SECONDS = 600;
/** One in a hundred of fewer requests is none, and then prompts do not vary less than they usually do. */
const MIN_REQUESTS = 200;

function logSpreadOf(spread: number | undefined, requestsPerSecond: number | undefined): number | undefined {
  if (spread === undefined || requestsPerSecond === undefined || !(spread > 0)) return undefined;
  const least = requestsPerSecond * SPREAD_SECONDS < MIN_REQUESTS ? ASSUMED_LOG_SPREAD : 0;
  return Math.max(least, Math.log(Math.min(MAX_SPREAD, Math.max(1, spread))));
}

/** Fewer requests are no average. */
const MIN_RUNNING = 8;

function kvShareOf(usage: number | undefined, running: number | undefined, readyReplicas: number): number | undefined {
  if (usage === undefined || running === undefined || running < MIN_RUNNING || !(usage > 0) || usage > 1)
    return undefined;
  return (usage * readyReplicas) / running;
}

type Lengths = Partial<Omit<ShapeMemory, "atMs">>;

function follow(known: ShapeMemory | undefined, nowMs: number, now: Lengths): ShapeMemory | undefined {
  const inputTokens = now.inputTokens ?? known?.inputTokens;
  if (inputTokens === undefined) return undefined;
  const elapsedMs = known === undefined ? 0 : Math.max(0, nowMs - known.atMs);
  const weight = 1 - Math.exp(-elapsedMs / SHAPE_TIME_CONSTANT_MS);
  const towards = (from: number | undefined, to: number | undefined): number | undefined =>
    from === undefined ? to : to === undefined ? from : from + weight * (to - from);
  return {
    inputTokens: towards(known?.inputTokens, now.inputTokens) ?? inputTokens,
    prefixHitRatio: towards(known?.prefixHitRatio, now.prefixHitRatio) ?? 0,
    atMs: nowMs,
    ...optional("outputTokens", towards(known?.outputTokens, now.outputTokens)),
    ...optional("logSpread", towards(known?.logSpread, now.logSpread)),
    ...optional("kvShare", towards(known?.kvShare, now.kvShare)),
  };
}

/** Tokens of one request; undefined when none came, or when the rates do not go together. */
function ratio(tokensPerSecond: number | undefined, requestsPerSecond: number | undefined): number | undefined {
  if (tokensPerSecond === undefined || requestsPerSecond === undefined) return undefined;
  const tokens = tokensPerSecond / requestsPerSecond;
  return Number.isFinite(tokens) && tokens > 0 ? Math.min(MAX_TOKENS, Math.max(1, tokens)) : undefined;
}

/** No model has a longer context. */
const MAX_TOKENS = 10_000_000;

/** Engines that do not say what they computed are taken to have computed it all. */
function hitRatio(computed: number | undefined, all: number | undefined): number | undefined {
  if (computed === undefined || all === undefined || !(all > 0)) return undefined;
  return Math.min(MAX_HIT_RATIO, Math.max(0, 1 - computed / all));
}

const optional = <K extends string>(key: K, value: number | undefined): { readonly [P in K]?: number } =>
  (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: number };

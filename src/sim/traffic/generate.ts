/** Streams of requests with known shapes. The same seed gives the same stream; nothing is held in memory. */
import type { Random } from "../../random.ts";

/** One request; structurally what the data plane takes. */
export interface GeneratedArrival {
  readonly atMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Ids of the 512-token blocks of the prompt, in order, where they are known. */
  readonly blocks?: readonly number[];
  /** Whose it is, where several clients are told apart. */
  readonly client?: string;
}

/** Requests per second at a time inside the phase. */
export type RateShape = (elapsedSeconds: number, durationSeconds: number) => number;

export const constant =
  (perSecond: number): RateShape =>
  () =>
    perSecond;

export const ramp =
  (fromPerSecond: number, toPerSecond: number): RateShape =>
  (elapsed, duration) =>
    fromPerSecond + (toPerSecond - fromPerSecond) * (elapsed / duration);

/** `before` until `atSeconds`, then `after`. */
export const step =
  (before: number, after: number, atSeconds: number): RateShape =>
  (elapsed) =>
    elapsed < atSeconds ? before : after;

export const sine =
  (meanPerSecond: number, amplitudePerSecond: number, periodSeconds: number): RateShape =>
  (elapsed) =>
    Math.max(0, meanPerSecond + amplitudePerSecond * Math.sin((2 * Math.PI * elapsed) / periodSeconds));

/** `base`, and `peak` for `burstSeconds` at the start of every `everySeconds`. */
export const burst =
  (base: number, peak: number, burstSeconds: number, everySeconds: number): RateShape =>
  (elapsed) =>
    elapsed % everySeconds < burstSeconds ? peak : base;

/** A lognormal length given by its median and the ratio of its 90th percentile to the median (1: always the median). */
export interface LengthShape {
  readonly medianTokens: number;
  readonly spreadP90: number;
}

export interface Phase {
  readonly durationSeconds: number;
  readonly requestsPerSecond: RateShape;
  readonly input: LengthShape;
  readonly output: LengthShape;
  /** `poisson` (the default), or `even`: exactly one request each time the rate adds up to one. */
  readonly arrivals?: "poisson" | "even";
}

/** Phases one after the other. */
export function* generateTraffic(phases: readonly Phase[], random: Random): Generator<GeneratedArrival> {
  let startMs = 0;
  for (const phase of phases) {
    for (const seconds of phase.arrivals === "even" ? even(phase) : poisson(phase, random)) {
      yield {
        atMs: startMs + seconds * 1000,
        inputTokens: length(phase.input, random),
        outputTokens: length(phase.output, random),
      };
    }
    startMs += phase.durationSeconds * 1000;
  }
}

/** Rates are taken to be constant within this time: the integration step of changing rates. */
const SLICE_SECONDS = 0.1;

/** A non-homogeneous Poisson process by time change: unit-exponential gaps on the axis of the integrated rate. */
function* poisson(phase: Phase, random: Random): Generator<number> {
  yield* crossings(phase, () => -Math.log(1 - random.next()));
}

function* even(phase: Phase): Generator<number> {
  yield* crossings(phase, () => 1);
}

/** Times at which the integrated rate has grown by the next gap. */
function* crossings({ durationSeconds, requestsPerSecond }: Phase, nextGap: () => number): Generator<number> {
  let missing = nextGap();
  for (let index = 0; index * SLICE_SECONDS < durationSeconds; index++) {
    const from = index * SLICE_SECONDS;
    const slice = Math.min(SLICE_SECONDS, durationSeconds - from);
    const rate = Math.max(0, requestsPerSecond(from + slice / 2, durationSeconds));
    let available = rate * slice;
    while (missing <= available && rate > 0) {
      available -= missing;
      yield from + slice - available / rate;
      missing = nextGap();
    }
    missing -= available;
  }
}

/** 90th percentile of the standard normal distribution. */
const Z90 = 1.2815515655446004;

function length({ medianTokens, spreadP90 }: LengthShape, random: Random): number {
  if (spreadP90 === 1) return medianTokens;
  const sigma = Math.log(spreadP90) / Z90;
  return Math.max(1, Math.round(medianTokens * Math.exp(sigma * standardNormal(random))));
}

/** Without the rounding to whole tokens. */
export function lengthMean({ medianTokens, spreadP90 }: LengthShape): number {
  const sigma = Math.log(spreadP90) / Z90;
  return medianTokens * Math.exp(sigma ** 2 / 2);
}

/** Box and Muller. */
export function standardNormal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
}

export interface DayInMiniatureOptions {
  readonly durationSeconds: number;
  readonly baseRequestsPerSecond: number;
  readonly peakRequestsPerSecond: number;
  readonly input?: LengthShape;
  readonly output?: LengthShape;
}

/** Low, up, plateau, down, low: everything that scales up has time to come down again before the end. */
export function dayInMiniature({
  durationSeconds,
  baseRequestsPerSecond,
  peakRequestsPerSecond,
  input = { medianTokens: 1_200, spreadP90: 2.5 },
  output = { medianTokens: 220, spreadP90: 2 },
}: DayInMiniatureOptions): readonly Phase[] {
  const phase = (share: number, requestsPerSecond: RateShape): Phase => ({
    durationSeconds: durationSeconds * share,
    requestsPerSecond,
    input,
    output,
  });
  return [
    phase(0.12, constant(baseRequestsPerSecond)),
    phase(0.2, ramp(baseRequestsPerSecond, peakRequestsPerSecond)),
    phase(0.23, constant(peakRequestsPerSecond)),
    phase(0.15, ramp(peakRequestsPerSecond, baseRequestsPerSecond)),
    phase(0.3, constant(baseRequestsPerSecond)),
  ];
}

/** Traffic as a metrics server remembers it: a rate and two histograms of lengths a step. Requests with the same rates and lengths can be made of it. Pure. */
import type { Random } from "../../random.ts";
import type { GeneratedArrival } from "./generate.ts";

export interface TokenHistogram {
  /** Ascending, in tokens; the last may be infinite. */
  readonly boundsTokens: readonly number[];
  /** Requests of each bucket, not cumulative. */
  readonly requests: readonly number[];
  /** Of all requests together. Absent: not known. */
  readonly sumTokens?: number;
}

export type RecordedStep =
  | {
      readonly kind: "known";
      readonly requestsPerSecond: number;
      /** Absent in a step without requests. */
      readonly lengths?: Lengths;
    }
  /** Nobody knows what there was, or how long it was. */
  | { readonly kind: "gap"; readonly missing: readonly string[]; readonly requestsPerSecond?: number };

interface Lengths {
  readonly input: TokenHistogram;
  readonly output: TokenHistogram;
}

export interface RecordedTraffic {
  readonly stepSeconds: number;
  readonly steps: readonly RecordedStep[];
}

export interface TrafficGap {
  /** Since the start of the record. */
  readonly fromSeconds: number;
  readonly toSeconds: number;
  readonly missing: readonly string[];
}

/** Neighbouring steps that miss the same are one gap. */
export function gapsOf({ steps, stepSeconds }: RecordedTraffic): readonly TrafficGap[] {
  const gaps: TrafficGap[] = [];
  for (const [index, step] of steps.entries()) {
    if (step.kind !== "gap") continue;
    const last = gaps.at(-1);
    const gap = { fromSeconds: index * stepSeconds, toSeconds: (index + 1) * stepSeconds, missing: step.missing };
    if (last?.toSeconds === gap.fromSeconds && last.missing.join() === gap.missing.join()) {
      gaps[gaps.length - 1] = { ...last, toSeconds: gap.toSeconds };
    } else {
      gaps.push(gap);
    }
  }
  return gaps;
}

/**
 * Poisson arrivals at the rate of each step, with lengths drawn from its histograms, input and output apart: their correlation is not recorded.
 *
 * @param gaps `refuse`: a gap is an error. `hold`: what is missing is that of the last step before it, or of the first after it where there is none before
 * @throws RangeError naming the gaps, or when nothing is known at all
 */
export function* recordedArrivals(
  traffic: RecordedTraffic,
  random: Random,
  { gaps }: { readonly gaps: "refuse" | "hold" },
): Generator<GeneratedArrival> {
  const missing = gapsOf(traffic);
  if (gaps === "refuse" && missing.length > 0) {
    throw new RangeError(`nothing is known of ${missing.map(spell).join(", ")}: take another range, or hold over gaps`);
  }
  const { steps, stepSeconds } = traffic;
  let lengths = steps.map(lengthsOf).find((known) => known !== undefined);
  let rate = steps.find(({ requestsPerSecond }) => requestsPerSecond !== undefined)?.requestsPerSecond;
  if (rate === undefined) throw new RangeError("nothing is known of the whole range");
  for (const [index, step] of steps.entries()) {
    lengths = lengthsOf(step) ?? lengths;
    rate = step.requestsPerSecond ?? rate;
    if (rate === 0) continue;
    if (lengths === undefined) throw new RangeError("the lengths of requests are not known anywhere in the range");
    yield* arrivalsOf(rate, lengths, { startMs: index * stepSeconds * 1000, stepSeconds }, random);
  }
}

const lengthsOf = (step: RecordedStep): Lengths | undefined => (step.kind === "known" ? step.lengths : undefined);

const spell = ({ fromSeconds, toSeconds, missing }: TrafficGap): string =>
  `${fromSeconds} to ${toSeconds} s (${missing.join(", ")})`;

function* arrivalsOf(
  requestsPerSecond: number,
  lengths: Lengths,
  { startMs, stepSeconds }: { readonly startMs: number; readonly stepSeconds: number },
  random: Random,
): Generator<GeneratedArrival> {
  const input = samplerOf(lengths.input);
  const output = samplerOf(lengths.output);
  let seconds = 0;
  for (;;) {
    seconds += -Math.log(1 - random.next()) / requestsPerSecond;
    if (!(seconds < stepSeconds)) return;
    yield { atMs: startMs + seconds * 1000, inputTokens: input(random), outputTokens: output(random) };
  }
}

/** Where the mean of a bucket may lie in it, as a share of its width. */
const [NEAREST, FARTHEST] = [0.02, 0.98];

/**
 * A bucket by its share, then a place in it: `low + width × u^p`, whose mean is `low + width / (p + 1)`, with the one `p` that gives the recorded sum.
 * The open bucket is taken to be as wide as its lower bound.
 */
function samplerOf({ boundsTokens, requests, sumTokens }: TokenHistogram): (random: Random) => number {
  const buckets = boundsTokens.map((bound, index) => {
    const low = Math.max(0, boundsTokens[index - 1] ?? 0);
    return {
      low,
      width: Number.isFinite(bound) ? Math.max(0, bound - low) : Math.max(1, low),
      requests: requests[index]!,
    };
  });
  const total = buckets.reduce((sum, bucket) => sum + bucket.requests, 0);
  const lows = buckets.reduce((sum, bucket) => sum + bucket.requests * bucket.low, 0);
  const widths = buckets.reduce((sum, bucket) => sum + bucket.requests * bucket.width, 0);
  const place = sumTokens === undefined || widths === 0 ? 0.5 : (sumTokens - lows) / widths;
  const exponent = 1 / Math.min(FARTHEST, Math.max(NEAREST, place)) - 1;
  return (random) => {
    let rest = random.next() * total;
    const bucket = buckets.find((one) => {
      rest -= one.requests;
      return rest < 0;
    })!;
    return Math.max(1, Math.round(bucket.low + bucket.width * random.next() ** exponent));
  };
}

/** Reads the traffic of a range of time from a metrics server: request rate and token histograms, step by step. */
import type { MetricsSource, Series } from "../../observe/metrics-source.ts";
import type { RecordedStep, RecordedTraffic, TokenHistogram } from "./recorded-traffic.ts";

interface TrafficMetrics {
  /** Counters; the first that has samples is taken. */
  readonly requests: readonly string[];
  /** Histograms, without their suffixes. */
  readonly inputTokens: string;
  readonly outputTokens: string;
  /** Counters that grow when requests end say what was served: less than what arrived while the system is overloaded, and late. */
  readonly counts: "arrivals" | "completions";
}

/** Engines count every request that reaches them: with prefill and decode workers apart, the matchers must choose one of the two. */
export const TRAFFIC_METRICS: Readonly<Record<"vllm" | "sglang" | "dynamo", TrafficMetrics>> = {
  vllm: {
    requests: ["vllm:request_success_total"],
    inputTokens: "vllm:request_prompt_tokens",
    outputTokens: "vllm:request_generation_tokens",
    counts: "completions",
  },
  sglang: {
    requests: ["sglang:num_requests_total"],
    inputTokens: "sglang:prompt_tokens_histogram",
    outputTokens: "sglang:generation_tokens_histogram",
    counts: "completions",
  },
  dynamo: {
    requests: ["dynamo_frontend_requests_started_total", "dynamo_frontend_requests_total"],
    inputTokens: "dynamo_frontend_input_sequence_tokens",
    outputTokens: "dynamo_frontend_output_sequence_tokens",
    counts: "arrivals",
  },
};

export interface TrafficRange {
  readonly engine: keyof typeof TRAFFIC_METRICS;
  /** Of all series, as in PromQL, without braces: `namespace="inference",model_name="m"`. Default: none. */
  readonly matchers?: string;
  readonly startSeconds: number;
  readonly endSeconds: number;
  /** Whole seconds, four scrape intervals or more. Default 60. */
  readonly stepSeconds?: number;
  readonly signal?: AbortSignal;
}

/** Prometheus refuses 11,000 points a series; histograms have dozens of series. */
const MAX_STEPS_A_QUERY = 2_000;

/**
 * @throws RangeError when the range holds no whole step
 * @throws MetricsError as the source does
 */
export async function readTraffic(source: MetricsSource, range: TrafficRange): Promise<RecordedTraffic> {
  const { engine, matchers = "", startSeconds, endSeconds, stepSeconds = 60, signal } = range;
  if (!(Number.isInteger(stepSeconds) && stepSeconds > 0)) {
    throw new RangeError(`stepSeconds must be a positive whole number, got ${stepSeconds}`);
  }
  const count = Math.floor((endSeconds - startSeconds) / stepSeconds);
  if (!(count >= 1)) {
    throw new RangeError(`the range must hold a step of ${stepSeconds} s, got ${startSeconds} to ${endSeconds} s`);
  }
  const metrics = TRAFFIC_METRICS[engine];
  const grown = (name: string): string => `increase(${name}{${matchers}}[${stepSeconds}s])`;
  /** A step is what has grown up to its end. */
  const ask = async (promql: string): Promise<readonly Series[]> => {
    const answers: Series[] = [];
    for (let from = 0; from < count; from += MAX_STEPS_A_QUERY) {
      const to = Math.min(count, from + MAX_STEPS_A_QUERY);
      const series = await source.queryRange(promql, {
        startSeconds: startSeconds + (from + 1) * stepSeconds,
        endSeconds: startSeconds + to * stepSeconds,
        stepSeconds,
        ...(signal && { signal }),
      });
      answers.push(...series);
    }
    return answers;
  };
  const stepOf = (seconds: number): number => Math.round((seconds - startSeconds) / stepSeconds) - 1;
  const requests = valuesOf(
    await ask(metrics.requests.map((name) => `sum(${grown(name)})`).join(" or ")),
    count,
    stepOf,
  );
  const histogram = async (name: string): Promise<readonly (TokenHistogram | undefined)[]> =>
    histogramsOf(
      await ask(`sum by (le) (${grown(`${name}_bucket`)})`),
      valuesOf(await ask(`sum(${grown(`${name}_sum`)})`), count, stepOf),
      count,
      stepOf,
    );
  const input = await histogram(metrics.inputTokens);
  const output = await histogram(metrics.outputTokens);
  return {
    stepSeconds,
    steps: Array.from({ length: count }, (_, step) => stepFrom(requests[step], input[step], output[step], stepSeconds)),
  };
}

function stepFrom(
  requests: number | undefined,
  input: TokenHistogram | undefined,
  output: TokenHistogram | undefined,
  stepSeconds: number,
): RecordedStep {
  if (requests === 0) return { kind: "known", requestsPerSecond: 0 };
  if (requests !== undefined && input !== undefined && output !== undefined) {
    return { kind: "known", requestsPerSecond: requests / stepSeconds, lengths: { input, output } };
  }
  const missing = [
    requests === undefined && "request rate",
    input === undefined && "prompt lengths",
    output === undefined && "answer lengths",
  ];
  return {
    kind: "gap",
    missing: missing.filter((what) => what !== false),
    ...(requests !== undefined && { requestsPerSecond: requests / stepSeconds }),
  };
}

/** Of one series, or of its parts one after the other. */
function valuesOf(
  series: readonly Series[],
  count: number,
  stepOf: (seconds: number) => number,
): readonly (number | undefined)[] {
  const values = new Array<number | undefined>(count).fill(undefined);
  for (const { points } of series) {
    for (const [seconds, value] of points) {
      if (Number.isFinite(value) && value >= 0) values[stepOf(seconds)] = value;
    }
  }
  return values;
}

/** Undefined for a step in which no request was measured. */
function histogramsOf(
  series: readonly Series[],
  sums: readonly (number | undefined)[],
  count: number,
  stepOf: (seconds: number) => number,
): readonly (TokenHistogram | undefined)[] {
  const byStep = Array.from({ length: count }, () => new Map<number, number>());
  for (const { labels, points } of series) {
    const bound = labels["le"] === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels["le"]);
    for (const [seconds, value] of points) {
      if (Number.isFinite(value) && !Number.isNaN(bound)) byStep[stepOf(seconds)]?.set(bound, value);
    }
  }
  return byStep.map((cumulative, step) => {
    const bounds = [...cumulative.keys()].sort((a, b) => a - b);
    let below = 0;
    const requests = bounds.map((bound) => {
      // Extrapolation to the edges of the step may turn neighbours around by a hair.
      const upTo = Math.max(below, cumulative.get(bound)!);
      const inside = upTo - below;
      below = upTo;
      return inside;
    });
    if (!(below > 0) || bounds.at(-1) !== Number.POSITIVE_INFINITY) return undefined;
    const sumTokens = sums[step];
    return { boundsTokens: bounds, requests, ...(sumTokens !== undefined && { sumTokens }) };
  });
}

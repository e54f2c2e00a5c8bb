import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../clock.ts";
import { seededRandom } from "../../random.ts";
import { createPrometheus, type Prometheus } from "../prometheus/prometheus.ts";
import { type GeneratedArrival, generateTraffic, sine } from "./generate.ts";
import { readTraffic, TRAFFIC_METRICS } from "./prometheus-traffic.ts";
import { gapsOf, recordedArrivals } from "./recorded-traffic.ts";

const START_MS = Date.UTC(2026, 0, 1);
const STEP_SECONDS = 60;
const BOUNDS = [100, 200, 500, 1_000, 2_000];

type Engine = keyof typeof TRAFFIC_METRICS;

/** What an engine that has served these requests exposes. */
function exposition(engine: Engine, served: readonly GeneratedArrival[], withLengths: boolean): string {
  const { requests, inputTokens, outputTokens } = TRAFFIC_METRICS[engine];
  const labels = 'namespace="inference",pod="p"';
  const histogram = (name: string, of: (arrival: GeneratedArrival) => number): string[] => [
    ...BOUNDS.map(
      (bound) => `${name}_bucket{${labels},le="${bound}.0"} ${served.filter((one) => of(one) <= bound).length}`,
    ),
    `${name}_bucket{${labels},le="+Inf"} ${served.length}`,
    `${name}_sum{${labels}} ${served.reduce((sum, one) => sum + of(one), 0)}`,
    `${name}_count{${labels}} ${served.length}`,
  ];
  return `${[
    `${requests.at(-1)}{${labels}} ${served.length}`,
    `${requests.at(-1)}{namespace="other",pod="q"} ${7 * served.length}`,
    ...(withLengths ? histogram(inputTokens, (one) => one.inputTokens) : []),
    ...(withLengths ? histogram(outputTokens, (one) => one.outputTokens) : []),
  ].join("\n")}\n`;
}

async function served(
  engine: Engine,
  arrivals: readonly GeneratedArrival[],
  minutes: number,
  answers: (minute: number) => "all" | "rates" | "none" = () => "all",
): Promise<Prometheus> {
  const clock = new VirtualClock(START_MS);
  const prometheus = createPrometheus({
    clock,
    retentionMs: 86_400_000,
    targets: () => [
      {
        labels: { job: "engine" },
        scrape: () => {
          const nowMs = clock.nowMs() - START_MS;
          const how = answers(nowMs / 60_000);
          if (how === "none") throw new Error("down");
          return exposition(
            engine,
            arrivals.filter(({ atMs }) => atMs < nowMs),
            how === "all",
          );
        },
      },
    ],
  });
  for (let scrape = 0; scrape <= minutes * 4; scrape++) {
    await prometheus.scraper.scrapeOnce();
    await clock.advance(15_000);
  }
  return prometheus;
}

const startSeconds = START_MS / 1000;
const range = (engine: Engine, minutes: number) => ({
  engine,
  matchers: 'namespace="inference"',
  startSeconds,
  endSeconds: startSeconds + minutes * 60,
  stepSeconds: STEP_SECONDS,
});

const original = [
  ...generateTraffic(
    [
      {
        durationSeconds: 1_800,
        requestsPerSecond: sine(4, 3, 1_200),
        input: { medianTokens: 600, spreadP90: 2.5 },
        output: { medianTokens: 120, spreadP90: 2 },
      },
    ],
    seededRandom(1),
  ),
];

describe("readTraffic", () => {
  test.each(["vllm", "sglang", "dynamo"] as const)(
    "%s: what comes out has the rates and lengths of what went in",
    async (engine) => {
      const { source } = await served(engine, original, 30);
      const traffic = await readTraffic(source, range(engine, 30));
      expect(gapsOf(traffic)).toEqual([]);
      const copies = [1, 2, 3, 4].map((seed) => [...recordedArrivals(traffic, seededRandom(seed), { gaps: "refuse" })]);
      for (let minute = 0; minute < 30; minute++) {
        const count = (of: readonly GeneratedArrival[]): number =>
          of.filter(({ atMs }) => Math.floor(atMs / 60_000) === minute).length;
        const wanted = count(original);
        const got = copies.reduce((sum, copy) => sum + count(copy), 0) / 4;
        // `increase` extrapolates over the first scrape, and the copies are Poisson.
        expect(Math.abs(got - wanted)).toBeLessThanOrEqual(3 * Math.sqrt(wanted / 4) + 0.04 * wanted + 1);
      }
      const all = copies.flat();
      for (const tokens of ["inputTokens", "outputTokens"] as const) {
        const mean = (of: readonly GeneratedArrival[]): number =>
          of.reduce((sum, one) => sum + one[tokens], 0) / of.length;
        expect(Math.abs(mean(all) / mean(original) - 1)).toBeLessThan(0.04);
        for (const bound of BOUNDS) {
          const below = (of: readonly GeneratedArrival[]): number =>
            of.filter((one) => one[tokens] <= bound).length / of.length;
          expect(Math.abs(below(all) - below(original))).toBeLessThan(0.02);
        }
      }
    },
  );

  test("time without requests is known to be empty; time without samples is a gap", async () => {
    const early = original.filter(({ atMs }) => atMs < 300_000);
    const { source } = await served("vllm", early, 20, (minute) => (minute > 10.1 && minute < 14.1 ? "none" : "all"));
    const traffic = await readTraffic(source, range("vllm", 20));
    expect(traffic.steps.slice(6, 10)).toEqual(new Array(4).fill({ kind: "known", requestsPerSecond: 0 }));
    expect(gapsOf(traffic)).toEqual([
      { fromSeconds: 600, toSeconds: 840, missing: ["request rate", "prompt lengths", "answer lengths"] },
    ]);
    expect(() => [...recordedArrivals(traffic, seededRandom(1), { gaps: "refuse" })]).toThrow(
      /nothing is known of 600 to 840 s \(request rate, prompt lengths, answer lengths\): take another range, or hold/,
    );
    const held = [...recordedArrivals(traffic, seededRandom(1), { gaps: "hold" })];
    expect(held.filter(({ atMs }) => atMs >= 600_000)).toEqual([]);
  });

  test("a known rate without lengths is a gap that keeps its rate", async () => {
    const { source } = await served("dynamo", original, 20, (minute) => (minute > 6 && minute < 12 ? "rates" : "all"));
    const traffic = await readTraffic(source, range("dynamo", 20));
    const [gap] = gapsOf(traffic);
    expect(gap).toMatchObject({ missing: ["prompt lengths", "answer lengths"] });
    const held = [...recordedArrivals(traffic, seededRandom(1), { gaps: "hold" })];
    const inside = (of: readonly GeneratedArrival[]): number =>
      of.filter(({ atMs }) => atMs >= 480_000 && atMs < 660_000).length;
    expect(Math.abs(inside(held) / inside(original) - 1)).toBeLessThan(0.15);
  });

  test("a range of which nothing is known gives no traffic", async () => {
    const { source } = await served("vllm", [], 5, () => "none");
    const traffic = await readTraffic(source, range("vllm", 5));
    expect(() => [...recordedArrivals(traffic, seededRandom(1), { gaps: "hold" })]).toThrow(
      /nothing is known of the whole range/,
    );
    const rates = await served("vllm", original, 5, () => "rates");
    const unmeasured = await readTraffic(rates.source, range("vllm", 5));
    expect(() => [...recordedArrivals(unmeasured, seededRandom(1), { gaps: "hold" })]).toThrow(
      /lengths of requests are not known/,
    );
  });

  test("a long range is asked for in parts", async () => {
    const asked: number[] = [];
    const stepSeconds = 15;
    const traffic = await readTraffic(
      {
        query: async () => [],
        queryRange: async (_, { startSeconds: from, endSeconds: to }) => {
          asked.push((to - from) / stepSeconds + 1);
          return [
            {
              labels: {},
              points: [
                [from, 0],
                [to, 0],
              ],
            },
          ];
        },
      },
      { engine: "vllm", startSeconds: 0, endSeconds: 4_500 * stepSeconds, stepSeconds },
    );
    expect(asked.slice(0, 3)).toEqual([2_000, 2_000, 500]);
    expect([0, 1_999, 2_000, 4_499].map((step) => traffic.steps[step]?.kind)).toEqual(new Array(4).fill("known"));
    expect(traffic.steps[1]?.kind).toBe("gap");
  });

  test.each([
    { bad: { stepSeconds: 0.5 }, message: /stepSeconds must be a positive whole number, got 0.5/ },
    { bad: { endSeconds: startSeconds + 30 }, message: /must hold a step of 60 s/ },
  ])("refused: $message", async ({ bad, message }) => {
    const { source } = await served("vllm", [], 1);
    await expect(readTraffic(source, { ...range("vllm", 5), ...bad })).rejects.toThrow(message);
  });
});

describe("recordedArrivals", () => {
  const step = (sumTokens: number | undefined, requests: readonly number[]) => {
    const histogram = { boundsTokens: [100, 200, Number.POSITIVE_INFINITY], requests, ...(sumTokens && { sumTokens }) };
    return {
      stepSeconds: 10_000,
      steps: [{ kind: "known" as const, requestsPerSecond: 1, lengths: { input: histogram, output: histogram } }],
    };
  };
  const meanOf = (traffic: ReturnType<typeof step>): number => {
    const all = [...recordedArrivals(traffic, seededRandom(2), { gaps: "refuse" })];
    return all.reduce((sum, { inputTokens }) => sum + inputTokens, 0) / all.length;
  };

  test.each([
    { name: "the recorded sum says where in its buckets a length lies", sum: 130, requests: [1, 0, 0], want: 98 },
    { name: "low in the bucket", sum: 110, requests: [0, 1, 0], want: 110 },
    { name: "high in the bucket", sum: 190, requests: [0, 1, 0], want: 190 },
    { name: "without a sum, in the middle", sum: undefined, requests: [0, 1, 0], want: 150 },
    { name: "the open bucket by the sum", sum: 350, requests: [0, 0, 1], want: 350 },
    { name: "over several buckets together", sum: 400, requests: [1, 1, 1], want: 400 / 3 },
  ])("$name", ({ sum, requests, want }) => {
    expect(Math.abs(meanOf(step(sum, requests)) / want - 1)).toBeLessThan(0.02);
  });
});

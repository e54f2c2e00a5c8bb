import { describe, expect, test } from "vitest";
import { seededRandom } from "../../random.ts";
import { generateTraffic, lengthMean } from "./generate.ts";
import { loadAt, requiredReplicas, SYNTHETIC_SCENARIOS, syntheticArrivals, syntheticScenario } from "./synthetic.ts";

const MINUTE = 60;
const rateAt = (name: string, minutes: number): number =>
  loadAt(syntheticScenario(name, 2), minutes * MINUTE).reduce(
    (sum, { requestsPerSecond }) => sum + requestsPerSecond,
    0,
  );

describe("syntheticScenario", () => {
  test.each([
    { name: "step-x2", at: [0, 19.9, 20, 49.9, 50], want: [2, 2, 4, 4, 2] },
    { name: "step-x5", at: [19.9, 20, 50], want: [2, 10, 2] },
    { name: "ramp", at: [10, 25, 40, 65, 85], want: [2, 6, 10, 6, 2] },
    { name: "sine-30", at: [0, 7.5, 22.5, 37.5], want: [6, 10, 2, 10] },
    { name: "sine-60", at: [0, 15, 45, 75], want: [6, 10, 2, 10] },
    { name: "square", at: [5, 10, 20, 30, 65], want: [2, 8, 2, 8, 2] },
    { name: "impulse", at: [19.9, 20.5, 21], want: [2, 20, 2] },
    { name: "zero-gap", at: [19, 20, 49, 50], want: [2, 0, 0, 2] },
    { name: "input-shift", at: [0, 20, 69], want: [2, 2, 2] },
    { name: "output-shift", at: [0, 20, 69], want: [2, 2, 2] },
    { name: "tenant-mix", at: [0, 10, 60], want: [2 + 4 + 0.1, 2 + 1.2 + 0.6 + 0.1, 2 + 4 + 0.1] },
  ])("$name: requests per second at $at minutes", ({ name, at, want }) => {
    expect(at.map((minutes) => rateAt(name, minutes))).toEqual(want.map((rate) => expect.closeTo(rate, 1)));
  });

  test("before its start and after its end there is no load", () => {
    const ramp = syntheticScenario("ramp", 2);
    expect([-1, 90 * MINUTE].map((at) => loadAt(ramp, at))).toEqual([[], []]);
  });

  test("all are named, and each keeps its own rate at any scale", () => {
    expect(SYNTHETIC_SCENARIOS).toHaveLength(11);
    for (const name of SYNTHETIC_SCENARIOS) {
      const [small, large] = [1, 3].map((rate) => loadAt(syntheticScenario(name, rate), 1_500));
      expect(large?.map(({ requestsPerSecond }) => requestsPerSecond / 3)).toEqual(
        small?.map(({ requestsPerSecond }) => expect.closeTo(requestsPerSecond)),
      );
    }
  });

  test.each(SYNTHETIC_SCENARIOS)(
    "%s: what arrives has the rates and lengths that are said, and steps only where it says",
    (name) => {
      const traffic = syntheticScenario(name, 20);
      const arrivals = [...syntheticArrivals(traffic, seededRandom(3))];
      const early = arrivals.filter(({ atMs }, index) => atMs < (arrivals[index - 1]?.atMs ?? 0));
      expect(early).toEqual([]);
      for (let from = 0; from < traffic.durationSeconds; from += 5 * MINUTE) {
        const to = Math.min(from + 5 * MINUTE, traffic.durationSeconds);
        const seen = arrivals.filter(({ atMs }) => atMs >= from * 1000 && atMs < to * 1000);
        const seconds = Array.from({ length: to - from }, (_, index) => loadAt(traffic, from + index + 0.5)).flat();
        const expected = (of: (load: (typeof seconds)[number]) => number): number =>
          seconds.reduce((sum, load) => sum + load.requestsPerSecond * of(load), 0);
        // Five standard deviations of a Poisson count, of requests and of the larger spread of tokens.
        const slack = (count: number): number => 5 / Math.sqrt(Math.max(1, count));
        const requests = expected(() => 1);
        expect(Math.abs(seen.length - requests)).toBeLessThanOrEqual(slack(requests) * requests + 1);
        const input = seen.reduce((sum, { inputTokens }) => sum + inputTokens, 0);
        const inputExpected = expected(({ inputTokens }) => inputTokens);
        expect(Math.abs(input - inputExpected)).toBeLessThanOrEqual(2 * slack(requests) * inputExpected);
        const output = seen.reduce((sum, { outputTokens }) => sum + outputTokens, 0);
        const outputExpected = expected(({ outputTokens }) => outputTokens);
        expect(Math.abs(output - outputExpected)).toBeLessThanOrEqual(2 * slack(requests) * outputExpected);
      }
      const total = (at: number): number =>
        loadAt(traffic, at).reduce(
          (sum, load) => sum + load.requestsPerSecond * (load.inputTokens + 10 * load.outputTokens),
          0,
        );
      const jumps = Array.from(
        { length: traffic.durationSeconds / MINUTE - 1 },
        (_, index) => (index + 1) * MINUTE,
      ).filter((at) => Math.abs(total(at) - total(at - 0.001)) > 0.01 * total(at));
      expect(traffic.stepsAtSeconds).toEqual(jumps);
    },
  );

  test("the same seed gives the same stream, and a client's stream is its own", () => {
    const traffic = syntheticScenario("tenant-mix", 2);
    const of = (seed: number): string => JSON.stringify([...syntheticArrivals(traffic, seededRandom(seed))]);
    expect(of(1)).toBe(of(1));
    expect(of(1)).not.toBe(of(2));
    const all = [...syntheticArrivals(traffic, seededRandom(4))].map(({ atMs }) => atMs);
    const alone = [...syntheticArrivals({ ...traffic, clients: traffic.clients.slice(0, 1) }, seededRandom(4))];
    expect(alone.every(({ atMs }) => all.includes(atMs))).toBe(true);
  });

  test("required replicas: the sum of the clients' work", () => {
    const shift = syntheticScenario("input-shift", 10);
    const work = (inputTokens: number): number => inputTokens / 10_000;
    expect([0, 1_200, 3_000].map((at) => requiredReplicas(shift, at, work))).toEqual([1, 5, 1]);
    expect(requiredReplicas(shift, 1_200, work, 0.5)).toBe(9);
    const step = syntheticScenario("step-x5", 2);
    expect([0, 1_200].map((at) => requiredReplicas(step, at, () => 0.1))).toEqual([1, 1]);
    expect(requiredReplicas(syntheticScenario("zero-gap", 2), 1_500, () => 1)).toBe(0);
    const mix = loadAt(syntheticScenario("tenant-mix", 10), 0);
    const sum = mix.reduce((total, { requestsPerSecond, outputTokens }) => total + requestsPerSecond * outputTokens, 0);
    expect(requiredReplicas(syntheticScenario("tenant-mix", 10), 0, (_, output) => output / 1_000)).toBe(
      Math.ceil(sum / 1_000),
    );
  });

  test.each([
    { name: "step-x3", rate: 1, message: /no synthetic scenario "step-x3": take one of step-x2, step-x5, ramp/ },
    { name: "toString", rate: 1, message: /no synthetic scenario/ },
    { name: "ramp", rate: 0, message: /requestsPerSecond must be a positive number, got 0/ },
    { name: "ramp", rate: Number.NaN, message: /got NaN/ },
  ])("refused: $name at $rate", ({ name, rate, message }) => {
    expect(() => syntheticScenario(name, rate)).toThrow(message);
  });
});

test("the mean of a length is that of what is drawn", () => {
  const input = { medianTokens: 800, spreadP90: 2.5 };
  const phase = { durationSeconds: 20_000, requestsPerSecond: () => 2, input, output: input };
  const lengths = [...generateTraffic([phase], seededRandom(1))].map(({ inputTokens }) => inputTokens);
  const mean = lengths.reduce((sum, tokens) => sum + tokens, 0) / lengths.length;
  expect(Math.abs(mean / lengthMean(input) - 1)).toBeLessThan(0.02);
  expect(lengthMean({ medianTokens: 800, spreadP90: 1 })).toBe(800);
});

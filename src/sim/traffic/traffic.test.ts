import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../random.ts";
import { envelopePhases, parseEnvelope } from "./envelope.ts";
import {
  burst,
  constant,
  dayInMiniature,
  generateTraffic,
  type Phase,
  type RateShape,
  ramp,
  sine,
  step,
} from "./generate.ts";
import { parseTrace, replayTrace } from "./trace.ts";
import { readTraceFile } from "./trace-file.ts";

const phase = (requestsPerSecond: RateShape, durationSeconds = 100): Phase => ({
  durationSeconds,
  requestsPerSecond,
  input: { medianTokens: 100, spreadP90: 1 },
  output: { medianTokens: 10, spreadP90: 2 },
});
const times = (phases: readonly Phase[]): number[] =>
  [...generateTraffic(phases, seededRandom(7))].map(({ atMs }) => atMs);

describe("generateTraffic", () => {
  test.each([
    { name: "constant", shape: constant(3), first: 150, second: 150 },
    { name: "step", shape: step(1, 5, 50), first: 50, second: 250 },
    { name: "ramp", shape: ramp(0, 8), first: 100, second: 300 },
    { name: "sine", shape: sine(4, 2, 100), first: 200 + 200 / Math.PI, second: 200 - 200 / Math.PI },
    { name: "burst", shape: burst(1, 11, 10, 50), first: 150, second: 150 },
  ])("$name: even arrivals count the integral of the rate in each half", ({ shape, first, second }) => {
    const even = times([{ ...phase(shape), arrivals: "even" }]);
    const early = even.filter((ms) => ms < 50_000).length;
    expect(Math.abs(early - first)).toBeLessThanOrEqual(1);
    expect(Math.abs(even.length - early - second)).toBeLessThanOrEqual(1);
  });

  test("Poisson arrivals: the mean is the rate and the variance of counts equals their mean", () => {
    const poisson = times([phase(constant(10), 2_000)]);
    const counts = new Array<number>(2_000).fill(0);
    for (const ms of poisson) counts[Math.floor(ms / 1000)]! += 1;
    const mean = poisson.length / 2_000;
    const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / 2_000;
    expect(Math.abs(mean - 10)).toBeLessThan(0.3);
    expect(Math.abs(variance / mean - 1)).toBeLessThan(0.12);
  });

  test("phases follow one another, in order, and the same seed repeats", () => {
    const phases = dayInMiniature({ durationSeconds: 600, baseRequestsPerSecond: 1, peakRequestsPerSecond: 10 });
    const stream = times(phases);
    expect(stream).toEqual(stream.toSorted((a, b) => a - b));
    expect(times(phases)).toEqual(stream);
    const rate = (from: number, to: number): number =>
      stream.filter((ms) => ms >= from * 1000 && ms < to * 1000).length / (to - from);
    expect(rate(0, 72)).toBeLessThan(2);
    expect(rate(200, 320)).toBeGreaterThan(8);
    expect(rate(430, 600)).toBeLessThan(2);
  });
});

describe("traces", () => {
  const csv = "arrival_seconds,input_tokens,output_tokens,client\n0,10,1,a\n1.5,20,0,b\n4,30,3,c\n";

  test("reads rows with or without a header and further columns", () => {
    expect(parseTrace(csv)).toEqual([
      { atMs: 0, inputTokens: 10, outputTokens: 1 },
      { atMs: 1_500, inputTokens: 20, outputTokens: 1 },
      { atMs: 4_000, inputTokens: 30, outputTokens: 3 },
    ]);
  });

  test("prefix blocks are ranges of ids, read only where the header has them", () => {
    const header = "arrival_seconds,input_tokens,output_tokens,blocks";
    expect(parseTrace(`${header}\n0,1025,1,7-8 40\n1,512,1, 9 \n`).map(({ blocks }) => blocks)).toEqual([
      [7, 8, 40],
      [9],
    ]);
    expect(parseTrace("0,1025,1,7-8 40\n")).toEqual([{ atMs: 0, inputTokens: 1025, outputTokens: 1 }]);
  });

  test.each(["", "x", "3-1", "1;2", "-1", "1-9999999999", "0 1 2 3"])("names the line of bad blocks: %s", (blocks) => {
    const header = "arrival_seconds,input_tokens,output_tokens,blocks";
    expect(() => parseTrace(`${header}\n0,512,1,0\n1,1025,1,${blocks}\n`)).toThrow(/^line 3: .*blocks/);
  });

  test("copies of a trace share no prefix with it or with each other", () => {
    const trace = parseTrace("arrival_seconds,input_tokens,output_tokens,blocks\n0,1024,1,0 5\n1,512,1,0\n");
    const copies = replayTrace(trace, { rateFactor: 3, random: seededRandom(1) });
    const beginnings = copies.filter(({ blocks }) => blocks?.length === 2).map(({ blocks }) => blocks);
    expect(beginnings.toSorted()).toEqual(
      [
        [0, 5],
        [6, 11],
        [12, 17],
      ].toSorted(),
    );
  });

  test.each(["1,x,3", "1,2", "-1,2,3", "1,0,3", "1,,3", "Infinity,1,1"])("names the bad line: %s", (row) => {
    expect(() => parseTrace(`0,1,1\n${row}\n`)).toThrow(/^line 2: /);
  });

  test("names the line that goes back in time", () => {
    expect(() => parseTrace("5,1,1\n4,1,1\n")).toThrow("line 2: arrivals must be sorted");
  });

  test("a window starts at zero and a rate factor multiplies the load", () => {
    const trace = parseTrace(Array.from({ length: 1_000 }, (_, i) => `${i},10,1`).join("\n"));
    const windowed = replayTrace(trace, { startSeconds: 100, durationSeconds: 50, random: seededRandom(1) });
    expect([windowed.length, windowed[0]?.atMs, windowed.at(-1)?.atMs]).toEqual([50, 0, 49_000]);
    const tripled = replayTrace(trace, { rateFactor: 2.5, random: seededRandom(1) });
    expect(Math.abs(tripled.length - 2_500)).toBeLessThan(60);
    expect(tripled).toEqual(tripled.toSorted((a, b) => a.atMs - b.atMs));
  });

  test("files may be compressed; errors name the file", () => {
    const folder = mkdtempSync(join(tmpdir(), "trace-"));
    try {
      writeFileSync(join(folder, "a.csv.gz"), gzipSync(csv));
      expect(readTraceFile(join(folder, "a.csv.gz"))).toHaveLength(3);
      writeFileSync(join(folder, "b.csv"), "0,1\n");
      expect(() => readTraceFile(join(folder, "b.csv"))).toThrow(/b\.csv: line 1: /);
      expect(() => readTraceFile(join(folder, "none.csv"))).toThrow(/none\.csv/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("a CSV of one's own traffic", () => {
  const seconds = (csv: string): readonly number[] => parseTrace(csv).map(({ atMs }) => atMs / 1000);

  test("columns are known by their names, in any order", () => {
    const csv = "output_tokens,user,arrival_seconds,input_tokens\n7,a,5,100\n0,b,6.5,200\n";
    expect(parseTrace(csv)).toEqual([
      { atMs: 5_000, inputTokens: 100, outputTokens: 7 },
      { atMs: 6_500, inputTokens: 200, outputTokens: 1 },
    ]);
  });

  test("the Azure files: dates with seven digits, without a zone; the first is time 0", () => {
    const csv =
      "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:03.9799600,4808,10\r\n2023-11-16 18:17:04.0319600,3180,8\r\n";
    expect(parseTrace(csv)).toEqual([
      { atMs: 0, inputTokens: 4_808, outputTokens: 10 },
      { atMs: expect.closeTo(52, 3), inputTokens: 3_180, outputTokens: 8 },
    ]);
  });

  test.each([
    {
      name: "BurstGPT",
      csv: 'Timestamp,Model,"Request tokens",Response tokens\n5,"GPT, 4",10,2\n8,x,10,2\n',
      want: [5, 8],
    },
    { name: "zones", csv: "time,isl,osl\n2026-01-01T00:00:00Z,1,1\n2026-01-01T01:00:10+01:00,1,1\n", want: [0, 10] },
    { name: "epoch seconds", csv: "timestamp,isl,osl\n1700000000.5,1,1\n1700000002,1,1\n", want: [0, 1.5] },
    { name: "epoch milliseconds", csv: "timestamp_ms,isl,osl\n1700000000500,1,1\n1700000002000,1,1\n", want: [0, 1.5] },
    {
      name: "milliseconds",
      csv: "\uFEFFarrival_ms,prompt_tokens,completion_tokens\n250,1,1\n1250,1,1\n",
      want: [0.25, 1.25],
    },
  ])("$name", ({ csv, want }) => expect(seconds(csv)).toEqual(want));

  test.each([
    {
      csv: "arrival_seconds,output_tokens\n0,1\n",
      message: /line 1: no column for the tokens of the prompt: name one input_tokens/,
    },
    {
      csv: "when,isl,osl\n0,1,1\n",
      message: /line 1: no column for the arrival: name one arrival_seconds, arrival_ms/,
    },
    { csv: "time,timestamp,isl,osl\n", message: /line 1: two columns for the arrival: time and timestamp/ },
    {
      csv: "isl,timestamp,osl\n1,yesterday,1\n",
      message: 'line 2: expected isl,timestamp (seconds or an ISO date),osl, got "1,yesterday,1"',
    },
    {
      csv: "timestamp,isl,osl\n1700000000000,1,1\n",
      message: /line 2: expected timestamp \(seconds or an ISO date\),isl,osl/,
    },
    { csv: "timestamp,isl,osl\n0,1,1\n2023-13-45 00:00:00,1,1\n", message: /^line 3: expected/ },
    { csv: "arrival_seconds,input_tokens,output_tokens\n", message: /holds no request/ },
    {
      csv: "arrival_seconds,input_tokens,output_tokens\n-1,1,1\n",
      message: /^line 2: expected arrival_seconds,input_tokens,output_tokens, got/,
    },
  ])("refused: $message", ({ csv, message }) => expect(() => parseTrace(csv)).toThrow(message));

  test("jitter spreads what was logged in steps, and keeps its order", () => {
    const csv = Array.from({ length: 3_000 }, (_, index) => `${3 * Math.floor(index / 10)},10,1`).join("\n");
    const spread = replayTrace(parseTrace(csv), { jitterSeconds: 3, random: seededRandom(5) });
    expect(spread).toHaveLength(3_000);
    expect(spread).toEqual(spread.toSorted((a, b) => a.atMs - b.atMs));
    const phases = spread.map(({ atMs }) => (atMs / 1000) % 3);
    for (const third of [0, 1, 2]) {
      const share = phases.filter((phase) => Math.floor(phase) === third).length / 3_000;
      expect(Math.abs(share - 1 / 3)).toBeLessThan(0.03);
    }
    expect(() => replayTrace([], { jitterSeconds: -1, random: seededRandom(1) })).toThrow(/jitterSeconds must be/);
  });
});

describe("envelopes", () => {
  const csv = "window_start_seconds,requests_per_second\n0,2\n600,0\n1200,6.5\n";
  const lengths = { input: { medianTokens: 10, spreadP90: 1 }, output: { medianTokens: 5, spreadP90: 1 } };

  test("windows become phases at their rates", () => {
    const envelope = parseEnvelope(csv);
    expect(envelope).toEqual({ windowSeconds: 600, requestsPerSecond: [2, 0, 6.5] });
    const phases = envelopePhases(envelope, lengths, 2).map((one) => ({ ...one, arrivals: "even" as const }));
    const at = times(phases).map((ms) => Math.floor(ms / 600_000.001));
    expect([0, 1, 2].map((window) => at.filter((one) => one === window).length)).toEqual([2_400, 0, 7_800]);
  });

  test.each([
    { csv: "seconds,rps\n0,1\n", message: /line 1: expected window_start_seconds/ },
    { csv: csv.replace("600,0", "600,"), message: /line 3: expected window_start_seconds/ },
    { csv: csv.replace("6.5", "-1"), message: /line 4: expected/ },
    {
      csv: csv.replace("1200", "1500"),
      message: /line 4: windows must follow one another every 600 s: expected 1200, got 1500/,
    },
    { csv: csv.replace("600,0", "0,0"), message: /line 3: windows must follow|line 2: windows must follow/ },
    { csv: csv.split("\n").slice(0, 2).join("\n"), message: /two windows or more/ },
  ])("refused: $message", (bad) => expect(() => parseEnvelope(bad.csv)).toThrow(bad.message));
});

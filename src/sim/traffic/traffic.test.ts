import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../random.ts";
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

test("a trace with other columns, or with none, is refused", () => {
  expect(() => parseTrace("arrival_seconds,output_tokens,input_tokens\n0,1,1\n")).toThrow(
    /line 1: the columns must be/,
  );
  expect(() => parseTrace("arrival_seconds,input_tokens,output_tokens\n")).toThrow(/holds no request/);
  expect(parseTrace("arrival_seconds,input_tokens,output_tokens,client\n0,1,1,7\n")).toHaveLength(1);
});

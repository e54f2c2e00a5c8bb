import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../random.ts";
import { addSample, type LatencySamples, learn, MAX_SAMPLES } from "./learn.ts";

const MINUTE_MS = 60_000;
const NOW = 100 * MINUTE_MS;

/** One sample a minute, the newest now. */
function samplesOf(count: number, latency: (load: number, index: number) => number, loads = spread): LatencySamples {
  return Array.from({ length: count }, (_, index) => {
    const load = loads(index, count);
    return [NOW - (count - 1 - index) * MINUTE_MS, load, latency(load, index)] as const;
  });
}
const spread = (index: number, count: number): number => 10 + (40 * ((index * 7) % count)) / count;

describe("what is earned", () => {
  test("a clean line: 10 ms + 1 ms a request is 40 ms at 30 requests", () => {
    expect(
      learn(
        samplesOf(24, (load) => 0.01 + 0.001 * load),
        NOW,
        0.04,
        "Affine",
      ),
    ).toEqual({
      kind: "Learned",
      loadAtTarget: expect.closeTo(30, 6),
      confidenceRatio: expect.closeTo(1, 6),
      isExtrapolated: false,
    });
  });

  test("a quarter of the samples is wild, and the line stays", () => {
    const random = seededRandom(3);
    const wild = samplesOf(40, (load, index) => (index % 4 === 0 ? 5 * random.next() : 0.01 + 0.001 * load));
    const learned = learn(wild, NOW, 0.04, "Affine");
    expect(learned).toMatchObject({ kind: "Learned" });
    expect(learned.kind === "Learned" && Math.abs(learned.loadAtTarget / 30 - 1)).toBeLessThan(0.15);
  });

  test("TTFT that grows like a queue is fitted by its logarithm: 0.1 s · e^(load/20) is 0.5 s at 32.2", () => {
    const learned = learn(
      samplesOf(30, (load) => 0.1 * Math.exp(load / 20)),
      NOW,
      0.5,
      "Exponential",
    );
    expect(learned).toMatchObject({ kind: "Learned", loadAtTarget: expect.closeTo(20 * Math.log(5), 3) });
  });

  test("a target far beyond what was seen is followed to 1.5 times the greatest load only", () => {
    const samples = samplesOf(24, (load) => 0.01 + 0.001 * load);
    const most = Math.max(...samples.map(([, load]) => load));
    expect(learn(samples, NOW, 10, "Affine")).toMatchObject({
      loadAtTarget: expect.closeTo(1.5 * most, 6),
      isExtrapolated: true,
    });
  });

  test("a target below the line at no load cannot be bought", () => {
    expect(
      learn(
        samplesOf(24, (load) => 0.01 + 0.001 * load),
        NOW,
        0.005,
        "Affine",
      ),
    ).toEqual({ kind: "Unattainable" });
  });
});

describe("what is not earned yet", () => {
  const line = (load: number): number => 0.01 + 0.001 * load;
  test.each([
    { name: "too few", samples: samplesOf(11, line), why: "11 of 12 samples" },
    { name: "one load only", samples: samplesOf(30, line, (index) => 20 + (index % 3)), why: "factor of 1.1" },
    { name: "no slope", samples: samplesOf(30, () => 0.02), why: "does not rise" },
    { name: "it falls with load", samples: samplesOf(30, (load) => 0.1 - 0.001 * load), why: "does not rise" },
    {
      name: "all noise",
      samples: samplesOf(48, (load, index) => (index % 2 === 0 ? 0.001 * load : 0.1 * load)),
      why: "off its line",
    },
  ])("$name", ({ samples, why }) => {
    expect(learn(samples, NOW, 0.04, "Affine")).toEqual({ kind: "Learning", why: expect.stringContaining(why) });
  });

  test("and what is old: nothing for a quarter of an hour, or a clock that was set back", () => {
    const samples = samplesOf(30, line);
    expect(learn(samples, NOW + 16 * MINUTE_MS, 0.04, "Affine")).toMatchObject({ kind: "Learning" });
    expect(learn(samples, NOW + 7 * 60 * MINUTE_MS, 0.04, "Affine")).toMatchObject({ kind: "Learning" });
    expect(learn(samples, 0, 0.04, "Affine")).toMatchObject({ kind: "Learning" });
  });
});

describe("samples", () => {
  test("a long calm does not wipe out what a peak taught", () => {
    let samples: LatencySamples = [];
    for (let at = 0; at < 20; at++) samples = addSample(samples, at * MINUTE_MS, 10 * 1.3 ** (at / 2), 0.1);
    for (let at = 20; at < 300; at++) samples = addSample(samples, at * MINUTE_MS, 1, 0.1);
    expect(samples.length).toBe(MAX_SAMPLES);
    expect(samples.filter(([, load]) => load > 5).length).toBe(20);
  });

  test("too close, of no use, or too old ones are left out", () => {
    const one = addSample([], 0, 1, 0.1);
    expect(addSample(one, 5_000, 2, 0.1)).toEqual(one);
    for (const bad of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(addSample(one, 60_000, bad, 0.1)).toEqual(one);
      expect(addSample(one, 60_000, 1, bad)).toEqual(one);
    }
    expect(addSample(one, 7 * 60 * MINUTE_MS, 1, 0.1).length).toBe(1);
  });

  test("law: whatever comes, there are at most 48, and learning never gives what is not a load", () => {
    const number = fc.oneof(fc.double(), fc.double({ min: 0.001, max: 1_000, noNaN: true }));
    fc.assert(
      fc.property(fc.array(fc.tuple(number, number), { maxLength: 120 }), number, (pairs, target) => {
        let samples: LatencySamples = [];
        pairs.forEach(([load, latency], index) => {
          samples = addSample(samples, index * MINUTE_MS, load, latency);
        });
        expect(samples.length).toBeLessThanOrEqual(MAX_SAMPLES);
        for (const curve of ["Affine", "Exponential"] as const) {
          const learned = learn(samples, 120 * MINUTE_MS, target, curve);
          if (learned.kind !== "Learned") continue;
          expect(learned.loadAtTarget).toBeGreaterThan(0);
          expect(Number.isFinite(learned.loadAtTarget)).toBe(true);
          expect(learned.confidenceRatio).toBeGreaterThan(0);
        }
      }),
    );
  });
});

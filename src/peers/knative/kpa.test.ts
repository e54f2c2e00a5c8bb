/** Vectors of knative/serving:pkg/autoscaler/scaling/autoscaler_test.go where a name says so (target 10, rates 10, threshold 2, window 60 s there). */
import { describe, expect, test } from "vitest";
import { type Look, run } from "../peer.fixture.ts";
import { KPA, type KpaOptions, type KpaState, kpaScale, startKpa } from "./kpa.ts";

const SERVING: KpaOptions = {
  target: 10,
  stableWindowMs: 60_000,
  panicThreshold: 2,
  maxScaleUpRate: 10,
  maxScaleDownRate: 10,
  scaleDownDelayMs: 0,
};

interface Step {
  readonly second?: number;
  readonly ready: number;
  readonly stable: number;
  readonly panic: number;
  readonly wants: number;
}

/** @param from ready replicas when the decider starts */
function follow(steps: readonly Step[], options: Partial<KpaOptions> = {}, from = 1): KpaState {
  let state = startKpa(0, from);
  for (const { second = 0, ready, stable, panic, wants } of steps) {
    const next = kpaScale({ nowMs: second * 1000, ready, stable, panic }, state, { ...SERVING, ...options });
    expect(next.replicas).toBe(wants);
    state = next.state;
  }
  return state;
}

describe("one decision", () => {
  test.each<[string, Omit<Step, "wants">, Partial<KpaOptions>, number]>([
    ["StableModeNoChange: 50/10 = 5", { ready: 5, stable: 50, panic: 50 }, {}, 5],
    ["Autoscaler0TBC: 50/10 = 5, panic 49/10 -> 5, 5/1 is over 2", { ready: 1, stable: 50, panic: 49 }, {}, 5],
    ["PanicModeDoublePodCount: panic 100/10 = 10 wins over 5", { ready: 1, stable: 50, panic: 100 }, {}, 10],
    [
      "IncreaseWithSmallScaleUpRate: ceil(1.1 x 2) = 3",
      { ready: 2, stable: 3, panic: 3.1 },
      { target: 1, maxScaleUpRate: 1.1 },
      3,
    ],
    [
      "DecreaseWithSmallScaleDownRate: floor(100/1.1) = 90",
      { ready: 100, stable: 1, panic: 1 },
      { maxScaleDownRate: 1.1 },
      90,
    ],
    ["UseOnePodAsMinimum: 100 wanted, 10 x max(1, 0) = 10", { ready: 0, stable: 1000, panic: 888 }, {}, 10],
    ["StableModeNoTrafficScaleToZero: 0/10 = 0", { ready: 1, stable: 0, panic: 0 }, {}, 0],
    ["UnlimitedTBC: 21/181 -> 1", { ready: 1, stable: 21, panic: 26 }, { target: 181 }, 1],
  ])("%s", (_, step, options, wants) => {
    follow([{ ...step, wants }], options);
  });

  test.each<[string, number, number, number]>([
    ["PanicStableLargerThanPanic", 50, 30, 50],
    ["PanicStableLessThanPanic", 20, 30, 30],
  ])("%s: in panic the larger of both", (_, stable, panic, wants) => {
    follow([{ second: 5, ready: 5, stable, panic, wants }], { target: 1 }, 5);
  });
});

describe("panic", () => {
  test("PanicThenUnPanicScaleDown: nothing goes for a stable window, then all that the rate allows", () => {
    follow([
      { ready: 1, stable: 100, panic: 100, wants: 10 },
      { second: 0, ready: 10, stable: 100, panic: 1000, wants: 100 },
      { second: 30, ready: 10, stable: 1, panic: 1, wants: 100 },
      { second: 60, ready: 10, stable: 1, panic: 1, wants: 100 }, // a whole window has to be over
      { second: 61, ready: 10, stable: 1, panic: 1, wants: 1 },
    ]);
  });

  test("UnpanicAfterSlowIncrease: 25 -> 41 -> out of panic 50", () => {
    const state = follow(
      [
        { ready: 10, stable: 11, panic: 25, wants: 25 },
        { second: 30, ready: 40, stable: 30, panic: 41, wants: 41 },
        { second: 62, ready: 55, stable: 50, panic: 56, wants: 50 },
      ],
      { target: 1 },
    );
    expect(state.panicMs).toBeUndefined();
  });

  test("ExtendPanicWindow: 80/40 = 2 is over the threshold again", () => {
    const state = follow(
      [
        { ready: 10, stable: 11, panic: 25, wants: 25 },
        { second: 30, ready: 40, stable: 30, panic: 80, wants: 80 },
      ],
      { target: 1 },
    );
    expect(state.panicMs).toBe(30_000);
  });

  test("PanicModeExponentialTrackAndStabilize: 6, 36, 216, 1296", () => {
    follow(
      [
        { ready: 1, stable: 6, panic: 6, wants: 6 },
        { second: 0, ready: 6, stable: 36, panic: 36, wants: 36 },
        { second: 1, ready: 36, stable: 216, panic: 216, wants: 216 },
        { second: 1, ready: 216, stable: 1296, panic: 1296, wants: 1296 },
        { second: 2, ready: 1296, stable: 1296, panic: 1296, wants: 1296 },
      ],
      { target: 1 },
    );
  });

  test.each([
    [0, undefined],
    [1, undefined],
    [2, 0],
  ])("StartInPanicMode: with %d ready it began at %s", (ready, panicMs) => {
    expect(startKpa(0, ready)).toEqual({ panicMs, maxPanicPods: ready, wanted: [] });
  });
});

describe("rates", () => {
  test("RateLimitScaleUp: x 10 a step", () => {
    follow([
      { ready: 1, stable: 1000, panic: 1001, wants: 10 },
      { ready: 10, stable: 1000, panic: 1001, wants: 100 },
    ]);
  });

  test("RateLimitScaleDown: / 10 a step", () => {
    follow([
      { ready: 100, stable: 1, panic: 1, wants: 10 },
      { ready: 10, stable: 1, panic: 1, wants: 1 },
    ]);
  });
});

describe("scale-down delay", () => {
  const delayed = { panicThreshold: 100, scaleDownDelayMs: 300_000 };
  const at = (second: number, load: number, wants: number): Step => ({
    second,
    ready: 1,
    stable: load,
    panic: load,
    wants,
  });

  test("ScaleDownDelay, simple", () => {
    follow([at(2, 40, 4), at(300, 0, 4), at(302, 0, 0)], delayed);
  });

  test("ScaleDownDelay, gradual", () => {
    follow([at(540, 40, 4), at(600, 30, 4), at(660, 0, 4), at(840, 0, 3), at(900, 0, 0)], delayed);
  });
});

describe("kpa on scrapes", () => {
  const load = (spec: number, inFlight: number | undefined, ready = spec): Look => ({
    roles: { decode: { spec, ready } },
    totals: inFlight === undefined ? {} : { "decode inFlight": inFlight },
  });

  test("windows are means of what was seen", () => {
    const kpa = run(KPA, ["decode"]);
    for (let second = 2; second <= 30; second += 2) expect(kpa.at(second, load(1, 140))).toEqual({ decode: 2 });
    // Panic window at 32 s: (140 + 140 + 0)/3 = 93, /70 -> 2, 2/1 is over; at 34 s: 140/3 = 47 -> 1. So the panic lasts until 32 + 60 s are over.
    for (let second = 32; second <= 92; second += 2) expect(kpa.at(second, load(1, 0))).toEqual({ decode: 2 });
    expect(kpa.at(94, load(1, 0))).toEqual({ decode: 1 });
  });

  test("no data at all: no decision; a gap is averaged over", () => {
    const kpa = run(KPA, ["decode"]);
    expect(kpa.at(2, load(1, undefined))).toEqual({});
    expect(kpa.at(4, load(1, 210))).toEqual({ decode: 3 });
    expect(kpa.at(6, load(1, Number.NaN))).toEqual({ decode: 3 });
    // From 10 s on the panic window (6 s) is empty.
    expect(kpa.at(10, load(1, undefined))).toEqual({});
  });

  test("a restart with several replicas takes none away for a stable window", () => {
    const kpa = run(KPA, ["decode"]);
    for (let second = 0; second <= 60; second += 2) expect(kpa.at(second, load(8, 7))).toEqual({ decode: 8 });
    expect(kpa.at(62, load(8, 7))).toEqual({ decode: 4 }); // 8/2
  });
});

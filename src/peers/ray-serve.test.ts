/** Vectors of ray-project/ray:python/ray/serve/tests/unit/test_autoscaling_policy.py where a name says so. */
import { describe, expect, test } from "vitest";
import { countsOf, type Look, run, type Seen } from "./peer.fixture.ts";
import { RAY_SERVE, type RayOptions, type RayState, raySteps } from "./ray-serve.ts";

const OPTIONS: RayOptions = {
  targetOngoing: 1,
  upscaleDelayMs: 0,
  downscaleDelayMs: 0,
  upscalingFactor: 1,
  downscalingFactor: 1,
};

const step = (seen: Seen, ongoing: number, options: Partial<RayOptions> = {}): number =>
  raySteps(0, ongoing, countsOf({ min: 0, ...seen }), undefined, { ...OPTIONS, ...options }).replicas;

describe("one look without delays", () => {
  test.each<[string, Seen, number, Partial<RayOptions>, number]>([
    ["single_replica_receives_all_requests: 20/5 = 4", { spec: 4 }, 20, { targetOngoing: 5 }, 4],
    ["single_replica_receives_all_requests: 100/5 = 20", { spec: 4 }, 100, { targetOngoing: 5 }, 20],
    ["single_replica_receives_all_requests: 10/5 = 2", { spec: 4 }, 10, { targetOngoing: 5 }, 2],
    ["replicas_delayed_startup: 100 for one", { spec: 1 }, 100, {}, 100],
    ["replicas_delayed_startup: 100 ordered, 1 runs: still 100", { spec: 100, ready: 1 }, 100, {}, 100],
    ["replicas_delayed_startup: 123 with 3 of 100", { spec: 100, ready: 3 }, 123, {}, 123],
    ["scale_up_from_0_replicas at once, factor 10", { spec: 0 }, 1, { upscalingFactor: 10 }, 10],
    ["scale_up_from_0_replicas, factor 0.5 -> 1", { spec: 0 }, 1, { upscalingFactor: 0.5 }, 1],
    ["nothing runs, nothing waits: what was ordered", { spec: 3, ready: 0 }, 0, {}, 3],
    ["scale_down_to_0 stops at 1 first, factor 10", { spec: 5 }, 0, { downscalingFactor: 10 }, 1],
    ["then 0", { spec: 1 }, 0, { downscalingFactor: 10 }, 0],
    ["a gain of 0.2 does not get stuck: 5 - 1 = 4", { spec: 5 }, 0, { downscalingFactor: 0.2 }, 4],
    ["nor here: ceil(2 - 0.4) = 2 -> 1", { spec: 2 }, 0, { downscalingFactor: 0.2 }, 1],
    ["a gain of 0.5 up: 4 + 0.5 x 4 = 6", { spec: 4 }, 8, { upscalingFactor: 0.5 }, 6],
    ["bounds come before the delay", { spec: 4, max: 6 }, 100, {}, 6],
  ])("%s", (_, seen, ongoing, options, expected) => {
    expect(step(seen, ongoing, options)).toBe(expected);
  });
});

describe("delays", () => {
  const delayed = { ...OPTIONS, upscaleDelayMs: 30_000, downscaleDelayMs: 600_000 };

  /** @returns the second of the first look that changes something */
  function firstChange(ongoing: (second: number) => number, spec: number, lastSecond = 700): number | undefined {
    let state: RayState | undefined;
    for (let second = 0; second <= lastSecond; second++) {
      const next = raySteps(second * 1000, ongoing(second), countsOf({ spec, min: 0 }), state, delayed);
      if (next.replicas !== spec) return second;
      state = next.state;
    }
    return undefined;
  }

  test("upscale_downscale_delay: up after 30 s of looks that say so", () => expect(firstChange(() => 2, 1)).toBe(30));
  test("upscale_downscale_delay: down after 600 s", () => expect(firstChange(() => 0, 2)).toBe(600));
  test("one look the other way begins it again", () => {
    expect(firstChange((second) => (second === 15 ? 0 : 4), 2)).toBe(46);
  });
  test("a look that says stay begins it again", () =>
    expect(firstChange((second) => (second === 15 ? 2 : 4), 2)).toBe(46));
  test("fluctuating_ongoing_requests: it never moves", () => {
    expect(firstChange((second) => (second % 2 === 0 ? 4 : 1), 2)).toBeUndefined();
  });
});

describe("ray-serve", () => {
  const look = (spec: number, running: readonly (number | undefined)[], waiting: readonly number[]): Look => ({
    roles: { decode: { spec } },
    perReplica: { "decode running": running, "decode waiting": waiting },
  });
  const now = { upscaleDelaySeconds: 0, downscaleDelaySeconds: 0 };

  test("running and waiting over 2: (3 + 1 + 4 + 0)/2 = 4", () => {
    expect(run(RAY_SERVE, ["decode"], now).at(0, look(2, [3, 4], [1, 0]))).toEqual({ decode: 4 });
  });

  test("requests that no replica has taken count for prefill: (2 + 2 + 10)/2 = 7", () => {
    const prefill = { roles: { prefill: { spec: 2 } }, perReplica: { "prefill running": [2, 2] } };
    expect(run(RAY_SERVE, ["prefill"], now).at(0, { ...prefill, totals: { "prefill queued": 10 } })).toEqual({
      prefill: 7,
    });
  });

  test("as shipped an outage is no load: after 600 s 8 replicas are 1", () => {
    const ray = run(RAY_SERVE, ["decode"]);
    for (let second = 0; second < 600; second++)
      expect(ray.at(second, { roles: { decode: { spec: 8 } } })).toEqual({ decode: 8 });
    expect(ray.at(600, { roles: { decode: { spec: 8 } } })).toEqual({ decode: 1 });
  });

  test("NaN of one replica is nothing of that one: 6/2 = 3", () => {
    expect(run(RAY_SERVE, ["decode"], now).at(0, look(2, [Number.NaN, 6], [0, 0]))).toEqual({ decode: 3 });
  });
});

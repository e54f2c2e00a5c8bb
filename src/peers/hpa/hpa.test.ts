import { describe, expect, test } from "vitest";
import { type Look, run } from "../peer.fixture.ts";
import { behaviorOf, rateLimited, stabilized } from "./behavior.ts";
import { HPA, HPA_EXTERNAL } from "./hpa.ts";

const kv = (spec: number, value: number | undefined, bounds: { min?: number; max?: number } = {}): Look => ({
  roles: { decode: { spec, ...bounds } },
  perReplica: { "decode kvUsage": Array<number | undefined>(spec).fill(value) },
});

describe("hpa", () => {
  test("decode follows KV usage, prefill waiting requests, each alone", () => {
    const hpa = run(HPA, ["prefill", "decode"]);
    const roles = { prefill: { spec: 2 }, decode: { spec: 4 } };
    // Prefill (10 + 10)/2 = 10, 10/5 x 2 = 4. Decode 0.875/0.7 x 4 = 5.
    const perReplica = { "prefill waiting": [10, 10], "decode kvUsage": [0.875, 0.875, 0.875, 0.875] };
    expect(hpa.at(0, { roles, perReplica })).toEqual({ prefill: 4, decode: 5 });
  });

  test("aggregated: the higher of both metrics", () => {
    const hpa = run(HPA, ["aggregated"]);
    // Waiting 5/5 = 1: 2 stay. KV 1.05/0.7 x 2 = 3.
    const perReplica = { "aggregated waiting": [5, 5], "aggregated kvUsage": [1.05, 1.05] };
    expect(hpa.at(0, { roles: { aggregated: { spec: 2 } }, perReplica })).toEqual({ aggregated: 3 });
  });

  test("one invalid metric: up goes, down does not", () => {
    const down = { "aggregated kvUsage": [0.1, 0.1, 0.1, 0.1] };
    const up = { "aggregated kvUsage": [0.9, 0.9, 0.9, 0.9] };
    const roles = { aggregated: { spec: 4 } };
    expect(run(HPA, ["aggregated"]).at(0, { roles, perReplica: down })).toEqual({});
    // 0.9/0.7 x 4 = 5.14 -> 6
    expect(run(HPA, ["aggregated"]).at(0, { roles, perReplica: up })).toEqual({ aggregated: 6 });
  });

  test("no metric at all: nothing, and nothing is remembered of it", () => {
    const hpa = run(HPA, ["decode"]);
    expect(hpa.at(0, kv(8, 0.7))).toEqual({ decode: 8 });
    for (let second = 15; second < 330; second += 15) expect(hpa.at(second, kv(8, undefined))).toEqual({});
    expect(hpa.at(330, kv(8, 0.35))).toEqual({ decode: 4 });
  });

  test("down only to the highest recommendation of 300 s; what was there at the start counts", () => {
    const hpa = run(HPA, ["decode"]);
    // 0.35/0.7 x 8 = 4 from the start on. At 300 s the 8 of the start is 300 s old, and out.
    for (let second = 0; second < 300; second += 15) expect(hpa.at(second, kv(8, 0.35))).toEqual({ decode: 8 });
    expect(hpa.at(300, kv(8, 0.35))).toEqual({ decode: 4 });
  });

  test("a peak inside the window holds the step down, then a lower peak does", () => {
    const hpa = run(HPA, ["decode"], { downWindowSeconds: 60 });
    expect(hpa.at(0, kv(8, 0.7))).toEqual({ decode: 8 });
    expect(hpa.at(15, kv(8, 0.525))).toEqual({ decode: 8 }); // says 6
    expect(hpa.at(30, kv(8, 0.35))).toEqual({ decode: 8 }); // says 4
    expect(hpa.at(60, kv(8, 0.35))).toEqual({ decode: 6 }); // the 8 is out
    expect(hpa.at(75, kv(6, 0.35))).toEqual({ decode: 4 }); // the 6 is out: max(4, 4, 3)
  });

  test("up to the double or by 4, whichever is more, in 15 s", () => {
    const hpa = run(HPA, ["decode"]);
    expect(hpa.at(0, kv(2, 70))).toEqual({ decode: 6 }); // max(2 + 4, 2 x 2)
    expect(hpa.at(15, kv(6, 70))).toEqual({ decode: 12 }); // max(6 + 4, 6 x 2)
  });

  test("a second step inside the period gets only what the first left", () => {
    const hpa = run(HPA, ["decode"]);
    expect(hpa.at(0, kv(2, 70))).toEqual({ decode: 6 });
    expect(hpa.at(5, kv(6, 70))).toEqual({ decode: 6 }); // the period began at 6 - 4 = 2: max(6, 4) = 6
  });

  test("an up window takes the lowest of it", () => {
    const hpa = run(HPA, ["decode"], { upWindowSeconds: 60 });
    for (let second = 0; second < 60; second += 15) expect(hpa.at(second, kv(2, 1.4))).toEqual({ decode: 2 });
    expect(hpa.at(60, kv(2, 1.4))).toEqual({ decode: 4 });
  });

  test("bounds come last; outside of them there is no look at metrics", () => {
    expect(run(HPA, ["decode"]).at(0, kv(4, 70, { max: 5 }))).toEqual({ decode: 5 });
    expect(run(HPA, ["decode"]).at(0, kv(9, undefined, { max: 5 }))).toEqual({ decode: 5 });
    expect(run(HPA, ["decode"]).at(0, kv(1, undefined, { min: 3 }))).toEqual({ decode: 3 });
  });

  test("at 0 with a minimum above it is off", () => {
    expect(run(HPA, ["decode"]).at(0, kv(0, undefined))).toEqual({});
  });
});

describe("hpa-external", () => {
  test("13 waiting: 13/5 = 2.6 -> 3", () => {
    const hpa = run(HPA_EXTERNAL, ["prefill"]);
    expect(hpa.at(0, { roles: { prefill: { spec: 1 } }, totals: { "prefill waiting": 13 } })).toEqual({ prefill: 3 });
  });

  test("no answer is no decision", () => {
    expect(run(HPA_EXTERNAL, ["prefill"]).at(0, { roles: { prefill: { spec: 3 } } })).toEqual({});
  });
});

describe("behavior", () => {
  const none = { ups: [], downs: [] };
  const rules = behaviorOf({ upMs: 0, downMs: 300_000 });

  test("a rate limit counts removals of its period back in", () => {
    // 10 now, 6 taken 5 s ago: the period began at 16, so up to max(16 + 4, 16 x 2) = 32.
    expect(rateLimited(100, 10, { ups: [], downs: [{ atMs: 5_000, value: 6 }] }, rules, 10_000)).toBe(32);
    expect(rateLimited(100, 10, none, rules, 10_000)).toBe(20);
  });

  test("down by policies: 10 %, 40 -> 36, never upwards", () => {
    const tenth = {
      ...rules,
      down: { stabilizationMs: 0, policies: [{ type: "Percent", value: 10, periodMs: 60_000 }] },
    } as const;
    expect(rateLimited(1, 40, none, tenth, 0)).toBe(36);
    // 36 now, 4 went in this period: it began at 40, 40 x 0.9 = 36.
    expect(rateLimited(1, 36, { ups: [], downs: [{ atMs: 0, value: 4 }] }, tenth, 59_999)).toBe(36);
    expect(rateLimited(1, 36, { ups: [], downs: [{ atMs: 0, value: 4 }] }, tenth, 60_000)).toBe(32);
  });

  test("between the lowest of the up window and the highest of the down window it stays", () => {
    const history = [
      { atMs: 0, value: 9 },
      { atMs: 10_000, value: 3 },
    ];
    const both = behaviorOf({ upMs: 60_000, downMs: 60_000 });
    expect(stabilized(7, 5, history, both, 20_000)).toBe(5);
    expect(stabilized(7, 2, history, both, 20_000)).toBe(3);
    expect(stabilized(7, 12, history, both, 20_000)).toBe(9);
  });
});

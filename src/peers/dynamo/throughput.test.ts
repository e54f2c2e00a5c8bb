import { describe, expect, test } from "vitest";
import { type Look, PERFORMANCE, run } from "../peer.fixture.ts";
import { bestAggregated, bestDecode } from "./capacity.ts";
import { DYNAMO_SLA } from "./current.ts";
import { advanceThroughput, boundOf, NO_TRAFFIC, type ThroughputOptions } from "./throughput.ts";

const OPTIONS: ThroughputOptions = {
  intervalSeconds: 180,
  predictor: "constant",
  ttftSeconds: 0.5,
  itlSeconds: 0.05,
  minEndpoint: 1,
  performance: PERFORMANCE,
};

describe("capacity: 1 ms a prompt token, step 10 + 0.1 ms a request, 100,000 KV tokens", () => {
  test.each<[string, number, number, number]>([
    ["the cache binds: 100,000/1,000 = 100", 1_000, 0.05, 100],
    ["the goal binds: (50 - 10)/0.1 = 400 of 666", 150, 0.05, 400],
    ["the limit of requests binds", 1, 10, 1_024],
    ["a goal out of reach is one request", 150, 0.001, 1],
  ])("%s", (_, context, itl, batch) => {
    expect(bestDecode(PERFORMANCE, context, itl).batch).toBe(batch);
  });

  test("aggregated, 100 + 100 tokens: 10 + 0.1 b + (b - 1) ms <= 50 ms is 37; 37/(100 x 49.7 ms) = 7.44 requests/s", () => {
    const perSecond = bestAggregated(
      PERFORMANCE,
      { inputTokens: 100, outputTokens: 100 },
      { ttftSeconds: 0.5, itlSeconds: 0.05 },
    );
    expect(perSecond).toBeCloseTo(37 / (100 * 0.0497), 6);
  });
});

describe("lower bounds", () => {
  const bound = (
    role: "prefill" | "decode" | "aggregated",
    perSecond: number,
    input: number,
    output: number,
  ): unknown => boundOf(role, { requestsPerSecond: perSecond, inputTokens: input, outputTokens: output }, OPTIONS);

  test("prefill: 4/s x 0.3 s = 1.2 -> 2", () => expect(bound("prefill", 4, 300, 100)).toBe(2));
  test("prefill: 0.6 s is over the goal: at least 0.6/0.5 -> 2", () => expect(bound("prefill", 1, 600, 100)).toBe(2));
  test("decode: 100 at 20 ms x 400 tokens = 12.5/s: 30/12.5 = 2.4 -> 3", () =>
    expect(bound("decode", 30, 800, 400)).toBe(3));
  test("aggregated: 30/7.44 = 4.03 -> 5", () => expect(bound("aggregated", 30, 100, 100)).toBe(5));
  test("no lengths: nothing to size by", () => expect(bound("decode", 30, 0, 0)).toBeUndefined());
});

describe("an interval", () => {
  const known = { requests: 5_400, inputTokens: 200, outputTokens: 400 };
  const after = advanceThroughput(known, NO_TRAFFIC, ["prefill", "decode"], OPTIONS);

  test("30/s: prefill 30 x 0.2 = 6; decode 250 at 35 ms: 30 x 400/7143 -> 2", () => {
    expect(after.bounds).toEqual({ prefill: 6, decode: 2 });
  });

  test.each([
    ["requests are not known", {}],
    ["requests are not a number", { ...known, requests: Number.NaN }],
    ["there were requests and no prompt lengths", { ...known, inputTokens: Number.NaN }],
    ["there were requests and no answers", { ...known, outputTokens: Number.NaN }],
  ])("%s: unknown is not idle, nothing changes", (_, totals) => {
    expect(advanceThroughput(totals, after, ["prefill", "decode"], OPTIONS)).toBe(after);
  });

  test("no requests: lengths are taken for 0, and the bounds of before stay, as shipped", () => {
    const idle = advanceThroughput({ requests: 0, inputTokens: Number.NaN }, after, ["prefill", "decode"], OPTIONS);
    expect(idle).toEqual({ requests: [0], inputTokens: [0], outputTokens: [0], bounds: { prefill: 6, decode: 2 } });
  });
});

describe("dynamo-sla", () => {
  const look = (prefill: number, decode: number): Look => ({
    roles: { prefill: { spec: prefill }, decode: { spec: decode } },
    perReplica: {
      "prefill running": Array(prefill).fill(0),
      "prefill waiting": Array(prefill).fill(0),
      "prefill kvUsage": Array(prefill).fill(0),
      "decode running": Array(decode).fill(10),
      "decode waiting": Array(decode).fill(0),
      "decode kvUsage": Array(decode).fill(0.05),
    },
    totals: { requests: 5_400, inputTokens: 200, outputTokens: 400 },
  });

  test("load takes one away, the bound of 180 s lifts it: prefill 1 -> 6, decode 2 stay", () => {
    const sla = run(DYNAMO_SLA, ["prefill", "decode"], { predictor: 0 });
    expect(sla.at(5, look(3, 4))).toEqual({ prefill: 2, decode: 3 });
    expect(sla.at(180, look(2, 3))).toEqual({ prefill: 1, decode: 2 });
    expect(sla.at(185, look(1, 2))).toEqual({ prefill: 6, decode: 2 });
    expect(sla.at(190, look(6, 2))).toEqual({ prefill: 6, decode: 2 });
  });
});

import { describe, expect, test } from "vitest";
import { type Look, run } from "../peer.fixture.ts";
import { KEDA, KEDA_PRODUCTION_STACK } from "./keda.ts";

const waiting = (spec: number, total: number | undefined, min = 1): Look => ({
  roles: { decode: { spec, min, max: 10 } },
  totals: total === undefined ? {} : { "decode waiting": total },
});

describe("keda", () => {
  test("the total over the threshold: 22/5 = 4.4 -> 5", () => {
    expect(run(KEDA, ["decode"]).at(0, waiting(2, 22))).toEqual({ decode: 5 });
  });

  test("within a tenth nothing moves: 21/(5 x 4) = 1.05", () => {
    expect(run(KEDA, ["decode"]).at(0, waiting(4, 21))).toEqual({ decode: 4 });
  });

  test("the autoscaler asks at each sync, between polls too", () => {
    const keda = run(KEDA, ["decode"]);
    expect(keda.at(0, waiting(2, 10))).toEqual({ decode: 2 });
    expect(keda.at(15, waiting(2, 20))).toEqual({ decode: 4 });
  });

  test("with cached metrics it gets the value of the last poll", () => {
    const keda = run(KEDA, ["decode"], { useCachedMetrics: 1 });
    expect(keda.at(0, waiting(2, 10))).toEqual({ decode: 2 });
    expect(keda.at(15, waiting(2, 20))).toEqual({ decode: 2 });
    expect(keda.at(30, waiting(2, 20))).toEqual({ decode: 4 });
  });

  test("as shipped an outage is no load: no answer for 300 s takes 8 replicas to 1", () => {
    const keda = run(KEDA, ["decode"]);
    expect(keda.at(0, waiting(8, 40))).toEqual({ decode: 8 });
    for (let second = 15; second < 300; second += 15)
      expect(keda.at(second, waiting(8, undefined))).toEqual({ decode: 8 });
    expect(keda.at(300, waiting(8, undefined))).toEqual({ decode: 1 });
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("%d is 0 too", (value) => {
    expect(run(KEDA, ["decode"], { downWindowSeconds: 0 }).at(0, waiting(8, value))).toEqual({ decode: 1 });
  });

  test("without ignoreNullValues no answer is an error, and nothing moves", () => {
    const keda = run(KEDA, ["decode"], { ignoreNullValues: 0, downWindowSeconds: 0 });
    for (let second = 0; second < 600; second += 15) expect(keda.at(second, waiting(8, undefined))).toEqual({});
  });

  test("a fallback of 2 begins with the third error in a row: value 2 x 5 = 10, 10/5 = 2", () => {
    const keda = run(KEDA, ["decode"], { ignoreNullValues: 0, fallbackReplicas: 2, downWindowSeconds: 0 });
    expect(keda.at(0, waiting(8, undefined))).toEqual({});
    expect(keda.at(15, waiting(8, undefined))).toEqual({});
    expect(keda.at(30, waiting(8, undefined))).toEqual({ decode: 2 });
    expect(keda.at(45, waiting(2, 40))).toEqual({ decode: 6 }); // 8, by 4 in 15 s
    expect(keda.at(60, waiting(6, undefined))).toEqual({}); // counted from the start again
  });

  test("to zero only without a minimum, and 300 s after the last poll with load", () => {
    const keda = run(KEDA, ["decode"], { downWindowSeconds: 0 });
    expect(keda.at(0, waiting(1, 3, 0))).toEqual({ decode: 1 });
    for (let second = 30; second <= 300; second += 30) expect(keda.at(second, waiting(1, 0, 0))).toEqual({ decode: 1 });
    expect(keda.at(330, waiting(1, 0, 0))).toEqual({ decode: 0 });
    expect(keda.at(345, waiting(0, 4, 0))).toEqual({}); // the poll has not seen it yet
    expect(keda.at(360, waiting(0, 4, 0))).toEqual({ decode: 1 });
  });

  test("an error does not take the last replica away", () => {
    const keda = run(KEDA, ["decode"], { ignoreNullValues: 0 });
    for (let second = 0; second < 900; second += 15) expect(keda.at(second, waiting(1, undefined, 0))).toEqual({});
  });
});

describe("keda-production-stack", () => {
  test("polls every 15 s and cools down for 360 s", () => {
    const keda = run(KEDA_PRODUCTION_STACK, ["decode"], { downWindowSeconds: 0 });
    expect(keda.at(0, waiting(1, 3, 0))).toEqual({ decode: 1 });
    for (let second = 15; second <= 360; second += 15) expect(keda.at(second, waiting(1, 0, 0))).toEqual({ decode: 1 });
    expect(keda.at(375, waiting(1, 0, 0))).toEqual({ decode: 0 });
  });
});

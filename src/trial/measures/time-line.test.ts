import { describe, expect, test } from "vitest";
import { timeLine } from "./time-line.ts";
import { countsOf, lifeOf, recordOf, requestsOf } from "./trial-record.fixture.ts";

describe("timeLine", () => {
  test("load, latency, GPUs and replicas by bucket; what nobody measured is null", () => {
    const record = recordOf({
      window: { startMs: 60_000, endMs: 100_000 },
      requests: requestsOf([
        { atMs: 59_999, ttftMs: 9_999, itlMs: 1 },
        { atMs: 60_000, ttftMs: 100, itlMs: 10 },
        { atMs: 62_000, ttftMs: 200, itlMs: 0, outputTokens: 1 },
        { atMs: 63_000, outcome: "failed" },
        { atMs: 99_000, outcome: "failed" },
        { atMs: 100_000, ttftMs: 9_999, itlMs: 1 },
      ]),
      lives: [lifeOf({ placedMs: 67_500, goneMs: 90_000, gpus: 4 })],
      counts: [countsOf(0, [1]), countsOf(75_000, [3], [1]), countsOf(80_000, [3])],
    });
    expect(timeLine(record)).toEqual({
      bucketMs: 15_000,
      // The last bucket is ten seconds long.
      offeredPerSecond: [3 / 15, 0, 1 / 10],
      ttftP90Ms: [expect.closeTo(190), null, null],
      itlP90Ms: [10, null, null],
      allocatedGpus: [2, 4, 0],
      targets: [{ name: "decode", role: "decode", spec: [1, 3, 3], ready: [1, 1, 3] }],
    });
  });

  test("a long window has longer buckets, of whole scrapes", () => {
    const day = recordOf({ window: { startMs: 0, endMs: 86_400_000 } });
    expect(timeLine(day).bucketMs).toBe(360_000);
    expect(timeLine(day, 100)).toMatchObject({ bucketMs: 870_000, offeredPerSecond: { length: 100 } });
    expect(timeLine(recordOf({ counts: [countsOf(20_000, [2])] }), 240).targets[0]?.spec.slice(0, 3)).toEqual([
      null,
      null,
      2,
    ]);
  });
});

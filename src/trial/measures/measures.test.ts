import { describe, expect, test } from "vitest";
import type { Order, RatioBand } from "../record.ts";
import { flapWindowMs } from "./actions.ts";
import { costGpuHours, MISS_WORTHS, regretRatio } from "./cost.ts";
import { measureTrial, type PlainMeasures } from "./measure-trial.ts";
import { reaction } from "./reaction.ts";
import { countsOf, HOUR, lifeOf, recordOf, requestsOf, targetOf } from "./trial-record.fixture.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const SLO = { name: "half a second", ttftMs: 500, itlMs: 50 };
const measure = (record: Parameters<typeof recordOf>[0]): PlainMeasures => measureTrial(recordOf(record)).values;

describe("attainment", () => {
  test("counts every request that arrived; failed and unfinished ones have missed", () => {
    const record = recordOf({
      requests: requestsOf([
        { atMs: 0, ttftMs: 500, itlMs: 50 },
        { atMs: 1, ttftMs: 501, itlMs: 50 },
        { atMs: 2, ttftMs: 100, itlMs: 51 },
        { atMs: 3, ttftMs: 100, itlMs: 10, outcome: "failed" },
        { atMs: 4, ttftMs: 100, outcome: "unfinished" },
        { atMs: 5, outcome: "failed" },
        { atMs: 6, ttftMs: 900, itlMs: 0, outputTokens: 1 },
        { atMs: 7, ttftMs: 2_000, itlMs: 70 },
      ]),
      lives: [lifeOf({ gpus: 2 })],
    });
    const [tight, wide] = measureTrial(record, { sloSets: [SLO, { ...SLO, name: "wide", ttftMs: 1_500 }] }).bySlo;
    expect(tight?.values).toEqual({
      attainmentRatio: 1 / 8,
      ttftAttainmentRatio: 2 / 8,
      itlAttainmentRatio: 3 / 8,
      missedRequests: 7,
      goodputPerSecond: 1 / 3_600,
      goodputPerGpuHour: 1 / 2,
    });
    expect(wide?.values).toMatchObject({ attainmentRatio: 3 / 8, ttftAttainmentRatio: 4 / 8 });
  });

  test("the window takes its start and leaves its end", () => {
    const window = { startMs: 1_000, endMs: 2_000 };
    const good = { ttftMs: 1, itlMs: 1 };
    const requests = requestsOf([999, 1_000, 1_999, 2_000].map((atMs) => ({ atMs, ...good })));
    const { values, bySlo } = measureTrial(recordOf({ window, requests }));
    expect(values.arrivedRequests).toBe(2);
    expect(bySlo[0]?.values.goodputPerSecond).toBe(2);
  });

  test("without requests, without GPUs and without time the shares are unknown, not zero", () => {
    const { values, bySlo } = measureTrial(recordOf({ window: { startMs: 5, endMs: 5 } }));
    expect(bySlo[0]?.values).toMatchObject({
      attainmentRatio: undefined,
      goodputPerSecond: undefined,
      goodputPerGpuHour: undefined,
      missedRequests: 0,
    });
    expect(values).toMatchObject({ ttftP50Ms: undefined, flapsPerHour: undefined, decisionP99Micros: undefined });
  });

  test("a window that ends before it starts is refused", () => {
    expect(() => measure({ window: { startMs: 2, endMs: 1 } })).toThrow(/must end after it starts/);
  });
});

describe("latency", () => {
  test("quantiles are of what was measured, and the rest is counted", () => {
    const rows = Array.from({ length: 100 }, (_, index) => ({
      atMs: index,
      ttftMs: 1_000 - 10 * index,
      itlMs: index + 1,
    }));
    const requests = requestsOf([
      ...rows,
      { atMs: 200, outcome: "failed" },
      { atMs: 201, ttftMs: 5, outcome: "unfinished" },
      { atMs: 202, ttftMs: 7, itlMs: 0, outputTokens: 1 },
    ]);
    // 102 first tokens, 5, 7, 10, 20 … 1000, and 100 ITLs, 1 … 100. The quantile q of n values lies at (n - 1) q, counted from 0 and interpolated.
    expect(measure({ requests })).toMatchObject({
      ttftP50Ms: 495,
      ttftP90Ms: 899,
      ttftP99Ms: expect.closeTo(989.9),
      requestsWithoutFirstToken: 1,
      itlP50Ms: 50.5,
      itlP90Ms: expect.closeTo(90.1),
      itlP99Ms: expect.closeTo(99.01),
      requestsWithoutItl: 2,
    });
  });

  test("p99 of the time that decisions took", () => {
    const decisionMicros = Float64Array.from({ length: 1_001 }, (_, index) => 1_000 - index);
    expect(measure({ decisionMicros }).decisionP99Micros).toBe(990);
  });
});

describe("GPU-hours", () => {
  test.each([
    {
      name: "starting, ready and draining are all paid for",
      life: { placedMs: 0, readyMs: HOUR_MS / 4, stoppedMs: HOUR_MS / 2, goneMs: (HOUR_MS * 3) / 4, gpus: 8 },
      want: { allocatedGpuHours: 6, usefulGpuHours: 2, wastedStartGpuHours: 0 },
    },
    {
      name: "a life that spans the window is cut to it",
      life: { placedMs: -HOUR_MS, readyMs: -HOUR_MS / 2, goneMs: 9 * HOUR_MS, busyMs: HOUR_MS / 4 },
      want: { allocatedGpuHours: 1, usefulGpuHours: 1, idleGpuHours: 0.75 },
    },
    {
      name: "a life that has not ended is paid until the window does",
      life: { placedMs: HOUR_MS / 2, readyMs: Number.NaN },
      want: { allocatedGpuHours: 0.5, usefulGpuHours: 0, idleGpuHours: 0 },
    },
    {
      name: "a replica that never found a node costs nothing",
      life: {
        placedMs: Number.NaN,
        readyMs: Number.NaN,
        stoppedMs: HOUR_MS / 2,
        goneMs: HOUR_MS / 2,
        servedRequests: 0,
      },
      want: { allocatedGpuHours: 0, wastedStarts: 0, wastedStartGpuHours: 0 },
    },
    {
      name: "a life before the window is none of it",
      life: { placedMs: -HOUR_MS, readyMs: -HOUR_MS, stoppedMs: -2, goneMs: -1, servedRequests: 0 },
      want: { allocatedGpuHours: 0, usefulGpuHours: 0, wastedStarts: 0 },
    },
    {
      name: "busy time in the drain is not taken from the ready time",
      life: { stoppedMs: HOUR_MS / 2, goneMs: HOUR_MS, busyMs: (HOUR_MS * 3) / 4 },
      want: { allocatedGpuHours: 1, usefulGpuHours: 0.5, idleGpuHours: 0.25 },
    },
    {
      name: "stopped before it served: a wasted start",
      life: { readyMs: Number.NaN, stoppedMs: HOUR_MS / 2, goneMs: HOUR_MS / 2, servedRequests: 0, gpus: 2 },
      want: { allocatedGpuHours: 1, wastedStarts: 1, wastedStartGpuHours: 1 },
    },
    {
      name: "lost with its node before it served: not the autoscaler's waste",
      life: { goneMs: HOUR_MS / 2, servedRequests: 0 },
      want: { wastedStarts: 0, wastedStartGpuHours: 0 },
    },
  ])("$name", ({ life, want }) => {
    expect(measure({ lives: [lifeOf(life)] })).toMatchObject(want);
  });

  test("what a start must serve can be said", () => {
    const record = recordOf({ lives: [lifeOf({ stoppedMs: 10, goneMs: 10, servedRequests: 4 })] });
    expect(measureTrial(record, { minServedRequests: 4 }).values.wastedStarts).toBe(0);
    expect(measureTrial(record, { minServedRequests: 5 }).values.wastedStarts).toBe(1);
  });
});

describe("actions", () => {
  const order = (atMs: number, from: number, to: number, target = 0): Order => ({ atMs, target, from, to });

  test("writes, replicas and flaps; another target and a write of the same number turn nothing around", () => {
    const orders = [
      order(0, 1, 4),
      order(100_000, 4, 4),
      order(200_000, 2, 1, 1),
      order(300_000, 4, 2),
      order(600_001, 2, 3),
      order(600_002, 3, 4),
    ];
    expect(measure({ orders, targets: [targetOf(), targetOf()], counts: [countsOf(0, [1, 2])] })).toMatchObject({
      writes: 6,
      replicasMoved: 3 + 0 + 1 + 2 + 1 + 1,
      // 0 s up, 300 s down: a flap at the edge of its window. 600.001 s up again: a millisecond late.
      flaps: 1,
      flapsPerHour: 1,
    });
  });

  test("a slow start makes the flap window longer", () => {
    const slow = targetOf({ medianStartupMs: 400_000 });
    expect([flapWindowMs(targetOf()), flapWindowMs(slow)]).toEqual([300_000, 800_000]);
    const orders = [order(0, 1, 2), order(800_000, 2, 1)];
    expect(measure({ orders }).flaps).toBe(0);
    expect(measure({ orders, targets: [slow] }).flaps).toBe(1);
  });

  test("an order before the window may be reversed inside it, one after it is not counted", () => {
    const orders = [order(-1_000, 1, 2), order(1_000, 2, 1), order(HOUR_MS, 1, 2)];
    expect(measure({ orders, counts: [countsOf(-1_000, [1])] })).toMatchObject({
      writes: 1,
      flaps: 1,
      replicasMoved: 1,
    });
  });
});

describe("safety", () => {
  const targets = [targetOf({ name: "prefill", role: "prefill" }), targetOf({ minReplicas: 2 })];
  const band: RatioBand = { name: "p-d", a: 0, b: 1, min: 1 / 3, max: 1 / 2 };

  test("specs and ready replicas are held against each band apart", () => {
    const counts = [
      countsOf(-1_000, [1, 3]),
      countsOf(10_000, [2, 4], [1, 4]),
      countsOf(30_000, [3, 4], [2, 4]),
      countsOf(35_000, [2, 4]),
    ];
    const { bands, values } = measureTrial(
      recordOf({ targets, bands: [band, { ...band, name: "none", max: 9, min: 0 }], counts }),
    );
    expect(bands).toEqual([
      { band: "p-d", specSeconds: 5, readySeconds: 20 },
      { band: "none", specSeconds: 0, readySeconds: 0 },
    ]);
    expect(values).toMatchObject({ outOfBandSpecSeconds: 5, outOfBandReadySeconds: 20 });
  });

  test.each([
    { replicas: [0, 0], max: 1, outside: 0 },
    { replicas: [1, 0], max: 1, outside: 3_600 },
    { replicas: [1, 0], max: Number.POSITIVE_INFINITY, outside: 0 },
    { replicas: [0, 1], max: 1, outside: 3_600 },
    { replicas: [1, 3], max: 1, outside: 0 },
    { replicas: [1, 49], min: 0, max: 1 / 49, outside: 0 },
  ])("$replicas in 1/3 … $max: $outside s outside", ({ replicas, min = 1 / 3, max, outside }) => {
    const counts = [countsOf(0, replicas)];
    expect(measure({ targets, bands: [{ ...band, min, max }], counts }).outOfBandSpecSeconds).toBe(outside);
  });

  test("the floor counts once the set was viable, and its specs always", () => {
    const counts = [
      countsOf(-5_000, [0, 2], [0, 0]),
      countsOf(5_000, [1, 2], [1, 0]),
      countsOf(20_000, [1, 2], [1, 2]),
      countsOf(50_000, [1, 2], [0, 2]),
      countsOf(57_000, [1, 2], [1, 2]),
    ];
    expect(measure({ targets, counts })).toMatchObject({ belowFloorSpecSeconds: 5, belowFloorReadySeconds: 7 });
    expect(measure({ targets, counts: counts.slice(0, 2) }).belowFloorReadySeconds).toBeUndefined();
  });

  test("the budget is held against the GPUs on nodes", () => {
    const lives = [
      lifeOf({ placedMs: -100_000, gpus: 4, goneMs: 30_000 }),
      lifeOf({ placedMs: 10_000, gpus: 4, goneMs: 20_000 }),
      lifeOf({ placedMs: 30_000, gpus: 8 }),
      lifeOf({ placedMs: HOUR_MS - 2_000, gpus: 1 }),
      lifeOf({ placedMs: Number.NaN, gpus: 100 }),
    ];
    expect(measure({ lives, gpuBudget: 7 }).overBudgetSeconds).toBe(10 + 3_600 - 30);
    // At 30 s four are freed for eight: never twelve.
    expect(measure({ lives, gpuBudget: 8 }).overBudgetSeconds).toBe(2);
    expect(measure({ lives }).overBudgetSeconds).toBeUndefined();
  });

  test("time with a replica that is pending for too long", () => {
    const counts = [countsOf(0, [1]), countsOf(HOUR_MS - 8_000, [2], [1], [1]), countsOf(HOUR_MS + 1, [2])];
    expect(measure({ counts }).overduePendingSeconds).toBe(8);
  });

  test("counts that begin inside the window are refused: before them nothing is known", () => {
    expect(() => measure({ counts: [countsOf(1, [1])] })).toThrow(
      /must begin at the start of the window \(0 ms\), got 1/,
    );
    expect(() => measure({ counts: [] })).toThrow(/got NaN/);
  });

  test("requests lost with a replica that was told to go, and with one that failed", () => {
    const lives = [
      lifeOf({ stoppedMs: 1, goneMs: 2, lostRequests: 3 }),
      lifeOf({ goneMs: 5, lostRequests: 7 }),
      lifeOf({ stoppedMs: 1, goneMs: HOUR_MS, lostRequests: 100 }),
    ];
    expect(measure({ lives })).toMatchObject({ lostOnScaleIn: 3, lostOnFailure: 7 });
  });
});

describe("reaction", () => {
  const atMs = 10 * MINUTE_MS;
  const good = { ttftMs: 1, itlMs: 1 };
  const targets = [targetOf({ name: "prefill" }), targetOf()];
  const counts = [
    countsOf(0, [2, 4]),
    countsOf(atMs + 30_000, [3, 4], [2, 4]),
    countsOf(atMs + 60_000, [5, 4], [2, 4]),
    countsOf(atMs + 150_000, [5, 4], [4, 4]),
  ];
  const orders = [
    { atMs: atMs + 10_000, target: 1, from: 4, to: 5 },
    { atMs: atMs + 20_000, target: 0, from: 2, to: 1 },
    { atMs: atMs + 30_000, target: 0, from: 2, to: 3 },
  ];
  const step = { atMs, requiredReplicas: [4, 4], untilMs: HOUR.endMs };

  test("first order in the direction, specs and ready replicas that suffice, and what was too much", () => {
    const requests = requestsOf([
      { atMs: atMs + 1_000, ...good },
      { atMs: atMs + 16_000, ttftMs: 9_000, itlMs: 1 },
      { atMs: atMs + 50_000, outcome: "failed" },
      { atMs: atMs + 70_000, ...good },
    ]);
    expect(reaction(recordOf({ targets, counts, orders, requests }), step, SLO)).toEqual({
      targets: [
        {
          target: "prefill",
          firstOrderMs: 30_000,
          specReachedMs: 60_000,
          readyReachedMs: 150_000,
          overshootReplicas: 1,
        },
      ],
      // The bucket of the last miss ends a minute after the step.
      sloRecoveryMs: 60_000,
    });
  });

  test("a step down: fewer is the direction, below what is required is too far", () => {
    const down = [countsOf(0, [4, 4]), countsOf(atMs + 5_000, [1, 4], [4, 4]), countsOf(atMs + 9_000, [1, 4], [1, 4])];
    const answer = reaction(
      recordOf({ targets, counts: down, orders: [{ atMs: atMs + 5_000, target: 0, from: 4, to: 1 }] }),
      { ...step, requiredReplicas: [2, 4] },
      SLO,
    );
    expect(answer.targets).toEqual([
      { target: "prefill", firstOrderMs: 5_000, specReachedMs: 5_000, readyReachedMs: 9_000, overshootReplicas: 1 },
    ]);
  });

  test("what does not happen before the end of the step is undefined, not the end", () => {
    const requests = requestsOf([{ atMs: HOUR_MS - 1, outcome: "failed" }]);
    const answer = reaction(recordOf({ targets, requests, counts: [countsOf(0, [2, 4])] }), step, SLO);
    expect(answer.sloRecoveryMs).toBeUndefined();
    expect(answer.targets).toEqual([
      {
        target: "prefill",
        firstOrderMs: undefined,
        specReachedMs: undefined,
        readyReachedMs: undefined,
        overshootReplicas: 0,
      },
    ]);
    const early = reaction(recordOf({ targets, counts, orders }), { ...step, untilMs: atMs + 60_000 }, SLO);
    expect(early.targets[0]).toMatchObject({ firstOrderMs: 30_000, specReachedMs: undefined });
  });

  test("requests that never suffer have recovered at once", () => {
    const requests = requestsOf(Array.from({ length: 40 }, (_, index) => ({ atMs: atMs + index * 5_000, ...good })));
    expect(reaction(recordOf({ targets, counts, requests }), step, SLO).sloRecoveryMs).toBe(0);
  });

  test("a step of which nothing is known before it is refused", () => {
    expect(() => reaction(recordOf({ targets, counts: [] }), step, SLO)).toThrow(/nothing is known of prefill/);
  });
});

describe("cost", () => {
  test("GPU-hours and misses at three worths of a miss", () => {
    const record = recordOf({ lives: [lifeOf()], requests: requestsOf([{ atMs: 0, outcome: "failed" }]) });
    expect(measureTrial(record).bySlo[0]?.costGpuHours).toEqual({ low: 1.0001, mid: 1.001, high: 1.01 });
    expect(costGpuHours({ allocatedGpuHours: 2, missedRequests: 300 }, MISS_WORTHS[2]!)).toBe(5);
  });

  test("regret is a share of the oracle's cost", () => {
    expect(regretRatio(3, 2)).toBe(0.5);
    expect(regretRatio(1, 2)).toBe(-0.5);
    expect(regretRatio(1, 0)).toBeUndefined();
  });
});

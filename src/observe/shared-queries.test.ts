import { expect, test } from "vitest";
import { VirtualClock } from "../clock.ts";
import { MetricsError, type MetricsSource, type Sample } from "./metrics-source.ts";
import { readMetric } from "./read-metric.ts";
import { shareQueries } from "./shared-queries.ts";

interface Server {
  readonly clock: VirtualClock;
  readonly source: MetricsSource;
  asked: number;
}

/** A server that takes its time for each answer. */
function server(tookMs: number, answer: (nowSeconds: number) => readonly Sample[]): Server {
  const clock = new VirtualClock();
  const one: Server = {
    clock,
    asked: 0,
    source: {
      async query() {
        one.asked++;
        const evaluatedAt = clock.nowMs() / 1000;
        await clock.sleep(tookMs);
        return answer(evaluatedAt);
      },
      queryRange: async () => [],
    },
  };
  return one;
}

const one = (nowSeconds: number): readonly Sample[] => [{ labels: {}, timestampSeconds: nowSeconds, value: 1 }];

test("an answer on its way is waited for by everybody, however long it takes", async () => {
  const slow = server(20_000, one);
  const queries = shareQueries({ source: slow.source, clock: slow.clock });
  const answers: unknown[] = [];
  for (let at = 0; at < 20_000; at += 1_000) {
    void queries.query("up").then((answer) => answers.push(answer));
    await slow.clock.advance(1_000);
  }
  expect(slow.asked).toBe(1);
  expect(new Set(answers).size).toBe(1);
  expect(answers).toHaveLength(20);
});

test("who is content with an older answer gets it, and others do not", async () => {
  const quick = server(0, one);
  const queries = shareQueries({ source: quick.source, clock: quick.clock }).within(1_000);
  for (const [afterMs, maxAgeMs, asked] of [
    [0, undefined, 1],
    [30_000, 30_000, 1],
    [1, 30_000, 2],
    [10_000, undefined, 3],
  ] as const) {
    await quick.clock.advance(afterMs);
    void queries.query("up", maxAgeMs);
    await quick.clock.settle();
    expect(quick.asked).toBe(asked);
  }
});

test.each([
  [0, 5_000],
  [800, 8_000],
  [9_000, 15_000],
])("an answer that took %d ms is shared for %d ms", async (tookMs, sharedMs) => {
  const { clock, source, ...rest } = server(tookMs, one);
  let asked = rest.asked;
  const queries = shareQueries({
    clock,
    source: {
      ...source,
      query(promql) {
        asked++;
        return source.query(promql);
      },
    },
  });
  void queries.query("up");
  await clock.advance(sharedMs);
  void queries.query("up");
  expect(asked).toBe(1);
  await clock.advance(1);
  void queries.query("up");
  expect(asked).toBe(2);
  await clock.advance(tookMs);
});

test("a failure is shared too", async () => {
  const clock = new VirtualClock();
  let asked = 0;
  const source: MetricsSource = {
    async query() {
      asked++;
      throw new MetricsError("Unreachable", "nobody is there");
    },
    queryRange: async () => [],
  };
  const queries = shareQueries({ source, clock });
  await expect(queries.query("up")).rejects.toThrow("nobody is there");
  await expect(queries.query("up")).rejects.toThrow("nobody is there");
  expect(asked).toBe(1);
});

test("a sample grows older while its answer is shared", async () => {
  const clock = new VirtualClock();
  const atSeconds = clock.nowMs() / 1000;
  const source: MetricsSource = {
    async query(promql) {
      // It does not sleep.
      if (promql.includes("sleep_state")) return [];
      const value = promql.includes("timestamp(") ? atSeconds - 10 : 0.5;
      return [{ labels: { namespace: "serving", pod: "a" }, timestampSeconds: atSeconds, value }];
    },
    queryRange: async () => [],
  };
  const queries = shareQueries({ source, clock });
  const read = () =>
    readMetric({ type: "Preset", preset: { name: "kvCacheUsage" } } as never, {
      queries,
      engine: "vllm",
      role: "decode",
      scope: { namespace: "serving", podRegex: "a" },
      replicas: [{ replica: "a", pods: ["serving/a"] }],
    });
  expect(await read()).toMatchObject({ samples: [{ value: 0.5, ageMs: 10_000 }] });
  await clock.advance(4_000);
  expect(await read()).toMatchObject({ samples: [{ value: 0.5, ageMs: 14_000 }] });
});

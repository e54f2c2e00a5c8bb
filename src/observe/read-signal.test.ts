import { describe, expect, test } from "vitest";
import { VirtualClock } from "../clock.ts";
import { loadSignal } from "./load-signals.ts";
import type { Labels, MetricsSource } from "./metrics-source.ts";
import { presetOf } from "./presets.ts";
import { readSignal } from "./read-signal.ts";
import { shareQueries } from "./shared-queries.ts";
import type { SignalQuery } from "./signal-query.ts";

type Rows = readonly (readonly [Labels, number])[];

function read(signal: SignalQuery, answers: Readonly<Record<string, Rows>>) {
  const source: MetricsSource = {
    query: async (promql) =>
      (answers[promql] ?? []).map(([labels, value]) => ({ labels, value, timestampSeconds: 100 })),
    queryRange: async () => [],
  };
  return readSignal(signal, {
    queries: shareQueries({ source, clock: new VirtualClock() }),
    replicas: ["a", "b", "c"].map((name) => ({ replica: name, pods: [`ns/${name}`] })),
    setPods: () => ["ns/a", "ns/b", "ns/c", "ns/front-1", "ns/front-2"],
  });
}
const pod = (name: string, labels: Labels = {}): Labels => ({ namespace: "ns", pod: name, ...labels });

describe("what only the frontends of the set know", () => {
  const queue = presetOf("dynamo", "waitingRequests", "prefill");
  const { query, freshnessQuery } = queue.ofSet ?? queue;

  test("the router's backlog is spread over the replicas that report, on top of their own queues", async () => {
    const reading = await read(queue, {
      [queue.query]: [
        [pod("a"), 1],
        [pod("b"), 3],
      ],
      [query]: [
        [pod("front-1"), 4],
        [pod("front-2"), 6],
        [pod("front-of-another-set"), 100],
      ],
    });
    expect(reading).toEqual({
      kind: "PerReplica",
      samples: [{ replica: "a", value: 6, ageMs: 0 }, { replica: "b", value: 8, ageMs: 0 }, { replica: "c" }],
    });
  });

  test("where no engine says anything the backlog is all there is, with its own age", async () => {
    const reading = await read(queue, { [query]: [[pod("front-1"), 9]], [freshnessQuery]: [[pod("front-1"), 70]] });
    expect(reading).toMatchObject({ samples: [0, 1, 2].map(() => ({ value: 3, ageMs: 30_000 })) });
  });

  test("the client's latency stands in for an engine that measures none", async () => {
    const latency = loadSignal("dynamo", "timeToFirstToken", { role: "decode", quantile: 0.95 });
    const own = { [latency.query]: [[pod("a"), 0.2]] } as const;
    const client = {
      [latency.ofSet?.query ?? ""]: [
        [pod("front-1"), 0.5],
        [pod("front-2"), 0.9],
      ],
    } as const;
    expect(await read(latency, { ...own, ...client })).toMatchObject({ samples: [{ value: 0.2 }, {}, {}] });
    expect(await read(latency, client)).toMatchObject({ samples: [{ value: 0.9 }, { value: 0.9 }, { value: 0.9 }] });
  });
});

test("an engine that sleeps is no sample, and a pod with one engine awake does not sleep", async () => {
  const usage = presetOf("vllm", "kvCacheUsage", "decode");
  const reading = await read(usage, {
    [usage.query]: [
      [pod("a"), 0.8],
      [pod("b"), 0],
    ],
    [usage.asleepQuery ?? ""]: [[pod("b"), 0]],
  });
  expect(reading).toEqual({
    kind: "PerReplica",
    samples: [{ replica: "a", value: 0.8 }, { replica: "b", isAsleep: true }, { replica: "c" }],
  });
});

test("capacity that stands in labels is their product, over all engines of the pod", async () => {
  const capacity = loadSignal("vllm", "kvCacheTokens", { role: "decode" });
  const engine = (index: string, labels: Labels): Labels => pod("a", { engine: index, ...labels });
  const reading = await read(capacity, {
    [capacity.query]: [
      [engine("0", { num_gpu_blocks: "100", block_size: "16" }), 1],
      [engine("1", { num_gpu_blocks: "100", block_size: "16", kv_cache_size_tokens: "1500" }), 1],
      [pod("b", { num_gpu_blocks: "None", block_size: "16" }), 1],
    ],
  });
  expect(reading).toMatchObject({ samples: [{ value: 3_100 }, { value: Number.NaN }, {}] });
});

test.each([0, 1, -1, 95, Number.NaN])("there is no quantile %s", (quantile) => {
  expect(() => loadSignal("vllm", "timeToFirstToken", { role: "decode", quantile })).toThrow(RangeError);
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Pod } from "../../api/kubernetes/core.ts";
import { VirtualClock } from "../../clock.ts";
import { seededRandom } from "../../random.ts";
import { createPrometheus } from "../prometheus/prometheus.ts";
import { constant, generateTraffic, type Phase } from "../traffic/generate.ts";
import { type Arrival, createDataPlane, type DataPlane } from "./data-plane.ts";
import { type EngineProfile, PROFILES } from "./profiles.ts";

const SYSTEM = { namespace: "serving", partOf: "llama" };
const LATENCY = { ttftMs: 500, itlMs: 50 };
const EIGHT_B = PROFILES["llama-3.1-8b-bf16-h100-tp1"] as EngineProfile;
const SMALL_WORKER = { ...EIGHT_B.workers.decode, kvTokens: 6_000 };
const SMALL: EngineProfile = {
  ...EIGHT_B,
  name: "small",
  workers: { prefill: SMALL_WORKER, decode: SMALL_WORKER },
  maxRequests: 16,
};

interface PodShape {
  readonly clique: string;
  readonly index?: number;
  readonly group?: { readonly name: string; readonly replica: number; readonly pods: number };
  readonly setReplica?: number;
  readonly annotations?: Record<string, string>;
}

function pod({ clique, index = 0, group, setReplica = 0, annotations = {} }: PodShape): Pod {
  const prefix = group === undefined ? `llama-${setReplica}` : `llama-${setReplica}-${group.name}-${group.replica}`;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace: "serving",
      name: `${prefix}-${clique}-${index}`,
      annotations,
      labels: {
        "app.kubernetes.io/part-of": "llama",
        "grove.io/podclique": `${prefix}-${clique}`,
        "grove.io/podclique-pod-index": String(index),
        "grove.io/podcliqueset-replica-index": String(setReplica),
        ...(group && {
          "grove.io/podcliquescalinggroup": `llama-${setReplica}-${group.name}`,
          "grove.io/podcliquescalinggroup-replica-index": String(group.replica),
        }),
      },
    },
    spec: {
      nodeName: "node-0",
      containers: [
        {
          name: "engine",
          resources: { limits: { "nvidia.com/gpu": 1 } },
          ...(group && { env: [{ name: "GROVE_PCSG_TEMPLATE_NUM_PODS", value: String(group.pods) }] }),
        },
      ],
    },
  };
}

const keyOf = (p: Pod): string => `serving/${p.metadata.name}`;

function world(profiles: Record<string, EngineProfile> = {}): { clock: VirtualClock; plane: DataPlane } {
  const clock = new VirtualClock();
  return { clock, plane: createDataPlane({ clock, profiles }) };
}

const single: readonly Arrival[] = [{ atMs: 0, inputTokens: 1000, outputTokens: 11 }];

const steady = (perSecond: number, seconds: number, seed = 1): Iterable<Arrival> => {
  const phase: Phase = {
    durationSeconds: seconds,
    requestsPerSecond: constant(perSecond),
    input: { medianTokens: 800, spreadP90: 3 },
    output: { medianTokens: 120, spreadP90: 2 },
  };
  return generateTraffic([phase], seededRandom(seed));
};

describe("one request", () => {
  test("aggregated: TTFT is the prefill, then one decode step per token", async () => {
    const { clock, plane } = world();
    plane.setPod(pod({ clique: "worker" }), true);
    plane.attachTraffic(SYSTEM, single);
    await clock.advance(10_000);
    const summary = plane.summary(SYSTEM, LATENCY);
    const prefillMs = 12.019 + ((22.109 - 12.019) * (1000 - 512)) / 512;
    // Up to 1024 tokens of context no run of ten steps is cut.
    const stepMs = (kvTokens: number): number => 1.05 * (6.168 + ((6.181 - 6.168) * (kvTokens - 512)) / 512);
    // Ten steps, the first with the prompt and one token in the cache.
    const meanStepMs = Array.from({ length: 10 }, (_, i) => stepMs(1001 + i)).reduce((a, b) => a + b) / 10;
    expect(summary).toMatchObject({ arrived: 1, completed: 1, outputTokens: 11, sloAttainmentRatio: 1 });
    expect(summary.ttftMs.p50).toBeCloseTo(prefillMs + 25, 3);
    expect(summary.itlMs.p50).toBeCloseTo(meanStepMs, 3);
  });

  test("disaggregated: TTFT adds the transfer of the KV cache", async () => {
    const { clock, plane } = world();
    plane.setPod(pod({ clique: "prefill" }), true);
    plane.setPod(pod({ clique: "decode" }), true);
    plane.attachTraffic(SYSTEM, single);
    await clock.advance(10_000);
    const prefillMs = 12.019 + ((22.109 - 12.019) * (1000 - 512)) / 512;
    const transferMs = 5 + (1000 * 131_072) / 25e6;
    expect(plane.summary(SYSTEM, LATENCY).ttftMs.p50).toBeCloseTo(prefillMs + transferMs + 25, 3);
    expect(plane.podMetrics("serving/llama-0-decode-0")).toContain(
      'vllm:generation_tokens_total{model_name="meta-llama/Llama-3.1-8B-Instruct",engine="0"} 10\n',
    );
    expect(plane.podMetrics("serving/llama-0-prefill-0")).toMatch(/vllm:kv_cache_usage_perc\{[^}]*\} 0\n/);
  });

  test("a prefill engine hands over only inside its own set replica", async () => {
    const { clock, plane } = world();
    plane.setPod(pod({ clique: "prefill", setReplica: 0 }), true);
    plane.setPod(pod({ clique: "decode", setReplica: 1 }), true);
    plane.attachTraffic(SYSTEM, single);
    await clock.advance(5_000);
    expect(plane.summary(SYSTEM, LATENCY)).toMatchObject({ completed: 0, inFlight: 1 });
    plane.setPod(pod({ clique: "decode", setReplica: 0 }), true);
    await clock.advance(5_000);
    expect(plane.summary(SYSTEM, LATENCY)).toMatchObject({ completed: 1, inFlight: 0 });
  });

  test("a request without a first token fails after the timeout of its client", async () => {
    const { clock, plane } = world();
    plane.attachTraffic(SYSTEM, single);
    await clock.advance(599_999);
    expect(plane.summary(SYSTEM, LATENCY).failed).toBe(0);
    await clock.advance(2);
    expect(plane.summary(SYSTEM, LATENCY)).toMatchObject({ failed: 1, inFlight: 0 });
  });

  test("every client has its own timeout, those behind requests that were served as well", async () => {
    const { clock, plane } = world();
    const request = { inputTokens: 1000, outputTokens: 11 };
    plane.setPod(pod({ clique: "worker" }), true);
    plane.attachTraffic(
      SYSTEM,
      [0, 100_000, 200_000, 650_000].map((atMs) => ({ ...request, atMs })),
    );
    await clock.advance(50_000);
    plane.removePod("serving/llama-0-worker-0");
    const failed: number[] = [];
    for (const atMs of [699_999, 700_001, 799_999, 800_001, 1_249_999, 1_250_001]) {
      await clock.advance(atMs - clock.monotonicMs());
      failed.push(plane.summary(SYSTEM, LATENCY).failed);
    }
    expect(failed).toEqual([0, 1, 1, 2, 2, 3]);
  });
});

describe("instances", () => {
  test("a scaling-group replica serves when all its pods are ready, and its leader alone exports", async () => {
    const { clock, plane } = world();
    const group = { name: "model", replica: 0, pods: 2 };
    const leader = pod({ clique: "decode-leader", group, annotations: { "sim.grove.io/role": "aggregated" } });
    const worker = pod({ clique: "decode-worker", group, annotations: { "sim.grove.io/role": "aggregated" } });
    plane.setPod(worker, true);
    expect(plane.targets()).toEqual([]);
    plane.setPod(leader, true);
    const [target, ...others] = plane.targets();
    expect(others).toEqual([]);
    expect(target?.labels).toMatchObject({
      pod: leader.metadata.name,
      grove_io_podclique: "llama-0-model-0-decode-leader",
      grove_io_podcliquescalinggroup: "llama-0-model",
      grove_io_podcliquescalinggroup_replica_index: "0",
      app_kubernetes_io_part_of: "llama",
    });
    plane.attachTraffic(SYSTEM, single);
    await clock.advance(50);
    plane.removePod(keyOf(worker));
    expect(plane.targets()).toEqual([]);
    expect(plane.summary(SYSTEM, LATENCY)).toMatchObject({ retried: 1, completed: 0, failed: 0 });
  });

  test("a request is tried once more when its engine dies, then fails", async () => {
    const { clock, plane } = world();
    plane.attachTraffic(SYSTEM, [{ atMs: 0, inputTokens: 1000, outputTokens: 5000 }]);
    for (let attempt = 0; attempt < 2; attempt++) {
      plane.setPod(pod({ clique: "worker", index: attempt }), true);
      await clock.advance(1_000);
      plane.removePod(`serving/llama-0-worker-${attempt}`);
      await clock.advance(1_000);
    }
    expect(plane.summary(SYSTEM, LATENCY)).toMatchObject({ arrived: 1, retried: 1, failed: 1, inFlight: 0 });
  });

  test("a draining engine finishes what it holds and takes nothing new", async () => {
    const { clock, plane } = world();
    plane.setPod(pod({ clique: "worker", index: 0 }), true);
    plane.attachTraffic(SYSTEM, [
      { atMs: 0, inputTokens: 1000, outputTokens: 200 },
      { atMs: 500, inputTokens: 1000, outputTokens: 200 },
    ]);
    await clock.advance(100);
    plane.drain("serving/llama-0-worker-0");
    expect(plane.isDrained("serving/llama-0-worker-0")).toBe(false);
    await clock.advance(10_000);
    expect(plane.isDrained("serving/llama-0-worker-0")).toBe(true);
    expect(plane.summary(SYSTEM, LATENCY)).toMatchObject({ completed: 1, inFlight: 1, retried: 0 });
  });

  test("a frontend takes requests no faster than its rate", async () => {
    const { clock, plane } = world();
    plane.setPod(pod({ clique: "frontend", annotations: { "sim.grove.io/requests-per-second": "2" } }), true);
    plane.setPod(pod({ clique: "worker" }), true);
    plane.attachTraffic(
      SYSTEM,
      Array.from({ length: 20 }, () => ({ atMs: 0, inputTokens: 10, outputTokens: 1 })),
    );
    await clock.advance(5_100);
    expect(plane.summary(SYSTEM, LATENCY).completed).toBe(10);
    await clock.advance(5_000);
    expect(plane.summary(SYSTEM, LATENCY).completed).toBe(20);
  });
});

describe("laws", () => {
  test("requests are conserved and the KV cache is never over its capacity, whatever happens to the pods", async () => {
    const events = fc.array(
      fc.record({
        afterMs: fc.integer({ min: 1, max: 4_000 }),
        what: fc.constantFrom("up", "down", "drain"),
        clique: fc.constantFrom("prefill", "decode", "worker", "frontend"),
        index: fc.integer({ min: 0, max: 1 }),
        setReplica: fc.integer({ min: 0, max: 1 }),
      }),
      { minLength: 3, maxLength: 25 },
    );
    await fc.assert(
      fc.asyncProperty(events, fc.integer({ min: 0, max: 1000 }), async (story, seed) => {
        const { clock, plane } = world({ small: SMALL });
        plane.attachTraffic(SYSTEM, steady(8, 40, seed));
        const annotations = { "sim.grove.io/profile": "small" };
        for (const { afterMs, what, ...shape } of story) {
          const made = pod({ ...shape, annotations });
          if (what === "up") plane.setPod(made, true);
          else if (what === "down") plane.removePod(keyOf(made));
          else plane.drain(keyOf(made));
          await clock.advance(afterMs);
          for (const target of plane.targets()) {
            const usage = /vllm:kv_cache_usage_perc\{[^}]*\} (\S+)/.exec(await target.scrape())?.[1] ?? "0";
            expect(Number(usage)).toBeGreaterThanOrEqual(0);
            expect(Number(usage)).toBeLessThanOrEqual(1);
          }
          const { arrived, completed, failed } = plane.summary(SYSTEM, LATENCY);
          expect(arrived).toBe(completed + failed + plane.inFlight(SYSTEM));
        }
        for (const clique of ["frontend", "worker"]) plane.setPod(pod({ clique, index: 9, annotations }), true);
        await clock.advance(3_600_000);
        const end = plane.summary(SYSTEM, LATENCY);
        expect(end.completed + end.failed).toBe(end.arrived);
        expect(plane.inFlight(SYSTEM)).toBe(0);
        for (const target of plane.targets()) {
          const text = await target.scrape();
          expect(text).not.toMatch(
            /vllm:(kv_cache_usage_perc|num_requests_running|num_requests_waiting)\{[^}]*\} [^0]/,
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  test("overload preempts, and every request still gets all its tokens", async () => {
    const { clock, plane } = world({ small: SMALL });
    plane.setPod(pod({ clique: "worker", annotations: { "sim.grove.io/profile": "small" } }), true);
    plane.attachTraffic(
      SYSTEM,
      Array.from({ length: 40 }, () => ({ atMs: 0, inputTokens: 400, outputTokens: 400 })),
    );
    await clock.advance(600_000);
    expect(plane.summary(SYSTEM, LATENCY)).toMatchObject({ completed: 40, outputTokens: 16_000 });
    const text = plane.podMetrics("serving/llama-0-worker-0") ?? "";
    expect(Number(/vllm:num_preemptions_total\{[^}]*\} (\S+)/.exec(text)?.[1])).toBeGreaterThan(0);
    expect(text).toMatch(/vllm:prompt_tokens_total\{[^}]*\} 16000\n/);
    expect(text).toMatch(/vllm:generation_tokens_total\{[^}]*\} 16000\n/);
    expect(text).toMatch(/vllm:inter_token_latency_seconds_count\{[^}]*\} 15960\n/);
  });

  test("the same seed gives the same text, however often the world is looked at", async () => {
    async function run(lookEveryMs: number): Promise<string> {
      const { clock, plane } = world();
      plane.setPod(pod({ clique: "frontend" }), true);
      for (const index of [0, 1]) {
        plane.setPod(pod({ clique: "prefill", index }), true);
        plane.setPod(pod({ clique: "decode", index }), true);
      }
      plane.attachTraffic(SYSTEM, steady(12, 60));
      for (let ms = 0; ms < 60_000; ms += lookEveryMs) {
        await clock.advance(lookEveryMs);
        plane.advance();
      }
      const texts = await Promise.all(plane.targets().map((target) => target.scrape()));
      // Sums of floating-point numbers depend on how runs of steps were cut; counts must not.
      return texts.join("").replaceAll(/.*_sum\{.*\n/g, "");
    }
    const once = await run(60_000);
    expect(once).toContain("vllm:generation_tokens_total");
    expect(await run(60_000)).toBe(once);
    expect((await run(500)).split("\n")).toEqual(once.split("\n"));
  });
});

describe("metrics", () => {
  test("Prometheus reads engines, frontends and GPUs with the labels that presets need", async () => {
    const { clock, plane } = world();
    plane.setNode("node-0", 8);
    plane.setPod(pod({ clique: "frontend" }), true);
    plane.setPod(pod({ clique: "worker" }), true);
    plane.attachTraffic(SYSTEM, steady(5, 120));
    const prometheus = createPrometheus({ clock, targets: plane.targets });
    const stop = new AbortController();
    void prometheus.run(stop.signal);
    await clock.advance(121_000);
    const value = async (query: string): Promise<number | undefined> =>
      (await prometheus.source.query(query)).at(0)?.value;
    expect(await value("min(up)")).toBe(1);
    expect(await value("sum(rate(dynamo_frontend_requests_started_total[1m]))")).toBeGreaterThan(3);
    expect(
      await value('avg by (grove_io_podclique) (vllm:kv_cache_usage_perc{grove_io_podclique="llama-0-worker"})'),
    ).toBeGreaterThan(0);
    expect(
      await value('DCGM_FI_DEV_GPU_UTIL{exported_pod="llama-0-worker-0",exported_namespace="serving"}'),
    ).toBeGreaterThan(50);
    expect(await value("count(DCGM_FI_DEV_FB_USED)")).toBe(8);
    stop.abort();
  });

  test.each([
    { engine: "vllm", usage: "vllm:kv_cache_usage_perc", queue: "vllm:num_requests_waiting" },
    { engine: "sglang", usage: "sglang:token_usage", queue: "sglang:num_decode_prealloc_queue_reqs" },
    { engine: "trtllm", usage: "trtllm_kv_cache_utilization", queue: "trtllm_num_requests_waiting" },
    { engine: "dynamo", usage: "dynamo_component_gpu_cache_usage_percent", queue: "vllm:num_requests_waiting" },
  ])(
    "$engine: the names of its presets, and a backlog where that engine shows it",
    async ({ engine, usage, queue }) => {
      const { clock, plane } = world({ small: SMALL });
      const annotations = { "sim.grove.io/engine": engine, "sim.grove.io/profile": "small" };
      for (const clique of ["prefill", "decode"]) plane.setPod(pod({ clique, annotations }), true);
      plane.attachTraffic(SYSTEM, steady(50, 20));
      await clock.advance(20_000);
      const text = plane.podMetrics("serving/llama-0-decode-0") ?? "";
      const value = (name: string): number => Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, "m").exec(text)?.[1]);
      expect(value(usage)).toBeGreaterThan(0.5);
      expect(value(queue)).toBeGreaterThan(0);
    },
  );

  test("faults: dropped, frozen, NaN, and no scraping at all", async () => {
    const { clock, plane } = world();
    plane.setPod(pod({ clique: "worker" }), true);
    plane.attachTraffic(SYSTEM, steady(5, 120));
    const key = "serving/llama-0-worker-0";
    await clock.advance(10_000);
    plane.setMetricFault(key, "freeze");
    const before = plane.podMetrics(key);
    await clock.advance(10_000);
    expect(plane.podMetrics(key)).toBe(before);
    plane.setMetricFault(key, "nan");
    expect(plane.podMetrics(key)).toMatch(/vllm:num_requests_running\{[^}]*\} NaN\n/);
    plane.setMetricFault(key, "drop");
    expect(plane.podMetrics(key)).toBeUndefined();
    plane.setMetricFault(key, undefined);
    expect(plane.podMetrics(key)).not.toBe(before);
    plane.stopScraping(true);
    expect(() => plane.targets()[0]?.scrape()).toThrow("connection refused");
  });
});

describe("scraped without text", () => {
  test("every engine, every pod that comes, goes, breaks and heals: the same samples as through the exposition", async () => {
    const { clock, plane } = world();
    const engines = ["vllm", "sglang", "trtllm", "dynamo"];
    const workers = engines.map((engine, index) =>
      pod({ clique: "worker", index, annotations: { "sim.grove.io/engine": engine } }),
    );
    plane.setNode("node-0", 8);
    plane.setPod(pod({ clique: "frontend" }), true);
    for (const worker of workers) plane.setPod(worker, true);
    plane.attachTraffic(SYSTEM, steady(20, 300));
    const prometheusOf = (strip: boolean) =>
      createPrometheus({
        clock,
        targets: () =>
          plane
            .targets()
            .map(({ labels, scrape, write }) =>
              strip || write === undefined ? { labels, scrape } : { labels, scrape: () => expect.fail("text"), write },
            ),
      });
    const [byText, directly] = [prometheusOf(true), prometheusOf(false)];
    const first = workers[0] as Pod;
    const events: Readonly<Record<number, () => void>> = {
      3: () => plane.setMetricFault(keyOf(workers[1] as Pod), "nan"),
      5: () => plane.setMetricFault(keyOf(workers[1] as Pod), undefined),
      6: () => plane.removePod(keyOf(first)),
      8: () => plane.setPod(first, true),
      10: () => plane.stopScraping(true),
      11: () => plane.stopScraping(false),
      12: () => plane.removeNode("node-0"),
    };
    const samplesOf = ({ store }: ReturnType<typeof createPrometheus>) =>
      store.select([]).map(({ labels, samples }) => ({
        labels: Object.fromEntries(labels),
        samples: Array.from({ length: samples.length }, (_, at) => [
          samples.timeAt(at),
          samples.isStale(at) ? "stale" : samples.valueAt(at),
        ]),
      }));
    for (let round = 0; round < 16; round++) {
      events[round]?.();
      await directly.scraper.scrapeOnce();
      await byText.scraper.scrapeOnce();
      await clock.advance(5_000);
    }
    expect(samplesOf(directly)).toEqual(samplesOf(byText));
    expect(directly.store.seriesCount).toBeGreaterThan(200);
  });
});

import { expect, test } from "vitest";
import type { ScaleTarget } from "../api/autoscaling/scale-target.ts";
import type { ScalingPolicySpec } from "../api/autoscaling/scaling-policy.ts";
import { VirtualClock } from "../clock.ts";
import { MetricsError, type MetricsSource } from "../observe/metrics-source.ts";
import { type SharedQueries, shareQueries } from "../observe/shared-queries.ts";
import { observeLoad } from "./observe-load.ts";
import { RequestDurations } from "./request-durations.ts";

const spec = {
  engine: "vllm",
  slo: { ttft: { quantile: "p95", target: "500ms" }, itl: { quantile: "p90", target: "50ms" } },
  metricsPolicy: { minCoverage: "60%" },
} as unknown as ScalingPolicySpec;
const target = (role: string): ScaleTarget => ({ name: role, level: "PodClique", role }) as unknown as ScaleTarget;
const loadOf = (options: Omit<Parameters<typeof observeLoad>[0], "durations" | "nowMs">) =>
  observeLoad({ ...options, durations: new RequestDurations(), nowMs: 0 });
const replicas = ["a", "b", "c"].map((pod) => ({ replica: pod, pods: [`ns/${pod}`] }));

/** Values by pod for the first pattern that a query matches; samples are 4 s old. */
function answering(
  byPattern: readonly (readonly [RegExp, Readonly<Record<string, number>>])[],
  clock = new VirtualClock(),
): SharedQueries & {
  asked: string[];
} {
  const asked: string[] = [];
  const source: MetricsSource = {
    async query(text) {
      asked.push(text);
      const isTime = text.includes("timestamp(");
      const values = byPattern.find(([pattern]) => pattern.test(text))?.[1] ?? {};
      return Object.entries(values).map(([pod, value]) => ({
        labels: { namespace: "ns", pod },
        timestampSeconds: 1_000,
        value: isTime ? 996 : value,
      }));
    },
    queryRange: async () => [],
  };
  return { asked, ...shareQueries({ source, clock }) };
}

test("rates add up over the replicas, and one that does not report is taken to be like the others", async () => {
  const queries = answering([
    [/request_success/, { a: 1, b: 2 }],
    [/num_requests_running/, { a: 3, b: 4, c: 5 }],
    [/num_requests_waiting/, { a: 1 }],
  ]);
  const load = await loadOf({ spec, target: target("prefill"), readers: { queries }, replicas });
  expect(load?.requestsPerSecond).toEqual({ value: 4.5, ageMs: 4_000 });
  expect(load?.runningRequests?.value).toBe(12);
  // One of three is below the coverage of 60 %.
  expect(load).not.toHaveProperty("waitingRequests");
  expect(load).not.toHaveProperty("promptTokensPerSecond");
});

test("below the coverage a total is partial as long as half report, and anything else unknown", async () => {
  const two = { ...spec, metricsPolicy: { minCoverage: "70%" } } as unknown as ScalingPolicySpec;
  const queries = answering([
    [/request_success/, { a: 1, b: 2 }],
    [/num_requests_running/, { a: 3 }],
    [/kv_cache_usage/, { a: 0.5, b: 0.7 }],
    [/histogram_quantile.*inter_token/, { a: 0.02, b: 0.04 }],
  ]);
  const load = await loadOf({ spec: two, target: target("decode"), readers: { queries }, replicas });
  expect(load?.requestsPerSecond).toEqual({ value: 4.5, ageMs: 4_000, isPartial: true });
  for (const unknown of ["runningRequests", "kvCacheUsage", "interTokenLatency"])
    expect(load).not.toHaveProperty(unknown);
});

test("a latency is the mean of those that had requests, at the policy's own quantile", async () => {
  const queries = answering([
    [/histogram_quantile.*time_to_first_token/, { a: 0.2, b: 0.4, c: Number.NaN }],
    [/time_to_first_token/, { a: 1, b: 1, c: 0 }],
  ]);
  const load = await loadOf({ spec, target: target("prefill"), readers: { queries }, replicas });
  expect(load?.timeToFirstToken?.value).toBeCloseTo(0.3, 12);
  expect(queries.asked.some((text) => text.includes("histogram_quantile(0.95"))).toBe(true);
});

test("how long requests take is the p99, whatever the goals are", async () => {
  const queries = answering([
    [/histogram_quantile\(0\.99, .*e2e_request_latency/, { a: 20, b: 40, c: Number.NaN }],
    [/e2e_request_latency/, { a: 1, b: 1, c: 0 }],
  ]);
  const load = await loadOf({ spec, target: target("decode"), readers: { queries }, replicas });
  expect(load?.requestDuration?.value).toBeCloseTo(30, 12);
});

test("how much prompts vary is the p99 of their lengths over the median, of those that had requests", async () => {
  const queries = answering([
    [
      /histogram_quantile\(0\.99, .*request_prompt_tokens.* \/ histogram_quantile\(0\.5, /,
      { a: 8, b: 12, c: Number.NaN },
    ],
    [/request_prompt_tokens/, { a: 100, b: 100, c: 0 }],
  ]);
  const load = await loadOf({ spec, target: target("prefill"), readers: { queries }, replicas });
  expect(load?.promptSpread?.value).toBeCloseTo(10, 12);
  // TensorRT-LLM has no histogram of lengths.
  const none = answering([[/./, { a: 1, b: 1, c: 1 }]]);
  const trtllm = { ...spec, engine: "trtllm" } as unknown as ScalingPolicySpec;
  expect(
    await loadOf({ spec: trtllm, target: target("prefill"), readers: { queries: none }, replicas }),
  ).not.toHaveProperty("promptSpread");
});

test("a frontend is asked for its latencies only, others for nothing", async () => {
  const frontend = answering([[/dynamo_frontend_time_to_first_token/, { a: 0.1, b: 0.1, c: 0.1 }]]);
  expect(await loadOf({ spec, target: target("frontend"), readers: { queries: frontend }, replicas })).toEqual({
    timeToFirstToken: { value: expect.closeTo(0.1, 12), ageMs: 4_000 },
  });
  const nothing = answering([]);
  expect(await loadOf({ spec, target: target("other"), readers: { queries: nothing }, replicas })).toBeUndefined();
  expect(nothing.asked).toEqual([]);
});

test("a metrics server that is away leaves everything unknown", async () => {
  const source: MetricsSource = {
    query: () => Promise.reject(new MetricsError("Unreachable", "away")),
    queryRange: async () => [],
  };
  const queries = shareQueries({ source, clock: new VirtualClock() });
  expect(await loadOf({ spec, target: target("aggregated"), readers: { queries }, replicas })).toEqual({});
  expect(await loadOf({ spec, target: target("decode"), readers: { queries: answering([]) }, replicas: [] })).toEqual(
    {},
  );
});

test("a replica that is new has had no time to carry a load: without a value it is neither like the others nor missing", async () => {
  const queries = answering([[/request_success/, { a: 1, b: 2 }]]);
  const load = async (isNew: boolean) =>
    loadOf({
      spec: { ...spec, metricsPolicy: { minCoverage: "100%" } } as unknown as ScalingPolicySpec,
      target: target("prefill"),
      readers: { queries },
      replicas: replicas.map((one) => (isNew && one.replica === "c" ? { ...one, isNew } : one)),
    });
  expect((await load(true))?.requestsPerSecond?.value).toBe(3);
  expect((await load(false))?.requestsPerSecond).toMatchObject({ value: 4.5, isPartial: true });
});

test("without latency goals only how long requests take is read, once in a minute that all policies share", async () => {
  const { slo: _, ...noGoals } = spec;
  const clock = new VirtualClock();
  const queries = answering([[/e2e_request_latency/, { a: 12, b: 14, c: 16 }]], clock);
  const durations = new RequestDurations();
  const at = async (nowMs: number, role = "decode", engine = "vllm") => {
    // Nothing that was asked before is shared any more.
    await clock.advance(20_000);
    return observeLoad({
      spec: { ...noGoals, engine } as ScalingPolicySpec,
      target: target(role),
      readers: { queries },
      replicas,
      durations,
      nowMs,
    });
  };
  expect(await at(50_000)).toEqual({ requestDuration: { value: 14, ageMs: 4_000 } });
  const once = queries.asked.length;
  expect(queries.asked.join()).not.toMatch(/time_to_first_token|inter_token|num_requests|kv_cache/);
  expect(await at(59_000)).toEqual({ requestDuration: { value: 14, ageMs: 13_000 } });
  expect(queries.asked).toHaveLength(once);
  expect(await at(60_000)).toEqual({ requestDuration: { value: 14, ageMs: 4_000 } });
  expect(queries.asked).toHaveLength(2 * once);
  // Another policy has its turn 20 s later: the first one's answer is young enough for it.
  const later = { spec: { ...noGoals, engine: "vllm" } as ScalingPolicySpec, target: target("decode"), replicas };
  await clock.advance(20_000);
  const other = { ...later, readers: { queries }, durations: new RequestDurations(), nowMs: 80_000 };
  expect(await observeLoad(other)).toEqual({ requestDuration: { value: 14, ageMs: 24_000 } });
  expect(queries.asked).toHaveLength(2 * once);
  expect(await at(120_000, "other")).toBeUndefined();
  expect(await at(120_000, "decode", "custom")).toBeUndefined();
  expect(queries.asked).toHaveLength(2 * once);
});

test("one replica that is scraped no more leaves the latency of the others as it is", async () => {
  const clock = new VirtualClock();
  const source: MetricsSource = {
    query: async (text) =>
      (text.includes("sleep_state") ? [] : ["a", "b", "c"]).map((pod) => ({
        labels: { namespace: "ns", pod },
        timestampSeconds: 1_000,
        value: text.includes("timestamp(") ? (pod === "c" ? 930 : 996) : 0.08,
      })),
    queryRange: async () => [],
  };
  const strict = { ...spec, metricsPolicy: { minCoverage: "60%", staleAfter: "60s" } } as unknown as ScalingPolicySpec;
  const load = await loadOf({
    spec: strict,
    target: target("decode"),
    readers: { queries: shareQueries({ source, clock }) },
    replicas,
  });
  expect(load?.interTokenLatency?.ageMs).toBe(4_000);
});

import { expect, test } from "vitest";
import type { ScaleTarget } from "../api/autoscaling/scale-target.ts";
import type { ScalingPolicySpec } from "../api/autoscaling/scaling-policy.ts";
import { VirtualClock } from "../clock.ts";
import { MetricsError, type MetricsSource } from "../observe/metrics-source.ts";
import { type SharedQueries, shareQueries } from "../observe/shared-queries.ts";
import { observeLoad } from "./observe-load.ts";

const spec = {
  engine: "vllm",
  slo: { ttft: { quantile: "p95", target: "500ms" }, itl: { quantile: "p90", target: "50ms" } },
  metricsPolicy: { minCoverage: "60%" },
} as unknown as ScalingPolicySpec;
const target = (role: string): ScaleTarget => ({ name: role, level: "PodClique", role }) as unknown as ScaleTarget;
const replicas = ["a", "b", "c"].map((pod) => ({ replica: pod, pods: [`ns/${pod}`] }));

/** Values by pod for the first pattern that a query matches; samples are 4 s old. */
function answering(byPattern: readonly (readonly [RegExp, Readonly<Record<string, number>>])[]): SharedQueries & {
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
  return { asked, ...shareQueries({ source, clock: new VirtualClock() }) };
}

test("rates add up over the replicas, and one that does not report is taken to be like the others", async () => {
  const queries = answering([
    [/request_success/, { a: 1, b: 2 }],
    [/num_requests_running/, { a: 3, b: 4, c: 5 }],
    [/num_requests_waiting/, { a: 1 }],
  ]);
  const load = await observeLoad({ spec, target: target("prefill"), readers: { queries }, replicas });
  expect(load?.requestsPerSecond).toEqual({ value: 4.5, ageMs: 4_000 });
  expect(load?.runningRequests?.value).toBe(12);
  // One of three is below the coverage of 60 %.
  expect(load).not.toHaveProperty("waitingRequests");
  expect(load).not.toHaveProperty("promptTokensPerSecond");
});

test("a latency is the mean of those that had requests, at the policy's own quantile", async () => {
  const queries = answering([
    [/histogram_quantile.*time_to_first_token/, { a: 0.2, b: 0.4, c: Number.NaN }],
    [/time_to_first_token/, { a: 1, b: 1, c: 0 }],
  ]);
  const load = await observeLoad({ spec, target: target("prefill"), readers: { queries }, replicas });
  expect(load?.timeToFirstToken?.value).toBeCloseTo(0.3, 12);
  expect(queries.asked.some((text) => text.includes("histogram_quantile(0.95"))).toBe(true);
});

test("how long requests take is the p99, whatever the goals are", async () => {
  const queries = answering([
    [/histogram_quantile\(0\.99, .*e2e_request_latency/, { a: 20, b: 40, c: Number.NaN }],
    [/e2e_request_latency/, { a: 1, b: 1, c: 0 }],
  ]);
  const load = await observeLoad({ spec, target: target("decode"), readers: { queries }, replicas });
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
  const load = await observeLoad({ spec, target: target("prefill"), readers: { queries }, replicas });
  expect(load?.promptSpread?.value).toBeCloseTo(10, 12);
  // TensorRT-LLM has no histogram of lengths.
  const none = answering([[/./, { a: 1, b: 1, c: 1 }]]);
  const trtllm = { ...spec, engine: "trtllm" } as unknown as ScalingPolicySpec;
  expect(
    await observeLoad({ spec: trtllm, target: target("prefill"), readers: { queries: none }, replicas }),
  ).not.toHaveProperty("promptSpread");
});

test("a frontend is asked for its latencies only, others and policies without goals for nothing", async () => {
  const frontend = answering([[/dynamo_frontend_time_to_first_token/, { a: 0.1, b: 0.1, c: 0.1 }]]);
  expect(await observeLoad({ spec, target: target("frontend"), readers: { queries: frontend }, replicas })).toEqual({
    timeToFirstToken: { value: expect.closeTo(0.1, 12), ageMs: 4_000 },
  });
  const nothing = answering([]);
  expect(await observeLoad({ spec, target: target("other"), readers: { queries: nothing }, replicas })).toBeUndefined();
  const { slo: _, ...without } = spec;
  expect(
    await observeLoad({ spec: without, target: target("decode"), readers: { queries: nothing }, replicas }),
  ).toBeUndefined();
  expect(nothing.asked).toEqual([]);
});

test("a metrics server that is away leaves everything unknown", async () => {
  const source: MetricsSource = {
    query: () => Promise.reject(new MetricsError("Unreachable", "away")),
    queryRange: async () => [],
  };
  const queries = shareQueries({ source, clock: new VirtualClock() });
  expect(await observeLoad({ spec, target: target("aggregated"), readers: { queries }, replicas })).toEqual({});
  expect(
    await observeLoad({ spec, target: target("decode"), readers: { queries: answering([]) }, replicas: [] }),
  ).toEqual({});
});

test("a replica that is new has had no time to carry a load: without a value it is neither like the others nor missing", async () => {
  const queries = answering([[/request_success/, { a: 1, b: 2 }]]);
  const load = async (isNew: boolean) =>
    observeLoad({
      spec: { ...spec, metricsPolicy: { minCoverage: "100%" } } as unknown as ScalingPolicySpec,
      target: target("prefill"),
      readers: { queries },
      replicas: replicas.map((one) => (isNew && one.replica === "c" ? { ...one, isNew } : one)),
    });
  expect((await load(true))?.requestsPerSecond?.value).toBe(3);
  expect((await load(false))?.requestsPerSecond).toBeUndefined();
});

import { describe, expect, test } from "vitest";
import type { PolicyMetric } from "../api/autoscaling/scale-target.ts";
import { VirtualClock } from "../clock.ts";
import { type Labels, MetricsError, type MetricsSource } from "./metrics-source.ts";
import { presetOf } from "./presets.ts";
import { fillQuery } from "./query-text.ts";
import { readMetric } from "./read-metric.ts";
import { readTotal } from "./read-total.ts";
import { shareQueries } from "./shared-queries.ts";

type Answers = Readonly<Record<string, readonly (readonly [Labels, number])[] | MetricsError>>;

function source(answers: Answers): MetricsSource & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    async query(promql) {
      asked.push(promql);
      const answer = answers[promql] ?? [];
      if (answer instanceof MetricsError) throw answer;
      return answer.map(([labels, value]) => ({ labels, value, timestampSeconds: 100 }));
    },
    queryRange: async () => [],
  };
}

const pod = (name: string): Labels => ({ namespace: "ns", pod: name });
const replicas = [
  { replica: "r0", pods: ["ns/a-leader", "ns/a-worker"] },
  { replica: "r1", pods: ["ns/b-leader", "ns/b-worker"] },
];
const preset = (name: "kvCacheUsage" | "waitingRequests" | "gpuUtilization" | "timeToFirstToken"): PolicyMetric => ({
  type: "Preset",
  preset: { name, target: { type: "AverageValue", averageValue: "1" } },
  advisoryOnly: false,
});
const own = (query: string): PolicyMetric => ({
  type: "Prometheus",
  prometheus: { query, target: { type: "AverageValue", averageValue: "1" } },
  advisoryOnly: false,
});
const read = (metric: PolicyMetric, answers: Answers) =>
  readMetric(metric, {
    queries: shareQueries({ source: source(answers), clock: new VirtualClock() }),
    engine: "vllm",
    role: "decode",
    scope: { namespace: "ns", podRegex: "x-[0-9]+-a-.*" },
    replicas,
  });

test("a total is as old as its latest sample", async () => {
  const answers: Answers = {
    "sum(waiting)": [[{}, 0]],
    'max (timestamp({__name__="waiting"}))': [[{}, 60]],
  };
  const queries = shareQueries({ source: source(answers), clock: new VirtualClock() });
  const reading = await readTotal("sum(waiting)", queries, { namespace: "ns", podRegex: "x-.*" });
  expect(reading).toEqual({ kind: "Total", sample: { value: 0, ageMs: 40_000 } });
});

describe("presets", () => {
  test("only the leader of a group reports, and it speaks for its replica", async () => {
    const { query, freshnessQuery } = presetOf("vllm", "kvCacheUsage", "decode");
    expect(
      await read(preset("kvCacheUsage"), {
        [query]: [
          [pod("a-leader"), 0.4],
          [pod("gone"), 0.9],
        ],
        // The server's clock says 100.
        [freshnessQuery]: [[pod("a-leader"), 90]],
      }),
    ).toEqual({
      kind: "PerReplica",
      samples: [{ replica: "r0", value: 0.4, ageMs: 10_000 }, { replica: "r1" }],
    });
  });

  test("GPUs are found by exported_pod and averaged over the pods of a replica", async () => {
    const { query } = presetOf("vllm", "gpuUtilization", "decode");
    const gpu = (name: string): Labels => ({
      exported_namespace: "ns",
      exported_pod: name,
      namespace: "dcgm",
      pod: "exporter",
    });
    const reading = await read(preset("gpuUtilization"), {
      [query]: [
        [gpu("a-leader"), 0.9],
        [gpu("a-worker"), 0.7],
      ],
    });
    expect(reading).toMatchObject({ samples: [{ value: 0.8 }, {}] });
  });

  test("a quantile over nothing is idle only where a counter says that there was nothing", async () => {
    const { query, idleQuery = "" } = presetOf("vllm", "timeToFirstToken", "decode");
    const answers = {
      [query]: [
        [pod("a-leader"), Number.NaN],
        [pod("b-leader"), Number.NaN],
      ],
      [idleQuery]: [[pod("a-leader"), 0]],
    } as const;
    expect(await read(preset("timeToFirstToken"), answers)).toMatchObject({
      samples: [{ value: 0 }, { value: Number.NaN }],
    });
  });
});

describe("a policy's own PromQL", () => {
  test("one value is a total, none is missing", async () => {
    const dated = { q: [[{}, 7]], 'max (timestamp({__name__="q"}))': [[{}, 88]] } as const;
    expect(await read(own("q"), dated)).toEqual({ kind: "Total", sample: { value: 7, ageMs: 12_000 } });
    expect(await read(own("q"), {})).toEqual({ kind: "Total" });
  });

  test("series with pods are joined, series without are an error that says what to do", async () => {
    expect(
      await read(own("q"), {
        q: [
          [pod("a-leader"), 2],
          [pod("b-leader"), 4],
        ],
      }),
    ).toMatchObject({ samples: [{ value: 2 }, { value: 4 }] });
    expect(
      await read(own("q"), {
        q: [
          [{ job: "a" }, 2],
          [{ job: "b" }, 4],
        ],
      }),
    ).toMatchObject({
      kind: "Error",
      reason: "QueryInvalid",
      message: expect.stringContaining("aggregate them to one"),
    });
  });

  test("several series of one pod are an error that says so", async () => {
    const rank = (index: string): Labels => ({ ...pod("a-leader"), dp_rank: index });
    expect(
      await read(own("q"), {
        q: [
          [rank("0"), 2],
          [rank("1"), 4],
        ],
      }),
    ).toMatchObject({ reason: "QueryInvalid", message: expect.stringContaining("2 series for one pod") });
  });

  test("errors are readings, not exceptions", async () => {
    expect(await read(own("q"), { q: new MetricsError("Unreachable", "ECONNREFUSED") })).toEqual({
      kind: "Error",
      reason: "Unreachable",
      message: "ECONNREFUSED",
    });
    expect(await read(own("{{pods}}"), {})).toMatchObject({
      kind: "Error",
      reason: "QueryInvalid",
      message: expect.stringContaining("{{podRegex}}"),
    });
  });

  test("placeholders are escaped, so no name can end the string", () => {
    expect(fillQuery("x{ {{selector}} }", { namespace: 'a"}', podRegex: "b\\.c" })).toBe(
      'x{ namespace="a\\"}",pod=~"b\\\\.c" }',
    );
  });
});

test("the same query in one tick goes to the server once, also when it fails", async () => {
  const clock = new VirtualClock();
  const counted = source({ good: [[{}, 1]], bad: new MetricsError("Failed", "x") });
  const queries = shareQueries({ source: counted, clock });
  await Promise.all([queries.query("good"), queries.query("good")]);
  await expect(queries.query("bad")).rejects.toThrow("x");
  await expect(queries.query("bad")).rejects.toThrow("x");
  expect(counted.asked).toEqual(["good", "bad"]);
  await clock.advance(6_000);
  await queries.query("good");
  expect(counted.asked).toEqual(["good", "bad", "good"]);
});

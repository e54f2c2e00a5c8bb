/**
 * The embedded Prometheus against a real one: the same samples, every query we ship and the language at large, value
 * by value. Debian's prometheus 2.42 is loaded by backfill, so no waiting for scrapes is needed.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import axios from "axios";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { observedDay } from "../../grafana/observed-world.ts";
import { VirtualClock } from "../../src/clock.ts";
import type { MetricReading } from "../../src/decide/observation.ts";
import { loadSignal } from "../../src/observe/load-signals.ts";
import { MetricsError, type MetricsSource, type Sample, type SampleVector } from "../../src/observe/metrics-source.ts";
import { LOAD_SIGNALS } from "../../src/observe/packs/signal-pack.ts";
import { createPrometheusClient } from "../../src/observe/prometheus-client.ts";
import { fillQuery } from "../../src/observe/query-text.ts";
import { readSignal } from "../../src/observe/read-signal.ts";
import type { SharedAnswer } from "../../src/observe/shared-answer.ts";
import { shareQueries } from "../../src/observe/shared-queries.ts";
import { escapeLabelValue, formatValue } from "../../src/sim/prometheus/exposition.ts";
import { labelSet } from "../../src/sim/prometheus/labels.ts";
import { createPrometheus } from "../../src/sim/prometheus/prometheus.ts";
import { engineSeries } from "../conformance/engine-samples.ts";
import { FLEET_PODS, FLEET_REPLICAS, fleetSeries } from "../conformance/fleet-samples.ts";
import { GROUPED_SCOPES, GROUPED_TEMPLATES, groupedSeries } from "../conformance/grouped-queries.ts";
import {
  ALERT_QUERIES,
  LANGUAGE_QUERIES,
  PANEL_QUERIES,
  PANEL_QUERIES_OF_TROUBLE,
  PRESET_QUERIES,
  PRODUCT_QUERIES,
  REFUSED_QUERIES,
} from "../conformance/promql-queries.ts";
import { FIRST_MS, type GeneratedSeries, generateSeries, LAST_MS } from "../conformance/promql-samples.ts";
import { recordedSeries } from "../conformance/recorded-series.ts";
import { type RealPrometheus, skipWithoutPrometheus, startRealPrometheus } from "./real-processes.ts";

const ENGINES = ["vllm", "sglang", "trtllm", "dynamo"] as const;
const SEED = 20260115;
const RELATIVE_ERROR = 1e-9;

describe.skipIf(skipWithoutPrometheus())("embedded Prometheus against a real one", () => {
  let real: RealPrometheus;
  let embedded: { readonly url: string; readonly server: Server };

  beforeAll(async () => {
    const day = await observedDay();
    day.stop();
    const series = [
      ...generateSeries(SEED),
      ...(await engineSeries(SEED, LAST_MS)),
      ...fleetSeries(SEED, LAST_MS),
      ...groupedSeries(SEED, LAST_MS),
      ...recordedSeries(day.prometheus.store, LAST_MS - day.clock.nowMs()),
    ];
    real = await startReal(series);
    embedded = await startEmbedded(series);
  });
  afterAll(async () => {
    embedded?.server.close();
    await real?.stop();
  });

  const instants = [FIRST_MS, FIRST_MS + 137_000, FIRST_MS + 700_123, FIRST_MS + 960_000, LAST_MS, LAST_MS + 290_000];

  test.each([...PRODUCT_QUERIES, ...PANEL_QUERIES, ...ALERT_QUERIES, ...PRESET_QUERIES, ...LANGUAGE_QUERIES])(
    "%s",
    async (query) => {
      for (const ms of instants) {
        await same("/api/v1/query", { query, time: String(ms / 1000) });
      }
      await same("/api/v1/query_range", {
        query,
        start: String((FIRST_MS + 60_000) / 1000),
        end: String((LAST_MS + 60_000) / 1000),
        step: "37",
      });
    },
  );

  test.each([...PRODUCT_QUERIES, ...PRESET_QUERIES])("has a result: %s", async (query) => {
    const { result } = (await ask(real.url, "/api/v1/query", { query, time: String(LAST_MS / 1000) })).data;
    expect(result.length).toBeGreaterThan(0);
  });

  test.each(PANEL_QUERIES)("panel has a result: %s", async (query) => {
    const range = { start: String(LAST_MS / 1000 - 600), end: String(LAST_MS / 1000), step: "15" };
    const { result } = (await ask(real.url, "/api/v1/query_range", { query, ...range })).data;
    expect(result.length > 0).toBe(!PANEL_QUERIES_OF_TROUBLE.includes(query));
  });

  test.each(GROUPED_TEMPLATES)(
    "asked for all pods and split, it is what each policy gets alone: %s",
    async (template) => {
      const client = createPrometheusClient({ url: real.url });
      let answered = 0;
      for (const timeSeconds of [LAST_MS / 1000, LAST_MS / 1000 - 95]) {
        const source: MetricsSource = { ...client, query: (promql) => client.query(promql, { timeSeconds }) };
        const queries = shareQueries({ source, clock: new VirtualClock(LAST_MS) });
        for (const scope of GROUPED_SCOPES) {
          const alone = await source.query(fillQuery(template, scope)).catch((error: unknown) => error);
          const got = await queries.ask(template, scope).catch((error: unknown) => error);
          if (alone instanceof MetricsError) {
            expect(got, template).toMatchObject({ kind: alone.kind });
            continue;
          }
          const [ours, theirs] = [rowsOf([...(got as SharedAnswer).samples]), rowsOf([...(alone as SampleVector)])];
          expect([...ours.keys()].sort(), template).toEqual([...theirs.keys()].sort());
          for (const [key, value] of theirs) {
            answered++;
            expect(close(ours.get(key) ?? "", value), `${template} ${key}: ${ours.get(key)} is not ${value}`).toBe(
              true,
            );
          }
        }
      }
      expect(answered).toBeGreaterThan(1);
    },
  );

  test.each(ENGINES)("joined with the pods of a target, each signal of %s reads the same", async (engine) => {
    const sources = [real.url, embedded.url].map((url) => {
      const client = createPrometheusClient({ url });
      const source: MetricsSource = {
        ...client,
        query: (promql) => client.query(promql, { timeSeconds: LAST_MS / 1000 }),
      };
      return shareQueries({ source, clock: new VirtualClock(LAST_MS) });
    });
    let known = 0;
    for (const signal of LOAD_SIGNALS) {
      for (const role of ["prefill", "decode", "aggregated", "frontend"] as const) {
        const query = loadSignal(engine, signal, { role, quantile: 0.95 });
        if (query === undefined) continue;
        const [theirs, ours] = await Promise.all(
          sources.map((queries) => readSignal(query, { queries, replicas: FLEET_REPLICAS, setPods: () => FLEET_PODS })),
        );
        expect(rounded(ours), `${signal} of ${role}`).toEqual(rounded(theirs));
        known += valuesIn(theirs);
      }
    }
    expect(known).toBeGreaterThan(20);
  });

  test("what TensorRT-LLM says under its prefix of today is read under the older one too", async () => {
    const client = createPrometheusClient({ url: real.url });
    const source: MetricsSource = {
      ...client,
      query: (promql) => client.query(promql, { timeSeconds: LAST_MS / 1000 }),
    };
    const queries = shareQueries({ source, clock: new VirtualClock(LAST_MS) });
    for (const signal of LOAD_SIGNALS) {
      const query = loadSignal("trtllm", signal, { role: "decode", quantile: 0.95 });
      if (query === undefined) continue;
      const [now, old] = await Promise.all(
        ["serve", "dynamo07"].map(async (end) => {
          const replicas = FLEET_REPLICAS.filter(({ replica }) => replica === `trtllm-0-decode-${end}`);
          const reading = await readSignal(query, { queries, replicas, setPods: () => FLEET_PODS });
          return reading.samples.map(({ value }) => Number.isFinite(value));
        }),
      );
      expect(old, signal).toEqual(now);
    }
  });

  test.each(REFUSED_QUERIES)("both refuse: %s", async (query) => {
    await same("/api/v1/query", { query, time: String(LAST_MS / 1000) });
    const answer = await ask(embedded.url, "/api/v1/query", { query, time: String(LAST_MS / 1000) });
    expect(answer).toMatchObject({ status: "error", errorType: "bad_data" });
  });

  test("series, labels and label values", async () => {
    const range = { start: String(FIRST_MS / 1000), end: String(LAST_MS / 1000) };
    for (const path of ["/api/v1/labels", "/api/v1/label/job/values", "/api/v1/label/__name__/values"]) {
      expect(await ask(embedded.url, path, range)).toEqual(await ask(real.url, path, range));
    }
    const match = { ...range, "match[]": 'latency_seconds_bucket{job="api"}' };
    const sorted = (answer: Answer): string[] =>
      (answer.data as unknown as object[]).map((s) => JSON.stringify(s)).sort();
    const [ours, theirs] = [
      await ask(embedded.url, "/api/v1/series", match),
      await ask(real.url, "/api/v1/series", match),
    ];
    expect(sorted(ours).map(canonical)).toEqual(sorted(theirs).map(canonical));
  });

  async function same(path: string, parameters: Record<string, string>): Promise<void> {
    const [ours, theirs] = await Promise.all([ask(embedded.url, path, parameters), ask(real.url, path, parameters)]);
    const context = `${path} ${JSON.stringify(parameters)}`;
    expect(ours.status, `${context}: ${ours.error ?? ""} / ${theirs.error ?? ""}`).toBe(theirs.status);
    expect(ours.errorType, context).toBe(theirs.errorType);
    if (theirs.status === "success") compare(ours.data, theirs.data, context);
  }
});

interface Answer {
  readonly status: string;
  readonly errorType?: string;
  readonly error?: string;
  readonly data: { readonly resultType: string; readonly result: readonly unknown[] };
}

type Points = readonly (readonly [number, string])[];

const canonical = (json: string): string =>
  JSON.stringify(Object.entries(JSON.parse(json) as Record<string, string>).sort(([a], [b]) => (a < b ? -1 : 1)));

function compare(ours: Answer["data"], theirs: Answer["data"], context: string): void {
  expect(ours.resultType, context).toBe(theirs.resultType);
  const [a, b] = [pointsOf(ours), pointsOf(theirs)];
  expect([...a.keys()].sort(), context).toEqual([...b.keys()].sort());
  for (const [key, expected] of b) {
    const got = a.get(key) ?? [];
    expect(
      got.map(([seconds]) => seconds),
      `${context} ${key}`,
    ).toEqual(expected.map(([seconds]) => seconds));
    expected.forEach(([, text], index) => {
      const value = got[index]?.[1] ?? "";
      expect(close(value, text), `${context} ${key} at ${expected[index]?.[0]}: ${value} is not ${text}`).toBe(true);
    });
  }
}

function pointsOf({ resultType, result }: Answer["data"]): Map<string, Points> {
  if (resultType === "scalar" || resultType === "string") {
    return new Map([["", [result as unknown as [number, string]]]]);
  }
  const rows = result as readonly { metric: Record<string, string>; value?: [number, string]; values?: Points }[];
  return new Map(
    rows.map(({ metric, value, values }) => [canonical(JSON.stringify(metric)), values ?? (value ? [value] : [])]),
  );
}

/** Sums of different order differ in the last digits. */
const rounded = (reading: MetricReading | undefined): unknown =>
  JSON.parse(
    JSON.stringify(reading, (_, value: unknown) => (typeof value === "number" ? Number(value.toPrecision(9)) : value)),
  );

const valuesIn = (reading: MetricReading | undefined): number =>
  reading?.kind === "PerReplica" ? reading.samples.filter(({ value }) => Number.isFinite(value)).length : 0;

const rowsOf = (samples: readonly Sample[]): ReadonlyMap<string, string> =>
  new Map(samples.map(({ labels, value }) => [canonical(JSON.stringify(labels)), formatValue(value)]));

function close(a: string, b: string): boolean {
  if (a === b) return true;
  const [x, y] = [Number(a.replace("Inf", "Infinity")), Number(b.replace("Inf", "Infinity"))];
  if (Number.isNaN(x) || Number.isNaN(y)) return false;
  // Values that cancel to nearly nothing keep an absolute error of the inputs' size.
  return Math.abs(x - y) <= Math.max(RELATIVE_ERROR * Math.max(Math.abs(x), Math.abs(y)), 1e-11);
}

async function ask(url: string, path: string, parameters: Record<string, string>): Promise<Answer> {
  const response = await axios.get<Answer>(`${url}${path}`, {
    params: new URLSearchParams(parameters),
    validateStatus: () => true,
    proxy: false,
  });
  return response.data;
}

async function startEmbedded(series: readonly GeneratedSeries[]): Promise<{ url: string; server: Server }> {
  const clock = new VirtualClock(LAST_MS);
  const prometheus = createPrometheus({ clock, targets: () => [] });
  for (const { name, labels, points } of series) {
    const stored = prometheus.store.seriesOf(labelSet([...Object.entries(labels), ["__name__", name]]));
    for (const [ms, value] of points) stored.samples.append(ms, value);
  }
  const server = createServer(prometheus.httpHandler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

function startReal(series: readonly GeneratedSeries[]): Promise<RealPrometheus> {
  return startRealPrometheus("global: {scrape_interval: 1m, evaluation_interval: 1m}\n", (folder, data) => {
    const samples = join(folder, "samples.txt");
    writeFileSync(samples, openMetrics(series));
    execFileSync("promtool", ["tsdb", "create-blocks-from", "openmetrics", "-q", samples, data]);
  });
}

/** OpenMetrics wants the series of a family together; without TYPE lines every name is its own family of type unknown. */
function openMetrics(series: readonly GeneratedSeries[]): string {
  const lines: string[] = [];
  for (const { name, labels, points } of series.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))) {
    const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escapeLabelValue(value)}"`);
    for (const [ms, value] of points) lines.push(`${name}{${pairs.join(",")}} ${formatValue(value)} ${ms / 1000}`);
  }
  return `${lines.join("\n")}\n# EOF\n`;
}

/**
 * A real Prometheus discovers and scrapes the simulated engines over HTTP, next to the embedded one: both must see the
 * same series with the same labels, and both must drop them when a pod goes.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import axios from "axios";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Pod } from "../../src/api/kubernetes/core.ts";
import { wallClock } from "../../src/clock.ts";
import { seededRandom } from "../../src/random.ts";
import { createDataPlane, type DataPlane } from "../../src/sim/engines/data-plane.ts";
import { targetsOverHttp } from "../../src/sim/prometheus/http-targets.ts";
import { createPrometheus, type Prometheus } from "../../src/sim/prometheus/prometheus.ts";
import { constant, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { type RealPrometheus, skipWithoutPrometheus, startRealPrometheus } from "./real-processes.ts";

const INTERVAL_MS = 500;

const pod = (clique: string): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    namespace: "serving",
    name: `llama-0-${clique}-x`,
    labels: {
      "app.kubernetes.io/part-of": "llama",
      "grove.io/podclique": `llama-0-${clique}`,
      "grove.io/podcliqueset-replica-index": "0",
    },
  },
  spec: { nodeName: "node-0", containers: [{ name: "engine", resources: { limits: { "nvidia.com/gpu": 1 } } }] },
});

describe.skipIf(skipWithoutPrometheus())("scraping the simulated engines", () => {
  let plane: DataPlane;
  let exporters: Server;
  let embedded: Prometheus;
  let real: RealPrometheus;
  const stop = new AbortController();

  beforeAll(async () => {
    const clock = wallClock();
    plane = createDataPlane({ clock });
    plane.setNode("node-0", 4);
    for (const clique of ["frontend", "prefill", "decode"]) plane.setPod(pod(clique), true);
    const phase = {
      durationSeconds: 600,
      requestsPerSecond: constant(5),
      input: { medianTokens: 500, spreadP90: 2 },
      output: { medianTokens: 50, spreadP90: 2 },
    };
    plane.attachTraffic({ namespace: "serving", partOf: "llama" }, generateTraffic([phase], seededRandom(1)));
    exporters = createServer(plane.httpHandler);
    await new Promise<void>((resolve) => exporters.listen(0, "127.0.0.1", resolve));
    const origin = `http://127.0.0.1:${(exporters.address() as AddressInfo).port}`;
    const overHttp = targetsOverHttp(plane.targets, origin);
    stop.signal.addEventListener("abort", () => void overHttp.close());
    embedded = createPrometheus({ clock, targets: overHttp.targets, scrapeIntervalMs: INTERVAL_MS });
    void embedded.run(stop.signal);
    real = await startRealPrometheus(
      [
        `global: {scrape_interval: ${INTERVAL_MS}ms, scrape_timeout: ${INTERVAL_MS}ms}`,
        "scrape_configs:",
        "- job_name: engines",
        `  http_sd_configs: [{url: "${origin}/targets", refresh_interval: 1s}]`,
      ].join("\n"),
    );
  });
  afterAll(async () => {
    stop.abort();
    exporters?.close();
    await real?.stop();
  });

  async function realSeries(selector: string): Promise<string[]> {
    const { data } = await axios.get(`${real.url}/api/v1/query`, { params: { query: selector }, proxy: false });
    return (data.data.result as { metric: Record<string, string> }[]).map(({ metric }) => spell(metric)).sort();
  }
  async function embeddedSeries(selector: string): Promise<string[]> {
    return Array.from(await embedded.source.query(selector), ({ labels }) => spell(labels)).sort();
  }
  const spell = (labels: Readonly<Record<string, string>>): string =>
    JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

  test("both see the same series with the same labels", async () => {
    const selector = '{__name__=~"up|vllm:.*|dynamo_.*|DCGM_.*"}';
    await vi.waitFor(
      async () => {
        const theirs = await realSeries(selector);
        expect(theirs.length).toBeGreaterThan(100);
        expect(await embeddedSeries(selector)).toEqual(theirs);
      },
      { timeout: 60_000, interval: 500 },
    );
  });

  test("both drop the series of a pod that goes, long before the lookback ends", async () => {
    const selector = 'vllm:num_requests_running{grove_io_podclique="llama-0-decode"}';
    await vi.waitFor(async () => expect(await realSeries(selector)).toHaveLength(1), {
      timeout: 60_000,
      interval: 500,
    });
    plane.removePod("serving/llama-0-decode-x");
    await vi.waitFor(
      async () => {
        expect(await realSeries(selector)).toEqual([]);
        expect(await embeddedSeries(selector)).toEqual([]);
      },
      { timeout: 60_000, interval: 500 },
    );
  });
});

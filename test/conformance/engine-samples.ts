/** What a Prometheus would have of the simulated engines of every kind under load: recorded through the real scrape loop. */
import type { Pod } from "../../src/api/kubernetes/core.ts";
import { VirtualClock } from "../../src/clock.ts";
import { seededRandom } from "../../src/random.ts";
import { createDataPlane } from "../../src/sim/engines/data-plane.ts";
import { createPrometheus } from "../../src/sim/prometheus/prometheus.ts";
import { constant, generateTraffic } from "../../src/sim/traffic/generate.ts";
import type { GeneratedSeries } from "./promql-samples.ts";
import { recordedSeries } from "./recorded-series.ts";

export const ENGINE_NAMESPACE = "serving";
const FORMATS = ["vllm", "sglang", "trtllm", "dynamo"] as const;
const ROLES = ["frontend", "prefill", "decode"] as const;
const DURATION_MS = 15 * 60_000;
const INTERVAL_MS = 10_000;

/** The last quarter of an hour before `lastMs`; the load of one system stops in the middle, so that it is idle at the end. */
export async function engineSeries(seed: number, lastMs: number): Promise<readonly GeneratedSeries[]> {
  const clock = new VirtualClock(lastMs - DURATION_MS);
  const plane = createDataPlane({ clock });
  plane.setNode("node-0", 8);
  for (const [index, format] of FORMATS.entries()) {
    for (const role of ROLES) plane.setPod(podOf(format, role), true);
    const phase = {
      durationSeconds: (format === "trtllm" ? 0.5 : 1) * (DURATION_MS / 1000),
      requestsPerSecond: constant(6),
      input: { medianTokens: 800, spreadP90: 2 },
      output: { medianTokens: 80, spreadP90: 2 },
    };
    const traffic = generateTraffic([phase], seededRandom(seed + index));
    plane.attachTraffic({ namespace: ENGINE_NAMESPACE, partOf: format }, traffic);
  }
  const prometheus = createPrometheus({ clock, targets: plane.targets, scrapeIntervalMs: INTERVAL_MS });
  const stop = new AbortController();
  prometheus.run(stop.signal).catch(() => undefined);
  await clock.advance(DURATION_MS - 1);
  stop.abort();
  return recordedSeries(prometheus.store);
}

const podOf = (format: (typeof FORMATS)[number], role: (typeof ROLES)[number]): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    namespace: ENGINE_NAMESPACE,
    name: `${format}-0-${role}-x`,
    labels: {
      "app.kubernetes.io/part-of": format,
      "grove.io/podclique": `${format}-0-${role}`,
      "grove.io/podcliqueset-replica-index": "0",
    },
    annotations: { "sim.grove.io/role": role, "sim.grove.io/engine": format },
  },
  spec: {
    nodeName: "node-0",
    containers: [
      { name: "engine", ...(role === "frontend" ? {} : { resources: { limits: { "nvidia.com/gpu": "1" } } }) },
    ],
  },
});

/** The simulated engines by themselves: time and memory of a request, and whether they grow with the number of requests. */
import type { Pod } from "../src/api/kubernetes/core.ts";
import { VirtualClock } from "../src/clock.ts";
import { seededRandom } from "../src/random.ts";
import { createDataPlane } from "../src/sim/engines/data-plane.ts";
import { constant, generateTraffic } from "../src/sim/traffic/generate.ts";
import { collectGarbage, megabytes, type Row, seconds } from "./measure.ts";

interface Fleet {
  readonly name: string;
  /** Pods by clique; what the clique is called says its role. */
  readonly cliques: Readonly<Record<string, number>>;
  readonly requestsPerSecond: number;
  readonly medianInputTokens: number;
  readonly medianOutputTokens: number;
}

const FLEETS: readonly Fleet[] = [
  {
    name: "16 aggregated engines, 30 requests/s",
    cliques: { worker: 16 },
    requestsPerSecond: 30,
    medianInputTokens: 600,
    medianOutputTokens: 400,
  },
  {
    name: "4 prefill and 12 decode engines, 2 frontends, 30 requests/s",
    cliques: { frontend: 2, prefill: 4, decode: 12 },
    requestsPerSecond: 30,
    medianInputTokens: 1_000,
    medianOutputTokens: 800,
  },
  {
    name: "1 aggregated engine, near its capacity",
    cliques: { worker: 1 },
    requestsPerSecond: 14,
    medianInputTokens: 600,
    medianOutputTokens: 400,
  },
  {
    name: "100 aggregated engines, 200 requests/s",
    cliques: { worker: 100 },
    requestsPerSecond: 200,
    medianInputTokens: 600,
    medianOutputTokens: 400,
  },
];
const FIRST_REQUESTS = 20_000;
const SCRAPE_INTERVAL_MS = 15_000;

export async function benchEngine(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const fleet of FLEETS) for (const times of [1, 4, 16]) rows.push(await run(fleet, times));
  return rows;
}

async function run(fleet: Fleet, times: number): Promise<Row> {
  const clock = new VirtualClock();
  const plane = createDataPlane({ clock });
  for (const [clique, pods] of Object.entries(fleet.cliques)) {
    for (let index = 0; index < pods; index++) plane.setPod(pod(clique, index), true);
  }
  const system = { namespace: "default", partOf: "bench" };
  const durationSeconds = (times * FIRST_REQUESTS) / fleet.requestsPerSecond;
  const phase = {
    durationSeconds,
    requestsPerSecond: constant(fleet.requestsPerSecond),
    input: { medianTokens: fleet.medianInputTokens, spreadP90: 2.5 },
    output: { medianTokens: fleet.medianOutputTokens, spreadP90: 2.5 },
  };
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  plane.attachTraffic(system, generateTraffic([phase], seededRandom(1)));
  const taken = await seconds(async () => {
    for (let ms = 0; ms < durationSeconds * 1_000; ms += SCRAPE_INTERVAL_MS) {
      await clock.advance(SCRAPE_INTERVAL_MS);
      plane.advance();
    }
  });
  collectGarbage();
  const { arrived, completed } = plane.summary(system, { ttftMs: 1_000, itlMs: 50 });
  const held = process.memoryUsage().heapUsed - before;
  return {
    what: `${fleet.name}: ${times} ×, ${arrived} requests`,
    value: `${((1e6 * taken) / arrived).toFixed(1)} µs a request, ${(durationSeconds / taken).toFixed(0)} simulated s a second, ${megabytes(held)} held, ${arrived - completed} under way`,
  };
}

const pod = (clique: string, index: number): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    namespace: "default",
    name: `bench-0-${clique}-${index}`,
    labels: {
      "app.kubernetes.io/part-of": "bench",
      "grove.io/podclique": `bench-0-${clique}`,
      "grove.io/podclique-pod-index": String(index),
      "grove.io/podcliqueset-replica-index": "0",
    },
  },
  spec: { nodeName: "node", containers: [{ name: "engine" }] },
});

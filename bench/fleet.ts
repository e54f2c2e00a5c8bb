/**
 * The autoscaler over a fleet: its own controller at its own pace on wall time, answers of a whole fleet from a metrics server over HTTP, and an API
 * that lists and takes writes. Every size runs in a process of its own, so that its memory is its own. What is left out: the API server's and
 * Prometheus's work, and the Grove operator's.
 */
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import packageJson from "../package.json" with { type: "json" };
import { GPU_BUDGETS } from "../src/api/autoscaling/gpu-budget.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../src/api/autoscaling/scaling-policy.ts";
import { startAutoscaler } from "../src/autoscaler/controller.ts";
import { wallClock } from "../src/clock.ts";
import { statusCheckpoints } from "../src/jobs/checkpoint-store.ts";
import { inProcessQueue } from "../src/jobs/evaluation-queue.ts";
import type { KubeApi } from "../src/kube/kube-api.ts";
import type { MetricsSource } from "../src/observe/metrics-source.ts";
import { createPrometheusClient } from "../src/observe/prometheus-client.ts";
import { seededRandom } from "../src/random.ts";
import { type Fleet, type FleetBudget, fleetOf, GPUS_PER_POLICY, PODS_PER_POLICY } from "./fleet-objects.ts";
import { megabytes, type Row } from "./measure.ts";

const INTERVAL_SECONDS = 15;
/** The first minute meets cold code, checkpoints to read and a status to write for every policy. */
const WARM_UP_INTERVALS = 6;
const MEASURED_INTERVALS = 4;

/** As the service is started, and what its image says to the allocator. */
const HEAP_FLAGS = packageJson.scripts.start.split(" ").filter((word) => word.startsWith("--"));
const DOCKERFILE = readFileSync(new URL("../Dockerfile", import.meta.url), "utf8");
const ALLOCATOR = Object.fromEntries(
  DOCKERFILE.matchAll(/\b(MALLOC_\w+)=(\d+)/g).map(([, name, value]) => [name, value]),
);

interface FleetFigures {
  readonly decisions: number;
  readonly cpuSeconds: number;
  /** Of the thread that decides; what is left of the time it waited. */
  readonly busySeconds: number;
  readonly queries: number;
  readonly statusWrites: number;
  readonly settledBytes: number;
  readonly peakBytes: number;
}

export async function benchFleet(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const [policies, budget] of [
    [100, "own"],
    [1_000, "own"],
    [10_000, "own"],
    [10_000, "shared"],
  ] as const) {
    const child = fork(fileURLToPath(import.meta.url), [`${policies}`, budget], {
      execArgv: HEAP_FLAGS,
      env: { ...process.env, ...ALLOCATOR },
    });
    const [figures] = (await once(child, "message")) as [FleetFigures];
    await once(child, "exit");
    rows.push(...rowsOf(policies, budget, figures));
  }
  return rows;
}

function rowsOf(policies: number, budget: FleetBudget, figures: FleetFigures): readonly Row[] {
  const ofAll = (count: number): string => `${((100 * count) / (policies * MEASURED_INTERVALS)).toFixed(0)} %`;
  const tick = figures.busySeconds / MEASURED_INTERVALS;
  const cpu = figures.cpuSeconds / MEASURED_INTERVALS;
  const what = `fleet, ${policies} policies, ${policies * GPUS_PER_POLICY} GPUs, ${policies * PODS_PER_POLICY} pods${budget === "own" ? "" : ", one GPUBudget for all"}`;
  const isLargest = policies === 10_000;
  return [
    {
      what: `${what}: one tick`,
      value: `${tick.toFixed(2)} s busy = ${((1000 * tick) / policies).toFixed(2)} ms a policy; ${cpu.toFixed(2)} s CPU of all threads; ${ofAll(figures.decisions)} of the decisions due`,
      ...(isLargest ? { aim: "< 15 s" } : {}),
    },
    {
      what: `${what}: memory`,
      value: `${megabytes(figures.settledBytes)} settled, ${megabytes(figures.peakBytes)} peak`,
      ...(isLargest ? { aim: "< 1 GB" } : {}),
    },
    {
      what: `${what}: requests a tick`,
      value: `${(figures.queries / MEASURED_INTERVALS).toFixed(0)} to Prometheus, ${(figures.statusWrites / MEASURED_INTERVALS).toFixed(0)} status writes`,
    },
  ];
}

async function measureFleet(policies: number, budget: FleetBudget): Promise<FleetFigures> {
  const clock = wallClock();
  const abort = new AbortController();
  const server = spawn(process.execPath, [fileURLToPath(new URL("fleet-metrics.ts", import.meta.url)), `${policies}`]);
  const [port] = (await once(server.stdout, "data")) as [Buffer];
  const prometheus = createPrometheusClient({ url: `http://127.0.0.1:${String(port).trim()}` });
  let queries = 0;
  const metricsSource: MetricsSource = {
    ...prometheus,
    query(promql, options) {
      queries++;
      return prometheus.query(promql, options);
    },
  };
  const api = new ListedFleet(fleetOf(policies, budget, clock.nowMs()));
  let decisions = 0;
  const { ready } = startAutoscaler({
    api: api as unknown as KubeApi,
    metricsSource,
    evaluations: inProcessQueue(),
    checkpoints: statusCheckpoints(),
    clock,
    random: seededRandom(policies),
    signal: abort.signal,
    isLeader: () => true,
    onDecision: () => {
      decisions++;
    },
  });
  await ready;
  await clock.sleep(WARM_UP_INTERVALS * INTERVAL_SECONDS * 1000);
  const before = {
    cpu: process.cpuUsage(),
    loop: performance.eventLoopUtilization(),
    decisions,
    queries,
    statusWrites: api.statusWrites,
  };
  await clock.sleep(MEASURED_INTERVALS * INTERVAL_SECONDS * 1000);
  const { user, system } = process.cpuUsage(before.cpu);
  const figures = {
    decisions: decisions - before.decisions,
    cpuSeconds: (user + system) / 1e6,
    busySeconds: performance.eventLoopUtilization(before.loop).active / 1000,
    queries: queries - before.queries,
    statusWrites: api.statusWrites - before.statusWrites,
    settledBytes: process.memoryUsage().rss,
    peakBytes: process.resourceUsage().maxRSS * 1024,
  };
  abort.abort();
  server.kill();
  return figures;
}

/** Lists in pages, watches in silence, and takes writes by handing them back. */
class ListedFleet implements Pick<KubeApi, "list" | "watch" | "patch" | "create"> {
  statusWrites = 0;
  #version = 1_000;
  readonly #fleet: Fleet;
  readonly #listings = new Map<string, Generator<string>>();

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  readonly list: KubeApi["list"] = async (resource, { limit = 500, continue: token } = {}) => {
    const key = token ?? `${resource.plural}/${this.#listings.size}`;
    const texts = this.#listings.get(key) ?? this.#fleet.texts(resource.plural);
    this.#listings.set(key, texts);
    const items = [];
    for (let next = texts.next(); next.done !== true; next = texts.next()) {
      items.push(JSON.parse(next.value));
      if (items.length === limit) return { items, resourceVersion: "1000", continue: key };
    }
    return { items, resourceVersion: "1000" };
  };

  readonly watch: KubeApi["watch"] = async function* (_, { signal }) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  };

  readonly patch: KubeApi["patch"] = async (resource, key, patch) => {
    this.statusWrites++;
    if (resource.plural === GPU_BUDGETS.plural) return patch as never;
    if (resource.plural !== SCALING_POLICIES.plural) throw new TypeError(`no ${resource.plural} is patched here`);
    const { status } = patch as ScalingPolicy;
    const policy = JSON.parse(this.#fleet.policyText(key.name)) as ScalingPolicy;
    return {
      ...policy,
      status: JSON.parse(JSON.stringify(status)),
      metadata: { ...policy.metadata, resourceVersion: `${++this.#version}` },
    } as never;
  };

  readonly create: KubeApi["create"] = async (_, object) => object;
}

const [size, budget] = process.argv.slice(2);
if (process.argv[1] === fileURLToPath(import.meta.url) && size !== undefined) {
  process.send?.(await measureFleet(Number(size), budget === "shared" ? "shared" : "own"));
  process.exit(0);
}

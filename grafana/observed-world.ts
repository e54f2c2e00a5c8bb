/** For tests: a simulated day whose Prometheus scrapes the autoscaler's own metrics beside the engines', as a real one does. */
import { SCALING_POLICIES, type ScalingPolicy } from "../src/api/autoscaling/scaling-policy.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../src/api/grove/pod-clique-set.ts";
import { startAutoscaler } from "../src/autoscaler/controller.ts";
import { VirtualClock } from "../src/clock.ts";
import { startGroveOperator } from "../src/grove/operator.ts";
import { memoryCheckpoints } from "../src/jobs/checkpoint-store.ts";
import { inProcessQueue } from "../src/jobs/evaluation-queue.ts";
import type { KubeApi } from "../src/kube/kube-api.ts";
import type { RuntimeMetrics } from "../src/kube/runtime-metrics.ts";
import { seededRandom } from "../src/random.ts";
import { createServiceMetrics, type ServiceMetrics } from "../src/server/metrics.ts";
import { createPrometheus, type Prometheus } from "../src/sim/prometheus/prometheus.ts";
import { dayInMiniature, generateTraffic } from "../src/sim/traffic/generate.ts";
import { createWorld } from "../src/sim/world.ts";
import { readExample } from "../test/sim/simulation.ts";

export interface ObservedWorld {
  readonly clock: VirtualClock;
  readonly prometheus: Prometheus;
  readonly metrics: ServiceMetrics;
  stop(): void;
}

/** Ends past the peak, with scaling up and down in the last minutes. */
export async function observedDay(): Promise<ObservedWorld> {
  const clock = new VirtualClock();
  const abort = new AbortController();
  const { signal } = abort;
  const world = await createWorld({
    clock,
    random: seededRandom(3),
    signal,
    namespaces: ["serving"],
    startupScale: 0.2,
  });
  const metrics = createServiceMetrics({ clock, version: "0.0.0-test", process: false });
  const ofProcess = await processMetrics();
  const prometheus = createPrometheus({
    clock,
    targets: () => [
      ...world.dataPlane.targets(),
      {
        labels: { job: "grove-autoscaler", instance: "10.0.0.1:8080", namespace: "grove-autoscaler" },
        scrape: async () => (await metrics.expose()) + ofProcess,
      },
    ],
  });
  void prometheus.run(signal);
  const shared = {
    api: counted(world.api, metrics.runtime),
    clock,
    random: seededRandom(4),
    signal,
  };
  metrics.runtime.leader(true);
  const operator = startGroveOperator({ ...shared, metrics: metrics.runtime });
  const autoscaler = startAutoscaler({
    ...shared,
    metricsSource: prometheus.source,
    evaluations: inProcessQueue(),
    checkpoints: memoryCheckpoints(),
    isLeader: () => true,
    metrics: metrics.autoscaler,
    runtimeMetrics: metrics.runtime,
  });
  await clock.settle();
  await Promise.all([operator.ready, autoscaler.ready]);
  await world.api.create(
    POD_CLIQUE_SETS,
    readExample<PodCliqueSet>("multinode-prefill-decode/workload.yaml", "PodCliqueSet"),
  );
  await world.api.create(
    SCALING_POLICIES,
    readExample<ScalingPolicy>("multinode-prefill-decode/policy.yaml", "ScalingPolicy"),
  );
  await clock.advance(120_000);
  const day = dayInMiniature({
    durationSeconds: 900,
    baseRequestsPerSecond: 2.9,
    peakRequestsPerSecond: 24,
    input: { medianTokens: 1_000, spreadP90: 2 },
    output: { medianTokens: 900, spreadP90: 1.8 },
  });
  world.dataPlane.attachTraffic({ namespace: "serving", partOf: "llama-70b" }, generateTraffic(day, seededRandom(5)));
  await clock.advance(700_000);
  return { clock, prometheus, metrics, stop: () => abort.abort() };
}

/** Collecting them waits for the real event loop, for which virtual time does not stop: read once, before it starts. */
async function processMetrics(): Promise<string> {
  const text = await createServiceMetrics({ clock: new VirtualClock(), version: "" }).expose();
  return text
    .split("\n")
    .filter((line) => line.includes("process_"))
    .map((line) => `${line}\n`)
    .join("");
}

/** Requests are counted by the client that sends them over HTTP; direct calls have none, so they are counted here. */
function counted(api: KubeApi, metrics: RuntimeMetrics): KubeApi {
  return {
    ...api,
    patch(resource, ...rest) {
      metrics.request("patch", resource.plural, 200, 0.01);
      return api.patch(resource, ...rest);
    },
    setScale(resource, ...rest) {
      metrics.request("patch", resource.plural, 200, 0.01);
      return api.setScale(resource, ...rest);
    },
  };
}

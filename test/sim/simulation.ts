/** The whole system on virtual time from one seed: embedded world, operator, autoscaler, traffic. Everything is a direct call. */
import { existsSync, readFileSync } from "node:fs";
import { parse, parseAllDocuments } from "yaml";
import { admit } from "../../src/api/admission.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../../src/api/grove/pod-clique-set.ts";
import { CONFIG_MAPS, type ConfigMap } from "../../src/api/kubernetes/core.ts";
import type { KubeObject } from "../../src/api/kubernetes/meta.ts";
import { type Autoscaler, startAutoscaler } from "../../src/autoscaler/controller.ts";
import { type Monitor, startMonitor } from "../../src/cli/demo/monitor.ts";
import { VirtualClock } from "../../src/clock.ts";
import type { Decision } from "../../src/decide/decision.ts";
import { startGroveOperator } from "../../src/grove/operator.ts";
import { type CheckpointStore, memoryCheckpoints, statusCheckpoints } from "../../src/jobs/checkpoint-store.ts";
import { type EvaluationQueue, inProcessQueue } from "../../src/jobs/evaluation-queue.ts";
import type { KubeApi } from "../../src/kube/kube-api.ts";
import type { Logger } from "../../src/log.ts";
import type { MetricsSource } from "../../src/observe/metrics-source.ts";
import { seededRandom } from "../../src/random.ts";
import type { Arrival } from "../../src/sim/engines/data-plane.ts";
import type { TrafficSummary } from "../../src/sim/engines/request-log.ts";
import { createWorld, type World } from "../../src/sim/world.ts";

export interface SimulationOptions {
  readonly seed: number;
  /** Folder under `policies/`. */
  readonly example?: string;
  readonly policy?: ScalingPolicy;
  readonly workload?: PodCliqueSet;
  readonly startupScale?: number;
  readonly nodes?: number;
  readonly log?: Logger;
  /** Where policies are evaluated; default: in process. */
  readonly evaluations?: EvaluationQueue;
  /** Where decisions remember; default: in memory that outlives a restart. */
  readonly checkpoints?: "memory" | "status";
  /** Whether the autoscaler may write; default: as long as it runs. */
  readonly isLeader?: () => boolean;
  /** What stands between the autoscaler and the server. */
  readonly autoscalerApi?: (api: KubeApi) => KubeApi;
  /** What stands between the autoscaler and Prometheus. */
  readonly metricsSource?: (source: MetricsSource) => MetricsSource;
  /** Told of each decision, by the `namespace/name` of its policy. */
  readonly onDecision?: (policyKey: string, decision: Decision) => void;
}

export interface Simulation {
  readonly clock: VirtualClock;
  readonly world: World;
  readonly policy: ScalingPolicy;
  readonly workload: PodCliqueSet;
  readonly decisions: readonly Decision[];
  readonly monitor: Monitor;
  /** The autoscaler that runs now; a restart replaces it. */
  autoscaler(): Autoscaler;
  /** Kills the autoscaler and the operator as kill -9 would, and starts new ones. */
  restart(): Promise<void>;
  /** Advances until the set is available. */
  untilAvailable(): Promise<void>;
  attach(arrivals: Iterable<Arrival>): void;
  traffic(slo?: { ttftMs: number; itlMs: number }): TrafficSummary;
  stop(): void;
}

export async function simulate(options: SimulationOptions): Promise<Simulation> {
  const { seed, example = "multinode-prefill-decode" } = options;
  const clock = new VirtualClock();
  const abort = new AbortController();
  const policy = options.policy ?? readExample(`${example}/policy.yaml`, "ScalingPolicy");
  const workload = options.workload ?? readExample(`${example}/workload.yaml`, "PodCliqueSet");
  const { namespace = "default" } = workload.metadata;
  const world = await createWorld({
    clock,
    random: seededRandom(seed),
    signal: abort.signal,
    namespaces: [namespace],
    startupScale: options.startupScale ?? 0.2,
    ...(options.nodes === undefined ? {} : { nodes: options.nodes }),
    ...(options.log === undefined ? {} : { log: options.log }),
  });
  const decisions: Decision[] = [];
  const checkpoints: CheckpointStore = options.checkpoints === "status" ? statusCheckpoints() : memoryCheckpoints();
  let generation = 0;
  let running = start();
  await clock.settle();
  await running.ready;
  const profile = new URL(`../../policies/${example}/profile.yaml`, import.meta.url);
  if (existsSync(profile)) await world.api.create(CONFIG_MAPS, parse(readFileSync(profile, "utf8")) as ConfigMap);
  await world.api.create(POD_CLIQUE_SETS, workload);
  await world.api.create(SCALING_POLICIES, policy);
  const monitor = startMonitor(running.autoscaler.informers, policy, clock);

  function start() {
    const life = new AbortController();
    abort.signal.addEventListener("abort", () => life.abort(), { once: true });
    const shared = {
      api: world.api,
      clock,
      random: seededRandom(seed + 1 + generation++),
      signal: life.signal,
      ...(options.log === undefined ? {} : { log: options.log }),
    };
    const operator = startGroveOperator({ ...shared, settings: { initContainerImage: "grove-initc:embedded" } });
    const autoscaler = startAutoscaler({
      ...shared,
      api: options.autoscalerApi?.(world.api) ?? world.api,
      metricsSource: options.metricsSource?.(world.metricsSource) ?? world.metricsSource,
      evaluations: options.evaluations ?? inProcessQueue(),
      checkpoints,
      isLeader: () => !life.signal.aborted && (options.isLeader?.() ?? true),
      onDecision(policyKey, decision) {
        decisions.push(decision);
        options.onDecision?.(policyKey, decision);
      },
    });
    return { life, autoscaler, ready: Promise.all([operator.ready, autoscaler.ready]) };
  }

  const system = { namespace, partOf: workload.metadata.name };
  return {
    clock,
    world,
    policy,
    workload,
    decisions,
    monitor,
    autoscaler: () => running.autoscaler,
    async restart() {
      running.life.abort();
      running = start();
      await clock.settle();
      await running.ready;
    },
    async untilAvailable() {
      const isAvailable = (): boolean =>
        (running.autoscaler.informers.sets.get(namespace, workload.metadata.name)?.status?.availableReplicas ?? 0) > 0;
      if (!(await clock.advanceUntil(isAvailable, 3_600_000))) throw new Error("the set never became available");
    },
    attach: (arrivals) => world.dataPlane.attachTraffic(system, arrivals),
    traffic: (slo = { ttftMs: 1_000, itlMs: 50 }) => world.dataPlane.summary(system, slo),
    stop() {
      monitor.stop();
      abort.abort();
    },
  };
}

export function readExample<T extends KubeObject>(file: string, kind: string): T {
  const text = readFileSync(new URL(`../../policies/${file}`, import.meta.url), "utf8");
  const object = parseAllDocuments(text, { merge: true })
    .map((document) => document.toJS() as KubeObject)
    .find((one) => one.kind === kind);
  if (object === undefined) throw new Error(`${file} holds no ${kind}`);
  const { object: complete, errors } = admit({ operation: "CREATE", object });
  if (errors.length > 0) throw new Error(`${file}: ${JSON.stringify(errors)}`);
  return complete as T;
}

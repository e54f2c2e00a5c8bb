/**
 * The demo: the whole product against the embedded world, over real HTTP on loopback, and how well it did.
 *
 * A composition root: the operator and the autoscaler get the same adapters as on a real cluster.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ScalingPolicy } from "../../api/autoscaling/scaling-policy.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { keyOf } from "../../api/kubernetes/meta.ts";
import { startAutoscaler } from "../../autoscaler/controller.ts";
import { acceleratedClock, type Clock } from "../../clock.ts";
import type { Decision } from "../../decide/decision.ts";
import { startGroveOperator } from "../../grove/operator.ts";
import { memoryCheckpoints } from "../../jobs/checkpoint-store.ts";
import { inProcessQueue } from "../../jobs/evaluation-queue.ts";
import { type RecordingSink, recordEvaluations } from "../../jobs/recorder.ts";
import { createKubeClient } from "../../kube/client.ts";
import { loadCredentials } from "../../kube/credentials.ts";
import type { Informer } from "../../kube/informer.ts";
import type { Logger } from "../../log.ts";
import type { MetricsSource } from "../../observe/metrics-source.ts";
import { createPrometheusClient } from "../../observe/prometheus-client.ts";
import { seededRandom } from "../../random.ts";
import { kubeconfigFor } from "../../sim/api-server/kubeconfig.ts";
import type { Arrival, DataPlane, SystemKey } from "../../sim/engines/data-plane.ts";
import type { TrafficSummary } from "../../sim/engines/request-log.ts";
import { dayInMiniature, generateTraffic } from "../../sim/traffic/generate.ts";
import { createNamespace, createWorld, openEngineDoor, openPrometheusDoor } from "../../sim/world.ts";
import { applyObject } from "../apply.ts";
import { allocatedGpus, LEVELS, type Monitor, type MonitorReport, startMonitor } from "./monitor.ts";
import type { DemoView } from "./view.ts";

export interface DemoOptions {
  readonly workload: PodCliqueSet;
  readonly policy: ScalingPolicy;
  readonly speed: number;
  readonly seed: number;
  /** Length of the traffic in embedded time. */
  readonly durationSeconds: number;
  /** Replayed instead of the built-in traffic. */
  readonly trace?: readonly Arrival[];
  readonly peakRequestsPerSecond: number;
  readonly startupScale: number;
  readonly nodes: number;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Where every decision goes with its inputs. */
  readonly recording?: RecordingSink;
}

export interface Demo {
  readonly kubeconfig: string;
  readonly prometheusUrl: string;
  readonly clock: Clock;
  view(): DemoView;
  /** Resolves with the first decision. */
  readonly firstDecision: Promise<Decision>;
  summary(): DemoSummary;
  stop(): Promise<void>;
}

export interface DemoSummary extends Omit<MonitorReport, "gpuHours"> {
  readonly seed: number;
  readonly speed: number;
  readonly embeddedSeconds: number;
  readonly requests: Pick<TrafficSummary, "arrived" | "completed" | "failed" | "inFlight">;
  readonly slo: { readonly ttftMs: number; readonly itlMs: number; readonly attainmentRatio: number | null };
  readonly ttftMs: TrafficSummary["ttftMs"];
  readonly itlMs: TrafficSummary["itlMs"];
  readonly gpuHours: number;
  readonly decisions: number;
  readonly ok: boolean;
  /** Why not; empty when ok. */
  readonly problems: readonly string[];
}

const SLO = { ttftMs: 1_000, itlMs: 50 } as const;

/** Load before and after the peak, as a share of it. */
const BASE_SHARE = 0.12;

export async function startDemo(options: DemoOptions): Promise<Demo> {
  const { workload, policy, speed, seed, log } = options;
  const clock = acceleratedClock({ speed, catchesUpAfterMs: options.durationSeconds * 1000 });
  const abort = new AbortController();
  options.signal.addEventListener("abort", () => abort.abort(), { once: true });
  const { signal } = abort;
  const { namespace = "default" } = policy.metadata;

  const engineDoor = await openEngineDoor();
  const world = await createWorld(
    {
      clock,
      random: seededRandom(seed),
      signal,
      nodes: options.nodes,
      startupScale: options.startupScale,
      namespaces: [namespace],
      log,
    },
    engineDoor,
  );
  const prometheusDoor = await openPrometheusDoor(world.prometheus);
  const front = await world.apiServer.listen();
  const folder = mkdtempSync(join(tmpdir(), "grove-autoscaler-demo-"));
  const kubeconfig = join(folder, "kubeconfig");
  writeFileSync(kubeconfig, kubeconfigFor({ url: front.url, namespace, clusterName: "grove-demo" }), { mode: 0o600 });

  const credentials = await loadCredentials({ kubeconfig }, clock);
  const api = createKubeClient({ credentials, clock, userAgent: "grove-autoscaler" });
  const metricsSource = createPrometheusClient({ url: prometheusDoor.url });
  const random = seededRandom(seed + 1);
  const shared = { api, clock, random, signal, log };
  // Nothing pulls it: the embedded kubelets do what its program would.
  const operator = startGroveOperator({ ...shared, settings: { initContainerImage: "grove-initc:embedded" } });

  const history: DemoView["history"][number][] = [];
  let decision: Decision | undefined;
  let decisions = 0;
  let markFirst: (first: Decision) => void = () => undefined;
  const firstDecision = new Promise<Decision>((resolve) => {
    markFirst = resolve;
  });
  const startMs = clock.monotonicMs();
  const elapsedSeconds = (): number => (clock.monotonicMs() - startMs) / 1000;
  const autoscaler = startAutoscaler({
    ...shared,
    metricsSource,
    evaluations:
      options.recording === undefined ? inProcessQueue() : recordEvaluations(inProcessQueue(), options.recording),
    checkpoints: memoryCheckpoints(),
    isLeader: () => true,
    onDecision(key, next) {
      if (key !== keyOf(policy)) return;
      decision = next;
      decisions++;
      if (next.transition.now.length > 0) history.push({ elapsedSeconds: elapsedSeconds(), message: next.message });
      markFirst(next);
    },
  });
  await Promise.all([operator.ready, autoscaler.ready]);
  await createNamespace(api, workload.metadata.namespace ?? namespace);
  await applyObject(api, workload);
  await applyObject(api, policy);
  const monitor = startMonitor(autoscaler.informers, policy, clock);

  const system: SystemKey = { namespace, partOf: workload.metadata.name };
  // Clients come when there is something to come to: nobody measures a service by the requests before its first start.
  whenAvailable(autoscaler.informers.sets, keyOf(workload), () =>
    world.dataPlane.attachTraffic(system, options.trace ?? builtInTraffic(options, elapsedSeconds())),
  );
  const gauges = startGauges(metricsSource, clock, signal);

  return {
    kubeconfig,
    prometheusUrl: prometheusDoor.url,
    clock,
    firstDecision,
    view: () => ({
      elapsedSeconds: elapsedSeconds(),
      speed,
      ...gauges(),
      inFlight: world.dataPlane.inFlight(system),
      sloAttainmentRatio: finite(world.dataPlane.summary(system, SLO).sloAttainmentRatio),
      gpusAllocated: allocatedGpus(autoscaler.informers),
      decision,
      history,
      kubeconfig,
      prometheusUrl: prometheusDoor.url,
    }),
    summary: () =>
      summarize(options, { elapsedSeconds: elapsedSeconds(), decisions, monitor, system, dataPlane: world.dataPlane }),
    async stop() {
      monitor.stop();
      abort.abort();
      await Promise.all([world.apiServer.stop(), engineDoor.close(), prometheusDoor.close()]);
      await credentials.dispatcher.close().catch(() => undefined);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function whenAvailable(sets: Informer<PodCliqueSet>, key: string, then: () => void): void {
  let isDone = false;
  sets.onChange(({ after }) => {
    if (isDone || after === undefined || keyOf(after) !== key || (after.status?.availableReplicas ?? 0) === 0) return;
    isDone = true;
    then();
  });
}

function builtInTraffic(
  { durationSeconds, peakRequestsPerSecond, seed }: DemoOptions,
  startedSeconds: number,
): Iterable<Arrival> {
  const phases = dayInMiniature({
    durationSeconds: Math.max(60, durationSeconds - startedSeconds),
    baseRequestsPerSecond: peakRequestsPerSecond * BASE_SHARE,
    peakRequestsPerSecond,
    input: { medianTokens: 1_000, spreadP90: 2 },
    output: { medianTokens: 900, spreadP90: 1.8 },
  });
  return generateTraffic(phases, seededRandom(seed + 2));
}

type Gauges = Pick<DemoView, "requestsPerSecond" | "kvCacheRatio" | "waitingRequests" | "gpuUtilizationRatio">;

/** What the world's own Prometheus says, asked once per refresh of the embedded metrics. */
export const GAUGE_QUERIES: Readonly<Record<keyof Gauges, string>> = {
  requestsPerSecond: "sum(rate(dynamo_frontend_requests_started_total[30s]))",
  kvCacheRatio: 'avg(vllm:kv_cache_usage_perc{pod=~".*decode.*"} or vllm:kv_cache_usage_perc)',
  waitingRequests: "sum(vllm:num_requests_waiting)",
  gpuUtilizationRatio:
    'avg(DCGM_FI_DEV_GPU_UTIL{exported_pod=~".*prefill.*"} or DCGM_FI_DEV_GPU_UTIL{exported_pod!=""}) / 100',
};
const GAUGE_INTERVAL_MS = 5_000;

function startGauges(source: MetricsSource, clock: Clock, signal: AbortSignal): () => Gauges {
  let latest: Gauges = {
    requestsPerSecond: undefined,
    kvCacheRatio: undefined,
    waitingRequests: undefined,
    gpuUtilizationRatio: undefined,
  };
  const refresh = async (): Promise<void> => {
    const entries = await Promise.all(
      Object.entries(GAUGE_QUERIES).map(async ([name, query]) => {
        const samples = await source.query(query).catch(() => undefined);
        return [name, samples?.at(0)?.value] as const;
      }),
    );
    latest = Object.fromEntries(entries) as unknown as Gauges;
  };
  void (async () => {
    while (!signal.aborted) {
      await refresh();
      await clock.sleep(GAUGE_INTERVAL_MS, signal).catch(() => undefined);
    }
  })();
  return () => latest;
}

interface SummaryInput {
  readonly elapsedSeconds: number;
  readonly decisions: number;
  readonly monitor: Monitor;
  readonly system: SystemKey;
  readonly dataPlane: DataPlane;
}

function summarize(
  { seed, speed, policy }: DemoOptions,
  { elapsedSeconds, decisions, monitor, system, dataPlane }: SummaryInput,
): DemoSummary {
  const traffic = dataPlane.summary(system, SLO);
  const { gpuHours, ...report } = monitor.report();
  // A policy of one's own need not scale every level.
  const levels = LEVELS.filter((level) => policy.spec.scaleTargets.some((target) => target.level === level));
  const problems = [
    ...levels.filter((level) => report.scaleActions[level].up === 0).map((level) => `${level} never scaled up`),
    ...levels.filter((level) => report.scaleActions[level].down === 0).map((level) => `${level} never scaled down`),
    ...violation("ratio band", report.ratioViolationSeconds),
    ...violation("minimum viable set", report.floorViolationSeconds),
    ...violation("GPU budget", report.budgetViolationSeconds),
  ];
  return {
    seed,
    speed,
    embeddedSeconds: Math.round(elapsedSeconds),
    requests: {
      arrived: traffic.arrived,
      completed: traffic.completed,
      failed: traffic.failed,
      inFlight: traffic.inFlight,
    },
    slo: { ...SLO, attainmentRatio: finite(traffic.sloAttainmentRatio) ?? null },
    ttftMs: traffic.ttftMs,
    itlMs: traffic.itlMs,
    gpuHours: Math.round(gpuHours * 1000) / 1000,
    decisions,
    ...report,
    ok: problems.length === 0,
    problems,
  };
}

const violation = (what: string, seconds: number): readonly string[] =>
  seconds > 0 ? [`${what} broken for ${seconds} s`] : [];
const finite = (value: number): number | undefined => (Number.isFinite(value) ? value : undefined);

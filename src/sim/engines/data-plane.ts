/**
 * The data plane: the engines and frontends inside the simulated pods, the requests that go through them, and the
 * metrics they expose.
 *
 * A discrete-event simulation that is advanced lazily: every question first brings it to the present of the clock, so
 * between questions it costs nothing.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Pod } from "../../api/kubernetes/core.ts";
import type { Clock } from "../../clock.ts";
import type { ScrapeTarget } from "../prometheus/scraper.ts";
import { remember } from "../remember.ts";
import { writeEngineMetrics } from "./engine-exporters.ts";
import { EventQueue } from "./event-queue.ts";
import { GPU_FAMILIES, type GpuReading, gpuLabels, writeFrontendMetrics, writeGpuMetrics } from "./exporters.ts";
import { Frontend } from "./frontend.ts";
import type { InferenceEngine } from "./inference-engine.ts";
import { MetricText } from "./metric-text.ts";
import type { MetricLabels, MetricWriter } from "./metric-writer.ts";
import { createMetricsHttpHandler } from "./metrics-http.ts";
import { identityOf, type PodIdentity } from "./pod-identity.ts";
import { PodRegistry, type RegisteredPod } from "./pod-registry.ts";
import { DEFAULT_PROFILE, type EngineProfile, PROFILES } from "./profiles.ts";
import type { RequestColumns } from "./request-columns.ts";
import { type LatencyTargets, RequestLog, type TrafficSummary } from "./request-log.ts";
import type { Routing } from "./routing.ts";
import { ServingSystem } from "./serving-system.ts";

export interface Arrival {
  /** Since the start of the stream; never decreasing. */
  readonly atMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Ids of the 512-token blocks of the prompt, in order; equal leading ids are an equal beginning. */
  readonly blocks?: readonly number[];
}

export interface SystemKey {
  readonly namespace: string;
  /** `app.kubernetes.io/part-of`: the PodCliqueSet. */
  readonly partOf: string;
}

export type MetricFault = "drop" | "nan" | "freeze";

export interface DataPlaneOptions {
  readonly clock: Clock;
  /** Profiles by name, beside the built-in ones. */
  readonly profiles?: Readonly<Record<string, EngineProfile>>;
  /** Default 10 min: what a client waits for its first token. */
  readonly firstTokenTimeoutMs?: number;
  /** Default 2: a request whose engine dies is tried once more. */
  readonly maxAttempts?: number;
  /** Default: least-loaded. */
  readonly routing?: Routing;
  /** Default: false. */
  readonly prefixCaching?: boolean;
}

export interface DataPlane {
  /** Brings everything to the present of the clock. */
  advance(): void;
  /** A pod on a node came up, or its readiness changed. */
  setPod(pod: Pod, ready: boolean): void;
  /** The pod is gone, with everything its instance still held. */
  removePod(key: string): void;
  /** The pod's engine or frontend takes no new requests. */
  drain(key: string): void;
  /** The engine that the pod is part of, when all its pods are ready. */
  engineOf(key: string): InferenceEngine | undefined;
  /** Nothing is left to do for the pod. */
  isDrained(key: string): boolean;
  setNode(name: string, gpus: number): void;
  removeNode(name: string): void;
  /** Requests for a system from now on; the stream is read as time goes on. */
  attachTraffic(system: SystemKey, arrivals: Iterable<Arrival>): void;
  /** One target per exporting pod and one dcgm-exporter per node. */
  targets(): readonly ScrapeTarget[];
  /** Exposition text, or undefined when the pod exposes nothing. */
  podMetrics(key: string): string | undefined;
  nodeMetrics(nodeName: string): string | undefined;
  summary(system: SystemKey, targets: LatencyTargets): TrafficSummary;
  /** Every request of the system so far. */
  requests(system: SystemKey): RequestColumns;
  /** Requests that were begun and have not ended, counted where they are. */
  inFlight(system: SystemKey): number;
  /** Breaks what one pod exposes; `undefined` heals it. */
  setMetricFault(key: string, fault: MetricFault | undefined): void;
  /** While true every scrape fails. */
  stopScraping(stopped: boolean): void;
  /** `/pods/<namespace>/<pod>/metrics`, `/nodes/<node>/metrics`, `/targets` (http_sd). */
  readonly httpHandler: (request: IncomingMessage, response: ServerResponse) => void;
}

const DEFAULT_FIRST_TOKEN_TIMEOUT_MS = 600_000;
/** A GPU gauge is the mean over at least this time, as dcgm's own sampling is. */
const GPU_WINDOW_MS = 10_000;
/** Weights and KV cache are allocated at the start: 0.9 of 79.19 GiB. */
const USED_MEMORY_MIB = Math.round(0.9 * 79.19 * 1024);

interface BusyWindow {
  startMs: number;
  startBusyMs: number;
  ratio: number;
}

function labelsOfHeldGpus({ identity, gpuIndexes, containerName }: RegisteredPod): readonly MetricLabels[] {
  const { namespace, name, nodeName } = identity;
  return gpuIndexes.map((index) => gpuLabels(nodeName, index, { namespace, pod: name, container: containerName }));
}

export function createDataPlane(options: DataPlaneOptions): DataPlane {
  const { clock, firstTokenTimeoutMs = DEFAULT_FIRST_TOKEN_TIMEOUT_MS, maxAttempts = 2 } = options;
  const profiles = { ...PROFILES, ...options.profiles };
  const events = new EventQueue();
  const pods = new PodRegistry();
  const systems = new Map<string, ServingSystem>();
  const nodes = new Map<string, number>();
  const faults = new Map<string, MetricFault>();
  const frozen = new Map<string, string>();
  const busy = new Map<string, BusyWindow>();
  const podTargets = new WeakMap<PodIdentity, ScrapeTarget>();
  const nodeTargets = new Map<string, ScrapeTarget>();
  const heldGpuLabels = new WeakMap<RegisteredPod, readonly MetricLabels[]>();
  const idleGpuLabels = new Map<string, MetricLabels>();
  let scrapingStopped = false;

  const now = (): number => clock.monotonicMs();
  const systemOf = (key: string): ServingSystem => {
    const known = systems.get(key);
    if (known !== undefined) return known;
    const made = new ServingSystem({
      events,
      firstTokenTimeoutMs,
      maxAttempts,
      log: new RequestLog(),
      ...(options.routing === undefined ? {} : { routing: options.routing }),
      ...(options.prefixCaching === undefined ? {} : { prefixCaching: options.prefixCaching }),
    });
    systems.set(key, made);
    return made;
  };
  const keyOfSystem = ({ namespace, partOf }: SystemKey): string => `${namespace}/${partOf}`;

  function advance(): void {
    const nowMs = now();
    events.runUntil(nowMs);
    for (const system of systems.values()) system.advanceTo(nowMs);
  }

  function profileOf({ profile }: PodIdentity): EngineProfile {
    return profiles[profile] ?? (PROFILES[DEFAULT_PROFILE] as EngineProfile);
  }

  /** Brings the instance of a pod in line with the state of its pods. */
  function settle(identity: PodIdentity): void {
    const system = systemOf(identity.system);
    const nowMs = now();
    if (identity.role === "frontend") {
      system.usesFrontends = true;
      const isReady = pods.get(identity.key)?.ready === true;
      const running = system.frontend(identity.key) !== undefined;
      if (isReady && !running) system.addFrontend(new Frontend(identity.key, identity.requestsPerSecond), nowMs);
      if (!isReady && running) system.removeFrontend(identity.key, nowMs);
      return;
    }
    const complete = pods.isComplete(identity.instance);
    const running = system.engine(identity.instance) !== undefined;
    if (complete && !running) {
      system.addEngine(identity.instance, identity.setReplica, identity.role, profileOf(identity), nowMs);
    } else if (!complete && running) {
      system.removeEngine(identity.instance, nowMs);
      busy.delete(identity.instance);
    }
  }

  /** @returns whether the pod exposes anything */
  function writePod({ identity }: RegisteredPod, writer: MetricWriter): boolean {
    const system = systemOf(identity.system);
    const [, partOf = ""] = identity.system.split("/");
    if (identity.role === "frontend") {
      const frontend = system.frontend(identity.key);
      if (frontend === undefined) return false;
      writeFrontendMetrics(writer, frontend, profileOf(identity).modelName, partOf);
      return true;
    }
    if (!isLeader(identity)) return false;
    const handle = system.engine(identity.instance);
    if (handle === undefined) return false;
    writeEngineMetrics(writer, handle.engine, identity.metricFormat, partOf);
    return true;
  }

  function podMetrics(key: string): string | undefined {
    advance();
    const pod = pods.get(key);
    const writer = new MetricText();
    const text = pod !== undefined && writePod(pod, writer) ? writer.toString() : undefined;
    switch (faults.get(key)) {
      case "drop":
        return undefined;
      case "nan":
        return text?.replaceAll(/^([^#].*) \S+$/gm, "$1 NaN");
      case "freeze": {
        const before = frozen.get(key) ?? text;
        if (before !== undefined) frozen.set(key, before);
        return before;
      }
      case undefined:
        return text;
    }
  }

  function busyRatio({ identity }: RegisteredPod, nowMs: number): number {
    const handle = systemOf(identity.system).engine(identity.instance);
    if (handle === undefined) return 0;
    const busyMs = handle.engine.busyMs(nowMs);
    const window = busy.get(identity.instance);
    if (window === undefined) {
      busy.set(identity.instance, { startMs: nowMs, startBusyMs: busyMs, ratio: 0 });
      return 0;
    }
    const elapsedMs = nowMs - window.startMs;
    if (elapsedMs >= GPU_WINDOW_MS) {
      window.ratio = Math.min(1, Math.max(0, (busyMs - window.startBusyMs) / elapsedMs));
      window.startMs = nowMs;
      window.startBusyMs = busyMs;
    }
    return window.ratio;
  }

  function nodeMetrics(nodeName: string): string | undefined {
    const writer = new MetricText();
    return writeNode(nodeName, writer) ? writer.toString() : undefined;
  }

  function writeNode(nodeName: string, writer: MetricWriter): boolean {
    advance();
    const capacity = nodes.get(nodeName);
    const residents = pods.podsOnNode(nodeName);
    if (capacity === undefined && residents.length === 0) return false;
    if (!GPU_FAMILIES.some((family) => writer.takes(family))) return true;
    const readings: GpuReading[] = residents.flatMap((pod) => {
      const ratio = busyRatio(pod, now());
      const labels = remember(heldGpuLabels, pod, labelsOfHeldGpus);
      return pod.gpuIndexes.map((index, at) => ({
        index,
        labels: labels[at] as MetricLabels,
        busyRatio: ratio,
        memoryUsedMiB: pod.ready ? USED_MEMORY_MIB : 0,
      }));
    });
    const taken = new Set(readings.map(({ index }) => index));
    for (let index = 0; index < (capacity ?? 0); index++) {
      if (taken.has(index)) continue;
      const labels = remember(idleGpuLabels, `${nodeName}/${index}`, () => gpuLabels(nodeName, index));
      readings.push({ index, labels, busyRatio: 0, memoryUsedMiB: 0 });
    }
    writeGpuMetrics(
      writer,
      readings.sort((a, b) => a.index - b.index),
    );
    return true;
  }

  /** The pods whose process is up and serves `/metrics`. */
  function exporters(): readonly RegisteredPod[] {
    return pods
      .all()
      .filter(({ ready, identity }) => ready && (identity.role === "frontend" || isLeader(identity)))
      .filter(({ identity }) => {
        const system = systemOf(identity.system);
        return (system.frontend(identity.key) ?? system.engine(identity.instance)) !== undefined;
      });
  }
  const isLeader = ({ instance, key }: PodIdentity): boolean => pods.leaderOf(instance)?.identity.key === key;

  function targets(): readonly ScrapeTarget[] {
    const scrape = (read: () => string | undefined) => (): string => {
      const text = scrapingStopped ? undefined : read();
      if (text === undefined) throw new Error("connection refused");
      return text;
    };
    const write = (into: (writer: MetricWriter) => boolean) => (writer: MetricWriter) => {
      if (scrapingStopped || !into(writer)) throw new Error("connection refused");
    };
    const ofPod = (identity: PodIdentity): ScrapeTarget => ({
      labels: {
        job: "grove-engines",
        instance: identity.key,
        ...identity.targetLabels,
        __metrics_path__: `/pods/${identity.key}/metrics`,
      },
      scrape: scrape(() => podMetrics(identity.key)),
      write: write((writer) => {
        const pod = pods.get(identity.key);
        return pod !== undefined && writePod(pod, writer);
      }),
    });
    const ofNode = (nodeName: string): ScrapeTarget => ({
      labels: {
        job: "dcgm-exporter",
        instance: nodeName,
        namespace: "gpu-operator",
        pod: `dcgm-exporter-${nodeName}`,
        node: nodeName,
        __metrics_path__: `/nodes/${nodeName}/metrics`,
      },
      scrape: scrape(() => nodeMetrics(nodeName)),
      write: write((writer) => writeNode(nodeName, writer)),
    });
    return [
      ...exporters().map(({ identity }) => {
        const target = remember(podTargets, identity, ofPod);
        // What is broken on purpose is broken text.
        return faults.has(identity.key) ? { labels: target.labels, scrape: target.scrape } : target;
      }),
      ...[...nodes.keys()].map((nodeName) => remember(nodeTargets, nodeName, ofNode)),
    ];
  }

  const isDrained = (key: string): boolean => {
    advance();
    const identity = pods.get(key)?.identity;
    if (identity === undefined) return true;
    const system = systemOf(identity.system);
    if (identity.role === "frontend") return (system.frontend(key)?.inFlight.size ?? 0) === 0;
    return system.engine(identity.instance)?.engine.isEmpty ?? true;
  };

  return {
    advance,
    setPod(pod, ready) {
      advance();
      const identity = identityOf(pod);
      pods.set(identity, ready, pod.spec.containers[0]?.name ?? "");
      settle(identity);
    },
    removePod(key) {
      advance();
      const pod = pods.delete(key);
      faults.delete(key);
      frozen.delete(key);
      if (pod !== undefined) settleAfterRemoval(pod.identity);
    },
    drain(key) {
      advance();
      const identity = pods.get(key)?.identity;
      if (identity === undefined) return;
      const system = systemOf(identity.system);
      const drained = identity.role === "frontend" ? system.frontend(key) : system.engine(identity.instance);
      if (drained !== undefined) drained.draining = true;
    },
    engineOf: (key) => {
      advance();
      const identity = pods.get(key)?.identity;
      return identity === undefined ? undefined : systemOf(identity.system).engine(identity.instance)?.engine;
    },
    isDrained,
    setNode: (name, gpus) => nodes.set(name, gpus),
    removeNode: (name) => {
      nodes.delete(name);
      nodeTargets.delete(name);
    },
    attachTraffic(key, arrivals) {
      advance();
      const system = systemOf(keyOfSystem(key));
      const startMs = now();
      const stream = arrivals[Symbol.iterator]();
      let coming = stream.next();
      const scheduleNext = (): void => {
        if (coming.done !== true) events.schedule(startMs + coming.value.atMs, arrive);
      };
      const arrive = (atMs: number): void => {
        if (coming.done !== true) system.arrive(coming.value, atMs);
        coming = stream.next();
        scheduleNext();
      };
      scheduleNext();
    },
    targets: () => {
      advance();
      return targets();
    },
    podMetrics,
    nodeMetrics,
    summary(key, latencyTargets) {
      advance();
      return systemOf(keyOfSystem(key)).log.summary(latencyTargets);
    },
    requests(key) {
      advance();
      return systemOf(keyOfSystem(key)).log.columns();
    },
    inFlight(key) {
      advance();
      return systemOf(keyOfSystem(key)).inFlight;
    },
    setMetricFault(key, fault) {
      frozen.delete(key);
      if (fault === undefined) faults.delete(key);
      else faults.set(key, fault);
      if (fault === "freeze") podMetrics(key);
    },
    stopScraping(stopped) {
      scrapingStopped = stopped;
    },
    httpHandler: createMetricsHttpHandler({
      podMetrics: (key) => (scrapingStopped ? undefined : podMetrics(key)),
      nodeMetrics: (name) => (scrapingStopped ? undefined : nodeMetrics(name)),
      targets: () => {
        advance();
        return targets();
      },
    }),
  };

  function settleAfterRemoval(identity: PodIdentity): void {
    const system = systemOf(identity.system);
    if (identity.role === "frontend") system.removeFrontend(identity.key, now());
    else if (system.engine(identity.instance) !== undefined) {
      system.removeEngine(identity.instance, now());
      busy.delete(identity.instance);
    }
  }
}

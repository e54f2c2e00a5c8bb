/** Everything this process exposes: the process itself, the controller runtime and the autoscaler. Each metric: `docs/metrics.md`. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { AutoscalerMetrics } from "../autoscaler/autoscaler-metrics.ts";
import type { Clock } from "../clock.ts";
import type { RuntimeMetrics } from "../kube/runtime-metrics.ts";
import { createAutoscalerMetrics } from "./autoscaler-metrics.ts";
import { createRuntimeMetrics } from "./controller-metrics.ts";
import { createOperatorMetrics, type OperatorMetrics } from "./operator-metrics.ts";

export interface ServiceMetrics {
  readonly contentType: string;
  /** The exposition text. */
  expose(): Promise<string>;
  readonly runtime: RuntimeMetrics;
  readonly autoscaler: AutoscalerMetrics;
  readonly operator: OperatorMetrics;
  /** Why evaluations run elsewhere than configured, read at each scrape. */
  watchDegraded(read: () => string | undefined): void;
  /** Whether the metrics server is asked, read at each scrape. */
  watchCircuit(read: () => CircuitState): void;
  /** An evaluation that this process computed while Redis is configured. */
  evaluated(place: "worker" | "fallback"): void;
  /** Name and help of every metric. */
  describe(): readonly { readonly name: string; readonly help: string }[];
}

export interface ServiceMetricsOptions {
  readonly clock: Clock;
  readonly version: string;
  /** Off in tests on virtual time: it reads the real process. */
  readonly process?: boolean;
}

const CIRCUIT_STATES = ["closed", "open", "half-open"] as const;
/** Of `observe/circuit-breaker.ts`. */
type CircuitState = (typeof CIRCUIT_STATES)[number];

export function createServiceMetrics({ clock, version, process = true }: ServiceMetricsOptions): ServiceMetrics {
  const registry = new Registry();
  if (process) collectDefaultMetrics({ register: registry });
  const runtime = createRuntimeMetrics(registry);
  const autoscaler = createAutoscalerMetrics(registry, clock);
  const build = new Gauge({
    name: "grove_autoscaler_build_info",
    help: "1, with the version of this process.",
    labelNames: ["version"],
    registers: [registry],
  });
  build.set({ version }, 1);
  let readDegraded: () => string | undefined = () => undefined;
  const degraded: Gauge = new Gauge({
    name: "grove_autoscaler_evaluation_queue_degraded",
    help: "1 while Redis is configured and evaluations run in process all the same.",
    registers: [registry],
    collect: () => {
      degraded.set(readDegraded() === undefined ? 0 : 1);
    },
  });
  let readCircuit: () => CircuitState = () => "closed";
  const circuit: Gauge = new Gauge({
    name: "grove_autoscaler_metrics_source_circuit",
    help: "1 for the state that the circuit to the metrics server is in: closed, open (it is not asked) or half-open.",
    labelNames: ["state"],
    registers: [registry],
    collect: () => {
      for (const state of CIRCUIT_STATES) circuit.set({ state }, readCircuit() === state ? 1 : 0);
    },
  });
  const evaluations = new Counter({
    name: "grove_autoscaler_evaluations_total",
    help: "Evaluations that this replica computed: as a worker of the queue, or as the fallback without Redis.",
    labelNames: ["place"],
    registers: [registry],
  });
  for (const place of ["worker", "fallback"]) evaluations.inc({ place }, 0);
  return {
    contentType: registry.contentType,
    expose: () => registry.metrics(),
    runtime,
    autoscaler,
    operator: createOperatorMetrics(registry),
    watchDegraded(read) {
      readDegraded = read;
    },
    watchCircuit(read) {
      readCircuit = read;
    },
    evaluated: (place) => evaluations.inc({ place }),
    describe: () => registry.getMetricsAsArray().map(({ name, help }) => ({ name, help })),
  };
}

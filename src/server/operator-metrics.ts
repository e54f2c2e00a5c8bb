/** What the Grove operator counts beyond the controller runtime, under the names that users of upstream have asked for (grove.md 8.5). */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { RuntimeMetrics } from "../kube/runtime-metrics.ts";
import { createRuntimeMetrics } from "./controller-metrics.ts";

/** Phases of a PodGang's way to service, in order; each is measured from its creation. */
export const GANG_PHASES = ["gated", "ungated", "scheduled", "ready"] as const;
export type GangPhase = (typeof GANG_PHASES)[number];

export interface OperatorMetrics {
  /** Counts for the operator and for `base`, which counts for all controllers of the process. */
  countingFor(base: RuntimeMetrics): RuntimeMetrics;
  /** A PodGang has reached a phase, that long after it was created. */
  gangReached(phase: GangPhase, sinceCreationMs: number): void;
}

export function createOperatorMetrics(registry: Registry): OperatorMetrics {
  const registers = [registry];
  const reconciles = new Counter({
    name: "grove_operator_reconcile_total",
    help: "Reconciles of the operator's controllers by result; requeue is a conflict.",
    labelNames: ["controller", "result"],
    registers,
  });
  const durations = new Histogram({
    name: "grove_operator_reconcile_duration_seconds",
    help: "Length of a reconcile.",
    labelNames: ["controller"],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60],
    registers,
  });
  const inFlight = new Gauge({
    name: "grove_operator_in_flight_reconciles",
    help: "Reconciles that run now.",
    labelNames: ["controller"],
    registers,
  });
  const depth = new Gauge({
    name: "grove_operator_queue_depth",
    help: "Keys that wait to be reconciled.",
    labelNames: ["controller"],
    registers,
  });
  const requests = new Counter({
    name: "grove_operator_api_requests_total",
    help: "Requests to the API server; code is the HTTP status, or error when there was no answer.",
    labelNames: ["verb", "resource", "code"],
    registers,
  });
  const conflicts = new Counter({
    name: "grove_operator_conflict_total",
    help: "Writes that the API server refused with 409.",
    labelNames: ["resource"],
    registers,
  });
  const gangs = new Histogram({
    name: "grove_operator_gang_phase_seconds",
    help: "Time from the creation of a PodGang to a phase: gated (its pods exist), ungated, scheduled, ready.",
    labelNames: ["phase"],
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800],
    registers,
  });
  for (const phase of GANG_PHASES) gangs.zero({ phase });
  return {
    countingFor: (base) => ({
      ...base,
      started(controller) {
        inFlight.inc({ controller });
        base.started(controller);
      },
      ended(controller) {
        inFlight.dec({ controller });
        base.ended(controller);
      },
      reconciled(controller, result, seconds) {
        reconciles.inc({ controller, result });
        durations.observe({ controller }, seconds);
        base.reconciled(controller, result, seconds);
      },
      queueDepth(controller, keys) {
        depth.set({ controller }, keys);
        base.queueDepth(controller, keys);
      },
      request(verb, resource, code, seconds) {
        requests.inc({ verb, resource, code: String(code) });
        if (code === 409) conflicts.inc({ resource });
        base.request(verb, resource, code, seconds);
      },
    }),
    gangReached: (phase, ms) => gangs.observe({ phase }, ms / 1000),
  };
}

export interface OperatorProcessMetrics {
  readonly runtime: RuntimeMetrics;
  readonly gangReached: OperatorMetrics["gangReached"];
  readonly contentType: string;
  /** The exposition text. */
  expose(): Promise<string>;
  /** Name and help of every metric. */
  describe(): readonly { readonly name: string; readonly help: string }[];
}

/** All that `grove-autoscaler operator` exposes. */
export function createOperatorProcessMetrics({
  version,
  process = true,
}: {
  readonly version: string;
  /** Off in tests: it reads the real process. */
  readonly process?: boolean;
}): OperatorProcessMetrics {
  const registry = new Registry();
  if (process) collectDefaultMetrics({ register: registry });
  const build = new Gauge({
    name: "grove_operator_build_info",
    help: "1, with the version of this process.",
    labelNames: ["version"],
    registers: [registry],
  });
  build.set({ version }, 1);
  const operator = createOperatorMetrics(registry);
  return {
    runtime: operator.countingFor(createRuntimeMetrics(registry)),
    gangReached: operator.gangReached,
    contentType: registry.contentType,
    expose: () => registry.metrics(),
    describe: () => registry.getMetricsAsArray().map(({ name, help }) => ({ name, help })),
  };
}

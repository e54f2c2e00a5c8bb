/** What the controller runtime counts, under the names that controller-runtime and client-go users know. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { RuntimeMetrics } from "../kube/runtime-metrics.ts";

const RESULTS = ["success", "error", "requeue", "requeue_after"] as const;
const WATCH_CAUSES = ["timeout", "error", "expired"] as const;

/** Labels are controllers, verbs, resources and codes: a few hundred series whatever the cluster holds. */
export function createRuntimeMetrics(registry: Registry): RuntimeMetrics {
  const registers = [registry];
  const reconciles = new Counter({
    name: "controller_runtime_reconcile_total",
    help: "Reconciles by controller and result.",
    labelNames: ["controller", "result"],
    registers,
  });
  const reconcileErrors = new Counter({
    name: "controller_runtime_reconcile_errors_total",
    help: "Reconciles that failed, conflicts not counted.",
    labelNames: ["controller"],
    registers,
  });
  const reconcileTime = new Histogram({
    name: "controller_runtime_reconcile_time_seconds",
    help: "Length of a reconcile.",
    labelNames: ["controller"],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120],
    registers,
  });
  const active = new Gauge({
    name: "controller_runtime_active_workers",
    help: "Reconciles that run now.",
    labelNames: ["controller"],
    registers,
  });
  const depth = new Gauge({
    name: "workqueue_depth",
    help: "Keys that wait to be reconciled.",
    labelNames: ["name"],
    registers,
  });
  const retries = new Counter({
    name: "workqueue_retries_total",
    help: "Keys that came back after a failure.",
    labelNames: ["name"],
    registers,
  });
  const requests = new Counter({
    name: "rest_client_requests_total",
    help: "Requests to the API server; code is the HTTP status, or error when there was no answer.",
    labelNames: ["code", "method", "resource"],
    registers,
  });
  const requestTime = new Histogram({
    name: "rest_client_request_duration_seconds",
    help: "Time to the head of the answer.",
    labelNames: ["verb"],
    buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60],
    registers,
  });
  const limiterTime = new Histogram({
    name: "rest_client_rate_limiter_duration_seconds",
    help: "Time that requests waited for our own rate limit; requests that did not wait are not in it.",
    buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60],
    registers,
  });
  const watches = new Counter({
    name: "grove_autoscaler_watch_restarts_total",
    help: "Watches that ended and were started again. Timeouts are normal.",
    labelNames: ["resource", "cause"],
    registers,
  });
  const leader = new Gauge({
    name: "grove_autoscaler_leader",
    help: "1 while this process leads.",
    registers,
  });
  leader.set(0);

  const known = new Set<string>();
  /** Counters exist from the first sight of a controller, so that `rate` sees their first step. */
  const meet = (controller: string): void => {
    if (known.has(controller)) return;
    known.add(controller);
    for (const result of RESULTS) reconciles.inc({ controller, result }, 0);
    reconcileErrors.inc({ controller }, 0);
    reconcileTime.zero({ controller });
    depth.set({ name: controller }, 0);
    active.inc({ controller }, 0);
    retries.inc({ name: controller }, 0);
  };
  return {
    started(controller) {
      active.inc({ controller });
    },
    ended(controller) {
      active.dec({ controller });
    },
    reconciled(controller, result, durationSeconds) {
      meet(controller);
      reconciles.inc({ controller, result });
      if (result === "error") reconcileErrors.inc({ controller });
      reconcileTime.observe({ controller }, durationSeconds);
    },
    queueDepth(controller, keys) {
      meet(controller);
      depth.set({ name: controller }, keys);
    },
    queueRetry(controller) {
      meet(controller);
      retries.inc({ name: controller });
    },
    request(verb, resource, code, durationSeconds) {
      requests.inc({ code: String(code), method: verb, resource });
      // A watch answers when it starts; its length says nothing about the server.
      if (verb !== "watch") requestTime.observe({ verb }, durationSeconds);
      else if (!known.has(`watch ${resource}`)) {
        known.add(`watch ${resource}`);
        for (const cause of WATCH_CAUSES) watches.inc({ resource, cause }, 0);
      }
    },
    rateLimiterWait: (seconds) => limiterTime.observe(seconds),
    watchRestarted: (resource, cause) => watches.inc({ resource, cause }),
    leader: (isLeader) => leader.set(isLeader ? 1 : 0),
  };
}

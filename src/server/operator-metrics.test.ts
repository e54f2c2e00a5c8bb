import { expect, test } from "vitest";
import { createOperatorProcessMetrics } from "./operator-metrics.ts";

const exposed = async (metrics: ReturnType<typeof createOperatorProcessMetrics>): Promise<readonly string[]> =>
  (await metrics.expose()).split("\n").filter((line) => line.startsWith("grove_operator_"));

test("a reconcile is counted while it runs and when it has ended", async () => {
  const metrics = createOperatorProcessMetrics({ version: "1", process: false });
  const { runtime } = metrics;
  runtime.queueDepth("podgang", 3);
  runtime.started("podgang");
  expect(await exposed(metrics)).toContain('grove_operator_in_flight_reconciles{controller="podgang"} 1');
  runtime.reconciled("podgang", "requeue", 0.2);
  runtime.ended("podgang");
  const lines = await exposed(metrics);
  expect(lines).toContain('grove_operator_in_flight_reconciles{controller="podgang"} 0');
  expect(lines).toContain('grove_operator_reconcile_total{controller="podgang",result="requeue"} 1');
  expect(lines).toContain('grove_operator_reconcile_duration_seconds_sum{controller="podgang"} 0.2');
  expect(lines).toContain('grove_operator_queue_depth{controller="podgang"} 3');
  // The controller runtime's own names go on.
  expect(await metrics.expose()).toContain(
    'controller_runtime_reconcile_total{controller="podgang",result="requeue"} 1',
  );
  expect(await metrics.expose()).toContain('controller_runtime_active_workers{controller="podgang"} 0');
});

test("requests are counted by verb, kind and code, conflicts apart", async () => {
  const metrics = createOperatorProcessMetrics({ version: "1", process: false });
  metrics.runtime.request("patch", "pods", 200, 0.01);
  metrics.runtime.request("patch", "pods", 409, 0.01);
  metrics.runtime.request("list", "pods", "error", 0.01);
  const lines = await exposed(metrics);
  expect(lines).toContain('grove_operator_api_requests_total{verb="patch",resource="pods",code="200"} 1');
  expect(lines).toContain('grove_operator_api_requests_total{verb="list",resource="pods",code="error"} 1');
  expect(lines).toContain('grove_operator_conflict_total{resource="pods"} 1');
});

test("phases of gangs are there from the start, in seconds", async () => {
  const metrics = createOperatorProcessMetrics({ version: "1", process: false });
  expect(await exposed(metrics)).toContain('grove_operator_gang_phase_seconds_count{phase="ready"} 0');
  metrics.gangReached("scheduled", 1_500);
  expect(await exposed(metrics)).toContain('grove_operator_gang_phase_seconds_sum{phase="scheduled"} 1.5');
});

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { VirtualClock } from "../src/clock.ts";
import { parsePromql } from "../src/observe/promql.ts";
import { createServiceMetrics } from "../src/server/metrics.ts";
import { loadSignalQueries, presetQueries } from "../test/conformance/signal-queries.ts";
import { dashboardText } from "./dashboard.ts";
import { type ObservedWorld, observedDay } from "./observed-world.ts";
import { ROWS } from "./panels.ts";

/** As Grafana fills them in. */
const filled = (expr: string): string =>
  expr.replaceAll("$__rate_interval", "1m").replaceAll("$policy", ".*").replaceAll("$namespace", ".*");

const queries = ROWS.flatMap(({ title: row, panels }) =>
  panels.flatMap(({ title, queries: own }) =>
    own.map(({ expr, legend }) => ({ panel: `${row} / ${title}: ${legend}`, expr: filled(expr) })),
  ),
);

const alerts = (
  parseYaml(readFileSync(new URL("../deploy/monitoring/alerts.yaml", import.meta.url), "utf8")) as {
    spec: { groups: { rules: { alert: string; expr: string }[] }[] };
  }
).spec.groups.flatMap(({ rules }) => rules);

/** Panels in which nothing is what one wants to see. */
const EMPTY_BY_DESIGN: Readonly<Record<string, string>> = {
  "Health of the service / Reconciles: {{controller}} errors": "shows failures only, and the day has none",
};

/** Names that the registry exposes for a metric of this name. */
const SUFFIXES = /_(bucket|sum|count)$/;

function namesOf(expr: string): readonly string[] {
  const parsed = parsePromql(expr);
  if (!parsed.ok) throw new Error(`${parsed.message} at ${parsed.position}: ${expr}`);
  return parsed.metricNames;
}

describe("queries", () => {
  const own = new Set(
    createServiceMetrics({ clock: new VirtualClock(), version: "" })
      .describe()
      .map(({ name }) => name),
  );
  const engines = new Set([...presetQueries(), ...loadSignalQueries()].flatMap((query) => namesOf(query)));
  const isKnown = (name: string): boolean => own.has(name) || own.has(name.replace(SUFFIXES, "")) || engines.has(name);

  test.each(queries)("$panel asks for metrics that exist", ({ expr }) => {
    const names = namesOf(expr);
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !isKnown(name))).toEqual([]);
  });

  test.each(alerts)("alert $alert asks for our own metrics", ({ expr }) => {
    const names = namesOf(expr);
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !own.has(name))).toEqual([]);
  });
});

describe("on a simulated day", () => {
  let day: ObservedWorld;
  beforeAll(async () => {
    day = await observedDay();
  });
  afterAll(() => day?.stop());
  const points = (expr: string): readonly number[] => {
    const endMs = day.clock.nowMs();
    return day.prometheus.engine
      .queryRange(expr, { startMs: endMs - 600_000, endMs, stepMs: 15_000 })
      .flatMap(({ points: pairs }) => pairs.map(([, value]) => value))
      .filter(Number.isFinite);
  };

  test.each(queries)("$panel shows something", ({ panel, expr }) => {
    if (panel in EMPTY_BY_DESIGN) expect(points(expr)).toEqual([]);
    else expect(points(expr).length).toBeGreaterThan(5);
  });

  test("every exception is a panel", () => {
    const panels = queries.map(({ panel }) => panel);
    expect(Object.keys(EMPTY_BY_DESIGN).filter((panel) => !panels.includes(panel))).toEqual([]);
  });

  test.each(alerts)("alert $alert can be evaluated", ({ expr }) => {
    expect(() => points(expr)).not.toThrow();
  });

  test("on this day no alert of an outage fires", () => {
    const firing = alerts
      .filter(({ alert }) => /NoLeader|DoesNotTurn|WritesRefused|WithoutRedis|ReconcileErrors/.test(alert))
      .filter(({ expr }) => {
        const value = day.prometheus.engine.query(expr, day.clock.nowMs());
        return value.kind === "vector" && value.elements.length > 0;
      });
    expect(firing.map(({ alert }) => alert)).toEqual([]);
  });

  test("an alert fires when there is a reason", async () => {
    const expr = alerts.find(({ alert }) => alert === "GroveAutoscalerHasNoLeader")?.expr ?? "";
    day.metrics.runtime.leader(false);
    await day.clock.advance(10_000);
    const value = day.prometheus.engine.query(expr, day.clock.nowMs());
    expect(value.kind === "vector" && value.elements.length).toBe(1);
    day.metrics.runtime.leader(true);
    await day.clock.advance(10_000);
  });
});

test("the committed JSON is what the code gives: npm run grafana", () => {
  expect(readFileSync(new URL("grove-autoscaler.json", import.meta.url), "utf8")).toBe(dashboardText());
});

test("panels of a row fill their lines", () => {
  for (const { title, panels } of ROWS) {
    expect(panels.reduce((sum, { span }) => sum + span, 0) % 24, title).toBe(0);
  }
});

/** `docs/metrics.md` knows every metric, and no other. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { VirtualClock } from "../src/clock.ts";
import { parsePromql } from "../src/observe/promql.ts";
import { createServiceMetrics } from "../src/server/metrics.ts";
import { createOperatorProcessMetrics } from "../src/server/operator-metrics.ts";
import { loadSignalQueries, presetQueries } from "./conformance/signal-queries.ts";

const text = readFileSync(new URL("../docs/metrics.md", import.meta.url), "utf8");
const documented = new Set([...text.matchAll(/`([a-zA-Z_][a-zA-Z0-9_:]*)`/g)].map(([, name = ""]) => name));
const own = [
  ...createServiceMetrics({ clock: new VirtualClock(), version: "", process: false }).describe(),
  ...createOperatorProcessMetrics({ version: "", process: false }).describe(),
].map(({ name }) => name);

test("each of our metrics is documented", () => {
  expect(own.length).toBeGreaterThan(30);
  expect(own.filter((name) => !documented.has(name))).toEqual([]);
});

test("nothing is documented that is not there", () => {
  const ours = /^(grove_autoscaler|grove_operator|controller_runtime|workqueue|rest_client)_/;
  expect([...documented].filter((name) => ours.test(name) && !own.includes(name))).toEqual([]);
});

test("each engine metric that a preset reads is documented", () => {
  const read = [...presetQueries(), ...loadSignalQueries()]
    .map((query) => parsePromql(query))
    .flatMap((parsed) => (parsed.ok ? parsed.metricNames : []))
    // Freshness and idleness are asked of the histogram's count.
    .map((name) => name.replace(/_count$/, "_bucket"));
  expect(read.length).toBeGreaterThan(20);
  expect([...new Set(read)].filter((name) => !documented.has(name))).toEqual([]);
});

/** The simulated engine against recorded runs of a real one: mean TTFT within 15 %, TPOT within 8 %, untuned. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { VirtualClock } from "../../src/clock.ts";
import { createDataPlane } from "../../src/sim/engines/data-plane.ts";
import { type EngineProfile, PROFILES } from "../../src/sim/engines/profiles.ts";
import { readTraceFile } from "../../src/sim/traffic/trace-file.ts";

interface Run {
  readonly name: string;
  readonly profile: Pick<EngineProfile, "prefillMs" | "decodeMs" | "kvCapacityTokens">;
  readonly measured: { readonly meanTtftMs: number; readonly p90TtftMs: number; readonly medianTpotMs: number };
}

const RUNS: readonly Run[] = [
  {
    name: "llama-3.1-8b-bf16-rtxpro6000-tp1",
    profile: {
      prefillMs: [10.0055, 0.0370989, 8.70553e-7],
      decodeMs: [11.2506, 0.0324419, 8.84207e-5],
      kvCapacityTokens: 552_231,
    },
    measured: { meanTtftMs: 7_097.2, p90TtftMs: 16_852.7, medianTpotMs: 33.4 },
  },
  {
    name: "qwen3-32b-bf16-rtxpro6000-tp2",
    profile: {
      prefillMs: [24.7161, 0.165689, 1.79722e-6],
      decodeMs: [26.9229, 0.146571, 8.70202e-5],
      kvCapacityTokens: 421_817,
    },
    measured: { meanTtftMs: 36_905.2, p90TtftMs: 84_318.7, medianTpotMs: 84.3 },
  },
];

test.each(RUNS)("$name", async ({ name, profile, measured }) => {
  const base = PROFILES["llama-3.1-8b-bf16-h100-tp1"] as EngineProfile;
  const recorded = { ...base, ...profile, name, maxRequests: 128, maxBatchedTokens: 2_048 };
  const clock = new VirtualClock();
  const plane = createDataPlane({ clock, profiles: { recorded } });
  const system = { namespace: "default", partOf: "engine" };
  plane.setPod(
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        namespace: "default",
        name: "engine-0",
        annotations: { "sim.grove.io/profile": "recorded" },
        labels: { "app.kubernetes.io/part-of": "engine", "grove.io/podclique": "engine-0-worker" },
      },
      spec: { nodeName: "node", containers: [{ name: "engine" }] },
    },
    true,
  );
  const file = new URL(`./${name}-requests.csv.gz`, import.meta.url);
  plane.attachTraffic(system, readTraceFile(fileURLToPath(file)));
  await clock.advance(3_600_000);

  const summary = plane.summary(system, { ttftMs: 1, itlMs: 1 });
  expect(summary.completed).toBe(300);
  const text = plane.podMetrics("default/engine-0") ?? "";
  const read = (metric: string): number => Number(new RegExp(`${metric}\\{[^}]*\\} (\\S+)`).exec(text)?.[1]);
  const meanTtftMs =
    (1000 * read("vllm:time_to_first_token_seconds_sum")) / read("vllm:time_to_first_token_seconds_count");
  expect(Math.abs(meanTtftMs / measured.meanTtftMs - 1)).toBeLessThan(0.15);
  expect(Math.abs(summary.ttftMs.p90 / measured.p90TtftMs - 1)).toBeLessThan(0.15);
  expect(Math.abs(summary.itlMs.p50 / measured.medianTpotMs - 1)).toBeLessThan(0.08);
});

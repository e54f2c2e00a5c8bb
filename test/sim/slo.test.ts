/** Latency goals with a profile against the same set sized by its signals: more requests in time, for fewer GPUs. */
import { afterEach, expect, test } from "vitest";
import { seededRandom } from "../../src/random.ts";
import { dayInMiniature, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { type Simulation, simulate } from "./simulation.ts";

let running: Simulation | undefined;
afterEach(() => running?.stop());

const GOALS = { ttftMs: 500, itlMs: 50 };

async function runDay(example: string) {
  running?.stop();
  running = await simulate({ seed: 5, example });
  await running.untilAvailable();
  const before = running.monitor.report().gpuHours;
  const day = dayInMiniature({
    durationSeconds: 2_400,
    baseRequestsPerSecond: 6,
    peakRequestsPerSecond: 60,
    input: { medianTokens: 1_000, spreadP90: 2 },
    output: { medianTokens: 700, spreadP90: 1.8 },
  });
  running.attach(generateTraffic(day, seededRandom(5)));
  await running.clock.advance(2_700_000);
  return {
    attained: running.traffic(GOALS).sloAttainmentRatio,
    gpuHours: running.monitor.report().gpuHours - before,
    decisions: running.decisions,
    conditions:
      running
        .autoscaler()
        .informers.policies.list()[0]
        ?.status?.conditions?.map(({ type, reason }) => [type, reason]) ?? [],
  };
}

test("goals keep more requests in time with fewer GPUs than signals do", async () => {
  const bySignals = await runDay("prefill-decode");
  const byGoals = await runDay("prefill-decode-slo");
  expect(byGoals.attained).toBeGreaterThan(0.98);
  expect(byGoals.attained).toBeGreaterThan(bySignals.attained);
  expect(byGoals.gpuHours).toBeLessThan(bySignals.gpuHours);
  const sentences = byGoals.decisions.flatMap(({ targets }) => targets.map(({ demand }) => demand?.detail ?? ""));
  expect(sentences).toContainEqual(expect.stringMatching(/req\/s of [\d,]+ in .* at TTFT p95 500 ms/));
  expect(sentences).toContainEqual(expect.stringMatching(/one replica serves .* with a full KV cache/));
  expect(byGoals.conditions).toContainEqual(["PerformanceModel", "Applied"]);
  const measured = byGoals.decisions.flatMap(({ slo }) => slo?.goals ?? []).filter(({ observedMs }) => observedMs);
  expect(new Set(measured.map(({ slo }) => slo))).toEqual(new Set(["ttft", "itl"]));
});

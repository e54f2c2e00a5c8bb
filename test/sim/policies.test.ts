/**
 * Every example under policies/ does what it says: it follows a day of traffic up and down, and breaks nothing; the one with latency goals keeps more
 * requests in time, for fewer GPUs, than the same set sized by its signals.
 */
import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../src/random.ts";
import { remember } from "../../src/sim/remember.ts";
import { dayInMiniature, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { simulate } from "./simulation.ts";

const EXAMPLES = [
  { example: "aggregated", peakRequestsPerSecond: 60, moves: ["frontend", "engine"] },
  { example: "prefill-decode", peakRequestsPerSecond: 60, moves: ["frontend", "prefill", "decode"] },
  { example: "prefill-decode-slo", peakRequestsPerSecond: 60, moves: ["frontend", "prefill", "decode"] },
  {
    example: "multinode-prefill-decode",
    peakRequestsPerSecond: 24,
    moves: ["instances", "frontend", "prefill", "decode"],
  },
] as const;

const GOALS = { ttftMs: 500, itlMs: 50 };

type Example = (typeof EXAMPLES)[number]["example"];

/** One day of each example, which all its tests look at. */
const days = new Map<Example, ReturnType<typeof runDay>>();
const dayOf = (example: Example): ReturnType<typeof runDay> => remember(days, example, runDay);

async function runDay(example: Example) {
  const simulation = await simulate({ seed: 5, example });
  try {
    await simulation.untilAvailable();
    const { peakRequestsPerSecond } = EXAMPLES.find((one) => one.example === example) as (typeof EXAMPLES)[number];
    const gpuHoursBefore = simulation.monitor.report().gpuHours;
    const day = dayInMiniature({
      durationSeconds: 2_400,
      baseRequestsPerSecond: peakRequestsPerSecond / 10,
      peakRequestsPerSecond,
      input: { medianTokens: 1_000, spreadP90: 2 },
      output: { medianTokens: 700, spreadP90: 1.8 },
    });
    simulation.attach(generateTraffic(day, seededRandom(5)));
    await simulation.clock.advance(3_000_000);
    const { decisions } = simulation;
    const report = simulation.monitor.report();
    const [policy] = simulation.autoscaler().informers.policies.list();
    return {
      decisions,
      report,
      traffic: simulation.traffic(GOALS),
      gpuHours: report.gpuHours - gpuHoursBefore,
      conditions: policy?.status?.conditions?.map(({ type, reason }) => [type, reason]) ?? [],
    };
  } finally {
    simulation.stop();
  }
}

test("every folder under policies is tested here", () => {
  const folders = readdirSync(new URL("../../policies/", import.meta.url), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  expect(folders.map(({ name }) => name).toSorted()).toEqual(EXAMPLES.map(({ example }) => example).toSorted());
});

describe.each(EXAMPLES)("$example", ({ example, moves }) => {
  test("follows a day of traffic with every target, and comes back to its minimum", async () => {
    const { decisions, report, traffic } = await dayOf(example);
    const peaks = new Map<string, number>();
    for (const { targets } of decisions) {
      for (const { name, current } of targets) peaks.set(name, Math.max(peaks.get(name) ?? 0, current));
    }
    for (const name of moves) expect(peaks.get(name), name).toBeGreaterThan(1);
    expect(Object.fromEntries((decisions.at(-1)?.targets ?? []).map(({ name, current }) => [name, current]))).toEqual(
      Object.fromEntries(moves.map((name) => [name, 1])),
    );
    expect(report).toMatchObject({
      ratioViolationSeconds: 0,
      floorViolationSeconds: 0,
      budgetViolationSeconds: 0,
    });
    const { arrived, completed, failed, inFlight } = traffic;
    expect(failed).toBe(0);
    expect(completed + inFlight).toBe(arrived);
  });
});

test("goals keep more requests in time with fewer GPUs than signals do", async () => {
  const bySignals = await dayOf("prefill-decode");
  const byGoals = await dayOf("prefill-decode-slo");
  const attained = byGoals.traffic.sloAttainmentRatio;
  expect(attained).toBeGreaterThan(0.98);
  expect(attained).toBeGreaterThan(bySignals.traffic.sloAttainmentRatio);
  expect(byGoals.gpuHours).toBeLessThan(bySignals.gpuHours);
  const sentences = byGoals.decisions.flatMap(({ targets }) => targets.map(({ demand }) => demand?.detail ?? ""));
  expect(sentences).toContainEqual(expect.stringMatching(/req\/s of [\d,]+ in .* at TTFT p95 500 ms/));
  expect(sentences).toContainEqual(expect.stringMatching(/one replica serves .* with a full KV cache/));
  expect(byGoals.conditions).toContainEqual(["PerformanceModel", "Applied"]);
  const measured = byGoals.decisions.flatMap(({ slo }) => slo?.goals ?? []).filter(({ observedMs }) => observedMs);
  expect(new Set(measured.map(({ slo }) => slo))).toEqual(new Set(["ttft", "itl"]));
});

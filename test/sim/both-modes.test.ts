/** The fast mode of a trial against the whole system: the same policy, set, traffic and start-up times, and the same replicas in the end. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import type { PodCliqueSet } from "../../src/api/grove/pod-clique-set.ts";
import type { ConfigMap } from "../../src/api/kubernetes/core.ts";
import { runWholeSystem } from "../../src/cli/simulate/whole-system.ts";
import { seededRandom } from "../../src/random.ts";
import { dayInMiniature, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { ours } from "../../src/trial/ours.ts";
import type { TrialRecord } from "../../src/trial/record.ts";
import { runTrial } from "../../src/trial/run.ts";
import type { Scenario } from "../../src/trial/scenario.ts";
import { servingSystem } from "../../src/trial/system.ts";
import { resultOf } from "../../src/trial/try-out.ts";
import { readExample } from "./simulation.ts";

const SECONDS = 3_600;

function scenario(): Scenario {
  const file = new URL("../../policies/prefill-decode-slo/profile.yaml", import.meta.url);
  const system = servingSystem({
    policy: readExample<ScalingPolicy>("prefill-decode-slo/policy.yaml", SCALING_POLICIES.kind),
    set: readExample<PodCliqueSet>("prefill-decode-slo/workload.yaml", "PodCliqueSet"),
    configMaps: [parse(readFileSync(file, "utf8")) as ConfigMap],
    startUpSpreadP90: 1.2,
  });
  const day = dayInMiniature({
    durationSeconds: SECONDS,
    baseRequestsPerSecond: 6,
    peakRequestsPerSecond: 60,
    input: { medianTokens: 1_000, spreadP90: 2 },
    output: { medianTokens: 700, spreadP90: 1.8 },
  });
  return {
    ...system,
    name: "day in miniature",
    pool: { nodes: 4, gpusPerNode: 8, nodesPerRack: 4 },
    storageGiBPerSecond: 1_000,
    arrivals: [...generateTraffic(day, seededRandom(5))],
    window: { startMs: 300_000, endMs: SECONDS * 1000 },
    scrapeIntervalMs: 15_000,
    firstTokenTimeoutMs: 120_000,
    faults: [],
  };
}

/** Integral over the window of what a target was told to be. */
function specAt({ counts }: TrialRecord, target: number, atMs: number): number {
  return counts.findLast((sample) => sample.atMs <= atMs)?.spec[target] ?? 0;
}

test("replicas over time differ by less than 10 %, GPU hours by less than 5 %, requests in time by less than 1.5 points", async () => {
  const fast = await runTrial({ scenario: scenario(), autoscaler: "grove", seed: 1, scaler: ours, stopwatch: () => 0 });
  const whole = await runWholeSystem({ scenario: scenario(), seed: 1 });
  for (const [target, { name }] of fast.targets.entries()) {
    let [difference, sum] = [0, 0];
    for (let ms = 0; ms < SECONDS * 1000 - 300_000; ms += 15_000) {
      const [one, other] = [fast, whole].map((record) => specAt(record, target, record.window.startMs + ms));
      difference += Math.abs((one as number) - (other as number));
      sum += one as number;
    }
    expect([name, difference / sum < 0.1]).toEqual([name, true]);
  }
  const [a, b] = [fast, whole].map((record) => resultOf(record, scenario()).measures);
  const ratio = (b?.values.allocatedGpuHours ?? 0) / (a?.values.allocatedGpuHours ?? 1);
  expect(Math.abs(ratio - 1)).toBeLessThan(0.05);
  const attained = [a, b].map((measures) => measures?.bySlo[0]?.values.attainmentRatio ?? Number.NaN);
  expect(Math.abs((attained[0] as number) - (attained[1] as number))).toBeLessThan(0.015);
});

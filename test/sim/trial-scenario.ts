/** policies/prefill-decode-slo under a day in miniature, as `simulate` would try it. */
import { readSystem } from "../../src/cli/simulate/read-system.ts";
import { seededRandom } from "../../src/random.ts";
import { dayInMiniature, generateTraffic } from "../../src/sim/traffic/generate.ts";
import type { Scenario } from "../../src/trial/scenario.ts";

export interface DayOptions {
  readonly durationSeconds: number;
  readonly peakRequestsPerSecond: number;
  /** Of the arrivals. */
  readonly seed?: number;
}

export function miniatureScenario({ durationSeconds, peakRequestsPerSecond, seed = 1 }: DayOptions): Scenario {
  const file = (name: string): string =>
    new URL(`../../policies/prefill-decode-slo/${name}.yaml`, import.meta.url).pathname;
  const system = readSystem({ policy: ["policy", "workload", "profile"].map(file), startUpSpreadP90: 1.5 });
  const phases = dayInMiniature({ durationSeconds, baseRequestsPerSecond: 3, peakRequestsPerSecond });
  return {
    ...system,
    name: "a day in miniature",
    arrivals: [...generateTraffic(phases, seededRandom(seed))],
    pool: { nodes: 3, gpusPerNode: 8, nodesPerRack: 4 },
    storageGiBPerSecond: 16,
    window: { startMs: 300_000, endMs: durationSeconds * 1_000 },
    scrapeIntervalMs: 15_000,
    firstTokenTimeoutMs: 120_000,
    faults: [],
  };
}

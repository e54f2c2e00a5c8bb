/** What a missed request is worth, by how much of a GPU an average request needs. */

import { scenarioNeeds } from "../../src/trial/contestants.ts";
import type { MissWorth } from "../../src/trial/measures/cost.ts";
import { peerRoles } from "../../src/trial/peer-scaler.ts";
import type { Scenario } from "../../src/trial/scenario.ts";

/** Times the GPU time of an average request: at 10, missing a tenth of the requests costs as much as serving them all. */
export const MISS_FACTORS: Readonly<Record<string, number>> = { low: 2, mid: 10, high: 50 };

/** GPU hours of one request at the goals, by the fluid model. */
export function gpuHoursPerRequest(scenario: Scenario): number {
  const { replicas, requests, intervalMs } = scenarioNeeds(scenario, 1);
  const { workers } = scenario.profile;
  const gpuHours = [...peerRoles(scenario).keys()].reduce((sum, role, index) => {
    const gpus = role === "prefill" ? workers.prefill.gpus : workers.decode.gpus;
    const replicaIntervals = (replicas[index] ?? []).reduce((total, one) => total + one, 0);
    return sum + (gpus * replicaIntervals * intervalMs) / 3_600_000;
  }, 0);
  return gpuHours / requests.reduce((sum, one) => sum + one, 0);
}

export function missWorthsOf(scenario: Scenario): readonly MissWorth[] {
  const one = gpuHoursPerRequest(scenario);
  return Object.entries(MISS_FACTORS).map(([name, factor]) => ({ name, gpuHoursPerMiss: factor * one }));
}

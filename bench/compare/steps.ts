/** Steps of a generated load and what they need, by the fluid model over the time until the next one. */
import { syntheticScenario } from "../../src/sim/traffic/synthetic.ts";
import { scenarioNeeds } from "../../src/trial/contestants.ts";
import type { KnownStep } from "../../src/trial/measures/reaction.ts";
import { peerRoles } from "../../src/trial/peer-scaler.ts";
import type { Scenario } from "../../src/trial/scenario.ts";
import type { Case } from "./cases.ts";

/** Of the capacity at the goals. */
const USED_RATIO = 0.85;
/** Requests of before are still in decode. */
const SETTLE_MS = 60_000;

/** Seconds since the start of the traffic of the steps inside of what is reported. */
export function stepTimes({ traffic, report }: Case): readonly number[] {
  if (!("synthetic" in traffic)) return [];
  const { stepsAtSeconds } = syntheticScenario(traffic.synthetic, traffic.requestsPerSecond);
  return stepsAtSeconds.filter((seconds) => seconds > report.fromSeconds && seconds < report.toSeconds);
}

/** Times of the arrivals; none for traffic whose steps are not known. */
export function stepsOf(one: Case, scenario: Scenario): readonly KnownStep[] {
  const { report } = one;
  const originMs = (report.fromSeconds - report.warmUpSeconds) * 1000;
  const { window, policy } = scenario;
  const times = stepTimes(one).map((seconds) => seconds * 1000 - originMs);
  if (times.length === 0) return [];
  const needs = scenarioNeeds(scenario, USED_RATIO);
  const roles: readonly string[] = [...peerRoles(scenario).keys()];
  return times.map((atMs, index) => {
    const untilMs = times[index + 1] ?? window.endMs;
    const first = Math.ceil(Math.min(untilMs - needs.intervalMs, atMs + SETTLE_MS) / needs.intervalMs);
    const last = Math.max(first + 1, Math.floor(untilMs / needs.intervalMs));
    return {
      atMs,
      untilMs,
      requiredReplicas: policy.spec.scaleTargets
        .filter(({ level }) => level !== "PodCliqueSet")
        .map(({ role, maxReplicas, minReplicas }) => {
          const need = needs.replicas[roles.indexOf(role)]?.slice(first, last) ?? [];
          const mean = need.reduce((sum, one) => sum + one, 0) / Math.max(1, need.length);
          return Math.min(maxReplicas, Math.max(minReplicas, Math.ceil(mean)));
        }),
    };
  });
}

/** Which share of the requests got what it was owed. */
import { OUTCOME, type RequestColumns } from "../record.ts";
import type { SloTargets } from "./slo.ts";
import { isInside, quotient, type Window } from "./window.ts";

export interface Attainment {
  /** In the window, whatever became of them. */
  readonly arrivedRequests: number;
  readonly metRequests: number;
  readonly missedRequests: number;
  /** Shares of all that arrived; undefined when none did. A request that failed or never ended has missed. */
  readonly attainmentRatio: number | undefined;
  readonly ttftAttainmentRatio: number | undefined;
  readonly itlAttainmentRatio: number | undefined;
}

export function attainment(requests: RequestColumns, slo: SloTargets, window: Window): Attainment {
  let arrived = 0;
  let met = 0;
  let ttftMet = 0;
  let itlMet = 0;
  for (let row = 0; row < requests.count; row++) {
    if (!isInside(requests.arrivedMs[row]!, window)) continue;
    arrived++;
    if (requests.outcome[row] !== OUTCOME.completed) continue;
    // A NaN is no latency and meets nothing.
    const inTime = requests.ttftMs[row]! <= slo.ttftMs;
    const fluent = requests.itlMs[row]! <= slo.itlMs;
    if (inTime) ttftMet++;
    if (fluent) itlMet++;
    if (inTime && fluent) met++;
  }
  return {
    arrivedRequests: arrived,
    metRequests: met,
    missedRequests: arrived - met,
    attainmentRatio: quotient(met, arrived),
    ttftAttainmentRatio: quotient(ttftMet, arrived),
    itlAttainmentRatio: quotient(itlMet, arrived),
  };
}

/** What each client of a mix got: a mean over all of them may hide one that was starved. */
import type { Random } from "../../random.ts";
import { OUTCOME, type RequestColumns } from "../record.ts";
import { type Estimate, estimate } from "./bootstrap.ts";
import type { SloTargets } from "./slo.ts";
import { isInside, quotient, type Window } from "./window.ts";

export interface ClientAttainment {
  readonly client: string;
  readonly arrivedRequests: number;
  /** Undefined: none arrived in the window. */
  readonly attainmentRatio: number | undefined;
}

/**
 * @param clients of the requests, row by row; of a run that was cut off the first of them arrived
 * @returns by name; none where no request says whose it is
 */
export function attainmentByClient(
  requests: RequestColumns,
  clients: readonly (string | undefined)[],
  slo: SloTargets,
  window: Window,
): readonly ClientAttainment[] {
  const seen = new Map<string, { arrived: number; met: number }>();
  for (let row = 0; row < requests.count; row++) {
    const client = clients[row];
    if (client === undefined || !isInside(requests.arrivedMs[row]!, window)) continue;
    const own = seen.get(client) ?? { arrived: 0, met: 0 };
    seen.set(client, own);
    own.arrived++;
    const isMet =
      requests.outcome[row] === OUTCOME.completed &&
      requests.ttftMs[row]! <= slo.ttftMs &&
      requests.itlMs[row]! <= slo.itlMs;
    if (isMet) own.met++;
  }
  return [...seen]
    .map(([client, { arrived, met }]) => ({
      client,
      arrivedRequests: arrived,
      attainmentRatio: quotient(met, arrived),
    }))
    .sort((a, b) => (a.client < b.client ? -1 : 1));
}

export interface ClientSummary {
  readonly client: string;
  readonly attainmentRatio: Estimate | null;
}

/** @param seeds of one autoscaler, one a seed */
export function summarizeClients(
  seeds: readonly (readonly ClientAttainment[])[],
  random: Random,
): readonly ClientSummary[] {
  const names = [...new Set(seeds.flatMap((clients) => clients.map(({ client }) => client)))];
  return names.map((client) => ({
    client,
    attainmentRatio:
      estimate(
        seeds.map((clients) => clients.find((one) => one.client === client)?.attainmentRatio),
        random,
      ) ?? null,
  }));
}

/** What is chosen with the reported part in view: fixed replicas, and the numbers of the oracles. Nobody could have known them. */
import type { PeerRole } from "../../src/peers/peer.ts";
import { scenarioNeeds } from "../../src/trial/contestants.ts";
import { peerRoles } from "../../src/trial/peer-scaler.ts";
import type { Case } from "./cases.ts";
import type { ContestantSpec, Job, JobResult } from "./job.ts";
import { scenarioOf } from "./scenario-of.ts";
import { gpuHoursPerRequest } from "./worth.ts";

export interface Hindsight {
  readonly name: string;
  readonly candidates: readonly ContestantSpec[];
}

/** Quantiles of the need over time. */
const SHARES = [0.7, 0.95, 1] as const;
const USED = [0.7, 0.85] as const;

export function hindsightOf(one: Case, data: string): readonly Hindsight[] {
  const scenario = scenarioOf(one, { data, part: one.report, seed: 1 });
  const roles = [...peerRoles(scenario).keys()];
  const needs = scenarioNeeds(scenario, 0.85);
  const from = Math.floor(scenario.window.startMs / needs.intervalMs);
  const most: Readonly<Partial<Record<PeerRole, number>>> = { prefill: one.maxPrefill, decode: one.maxDecode };
  const counts = roles.map((role, index) => {
    const sorted = (needs.replicas[index] ?? []).slice(from).toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 1;
    const whole = SHARES.map((share) => Math.min(most[role] ?? 1, Math.max(1, Math.ceil(at(share)))));
    return [...new Set(whole)];
  });
  const peak: ContestantSpec = {
    name: "static-peak",
    parameters: {},
    // The last share is the whole: the most that a role needs at any moment.
    replicas: Object.fromEntries(roles.map((role, index) => [role, counts[index]?.at(-1) ?? 1])),
  };
  const [first = [1], second = [undefined]] = counts as [number[], (number | undefined)[]?];
  const [a, b] = roles as [PeerRole, PeerRole?];
  const fixed = first.flatMap((prefill) =>
    second.map(
      (decode): ContestantSpec => ({
        name: "static",
        parameters: {},
        replicas: { [a]: prefill, ...(b === undefined || decode === undefined ? {} : { [b]: decode }) },
      }),
    ),
  );
  const penaltyGpuSeconds = 50 * 3_600 * gpuHoursPerRequest(scenario);
  return [
    { name: "static", candidates: fixed },
    { name: "static-peak", candidates: [peak] },
    {
      name: "clairvoyant",
      candidates: USED.flatMap((usedRatio) =>
        [1, 1.5].map((leadFactor) => ({
          name: "clairvoyant",
          parameters: { usedRatio, leadFactor, penaltyGpuSeconds },
        })),
      ),
    },
    {
      name: "reactive",
      candidates: USED.flatMap((usedRatio) =>
        [120, 600].map((holdSeconds) => ({ name: "reactive", parameters: { usedRatio, holdSeconds } })),
      ),
    },
  ];
}

export const jobOf = (one: Case, contestant: ContestantSpec, seed: number): Job => ({
  case: one.name,
  part: "report",
  seed,
  contestant,
});

export function cheapest(
  candidates: readonly ContestantSpec[],
  results: readonly (JobResult | undefined)[],
): ContestantSpec | undefined {
  let best: { readonly spec: ContestantSpec; readonly cost: number } | undefined;
  for (const [index, spec] of candidates.entries()) {
    const cost = results[index]?.measures.bySlo[0]?.costGpuHours["mid"];
    if (cost !== undefined && (best === undefined || cost < best.cost)) best = { spec, cost };
  }
  return best?.spec;
}

/** A re-implemented peer on a fleet: its queries on the same scrapes, its orders on the same replicas. */
import type { Clock } from "../clock.ts";
import { scalingGroupName, standaloneCliqueName } from "../grove/names.ts";
import { parsePromql } from "../observe/promql.ts";
import type { Peer, PeerInput, PeerQuery, PeerRole, RoleCounts } from "../peers/peer.ts";
import type { PromqlEngine } from "../sim/prometheus/promql-engine.ts";
import type { Fleet } from "./fleet/fleet.ts";
import type { Scaler } from "./scaler.ts";
import type { Scenario } from "./scenario.ts";

export interface PeerScalerOptions {
  readonly peer: Peer;
  readonly scenario: Scenario;
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly engine: PromqlEngine;
  /** Counts scrapes: between two of them nothing that a peer can read changes. */
  readonly scrapes: () => number;
}

interface Readings {
  readonly perReplica: PeerInput["perReplica"];
  readonly totals: PeerInput["totals"];
}

/** Roles in which peers scale; a frontend has no GPU and is at its maximum for every peer. */
export function peerRoles({
  policy,
}: Scenario): ReadonlyMap<PeerRole, Scenario["policy"]["spec"]["scaleTargets"][number]> {
  return new Map(
    policy.spec.scaleTargets.flatMap((target) => (isPeerRole(target.role) ? [[target.role, target] as const] : [])),
  );
}

/** What only ours scales is no bottleneck of anybody else's: it has no GPUs. */
export function withAllFrontends({ policy }: Scenario, fleet: Fleet): void {
  for (const { ref = "", role, maxReplicas } of policy.spec.scaleTargets) {
    const object = isPeerRole(role) ? undefined : fleet.object(ref, 0);
    if (object !== undefined) fleet.scale(object, maxReplicas);
  }
}

const isPeerRole = (role: string | undefined): role is PeerRole =>
  role === "prefill" || role === "decode" || role === "aggregated";

export function peerScaler(options: PeerScalerOptions): Scaler {
  const { peer, scenario, fleet, clock, engine, scrapes } = options;
  const { policy, set } = scenario;
  const roles = peerRoles(scenario);
  const selectors = new Map([...roles].map(([role, target]) => [role, selectorOf(target, set)]));
  const queries = Object.entries(peer.queries)
    .filter(([, { role }]) => role === undefined || roles.has(role))
    .map(([name, query]) => ({ name, query, promql: fill(query, selectors) }));
  let memory = peer.initialMemory;
  let readings: (Readings & { readonly scrape: number }) | undefined;
  withAllFrontends(scenario, fleet);

  function read(): Readings {
    const perReplica: Record<string, ReadonlyMap<string, number>> = {};
    const totals: Record<string, number> = {};
    for (const { name, query, promql } of queries) {
      const value = engine.query(promql, Math.round(clock.nowMs()));
      if (query.per === "Total") {
        if (value.kind === "scalar") totals[name] = value.value;
        else if (value.kind === "vector" && value.elements[0] !== undefined) totals[name] = value.elements[0].value;
        continue;
      }
      const byReplica = new Map<string, number>();
      if (value.kind === "vector") {
        for (const element of value.elements) {
          const replica = fleet.replicaOfPod(element.labels.get("pod") ?? "");
          if (replica !== undefined) byReplica.set(replica, element.value);
        }
      }
      perReplica[name] = byReplica;
    }
    return { perReplica, totals };
  }

  return {
    tickMs: peer.tickMs,
    ...familiesOf(queries.map(({ promql }) => promql)),
    tick() {
      const scrape = scrapes();
      if (readings?.scrape !== scrape) readings = { ...read(), scrape };
      const counts = new Map<PeerRole, RoleCounts>();
      for (const [role, target] of roles) {
        const { ref = "", minReplicas, maxReplicas } = target;
        const object = fleet.object(ref, 0);
        if (object === undefined) continue;
        counts.set(role, {
          specReplicas: object.replicas,
          ...fleet.replicasOf(ref),
          minReplicas: Math.max(minReplicas, object.minAvailable),
          maxReplicas,
          gpusPerReplica: fleet.gpusPerReplica(ref),
        });
      }
      const gpuBudget = policy.spec.gpuBudget?.max;
      const decided = peer.decide(
        {
          nowMs: clock.monotonicMs(),
          roles: counts,
          perReplica: readings.perReplica,
          totals: readings.totals,
          ...(gpuBudget === undefined ? {} : { gpuBudget }),
        },
        memory,
      );
      memory = decided.memory;
      for (const [role, replicas] of decided.replicas) {
        const object = fleet.object(roles.get(role)?.ref ?? "", 0);
        if (object !== undefined) fleet.scale(object, replicas);
      }
    },
    restart() {
      memory = peer.initialMemory;
    },
  };
}

/** `x` of `x_bucket` too: a name does not say whether it is of a histogram. */
function familiesOf(queries: readonly string[]): Pick<Scaler, "families"> {
  const families = new Set<string>();
  for (const promql of queries) {
    const parsed = parsePromql(promql);
    if (!parsed.ok || parsed.readsAny) return {};
    for (const name of parsed.metricNames) families.add(name).add(name.replace(/_(bucket|sum|count)$/, ""));
  }
  return { families };
}

/** By equality: the label of the object that a scraper copies from the pod. */
function selectorOf(
  { level, ref = "" }: Scenario["policy"]["spec"]["scaleTargets"][number],
  { metadata }: Scenario["set"],
): string {
  return level === "PodCliqueScalingGroup"
    ? `grove_io_podcliquescalinggroup="${scalingGroupName(metadata.name, 0, ref)}"`
    : `grove_io_podclique="${standaloneCliqueName(metadata.name, 0, ref)}"`;
}

const fill = ({ promql }: PeerQuery, selectors: ReadonlyMap<PeerRole, string>): string =>
  promql.replaceAll(/\{\{(prefill|decode|aggregated)\}\}/g, (_, role: PeerRole) => selectors.get(role) ?? 'pod=""');

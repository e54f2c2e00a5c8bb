/** What must hold once all faults are over and nothing changes any more. */

import { POD_CLIQUE_SCALING_GROUPS } from "../../../src/api/grove/pod-clique-scaling-group.ts";
import { conditionOf } from "../../../src/api/kubernetes/conditions.ts";
import { isPodReady, isTerminating } from "../../../src/api/kubernetes/core.ts";
import type { EmbeddedWorld } from "./embedded-world.ts";
import type { ObjectSet } from "./object-set.ts";

/** Two resyncs and more. */
const QUIET_MS = 600_000;

/** Every status says that all is there, of the present generation and without an error, and nobody writes any more. @returns what is wrong */
export async function notConverged(world: EmbeddedWorld, setName: string): Promise<readonly string[]> {
  const { view, api, namespace } = world;
  const problems: string[] = [];
  const require = (what: string, is: unknown, wanted: unknown): void => {
    if (is !== wanted) problems.push(`${what} is ${JSON.stringify(is)} and not ${JSON.stringify(wanted)}`);
  };
  const set = view.set(setName);
  if (set === undefined) return [`${setName} is gone`];
  const { spec, status } = set;
  require("observedGeneration of the set", status?.observedGeneration, set.metadata.generation);
  require("lastErrors of the set", status?.lastErrors?.length ?? 0, 0);
  require("replicas of the set", status?.replicas, spec.replicas);
  require("availableReplicas of the set", status?.availableReplicas, spec.replicas);
  require("updatedReplicas of the set", status?.updatedReplicas, spec.replicas);
  if (status?.updateProgress !== undefined) {
    require("the update of the set is over", status.updateProgress.updateEndedAt === undefined, false);
  }
  for (const { metadata, spec: wanted, status: is } of view.cliques()) {
    const of = (field: string): string => `${field} of ${metadata.name}`;
    require(of("observedGeneration"), is?.observedGeneration, metadata.generation);
    require(of("lastErrors"), is?.lastErrors?.length ?? 0, 0);
    for (const field of ["replicas", "scheduledReplicas", "readyReplicas", "updatedReplicas"] as const)
      require(of(field), is?.[field], wanted.replicas);
    require(of("scheduleGatedReplicas"), is?.scheduleGatedReplicas, 0);
    require(of("breach"), conditionOf(is?.conditions, "MinAvailableBreached")?.status, "False");
    require(of("generation hash"), is?.currentPodCliqueSetGenerationHash, status?.currentGenerationHash);
  }
  for (const { metadata, spec: wanted, status: is } of (await api.list(POD_CLIQUE_SCALING_GROUPS, { namespace }))
    .items) {
    const of = (field: string): string => `${field} of ${metadata.name}`;
    require(of("observedGeneration"), is?.observedGeneration, metadata.generation);
    require(of("lastErrors"), is?.lastErrors?.length ?? 0, 0);
    for (const field of ["replicas", "scheduledReplicas", "availableReplicas", "updatedReplicas"] as const)
      require(of(field), is?.[field], wanted.replicas);
    require(of("breach"), conditionOf(is?.conditions, "MinAvailableBreached")?.status, "False");
  }
  for (const { metadata, status: is } of view.gangs()) {
    require(`phase of ${metadata.name}`, is?.phase, "Running");
    require(`Initialized of ${metadata.name}`, conditionOf(is?.conditions, "Initialized")?.status, "True");
  }
  for (const pod of view.pods()) {
    require(`${pod.metadata.name} is ready`, isPodReady(pod) && !isTerminating(pod), true);
  }
  const before = world.faults.writeCount();
  await world.pass(QUIET_MS);
  require("writes in a settled world", world.faults.writeCount() - before, 0);
  return problems;
}

/**
 * The same set with the indices of each clique's pods counted from 0: which ones are left after a scale-in depends on what happened, and is no difference.
 */
export function withoutIndexHoles(objects: ObjectSet): ObjectSet {
  const hostnames = Object.entries(objects).flatMap(([key, object]) => {
    if (!key.startsWith("Pod/") || key.includes(" #")) return [];
    const { labels } = object as { readonly labels?: Readonly<Record<string, string>> };
    return [{ hostname: key.slice("Pod/".length), clique: labels?.["grove.io/podclique"] ?? "" }];
  });
  const renamed = new Map<string, string>();
  for (const [clique, pods] of Map.groupBy(hostnames, (each) => each.clique)) {
    const ordered = pods
      .map(({ hostname }) => hostname)
      .toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }));
    for (const [rank, hostname] of ordered.entries()) renamed.set(hostname, `${clique}-${rank}`);
  }
  const rename = (value: unknown): unknown => {
    if (typeof value === "string") return renamed.get(value) ?? value;
    if (Array.isArray(value)) return value.map(rename);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [
        key,
        key === "grove.io/podclique-pod-index" ? "any" : rename(entry),
      ]),
    );
  };
  return Object.fromEntries(
    Object.entries(objects)
      .map(([key, object]) => {
        const hostname = key.startsWith("Pod/") ? renamed.get(key.slice("Pod/".length)) : undefined;
        return [hostname === undefined ? key : `Pod/${hostname}`, rename(object)] as const;
      })
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}

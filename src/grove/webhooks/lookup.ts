/** What admission asks the cluster for: the levels of the topologies that a set names. */
import type { GroveAdmissionOptions } from "../../api/grove/admission-options.ts";
import { CLUSTER_TOPOLOGY_BINDINGS } from "../../api/grove/cluster-topology-binding.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { VOLCANO_QUEUES } from "../../api/scheduler/volcano.ts";
import { isNotFound } from "../../kube/api-error.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import type { BackendFacts } from "../backends/backend.ts";
import { schedulerNameOf } from "../backends/registry.ts";
import { validateBackends } from "../backends/validate.ts";
import type { OperatorSettings } from "../settings.ts";
import type { AdmissionLookup } from "./admission.ts";

/** From the scheduler backend of the set: reads what it needs and returns the rule to apply, or nothing. */
export type BackendLookup = (
  set: PodCliqueSet,
) => Promise<NonNullable<GroveAdmissionOptions["backendValidation"]> | undefined>;

/**
 * Reads directly and not through a cache: `kubectl apply -f` with the topology and a set that names it in one file must not be refused because a watch event
 * is still on its way. Sets without constraints, nearly all of them, cost no request.
 */
export function clusterLookup(api: KubeApi, fixed: GroveAdmissionOptions, backend?: BackendLookup): AdmissionLookup {
  return async (set) => {
    if (set === undefined) return fixed;
    const backendValidation = await backend?.(set);
    return {
      ...fixed,
      ...(fixed.topologyAwareScheduling && { topologyLevels: await levelsOf(api, topologyNames(set)) }),
      ...(backendValidation !== undefined && { backendValidation }),
    };
  };
}

async function levelsOf(api: KubeApi, names: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
  const levels = new Map<string, readonly string[]>();
  for (const name of names) {
    try {
      const { spec } = await api.get(CLUSTER_TOPOLOGY_BINDINGS, { name });
      levels.set(
        name,
        spec.levels.map(({ domain }) => domain),
      );
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  return levels;
}

function topologyNames({ spec: { template } }: PodCliqueSet): readonly string[] {
  const constraints = [
    template.topologyConstraint,
    ...(template.podCliqueScalingGroups ?? []).map(({ topologyConstraint }) => topologyConstraint),
    ...template.cliques.map(({ topologyConstraint }) => topologyConstraint),
  ];
  return [...new Set(constraints.flatMap((constraint) => constraint?.topologyName || []))];
}

/** Volcano's queues are read for sets that it schedules; other schedulers need nothing of the cluster. */
export const backendLookup =
  (api: KubeApi, settings: OperatorSettings): BackendLookup =>
  async (set) => {
    const facts: BackendFacts =
      schedulerNameOf(set, settings) === "volcano" && settings.schedulerProfiles.includes("volcano")
        ? {
            volcanoQueues: new Map((await api.list(VOLCANO_QUEUES)).items.map((queue) => [queue.metadata.name, queue])),
          }
        : {};
    return (asked, old) => validateBackends({ set: asked, settings, facts, ...(old !== undefined && { old }) });
  };

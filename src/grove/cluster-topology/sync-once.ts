/** Before the controllers start: every scheduler knows the topologies, or the operator does not start (grove.md 8.1). */
import { CLUSTER_TOPOLOGY_BINDINGS, type ClusterTopologyBinding } from "../../api/grove/cluster-topology-binding.ts";
import type { KubeObject, Resource } from "../../api/kubernetes/meta.ts";
import { isAlreadyExists, isNotFound } from "../../kube/api-error.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import type { TopologyObject } from "../backends/backend.ts";
import { enabledBackends } from "../backends/registry.ts";
import { RESOURCES } from "../kinds.ts";
import type { OperatorSettings } from "../settings.ts";
import { planBinding, referenceOf } from "./plan.ts";

/**
 * Makes the topology objects that are the operator's own; those that a binding refers to are left to their owners.
 * @throws with the names of all bindings that could not be synced
 */
export async function syncTopologiesOnce(api: KubeApi, settings: OperatorSettings): Promise<void> {
  if (!settings.topologyAwareScheduling) return;
  const { items } = await api.list(CLUSTER_TOPOLOGY_BINDINGS);
  const failures: string[] = [];
  for (const { name, topologyObject } of enabledBackends(settings)) {
    if (topologyObject === undefined) continue;
    for (const binding of items) {
      if (referenceOf(binding, name) !== undefined) continue;
      try {
        await sync(api, binding, name, topologyObject);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        failures.push(`ClusterTopologyBinding ${binding.metadata.name}, scheduler ${name}: ${why}`);
      }
    }
  }
  if (failures.length > 0) throw new Error(`topologies could not be synced: ${failures.join("; ")}`);
}

async function sync(
  api: KubeApi,
  binding: ClusterTopologyBinding,
  schedulerName: string,
  topologyObject: TopologyObject,
): Promise<void> {
  const resource = RESOURCES[topologyObject.of] as Resource as Resource<KubeObject>;
  const { name } = binding.metadata;
  const live = await api.get(resource, { name }).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  const plan = planBinding({ binding, topologies: [{ schedulerName, topologyObject, isKnown: true, live }] });
  if (plan.waitingFor !== undefined) throw new Error(plan.waitingFor);
  for (const action of plan.stages.flatMap(({ actions }) => actions)) {
    if (action.kind === "delete") await api.delete(resource, { name }, { propagationPolicy: "Background" });
    else if (action.kind === "create") {
      await api.create(resource, action.object as KubeObject).catch((error: unknown) => {
        // Another instance that starts at the same time made it.
        if (!isAlreadyExists(error)) throw error;
      });
    }
  }
}

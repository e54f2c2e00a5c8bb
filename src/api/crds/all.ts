/** Every kind the product defines. */
import { GPU_BUDGET_DEFINITION } from "../autoscaling/gpu-budget.ts";
import { SCALING_OVERRIDE_DEFINITION } from "../autoscaling/scaling-override.ts";
import { SCALING_POLICY_DEFINITION } from "../autoscaling/scaling-policy.ts";
import { CLUSTER_TOPOLOGY_BINDING_DEFINITION } from "../grove/cluster-topology-binding.ts";
import { POD_CLIQUE_DEFINITION } from "../grove/pod-clique.ts";
import { POD_CLIQUE_SCALING_GROUP_DEFINITION } from "../grove/pod-clique-scaling-group.ts";
import { POD_CLIQUE_SET_DEFINITION } from "../grove/pod-clique-set.ts";
import type { CustomResourceDefinition } from "../kubernetes/core.ts";
import { POD_GANG_DEFINITION } from "../scheduler/pod-gang.ts";
import { customResourceDefinition, type ResourceDefinition } from "../schema/resource-definition.ts";

export const RESOURCE_DEFINITIONS: readonly ResourceDefinition[] = [
  POD_CLIQUE_SET_DEFINITION,
  POD_CLIQUE_DEFINITION,
  POD_CLIQUE_SCALING_GROUP_DEFINITION,
  CLUSTER_TOPOLOGY_BINDING_DEFINITION,
  POD_GANG_DEFINITION,
  SCALING_POLICY_DEFINITION,
  SCALING_OVERRIDE_DEFINITION,
  GPU_BUDGET_DEFINITION,
];

export function customResourceDefinitions(): readonly CustomResourceDefinition[] {
  return RESOURCE_DEFINITIONS.map(customResourceDefinition);
}

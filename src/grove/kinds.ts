/** The kinds the operator reads and writes, by a short name. */
import { CLUSTER_TOPOLOGY_BINDINGS, type ClusterTopologyBinding } from "../api/grove/cluster-topology-binding.ts";
import { POD_CLIQUES, type PodClique } from "../api/grove/pod-clique.ts";
import { POD_CLIQUE_SCALING_GROUPS, type PodCliqueScalingGroup } from "../api/grove/pod-clique-scaling-group.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import {
  HORIZONTAL_POD_AUTOSCALERS,
  type HorizontalPodAutoscaler,
  PODS,
  type Pod,
  ROLE_BINDINGS,
  ROLES,
  type Role,
  type RoleBinding,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
  type Secret,
  type Service,
  type ServiceAccount,
} from "../api/kubernetes/core.ts";
import type { Resource } from "../api/kubernetes/meta.ts";
import {
  RESOURCE_CLAIM_TEMPLATES,
  RESOURCE_CLAIMS,
  type ResourceClaim,
  type ResourceClaimTemplate,
} from "../api/kubernetes/resource-claim.ts";
import { COMPUTE_DOMAINS, type ComputeDomain } from "../api/nvidia/compute-domain.ts";
import { KAI_POD_GROUPS, KAI_TOPOLOGIES, type KaiPodGroup, type KaiTopology } from "../api/scheduler/kai.ts";
import { POD_GANGS, type PodGang } from "../api/scheduler/pod-gang.ts";
import { VOLCANO_POD_GROUPS, type VolcanoPodGroup } from "../api/scheduler/volcano.ts";

export interface Kinds {
  readonly set: PodCliqueSet;
  readonly group: PodCliqueScalingGroup;
  readonly clique: PodClique;
  readonly gang: PodGang;
  readonly pod: Pod;
  readonly service: Service;
  readonly serviceAccount: ServiceAccount;
  readonly role: Role;
  readonly roleBinding: RoleBinding;
  readonly secret: Secret;
  readonly autoscaler: HorizontalPodAutoscaler;
  readonly claim: ResourceClaim;
  readonly claimTemplate: ResourceClaimTemplate;
  readonly computeDomain: ComputeDomain;
  readonly binding: ClusterTopologyBinding;
  readonly kaiPodGroup: KaiPodGroup;
  readonly kaiTopology: KaiTopology;
  readonly volcanoPodGroup: VolcanoPodGroup;
}

export type KindName = keyof Kinds;

export const RESOURCES: { readonly [K in KindName]: Resource<Kinds[K]> } = {
  set: POD_CLIQUE_SETS,
  group: POD_CLIQUE_SCALING_GROUPS,
  clique: POD_CLIQUES,
  gang: POD_GANGS,
  pod: PODS,
  service: SERVICES,
  serviceAccount: SERVICE_ACCOUNTS,
  role: ROLES,
  roleBinding: ROLE_BINDINGS,
  secret: SECRETS,
  autoscaler: HORIZONTAL_POD_AUTOSCALERS,
  claim: RESOURCE_CLAIMS,
  claimTemplate: RESOURCE_CLAIM_TEMPLATES,
  computeDomain: COMPUTE_DOMAINS,
  binding: CLUSTER_TOPOLOGY_BINDINGS,
  kaiPodGroup: KAI_POD_GROUPS,
  kaiTopology: KAI_TOPOLOGIES,
  volcanoPodGroup: VOLCANO_POD_GROUPS,
};

/** Kinds of the KAI scheduler that the operator writes: PodGroup and Topology (grove.md 3.7). Only the fields that matter here. */
import type { KubeObject, Resource } from "../kubernetes/meta.ts";

export interface KaiTopologyConstraint {
  /** Name of a KAI Topology. */
  readonly topology?: string;
  /** Node label keys. */
  readonly requiredTopologyLevel?: string;
  readonly preferredTopologyLevel?: string;
}

export interface KaiSubGroup {
  readonly name: string;
  /** Pods; leaves only. */
  readonly minMember?: number;
  /** Subgroups; parents only. */
  readonly minSubGroup?: number;
  readonly parent?: string;
  readonly topologyConstraint?: KaiTopologyConstraint;
}

export interface KaiPodGroupSpec {
  readonly minMember?: number;
  readonly queue?: string;
  readonly priorityClassName?: string;
  readonly topologyConstraint?: KaiTopologyConstraint;
  readonly subGroups?: readonly KaiSubGroup[];
  /** Kept by KAI itself. */
  readonly markUnschedulable?: boolean;
  readonly schedulingBackoff?: number;
}

export interface KaiPodGroup extends KubeObject {
  readonly spec: KaiPodGroupSpec;
}

export const KAI_POD_GROUPS: Resource<KaiPodGroup> = {
  group: "scheduling.run.ai",
  version: "v2alpha2",
  kind: "PodGroup",
  plural: "podgroups",
  namespaced: true,
};

/** Levels from broad to narrow; KAI does not let them change. */
export interface KaiTopology extends KubeObject {
  readonly spec: { readonly levels: readonly { readonly nodeLabel: string }[] };
}

export const KAI_TOPOLOGIES: Resource<KaiTopology> = {
  group: "kai.scheduler",
  version: "v1alpha1",
  kind: "Topology",
  plural: "topologies",
  namespaced: false,
};

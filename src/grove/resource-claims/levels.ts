/** The three levels at which pods share resource claims: whose claims they are, how many, and with which labels (grove.md 2.1, 2.2, 2.8). Pure. */
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueScalingGroup } from "../../api/grove/pod-clique-scaling-group.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import type { CliqueResourceSharing } from "../../api/grove/resource-sharing.ts";
import type { KubeObject } from "../../api/kubernetes/meta.ts";
import {
  claimLabels,
  GROUP_REPLICA_INDEX,
  POD_CLIQUE,
  POD_INDEX,
  SCALING_GROUP,
  SET_REPLICA_INDEX,
} from "../labels.ts";
import { sharedClaimName } from "../names.ts";
import { templateOfClique, templateOfGroup } from "../template.ts";

export interface SharingLevel {
  readonly owner: KubeObject;
  /** Filters only say which pods get a claim; the claims are there in any case. */
  readonly sharing: readonly CliqueResourceSharing[];
  readonly replicas: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the claims that one replica has to itself. */
  readonly indexLabel: string;
  readonly errorCode: string;
}

export const setLevel = (set: PodCliqueSet): SharingLevel => ({
  owner: set,
  sharing: set.spec.template.resourceSharing ?? [],
  replicas: set.spec.replicas,
  labels: claimLabels(set.metadata.name),
  indexLabel: SET_REPLICA_INDEX,
  errorCode: "ERR_SYNC_PCS_RESOURCE_CLAIM",
});

export const groupLevel = (group: PodCliqueScalingGroup, set: PodCliqueSet): SharingLevel => ({
  owner: group,
  sharing: templateOfGroup(group, set)?.groupTemplate.resourceSharing ?? [],
  replicas: group.spec.replicas,
  labels: { ...claimLabels(set.metadata.name), [SCALING_GROUP]: group.metadata.name },
  indexLabel: GROUP_REPLICA_INDEX,
  errorCode: "ERR_SYNC_PCSG_RESOURCE_CLAIM",
});

export const cliqueLevel = (clique: PodClique, set: PodCliqueSet): SharingLevel => ({
  owner: clique,
  sharing: templateOfClique(clique, set)?.resourceSharing ?? [],
  replicas: clique.spec.replicas,
  labels: { ...claimLabels(set.metadata.name), [POD_CLIQUE]: clique.metadata.name },
  indexLabel: POD_INDEX,
  errorCode: "ERR_SYNC_PCLQ_RESOURCE_CLAIM",
});

export interface ClaimSlot {
  readonly name: string;
  readonly sharing: CliqueResourceSharing;
  readonly labels: Readonly<Record<string, string>>;
}

/** The claims a level has. */
export function claimSlots({ owner, sharing, replicas, labels, indexLabel }: SharingLevel): readonly ClaimSlot[] {
  return sharing.flatMap((one): readonly ClaimSlot[] => {
    const slot = (index?: number): ClaimSlot => ({
      name: sharedClaimName(owner.metadata.name, index, one.name),
      sharing: one,
      labels: index === undefined ? labels : { ...labels, [indexLabel]: String(index) },
    });
    return one.scope === "AllReplicas" ? [slot()] : [...Array(replicas).keys()].map(slot);
  });
}

/** A template of the set itself comes first; otherwise it is an object of the cluster, and this is where. */
export function externalTemplateOf(
  { name, namespace }: CliqueResourceSharing,
  { metadata, spec }: PodCliqueSet,
): { readonly namespace: string; readonly name: string } | undefined {
  if (spec.template.resourceClaimTemplates?.some((template) => template.name === name)) return undefined;
  return { namespace: namespace || (metadata.namespace ?? "default"), name };
}

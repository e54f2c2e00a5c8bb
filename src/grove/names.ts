/** Names of every generated object (grove.md 2.1), except PodGangs, whose scheme is in `pod-gang/gang-names.ts`. */

export const headlessServiceName = (set: string, setIndex: number): string => `${set}-${setIndex}`;
export const headlessServiceAddress = (set: string, setIndex: number, namespace: string): string =>
  `${headlessServiceName(set, setIndex)}.${namespace}.svc.cluster.local`;

export const standaloneCliqueName = (set: string, setIndex: number, clique: string): string =>
  `${set}-${setIndex}-${clique}`;
export const scalingGroupName = (set: string, setIndex: number, group: string): string => `${set}-${setIndex}-${group}`;
/** One replica of a group: a topology group of a PodGang, a parent subgroup of KAI. */
export const groupReplicaName = (scalingGroup: string, groupIndex: number): string => `${scalingGroup}-${groupIndex}`;
export const memberCliqueName = (scalingGroup: string, groupIndex: number, clique: string): string =>
  `${scalingGroup}-${groupIndex}-${clique}`;

/** @param index of the replica that has the claim to itself; all replicas share it when absent */
export const sharedClaimName = (owner: string, index: number | undefined, template: string): string =>
  `${owner}-${index ?? "all"}-${template}`;
/** Also the name of the ResourceClaimTemplate that NVIDIA's driver makes for it. */
export const computeDomainName = (set: string, setIndex: number, mnnvlGroup: string): string =>
  `${set}-${setIndex}-${mnnvlGroup}`;

export const podHostname = (clique: string, podIndex: number): string => `${clique}-${podIndex}`;

export const serviceAccountName = (set: string): string => set;
export const roleName = (set: string): string => `grove.io:pcs:${set}`;
export const tokenSecretName = (set: string): string => `${set}-ic-sat`;
/** The name before v0.1.0-alpha.12. */
export const formerTokenSecretName = (set: string): string => `${set}-initc-sa-token-secret`;

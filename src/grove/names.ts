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

export const podHostname = (clique: string, podIndex: number): string => `${clique}-${podIndex}`;

export const serviceAccountName = (set: string): string => set;
export const roleName = (set: string): string => `grove.io:pcs:${set}`;
export const tokenSecretName = (set: string): string => `${set}-ic-sat`;
/** The name before v0.1.0-alpha.12. */
export const formerTokenSecretName = (set: string): string => `${set}-initc-sa-token-secret`;

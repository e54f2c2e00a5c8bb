/** Questions about a PodCliqueSet's template. Cliques are found by their exact name, never by a suffix of another name. */
import type {
  PodCliqueScalingGroupTemplate,
  PodCliqueSet,
  PodCliqueSetTemplate,
  PodCliqueTemplate,
} from "../api/grove/pod-clique-set.ts";

export const scalingGroups = ({
  podCliqueScalingGroups,
}: PodCliqueSetTemplate): readonly PodCliqueScalingGroupTemplate[] => podCliqueScalingGroups ?? [];

export function standaloneCliques(template: PodCliqueSetTemplate): readonly PodCliqueTemplate[] {
  const members = new Set(scalingGroups(template).flatMap(({ cliqueNames }) => cliqueNames));
  return template.cliques.filter(({ name }) => !members.has(name));
}

export const cliqueTemplate = (template: PodCliqueSetTemplate, name: string): PodCliqueTemplate | undefined =>
  template.cliques.find((clique) => clique.name === name);

export const groupOfClique = (
  template: PodCliqueSetTemplate,
  clique: string,
): PodCliqueScalingGroupTemplate | undefined =>
  scalingGroups(template).find(({ cliqueNames }) => cliqueNames.includes(clique));

/** Template cliques of a group, in the group's own order. */
export function groupCliques(
  template: PodCliqueSetTemplate,
  { cliqueNames }: PodCliqueScalingGroupTemplate,
): readonly PodCliqueTemplate[] {
  return cliqueNames.flatMap((name) => cliqueTemplate(template, name) ?? []);
}

/** Admission fills it in; objects from before admission was on may lack it. */
export const minAvailableOf = ({
  spec,
}: {
  readonly spec: { readonly minAvailable?: number; readonly replicas: number };
}): number => spec.minAvailable ?? spec.replicas;

export const setIndices = ({ spec }: PodCliqueSet): readonly number[] => [...Array(spec.replicas).keys()];

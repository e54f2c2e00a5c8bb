/** Questions about a PodCliqueSet's template. Cliques are found by their exact name, never by a suffix of another name. */
import type { PodClique } from "../api/grove/pod-clique.ts";
import type { PodCliqueScalingGroup } from "../api/grove/pod-clique-scaling-group.ts";
import type {
  PodCliqueScalingGroupTemplate,
  PodCliqueSet,
  PodCliqueSetTemplate,
  PodCliqueTemplate,
} from "../api/grove/pod-clique-set.ts";
import { GROUP_REPLICA_INDEX, indexLabelOf, labelOf, SCALING_GROUP, SET_REPLICA_INDEX } from "./labels.ts";
import { scalingGroupName } from "./names.ts";

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

/** The template a PodClique was made from; undefined when the set has no such clique (any more). */
export function templateOfClique(
  clique: PodClique,
  { metadata: { name: set }, spec: { template } }: PodCliqueSet,
): PodCliqueTemplate | undefined {
  const { name } = clique.metadata;
  const group = labelOf(clique, SCALING_GROUP);
  const index = indexLabelOf(clique, group === undefined ? SET_REPLICA_INDEX : GROUP_REPLICA_INDEX);
  if (index === undefined) return undefined;
  const prefix = `${group ?? set}-${index}-`;
  return name.startsWith(prefix) ? cliqueTemplate(template, name.slice(prefix.length)) : undefined;
}

export interface GroupPosition {
  readonly setIndex: number;
  readonly groupTemplate: PodCliqueScalingGroupTemplate;
}

/** The template behind a scaling group, by the exact name the set gives, never by a suffix. */
export function templateOfGroup(group: PodCliqueScalingGroup, set: PodCliqueSet): GroupPosition | undefined {
  const setIndex = indexLabelOf(group, SET_REPLICA_INDEX);
  if (setIndex === undefined) return undefined;
  const groupTemplate = scalingGroups(set.spec.template).find(
    ({ name }) => scalingGroupName(set.metadata.name, setIndex, name) === group.metadata.name,
  );
  return groupTemplate && { setIndex, groupTemplate };
}

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

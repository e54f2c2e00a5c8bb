/** Which PodCliques a PodClique waits for before its containers start (grove.md 4.1). */
import type { PodCliqueSetTemplate, PodCliqueTemplate } from "../api/grove/pod-clique-set.ts";
import { memberCliqueName, scalingGroupName, standaloneCliqueName } from "./names.ts";
import { cliqueTemplate, groupOfClique } from "./template.ts";

export interface StartupPosition {
  readonly set: string;
  readonly setIndex: number;
  readonly template: PodCliqueSetTemplate;
  /** Absent for a standalone clique. */
  readonly groupIndex?: number;
}

/** Object names of the parents, in template order of the parents. */
export function startsAfter(clique: PodCliqueTemplate, position: StartupPosition): readonly string[] {
  const { template, groupIndex, set, setIndex } = position;
  const group = groupOfClique(template, clique.name);
  const inScaledGang = group !== undefined && groupIndex !== undefined && groupIndex >= group.minAvailable;
  return parentTemplates(clique, template).flatMap((parent) => {
    if (!inScaledGang) return baseGangNames(parent, position);
    // A scaled gang never waits for the base gang: its gates already do.
    if (!group.cliqueNames.includes(parent.name)) return [];
    return [memberCliqueName(scalingGroupName(set, setIndex, group.name), groupIndex, parent.name)];
  });
}

/** Whether any clique of the set waits for another one. */
export const hasStartupOrder = (template: PodCliqueSetTemplate): boolean =>
  template.cliques.some((clique) => parentTemplates(clique, template).length > 0);

function parentTemplates(clique: PodCliqueTemplate, template: PodCliqueSetTemplate): readonly PodCliqueTemplate[] {
  switch (template.cliqueStartupType) {
    case "CliqueStartupTypeAnyOrder":
      return [];
    case "CliqueStartupTypeInOrder": {
      const before = template.cliques[template.cliques.findIndex(({ name }) => name === clique.name) - 1];
      return before === undefined ? [] : [before];
    }
    case "CliqueStartupTypeExplicit":
      return (clique.spec.startsAfter ?? []).flatMap((name) => cliqueTemplate(template, name) ?? []);
    default:
      template.cliqueStartupType satisfies never;
      return [];
  }
}

/** Every copy of the parent in the base gang: one, or one for each of the group's first minAvailable replicas. */
function baseGangNames(parent: PodCliqueTemplate, { set, setIndex, template }: StartupPosition): readonly string[] {
  const group = groupOfClique(template, parent.name);
  if (group === undefined) return [standaloneCliqueName(set, setIndex, parent.name)];
  const name = scalingGroupName(set, setIndex, group.name);
  return [...Array(group.minAvailable).keys()].map((index) => memberCliqueName(name, index, parent.name));
}

/** Which PodGangs a set has, and which PodCliques are in them (grove.md 3.1, 3.2). */
import type { PodCliqueScalingGroup } from "../../api/grove/pod-clique-scaling-group.ts";
import type { PodCliqueScalingGroupTemplate, PodCliqueSet, PodCliqueTemplate } from "../../api/grove/pod-clique-set.ts";
import { memberCliqueName, scalingGroupName, standaloneCliqueName } from "../names.ts";
import { groupCliques, minAvailableOf, scalingGroups, setIndices, standaloneCliques } from "../template.ts";
import { basePodGangName, scaledPodGangName } from "./gang-names.ts";

export interface ExpectedPodGroup {
  /** Name of the PodClique. */
  readonly clique: string;
  /** From the template, never the live replica count. */
  readonly minReplicas: number;
}

export interface ExpectedPodGang {
  readonly name: string;
  readonly setIndex: number;
  readonly podGroups: readonly ExpectedPodGroup[];
}

/** @param groups live scaling groups by name; their `spec.replicas` wins over the template's */
export function expectedPodGangs(
  set: PodCliqueSet,
  groups: ReadonlyMap<string, PodCliqueScalingGroup>,
): readonly ExpectedPodGang[] {
  return setIndices(set).flatMap((setIndex) => [
    baseGang(set, setIndex),
    ...scalingGroups(set.spec.template).flatMap((group) => scaledGangs(set, setIndex, group, groups)),
  ]);
}

function baseGang(set: PodCliqueSet, setIndex: number): ExpectedPodGang {
  const { name } = set.metadata;
  const { template } = set.spec;
  const standalone = standaloneCliques(template).map((clique) => ({
    clique: standaloneCliqueName(name, setIndex, clique.name),
    minReplicas: minAvailableOf(clique),
  }));
  const members = scalingGroups(template).flatMap((group) =>
    [...Array(group.minAvailable).keys()].flatMap((groupIndex) => memberGroups(set, setIndex, group, groupIndex)),
  );
  return { name: basePodGangName(name, setIndex), setIndex, podGroups: [...standalone, ...members] };
}

function scaledGangs(
  set: PodCliqueSet,
  setIndex: number,
  group: PodCliqueScalingGroupTemplate,
  groups: ReadonlyMap<string, PodCliqueScalingGroup>,
): readonly ExpectedPodGang[] {
  const groupName = scalingGroupName(set.metadata.name, setIndex, group.name);
  const replicas = groups.get(groupName)?.spec.replicas ?? group.replicas;
  const gangs: ExpectedPodGang[] = [];
  for (let groupIndex = group.minAvailable; groupIndex < replicas; groupIndex++) {
    gangs.push({
      name: scaledPodGangName(groupName, groupIndex, group.minAvailable),
      setIndex,
      podGroups: memberGroups(set, setIndex, group, groupIndex),
    });
  }
  return gangs;
}

function memberGroups(
  set: PodCliqueSet,
  setIndex: number,
  group: PodCliqueScalingGroupTemplate,
  groupIndex: number,
): readonly ExpectedPodGroup[] {
  const groupName = scalingGroupName(set.metadata.name, setIndex, group.name);
  return groupCliques(set.spec.template, group).map((clique: PodCliqueTemplate) => ({
    clique: memberCliqueName(groupName, groupIndex, clique.name),
    minReplicas: minAvailableOf(clique),
  }));
}

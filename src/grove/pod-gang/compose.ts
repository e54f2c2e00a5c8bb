/** Which PodGangs a set has, and which PodCliques are in them (grove.md 3.1, 3.2). */
import type { PodCliqueScalingGroup } from "../../api/grove/pod-clique-scaling-group.ts";
import type { PodCliqueScalingGroupTemplate, PodCliqueSet, PodCliqueTemplate } from "../../api/grove/pod-clique-set.ts";
import { groupReplicaName, memberCliqueName, scalingGroupName, standaloneCliqueName } from "../names.ts";
import { groupCliques, minAvailableOf, scalingGroups, setIndices, standaloneCliques } from "../template.ts";
import { legacyNames, type PodGangNames } from "./gang-names.ts";

export interface ExpectedPodGroup {
  /** Name of the PodClique. */
  readonly clique: string;
  /** Name of the clique in the set's template. */
  readonly template: string;
  /** From the template, never the live replica count. */
  readonly minReplicas: number;
}

/** One replica of a scaling group within a gang. */
export interface ExpectedGroupReplica {
  /** `<scaling group>-<replica index>`. */
  readonly name: string;
  readonly group: PodCliqueScalingGroupTemplate;
  /** Names of its PodCliques. */
  readonly cliques: readonly string[];
}

export interface ExpectedPodGang {
  readonly name: string;
  readonly setIndex: number;
  readonly podGroups: readonly ExpectedPodGroup[];
  /** One replica of a group above its minimum, not the base gang of a set replica. */
  readonly scaled: boolean;
  readonly groupReplicas: readonly ExpectedGroupReplica[];
  /** Of its naming scheme. */
  readonly labels: Readonly<Record<string, string>>;
}

/** @param groups live scaling groups by name; their `spec.replicas` wins over the template's */
export function expectedPodGangs(
  set: PodCliqueSet,
  groups: ReadonlyMap<string, PodCliqueScalingGroup>,
  names: PodGangNames = legacyNames(set),
): readonly ExpectedPodGang[] {
  return setIndices(set).flatMap((setIndex) => [
    baseGang(set, setIndex, names),
    ...scalingGroups(set.spec.template).flatMap((group) => scaledGangs({ set, setIndex, group, groups, names })),
  ]);
}

function baseGang(set: PodCliqueSet, setIndex: number, names: PodGangNames): ExpectedPodGang {
  const { name } = set.metadata;
  const { template } = set.spec;
  const standalone = standaloneCliques(template).map((clique) => ({
    clique: standaloneCliqueName(name, setIndex, clique.name),
    template: clique.name,
    minReplicas: minAvailableOf(clique),
  }));
  const members = scalingGroups(template).flatMap((group) =>
    [...Array(group.minAvailable).keys()].map((groupIndex) => groupReplica(set, setIndex, group, groupIndex)),
  );
  return {
    name: names.base(setIndex),
    setIndex,
    podGroups: [...standalone, ...members.flatMap(({ podGroups }) => podGroups)],
    scaled: false,
    groupReplicas: members.map(({ replica }) => replica),
    labels: names.labels({ setIndex, scaled: false }),
  };
}

function scaledGangs({
  set,
  setIndex,
  group,
  groups,
  names,
}: {
  readonly set: PodCliqueSet;
  readonly setIndex: number;
  readonly group: PodCliqueScalingGroupTemplate;
  readonly groups: ReadonlyMap<string, PodCliqueScalingGroup>;
  readonly names: PodGangNames;
}): readonly ExpectedPodGang[] {
  const groupName = scalingGroupName(set.metadata.name, setIndex, group.name);
  const replicas = groups.get(groupName)?.spec.replicas ?? group.replicas;
  const gangs: ExpectedPodGang[] = [];
  for (let groupIndex = group.minAvailable; groupIndex < replicas; groupIndex++) {
    const { podGroups, replica } = groupReplica(set, setIndex, group, groupIndex);
    gangs.push({
      name: names.scaled({ setIndex, group: group.name, groupIndex, minAvailable: group.minAvailable }),
      setIndex,
      podGroups,
      scaled: true,
      groupReplicas: [replica],
      labels: names.labels({ setIndex, scaled: true }),
    });
  }
  return gangs;
}

function groupReplica(
  set: PodCliqueSet,
  setIndex: number,
  group: PodCliqueScalingGroupTemplate,
  groupIndex: number,
): { readonly podGroups: readonly ExpectedPodGroup[]; readonly replica: ExpectedGroupReplica } {
  const groupName = scalingGroupName(set.metadata.name, setIndex, group.name);
  const podGroups = groupCliques(set.spec.template, group).map((clique: PodCliqueTemplate) => ({
    clique: memberCliqueName(groupName, groupIndex, clique.name),
    template: clique.name,
    minReplicas: minAvailableOf(clique),
  }));
  const name = groupReplicaName(groupName, groupIndex);
  return { podGroups, replica: { name, group, cliques: podGroups.map(({ clique }) => clique) } };
}

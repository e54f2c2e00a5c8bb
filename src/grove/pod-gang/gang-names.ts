/**
 * Names of PodGangs, in the scheme of Grove up to v0.1.0-alpha.12-rc1. Nothing else builds or parses such a name:
 * later versions put an epoch into it, and membership is told by labels and pod references (grove.md 0).
 */
export const basePodGangName = (set: string, setIndex: number): string => `${set}-${setIndex}`;

/** The number in the name counts from the first replica above minAvailable; it is not the group's replica index. */
export const scaledPodGangName = (scalingGroup: string, groupIndex: number, minAvailable: number): string =>
  `${scalingGroup}-${groupIndex - minAvailable}`;

/** The gang of one replica of a scaling group, and the base gang that it waits for. */
export function podGangOfGroupReplica(options: {
  readonly set: string;
  readonly setIndex: number;
  readonly scalingGroup: string;
  readonly groupIndex: number;
  readonly minAvailable: number;
}): { readonly podGang: string; readonly basePodGang?: string } {
  const { set, setIndex, scalingGroup, groupIndex, minAvailable } = options;
  const base = basePodGangName(set, setIndex);
  if (groupIndex < minAvailable) return { podGang: base };
  return { podGang: scaledPodGangName(scalingGroup, groupIndex, minAvailable), basePodGang: base };
}

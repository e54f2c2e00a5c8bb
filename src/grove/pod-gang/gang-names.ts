/**
 * Names of PodGangs, and what else tells one scheme of naming from the other. Nothing else builds or parses such a name: membership is told by
 * labels and pod references (grove.md 0).
 *
 * `legacy` is Grove's up to v0.1.0-alpha.12-rc1: `<set>-<r>` and `<set>-<r>-<group>-<k>`, with k counted from minAvailable. `epoch` is that of later versions:
 * `<set>-<r>-<epoch>` and `<set>-<r>-<epoch>-<group>-<s>`, with s the index of the group's replica, and labels that say what the name says. The PodGangMap of
 * those versions is not made: what is in a gang follows from the set and its live groups, as in `compose.ts`, so that replicas that somebody scaled are never lost
 * to a second record of them.
 */
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueScalingGroup } from "../../api/grove/pod-clique-scaling-group.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { controllerOf } from "../../api/kubernetes/meta.ts";
import { parseTime } from "../../api/kubernetes/time.ts";
import type { PodGang } from "../../api/scheduler/pod-gang.ts";
import { labelOf, POD_GANG, SET_REPLICA_INDEX } from "../labels.ts";
import { scalingGroupName } from "../names.ts";
import { isOwnedBy } from "../ownership.ts";
import type { PodGangScheme } from "../settings.ts";
import { scalingGroups } from "../template.ts";

const EPOCH = "grove.io/epoch";
const ROLE = "grove.io/podgang-role";
const GENERATION_HASH = "grove.io/podcliqueset-generation-hash";

export interface ScaledGang {
  readonly setIndex: number;
  /** Name in the template. */
  readonly group: string;
  readonly groupIndex: number;
  readonly minAvailable: number;
}

export interface PodGangNames {
  /** The gang that every replica of the set has. */
  base(setIndex: number): string;
  /** That of one replica of a scaling group above its minimum. */
  scaled(gang: ScaledGang): string;
  /** On a PodGang, beyond those of every scheme. */
  labels(gang: { readonly setIndex: number; readonly scaled: boolean }): Readonly<Record<string, string>>;
}

/** What is there with a set's label. Only what is this very set's counts, not what one of its name has left. */
export interface NameCarriers {
  readonly groups: readonly PodCliqueScalingGroup[];
  readonly cliques: readonly PodClique[];
  readonly gangs: readonly PodGang[];
}

/**
 * @param configured for a set that has neither cliques nor gangs. Others keep the scheme that they carry: pods never move to a gang of another name because
 * the operator was told another scheme
 */
export function podGangNames(set: PodCliqueSet, configured: PodGangScheme, carriers: NameCarriers): PodGangNames {
  const scheme = carriedScheme(set, carriers) ?? (fitsEpoch(set) ? configured : "legacy");
  return scheme === "epoch" ? epochNames(set) : legacyNames(set);
}

export function legacyNames({ metadata: { name } }: Pick<PodCliqueSet, "metadata">): PodGangNames {
  return {
    base: (setIndex) => `${name}-${setIndex}`,
    scaled: ({ setIndex, group, groupIndex, minAvailable }) =>
      `${scalingGroupName(name, setIndex, group)}-${groupIndex - minAvailable}`,
    labels: () => ({}),
  };
}

function epochNames(set: PodCliqueSet): PodGangNames {
  const epoch = epochOf(set);
  const base = (setIndex: number): string => `${set.metadata.name}-${setIndex}-${epoch}`;
  const hash = set.status?.currentGenerationHash;
  return {
    base,
    scaled: ({ setIndex, group, groupIndex }) => `${base(setIndex)}-${group}-${groupIndex}`,
    labels: ({ setIndex, scaled }) => ({
      [EPOCH]: epoch,
      [ROLE]: scaled ? "ScaleOut" : "Anchor",
      [SET_REPLICA_INDEX]: String(setIndex),
      ...(hash !== undefined && { [GENERATION_HASH]: hash }),
    }),
  };
}

/**
 * The creation of the set, in nanoseconds since 1970. It is known to every controller from the set alone, before and after a restart, and a set that is made again
 * under its name has another one; a clock that is read when the first gang is made would have to be stored before it could be used.
 */
const epochOf = ({ metadata }: PodCliqueSet): string =>
  String(BigInt(parseTime(metadata.creationTimestamp ?? "1970-01-01T00:00:00Z")) * 1_000_000n);

/** A label holds the name. The room is for indices of four digits, so that the answer stays when the set grows. */
const LABEL_CHARS = 63;
const DECORATION_CHARS = "-9999-".length + "-".length + "-9999".length;

/** A set whose names are too long for an epoch gets the legacy ones. */
function fitsEpoch(set: PodCliqueSet): boolean {
  const groups = scalingGroups(set.spec.template).map(({ name }) => name.length);
  return set.metadata.name.length + epochOf(set).length + Math.max(0, ...groups) + DECORATION_CHARS <= LABEL_CHARS;
}

function carriedScheme(set: PodCliqueSet, { groups, cliques, gangs }: NameCarriers): PodGangScheme | undefined {
  const owners = new Set([set, ...groups.filter((group) => isOwnedBy(group, set))].map(({ metadata }) => metadata.uid));
  const clique = cliques.find((each) => owners.has(controllerOf(each)?.uid));
  const gang = gangs.find((each) => isOwnedBy(each, set));
  const carried = (clique && labelOf(clique, POD_GANG)) ?? gang?.metadata.name;
  if (carried === undefined) return undefined;
  return hasEpoch(carried, set) ? "epoch" : "legacy";
}

function hasEpoch(gang: string, set: PodCliqueSet): boolean {
  const prefix = `${set.metadata.name}-`;
  const [index = "", epoch] = gang.startsWith(prefix) ? gang.slice(prefix.length).split("-") : [];
  return /^\d+$/u.test(index) && epoch === epochOf(set);
}

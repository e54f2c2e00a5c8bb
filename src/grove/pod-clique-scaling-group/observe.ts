/** What a PodCliqueScalingGroup's plan looks at, from caches only. */
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { keyOf, parseKey } from "../../api/kubernetes/meta.ts";
import { labelOf, PART_OF, SCALING_GROUP } from "../labels.ts";
import { isOwnedBy } from "../ownership.ts";
import { type NameCarriers, podGangNames } from "../pod-gang/gang-names.ts";
import { groupLevel } from "../resource-claims/levels.ts";
import { observeClaims } from "../resource-claims/observe.ts";
import { BY_GROUP, BY_SET, type Stores, scoped } from "../runtime/stores.ts";
import type { PodGangScheme } from "../settings.ts";
import type { ScalingGroupSnapshot } from "./plan.ts";

export function observeScalingGroup(
  key: string,
  stores: Stores,
  scheme: PodGangScheme,
): ScalingGroupSnapshot | undefined {
  const { namespace, name } = parseKey(key);
  const group = stores.group.get(namespace, name);
  if (group === undefined) return undefined;
  const labelled = stores.set.get(namespace, labelOf(group, PART_OF) ?? "");
  const set = labelled !== undefined && isOwnedBy(group, labelled) ? labelled : undefined;
  const cliques = stores.clique.byIndex(BY_GROUP, scoped(namespace, name));
  // Its own members tell; only a group without any asks for those of the whole set.
  const hasMembers = cliques.some((clique) => isOwnedBy(clique, group));
  const carriers = set && (hasMembers ? { groups: [group], cliques, gangs: [] } : carriersOf(set, stores));
  return {
    group,
    set,
    cliques,
    gangNames: set && carriers && podGangNames(set, scheme, carriers),
    claims: observeClaims(set, set && groupLevel(group, set), stores, () =>
      stores.pod
        .byIndex(BY_SET, scoped(namespace, labelOf(group, PART_OF) ?? ""))
        .filter((pod) => labelOf(pod, SCALING_GROUP) === name),
    ),
  };
}

const carriersOf = (set: PodCliqueSet, { group, clique, gang }: Stores): NameCarriers => ({
  groups: group.byIndex(BY_SET, keyOf(set)),
  cliques: clique.byIndex(BY_SET, keyOf(set)),
  gangs: gang.byIndex(BY_SET, keyOf(set)),
});

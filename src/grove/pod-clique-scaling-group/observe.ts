/** What a PodCliqueScalingGroup's plan looks at, from caches only. */
import { parseKey } from "../../api/kubernetes/meta.ts";
import { labelOf, PART_OF, SCALING_GROUP } from "../labels.ts";
import { isOwnedBy } from "../ownership.ts";
import { groupLevel } from "../resource-claims/levels.ts";
import { observeClaims } from "../resource-claims/observe.ts";
import { BY_GROUP, BY_SET, type Stores, scoped } from "../runtime/stores.ts";
import type { ScalingGroupSnapshot } from "./plan.ts";

export function observeScalingGroup(key: string, stores: Stores): ScalingGroupSnapshot | undefined {
  const { namespace, name } = parseKey(key);
  const group = stores.group.get(namespace, name);
  if (group === undefined) return undefined;
  const named = stores.set.get(namespace, labelOf(group, PART_OF) ?? "");
  const set = named !== undefined && isOwnedBy(group, named) ? named : undefined;
  return {
    group,
    set,
    cliques: stores.clique.byIndex(BY_GROUP, scoped(namespace, name)),
    claims: observeClaims(set, set && groupLevel(group, set), stores, () =>
      stores.pod
        .byIndex(BY_SET, scoped(namespace, labelOf(group, PART_OF) ?? ""))
        .filter((pod) => labelOf(pod, SCALING_GROUP) === name),
    ),
  };
}

/** What a PodCliqueScalingGroup's plan looks at, from caches only. */
import { parseKey } from "../../api/kubernetes/meta.ts";
import { labelOf, PART_OF } from "../labels.ts";
import { isOwnedBy } from "../ownership.ts";
import { BY_GROUP, type Stores, scoped } from "../runtime/stores.ts";
import type { ScalingGroupSnapshot } from "./plan.ts";

export function observeScalingGroup(key: string, stores: Stores): ScalingGroupSnapshot | undefined {
  const { namespace, name } = parseKey(key);
  const group = stores.group.get(namespace, name);
  if (group === undefined) return undefined;
  const set = stores.set.get(namespace, labelOf(group, PART_OF) ?? "");
  return {
    group,
    set: set !== undefined && isOwnedBy(group, set) ? set : undefined,
    cliques: stores.clique.byIndex(BY_GROUP, scoped(namespace, name)),
  };
}

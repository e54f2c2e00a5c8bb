/** What a PodClique's plan looks at, from caches only. */
import type { PodClique } from "../../api/grove/pod-clique.ts";
import { isPodScheduled, type Pod } from "../../api/kubernetes/core.ts";
import { parseKey } from "../../api/kubernetes/meta.ts";
import { BASE_POD_GANG, labelOf, PART_OF, POD_GANG } from "../labels.ts";
import { isOwnedBy } from "../ownership.ts";
import { cliqueLevel } from "../resource-claims/levels.ts";
import { observeClaims } from "../resource-claims/observe.ts";
import { BY_CLIQUE, type Stores, scoped } from "../runtime/stores.ts";
import type { PodCliqueSnapshot } from "./plan.ts";

export function observePodClique(key: string, stores: Stores): PodCliqueSnapshot | undefined {
  const { namespace, name } = parseKey(key);
  const clique = stores.clique.get(namespace, name);
  if (clique === undefined) return undefined;
  const gangOf = (label: string) => {
    const gang = labelOf(clique, label);
    return gang === undefined ? undefined : stores.gang.get(namespace, gang);
  };
  const baseGang = gangOf(BASE_POD_GANG);
  const setName = labelOf(clique, PART_OF);
  const set = setName === undefined ? undefined : stores.set.get(namespace, setName);
  const pods = podsOf(clique, stores);
  return {
    clique,
    set,
    pods,
    claims: observeClaims(set, set && cliqueLevel(clique, set), stores, () => pods),
    gang: gangOf(POD_GANG),
    baseGang,
    baseScheduled: new Map(
      (baseGang?.spec.podgroups ?? []).flatMap((group) => {
        const base = stores.clique.get(namespace, group.name);
        return base === undefined ? [] : [[group.name, podsOf(base, stores).filter(isPodScheduled).length] as const];
      }),
    ),
  };
}

function podsOf(clique: PodClique, stores: Stores): readonly Pod[] {
  return stores.pod
    .byIndex(BY_CLIQUE, scoped(clique.metadata.namespace, clique.metadata.name))
    .filter((pod) => isOwnedBy(pod, clique));
}

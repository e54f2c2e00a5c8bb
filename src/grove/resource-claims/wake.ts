/** Which events about claims make a set, a group or a clique worth looking at. */
import { isTerminating } from "../../api/kubernetes/core.ts";
import { controllerOf, type KubeObject, keyOf } from "../../api/kubernetes/meta.ts";
import type { KindName } from "../kinds.ts";
import { RESOURCES } from "../kinds.ts";
import { BY_SET, type Stores, scoped } from "../runtime/stores.ts";
import { externalTemplateOf } from "./levels.ts";
import { claimNames } from "./observe.ts";

export type Enqueue = Readonly<Record<"set" | "group" | "clique", (key: string) => void>>;

const OWNERS = ["set", "group", "clique"] as const satisfies readonly KindName[];

export function wakeOnClaims(stores: Stores, enqueue: Enqueue): void {
  const wakeOwner = (object: KubeObject): void => {
    const owner = controllerOf(object);
    const kind = OWNERS.find((name) => RESOURCES[name].kind === owner?.kind);
    if (owner !== undefined && kind !== undefined) enqueue[kind](scoped(object.metadata.namespace, owner.name));
  };
  // Deleted by hand, or at last gone and to be made again.
  stores.claim.onChange(({ before, after }) => {
    if (before !== undefined && after === undefined) wakeOwner(before);
  });
  // The last user of a claim that is in excess may be gone.
  stores.pod.onChange(({ before, after }) => {
    if (before === undefined || after !== undefined) return;
    for (const name of claimNames(before)) {
      const claim = stores.claim.get(before.metadata.namespace, name);
      if (claim !== undefined && !isTerminating(claim)) wakeOwner(claim);
    }
  });
  const wakeAll = (isConcerned: (set: Parameters<typeof externalTemplateOf>[1]) => boolean): void => {
    for (const set of stores.set.list().filter(isConcerned)) {
      enqueue.set(keyOf(set));
      for (const group of stores.group.byIndex(BY_SET, keyOf(set))) enqueue.group(keyOf(group));
      for (const clique of stores.clique.byIndex(BY_SET, keyOf(set))) enqueue.clique(keyOf(clique));
    }
  };
  // A template that was missing.
  stores.claimTemplate.onChange(({ before, after }) => {
    if (before !== undefined || after === undefined) return;
    const key = keyOf(after);
    wakeAll((set) =>
      allSharing(set).some((sharing) => {
        const external = externalTemplateOf(sharing, set);
        return external !== undefined && `${external.namespace}/${external.name}` === key;
      }),
    );
  });
  for (const { synced } of [stores.claim, stores.claimTemplate]) {
    void synced.then(() => wakeAll((set) => allSharing(set).length > 0));
  }
}

function allSharing({ spec: { template } }: Parameters<typeof externalTemplateOf>[1]) {
  return [
    ...(template.resourceSharing ?? []),
    ...(template.podCliqueScalingGroups ?? []).flatMap(({ resourceSharing = [] }) => resourceSharing),
    ...template.cliques.flatMap(({ resourceSharing = [] }) => resourceSharing),
  ];
}

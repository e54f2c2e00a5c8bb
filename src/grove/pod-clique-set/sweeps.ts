/** What goes with a set, or with replicas that it no longer wants, in few requests. Pure. */
import { isTerminating } from "../../api/kubernetes/core.ts";
import type { KubeObject } from "../../api/kubernetes/meta.ts";
import type { Sweep } from "../actions.ts";
import type { KindName } from "../kinds.ts";
import { COMPONENT, indexLabelOf, MANAGED_BY, MANAGER, PART_OF, SET_REPLICA_INDEX } from "../labels.ts";
import type { PodCliqueSetSnapshot } from "./plan.ts";

/** Owners before pods: a clique that still lives would replace its pods. */
export function wholeSet({
  set,
  cliques,
  groups,
  gangs,
  services,
  pods,
}: PodCliqueSetSnapshot): readonly (readonly Sweep[])[] {
  const all = (of: KindName, objects: readonly KubeObject[]): Sweep => ({
    of,
    namespace: set.metadata.namespace ?? "default",
    labelSelector: selector(set.metadata.name),
    objects,
  });
  return [
    [all("group", groups)],
    [all("clique", cliques), all("gang", gangs), all("service", services)],
    [all("pod", pods)],
  ];
}

/** Pods of standalone cliques of replicas from `spec.replicas` on. Only the set makes such cliques, so none is made meanwhile. */
export function podsOfExcess({ set, pods }: PodCliqueSetSnapshot): readonly Sweep[] {
  const excess = pods.filter(
    (pod) =>
      pod.metadata.labels?.[COMPONENT] === STANDALONE && !isTerminating(pod) && indexOf(pod) >= set.spec.replicas,
  );
  const indices = [...new Set(excess.map(indexOf))].toSorted((a, b) => b - a);
  return chunks(indices).map((some) => ({
    of: "pod",
    namespace: set.metadata.namespace ?? "default",
    labelSelector: `${selector(set.metadata.name)},${COMPONENT}=${STANDALONE},${SET_REPLICA_INDEX} in (${some.join(",")})`,
    objects: excess.filter((pod) => some.includes(indexOf(pod))),
  }));
}

const indexOf = (object: KubeObject): number => indexLabelOf(object, SET_REPLICA_INDEX) ?? 0;
const STANDALONE = "pcs-podclique";
const selector = (set: string): string => `${MANAGED_BY}=${MANAGER},${PART_OF}=${set}`;

/** A selector is part of an URL. */
const MAX_INDICES = 200;
const chunks = (indices: readonly number[]): readonly (readonly number[])[] =>
  [...Array(Math.ceil(indices.length / MAX_INDICES)).keys()].map((part) =>
    indices.slice(part * MAX_INDICES, (part + 1) * MAX_INDICES),
  );

/** The stores of all kinds the operator works with, and the indexes its controllers ask for. */
import type { KubeObject, Resource } from "../../api/kubernetes/meta.ts";
import type { IndexFunctions } from "../../kube/indexer.ts";
import { type InformerOptions, startInformer } from "../../kube/informer.ts";
import { type KindName, type Kinds, RESOURCES } from "../kinds.ts";
import {
  BASE_POD_GANG,
  labelOf,
  MANAGED_BY,
  MANAGER,
  PART_OF,
  POD_CLIQUE,
  POD_GANG,
  SCALING_GROUP,
} from "../labels.ts";
import { topologyNameOf } from "../topology/topology-of-set.ts";
import { onDemand } from "./on-demand.ts";
import { createStore, type Store } from "./store.ts";

export type Stores = { readonly [K in KindName]: Store<Kinds[K]> };

/** Index names; values are `namespace/label value`. */
export const BY_SET = "set";
export const BY_GROUP = "group";
export const BY_CLIQUE = "clique";
const BY_GANG = "gang";
export const BY_BASE_GANG = "baseGang";
/** Sets by the name of the ClusterTopologyBinding that they name. */
export const BY_TOPOLOGY = "topology";

export const scoped = (namespace: string | undefined, name: string): string => `${namespace ?? ""}/${name}`;

const byLabel =
  (label: string) =>
  (object: KubeObject): readonly string[] => {
    const value = labelOf(object, label);
    return value === undefined ? [] : [scoped(object.metadata.namespace, value)];
  };

const PART: IndexFunctions<KubeObject> = { [BY_SET]: byLabel(PART_OF) };

const INDEXES: { readonly [K in KindName]: IndexFunctions<Kinds[K]> } = {
  set: {
    [BY_TOPOLOGY]: ({ spec }) => {
      const name = topologyNameOf(spec.template);
      return name === undefined ? [] : [name];
    },
  },
  group: PART,
  clique: {
    ...PART,
    [BY_GROUP]: byLabel(SCALING_GROUP),
    [BY_GANG]: byLabel(POD_GANG),
    [BY_BASE_GANG]: byLabel(BASE_POD_GANG),
  },
  gang: PART,
  pod: { ...PART, [BY_CLIQUE]: byLabel(POD_CLIQUE) },
  service: PART,
  serviceAccount: PART,
  role: PART,
  roleBinding: PART,
  secret: PART,
  autoscaler: PART,
  claim: PART,
  claimTemplate: {},
  computeDomain: PART,
  binding: {},
  // Not only those with our label: one of the same name that is somebody else's has to be seen.
  kaiPodGroup: {},
  kaiTopology: {},
  volcanoPodGroup: {},
};

/** Kinds of Kubernetes itself: a cluster has many that are none of ours, so only the managed ones are followed. */
const MANAGED_ONLY: ReadonlySet<KindName> = new Set<KindName>([
  "pod",
  "service",
  "serviceAccount",
  "role",
  "roleBinding",
  "secret",
  "autoscaler",
  "claim",
  "computeDomain",
]);

export interface StoresOptions extends Omit<InformerOptions<KubeObject>, "resource" | "indexes" | "scope" | "project"> {
  /** All when absent. */
  readonly namespaces?: readonly string[];
  /** Kinds that are not followed: their stores stay empty, and cost no request. */
  readonly without?: ReadonlySet<KindName>;
}

/** Kinds that are followed once something asks for them: not every cluster serves them. */
export const ON_DEMAND_KINDS: ReadonlySet<KindName> = new Set<KindName>(["claim", "claimTemplate", "computeDomain"]);

/** Kinds of schedulers, which may not be installed: nothing waits for their first list. */
export const OPTIONAL_KINDS: ReadonlySet<KindName> = new Set<KindName>([
  "kaiPodGroup",
  "kaiTopology",
  "volcanoPodGroup",
]);

export function startStores(options: StoresOptions): Stores {
  const start = <K extends KindName>(kind: K): Store<Kinds[K]> => {
    const { namespaces: given, without, ...common } = options;
    const isFollowed = without?.has(kind) !== true;
    const namespaces = RESOURCES[kind].namespaced ? given : undefined;
    const resource: Resource<Kinds[K]> = RESOURCES[kind];
    const indexes = INDEXES[kind];
    const selector = MANAGED_ONLY.has(kind) ? { labelSelector: `${MANAGED_BY}=${MANAGER}` } : {};
    const scopes = !isFollowed
      ? []
      : namespaces === undefined
        ? [selector]
        : namespaces.map((namespace) => ({ ...selector, namespace }));
    const follow = (): Store<Kinds[K]> => {
      const informers = scopes.map((scope) => startInformer({ ...common, resource, indexes, scope }));
      return createStore({ api: options.api, clock: options.clock, resource, informers, indexes });
    };
    return ON_DEMAND_KINDS.has(kind) ? onDemand(follow) : follow();
  };
  return {
    set: start("set"),
    group: start("group"),
    clique: start("clique"),
    gang: start("gang"),
    pod: start("pod"),
    service: start("service"),
    serviceAccount: start("serviceAccount"),
    role: start("role"),
    roleBinding: start("roleBinding"),
    secret: start("secret"),
    autoscaler: start("autoscaler"),
    claim: start("claim"),
    claimTemplate: start("claimTemplate"),
    computeDomain: start("computeDomain"),
    binding: start("binding"),
    kaiPodGroup: start("kaiPodGroup"),
    kaiTopology: start("kaiTopology"),
    volcanoPodGroup: start("volcanoPodGroup"),
  };
}

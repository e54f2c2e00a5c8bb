/** Label and annotation keys, finalizers and selectors (grove.md 2.2 to 2.5). */
import type { KubeObject } from "../api/kubernetes/meta.ts";

export const MANAGED_BY = "app.kubernetes.io/managed-by";
export const PART_OF = "app.kubernetes.io/part-of";
const APP_NAME = "app.kubernetes.io/name";
export const COMPONENT = "app.kubernetes.io/component";
export const SET_REPLICA_INDEX = "grove.io/podcliqueset-replica-index";
export const POD_CLIQUE = "grove.io/podclique";
export const POD_INDEX = "grove.io/podclique-pod-index";
export const SCALING_GROUP = "grove.io/podcliquescalinggroup";
export const GROUP_REPLICA_INDEX = "grove.io/podcliquescalinggroup-replica-index";
export const POD_GANG = "grove.io/podgang";
export const BASE_POD_GANG = "grove.io/base-podgang";
export const POD_TEMPLATE_HASH = "grove.io/pod-template-hash";
export const SCHEDULER_NAME = "grove.io/scheduler-name";

/** On ComputeDomains. */
export const MNNVL_GROUP = "grove.io/mnnvl-group";

export const TOPOLOGY_NAME_ANNOTATION = "grove.io/topology-name";
export const RECONCILE_TRIGGER_ANNOTATION = "grove.io/reconcile-trigger";

/** Keys with this prefix belong to the operator. */
export const GROVE_PREFIX = "grove.io/";

export const MANAGER = "grove-operator";

export const POD_GANG_GATE = "grove.io/podgang-pending-creation";

export const SET_FINALIZER = "grove.io/podcliqueset.grove.io";
export const CLIQUE_FINALIZER = "grove.io/podclique.grove.io";
export const GROUP_FINALIZER = "grove.io/podcliquescalinggroup.grove.io";
export const COMPUTE_DOMAIN_FINALIZER = "grove.io/computedomain-finalizer";

export type Component =
  | "pcs-headless-service"
  | "pod-role"
  | "pod-role-binding"
  | "pod-service-account"
  | "pod-sa-token-secret"
  | "pcs-podcliquescalinggroup"
  | "pcs-hpa"
  | "podgang"
  | "pcs-podclique"
  | "pcsg-podclique"
  | "pcs-computedomain";

type Labels = Readonly<Record<string, string>>;

/** On every managed object. */
export const managedLabels = (set: string): Labels => ({ [MANAGED_BY]: MANAGER, [PART_OF]: set });

/** On every managed object that has a name of its own. `:` is not allowed in a label value. */
export const componentLabels = (set: string, component: Component, name: string): Labels => ({
  ...managedLabels(set),
  [APP_NAME]: name.replaceAll(":", "-"),
  [COMPONENT]: component,
});

/** On resource claims, which have no name label. */
export const claimLabels = (set: string): Labels => ({ ...managedLabels(set), [COMPONENT]: "resource-claim" });

export const setPodSelector = (set: string): string => selectorText(managedLabels(set));
export const cliquePodSelector = (set: string, clique: string): string =>
  selectorText({ ...managedLabels(set), [POD_CLIQUE]: clique });
export const groupPodSelector = (set: string, group: string): string =>
  selectorText({ ...managedLabels(set), [SCALING_GROUP]: group });

const selectorText = (labels: Labels): string =>
  Object.entries(labels)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(",");

export const labelOf = (object: KubeObject, key: string): string | undefined => object.metadata.labels?.[key];

/** @returns the index in a label, or undefined when the label is missing or not a whole number */
export function indexLabelOf(object: KubeObject, key: string): number | undefined {
  const text = labelOf(object, key);
  return text !== undefined && /^\d+$/u.test(text) ? Number(text) : undefined;
}

/** ClusterTopologyBinding: the levels of one cluster topology, broad to narrow, and what schedulers call it. */
import { CONDITIONS } from "../kubernetes/conditions.ts";
import type { Resource } from "../kubernetes/meta.ts";
import { array, boolean, type Infer, int64, object, optional, string } from "../schema/builder.ts";
import {
  AGE_COLUMN,
  column,
  type ObjectOf,
  objectSchema,
  type ResourceDefinition,
} from "../schema/resource-definition.ts";
import { GROVE_GROUP, GROVE_VERSION } from "./shared.ts";

const SPEC = object({
  levels: array(
    object({
      domain: string({ minLength: 1, maxLength: 63, pattern: "^[a-z][a-z0-9-]*$" }),
      key: string({
        minLength: 1,
        maxLength: 63,
        pattern: "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$",
      }),
    }),
    { minItems: 1 },
  ),
  schedulerTopologyBindings: optional(array(object({ schedulerName: string(), topologyReference: string() }))),
});

const STATUS = object({
  conditions: optional(CONDITIONS),
  observedGeneration: optional(int64()),
  schedulerTopologyStatuses: optional(
    array(
      object({
        inSync: boolean(),
        message: optional(string()),
        schedulerBackendTopologyObservedGeneration: optional(int64()),
        schedulerName: string(),
        topologyReference: string(),
      }),
    ),
  ),
});

export type ClusterTopologyBindingSpec = Infer<typeof SPEC>;
export type ClusterTopologyBindingStatus = Infer<typeof STATUS>;
export type ClusterTopologyBinding = ObjectOf<typeof SPEC, typeof STATUS>;

export const CLUSTER_TOPOLOGY_BINDINGS: Resource<ClusterTopologyBinding> = {
  group: GROVE_GROUP,
  version: GROVE_VERSION,
  kind: "ClusterTopologyBinding",
  plural: "clustertopologybindings",
  namespaced: false,
};

export const CLUSTER_TOPOLOGY_BINDING_DEFINITION: ResourceDefinition<ClusterTopologyBinding> = {
  resource: CLUSTER_TOPOLOGY_BINDINGS,
  shortNames: ["ct"],
  schema: objectSchema("The levels of one cluster topology, from broad to narrow.", SPEC, STATUS),
  printerColumns: [column("Domains", "string", ".spec.levels[*].domain"), AGE_COLUMN],
};

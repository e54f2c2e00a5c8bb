/** PodGang: pods that a scheduler must place together or not at all. Values of pack constraints are node label keys. */
import { CONDITIONS } from "../kubernetes/conditions.ts";
import type { Resource } from "../kubernetes/meta.ts";
import { array, type Infer, int32, number, object, optional, string } from "../schema/builder.ts";
import {
  AGE_COLUMN,
  column,
  type ObjectOf,
  objectSchema,
  type ResourceDefinition,
} from "../schema/resource-definition.ts";

const SCHEDULER_GROUP = "scheduler.grove.io";
const SCHEDULER_VERSION = "v1alpha1";

const TOPOLOGY_CONSTRAINT = object({
  packConstraint: optional(object({ preferred: optional(string()), required: optional(string()) })),
});

const NAMESPACED_NAME = object({ name: string(), namespace: string() });

const POD_GROUP = object({
  minReplicas: int32(),
  name: string(),
  podReferences: array(NAMESPACED_NAME),
  topologyConstraint: optional(TOPOLOGY_CONSTRAINT),
});

const SPEC = object({
  podgroups: array(POD_GROUP),
  priorityClassName: optional(string()),
  reuseReservationRef: optional(NAMESPACED_NAME),
  topologyConstraint: optional(TOPOLOGY_CONSTRAINT),
  topologyConstraintGroupConfigs: optional(
    array(
      object({
        name: string(),
        podGroupNames: array(string()),
        topologyConstraint: optional(TOPOLOGY_CONSTRAINT),
      }),
    ),
  ),
});

/** `phase` is Pending, Starting or Running. */
const STATUS = object({
  conditions: optional(CONDITIONS),
  phase: string(),
  placementScore: optional(number()),
});

export type PodGangSpec = Infer<typeof SPEC>;
export type PodGroup = Infer<typeof POD_GROUP>;
export type PodGangStatus = Infer<typeof STATUS>;
export type PodGang = ObjectOf<typeof SPEC, typeof STATUS>;

export const POD_GANGS: Resource<PodGang> = {
  group: SCHEDULER_GROUP,
  version: SCHEDULER_VERSION,
  kind: "PodGang",
  plural: "podgangs",
  namespaced: true,
};

export const POD_GANG_DEFINITION: ResourceDefinition<PodGang> = {
  resource: POD_GANGS,
  shortNames: ["pg"],
  schema: objectSchema("Pods that have to be placed together or not at all.", SPEC, STATUS),
  printerColumns: [column("Phase", "string", ".status.phase"), AGE_COLUMN],
};

/** PodCliqueSet: a whole serving system. One replica is one copy of all its cliques and scaling groups. */
import { CONDITIONS } from "../kubernetes/conditions.ts";
import { RESOURCE_CLAIM_TEMPLATE_SPEC_SCHEMA } from "../kubernetes/embedded-schemas.ts";
import type { Resource } from "../kubernetes/meta.ts";
import {
  array,
  boolean,
  dateTime,
  defaulted,
  derived,
  embedded,
  type Infer,
  type InferInput,
  int32,
  int64,
  literals,
  object,
  optional,
  record,
  string,
} from "../schema/builder.ts";
import {
  AGE_COLUMN,
  column,
  type ObjectInputOf,
  type ObjectOf,
  objectSchema,
  type ResourceDefinition,
} from "../schema/resource-definition.ts";
import { POD_CLIQUE_SPEC } from "./pod-clique.ts";
import { CLIQUE_RESOURCE_SHARING, GROUP_RESOURCE_SHARING, SET_RESOURCE_SHARING } from "./resource-sharing.ts";
import { AUTO_SCALING_CONFIG, GROVE_GROUP, GROVE_VERSION, LAST_ERRORS } from "./shared.ts";
import { NO_NEW_PACK_DOMAIN, TOPOLOGY_CONSTRAINT } from "./topology-constraint.ts";

const CLIQUE_TEMPLATE = object({
  annotations: optional(record(string())),
  labels: optional(record(string())),
  name: string(),
  resourceSharing: optional(CLIQUE_RESOURCE_SHARING),
  spec: POD_CLIQUE_SPEC,
  topologyConstraint: optional(TOPOLOGY_CONSTRAINT),
});

const SCALING_GROUP_TEMPLATE = object({
  annotations: optional(record(string())),
  cliqueNames: array(string()),
  minAvailable: defaulted(int32(), 1),
  name: string(),
  replicas: defaulted(int32(), 1),
  resourceSharing: optional(GROUP_RESOURCE_SHARING),
  scaleConfig: optional(AUTO_SCALING_CONFIG),
  topologyConstraint: optional(TOPOLOGY_CONSTRAINT),
});

/** resource.k8s.io/v1 ResourceClaimTemplateSpec, as far as the operator looks into it. */
export interface ResourceClaimTemplateSpec {
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly spec: { readonly devices?: { readonly requests?: readonly unknown[]; readonly [field: string]: unknown } };
}

const SPEC = object({
  replicas: defaulted(int32(), 0),
  template: object({
    cliqueStartupType: defaulted(
      literals(["CliqueStartupTypeAnyOrder", "CliqueStartupTypeInOrder", "CliqueStartupTypeExplicit"]),
      "CliqueStartupTypeAnyOrder",
    ),
    cliques: array(CLIQUE_TEMPLATE, { listType: "map", mapKeys: ["name"] }),
    headlessServiceConfig: derived(object({ publishNotReadyAddresses: defaulted(boolean(), true, { listed: true }) })),
    podCliqueScalingGroups: optional(array(SCALING_GROUP_TEMPLATE)),
    priorityClassName: optional(string()),
    resourceClaimTemplates: optional(
      array(
        object({
          name: string(),
          templateSpec: embedded<ResourceClaimTemplateSpec>(RESOURCE_CLAIM_TEMPLATE_SPEC_SCHEMA),
        }),
      ),
    ),
    resourceSharing: optional(SET_RESOURCE_SHARING),
    terminationDelay: derived(string()),
    topologyConstraint: optional(TOPOLOGY_CONSTRAINT),
  }),
  updateStrategy: optional(object({ type: defaulted(literals(["RollingRecreate", "OnDelete"]), "RollingRecreate") })),
});

const STATUS = object({
  availableReplicas: defaulted(int32(), 0, { listed: true }),
  conditions: optional(CONDITIONS),
  currentGenerationHash: optional(string()),
  hpaPodSelector: optional(string()),
  lastErrors: optional(LAST_ERRORS),
  observedGeneration: optional(int64()),
  podGangStatuses: optional(
    array(
      object({
        conditions: optional(CONDITIONS),
        name: string(),
        phase: literals(["Pending", "Starting", "Running", "Failed", "Succeeded"]),
      }),
    ),
  ),
  replicas: optional(int32()),
  updateProgress: optional(
    object({
      currentlyUpdating: optional(
        array(
          object({
            replicaIndex: int32(),
            updateEndedAt: optional(dateTime()),
            updateStartedAt: optional(dateTime()),
          }),
        ),
      ),
      totalPodCliqueScalingGroupsCount: defaulted(int32(), 0),
      totalPodCliquesCount: defaulted(int32(), 0),
      updateEndedAt: optional(dateTime()),
      updateStartedAt: optional(dateTime()),
      updatedPodCliqueScalingGroupsCount: defaulted(int32(), 0),
      updatedPodCliquesCount: defaulted(int32(), 0),
    }),
  ),
  updatedReplicas: defaulted(int32(), 0, { listed: true }),
});

export type PodCliqueSetSpec = Infer<typeof SPEC>;
export type PodCliqueSetSpecInput = InferInput<typeof SPEC>;
export type PodCliqueSetTemplate = PodCliqueSetSpec["template"];
export type PodCliqueTemplate = Infer<typeof CLIQUE_TEMPLATE>;
export type PodCliqueScalingGroupTemplate = Infer<typeof SCALING_GROUP_TEMPLATE>;
export type PodCliqueSetStatus = Infer<typeof STATUS>;
export type PodCliqueSet = ObjectOf<typeof SPEC, typeof STATUS>;
export type PodCliqueSetInput = ObjectInputOf<typeof SPEC>;

export const POD_CLIQUE_SETS: Resource<PodCliqueSet> = {
  group: GROVE_GROUP,
  version: GROVE_VERSION,
  kind: "PodCliqueSet",
  plural: "podcliquesets",
  namespaced: true,
};

export const POD_CLIQUE_SET_DEFINITION: ResourceDefinition<PodCliqueSet> = {
  resource: POD_CLIQUE_SETS,
  shortNames: ["pcs"],
  schema: objectSchema(
    "A whole serving system with all its roles, replicated as one.",
    SPEC,
    STATUS,
    NO_NEW_PACK_DOMAIN,
  ),
  scale: {
    specReplicasPath: ".spec.replicas",
    statusReplicasPath: ".status.replicas",
    labelSelectorPath: ".status.hpaPodSelector",
  },
  printerColumns: [
    column("Replicas", "integer", ".spec.replicas"),
    column("Available", "integer", ".status.availableReplicas"),
    column("Updated", "integer", ".status.updatedReplicas"),
    column("PCLQs-Updated", "integer", ".status.updateProgress.updatedPodCliquesCount"),
    column("PCLQs-Total", "integer", ".status.updateProgress.totalPodCliquesCount"),
    column("PCSGs-Updated", "integer", ".status.updateProgress.updatedPodCliqueScalingGroupsCount"),
    column("PCSGs-Total", "integer", ".status.updateProgress.totalPodCliqueScalingGroupsCount"),
    AGE_COLUMN,
  ],
};

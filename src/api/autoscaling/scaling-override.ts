/** ScalingOverride: replicas set by a person for a limited time and a stated reason. An object of its own, so that RBAC and audit apply and GitOps does not fight it. */
import { CONDITION_MAP } from "../kubernetes/conditions.ts";
import type { Resource } from "../kubernetes/meta.ts";
import {
  boolean,
  dateTime,
  defaulted,
  type Infer,
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
import { AUTOSCALING_GROUP, AUTOSCALING_VERSION } from "./shared.ts";

const SPEC = object({
  policyRef: object({ name: string({ minLength: 1 }) }),
  scaleTargets: record(
    object(
      {
        replicas: optional(int32({ minimum: 0, description: "Exactly this many; not together with the bounds." })),
        minReplicas: optional(int32({ minimum: 0 })),
        maxReplicas: optional(int32({ minimum: 0 })),
      },
      {
        rules: [
          {
            rule: "has(self.replicas) || has(self.minReplicas) || has(self.maxReplicas)",
            message: "must have replicas, minReplicas or maxReplicas",
          },
          {
            rule: "!has(self.replicas) || !(has(self.minReplicas) || has(self.maxReplicas))",
            message: "replicas excludes minReplicas and maxReplicas; keep one of the two",
          },
          {
            rule: "!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
            message: "must not be above maxReplicas; lower it or raise maxReplicas",
            fieldPath: ".minReplicas",
          },
        ],
      },
    ),
    { maxProperties: 32, rules: [{ rule: "size(self) > 0", message: "must name at least one scale target" }] },
  ),
  expiresAt: dateTime({ description: "An override without an end is refused." }),
  reason: string({
    minLength: 1,
    maxLength: 1024,
    rules: [{ rule: "self.trim() != ''", message: "must say why, for those who find it later" }],
  }),
  requestedBy: optional(string({ maxLength: 253 })),
  force: defaulted(boolean({ description: "May pass the GPU budget; never the minimum viable set." }), false),
});

const STATUS = object({
  observedGeneration: optional(int64()),
  phase: optional(literals(["Pending", "Active", "Superseded", "Expired", "Rejected"])),
  conditions: optional(CONDITION_MAP),
});

export type ScalingOverrideSpec = Infer<typeof SPEC>;
export type ScalingOverrideStatus = Infer<typeof STATUS>;
export type ScalingOverride = ObjectOf<typeof SPEC, typeof STATUS>;
export type ScalingOverrideInput = ObjectInputOf<typeof SPEC>;

export const SCALING_OVERRIDES: Resource<ScalingOverride> = {
  group: AUTOSCALING_GROUP,
  version: AUTOSCALING_VERSION,
  kind: "ScalingOverride",
  plural: "scalingoverrides",
  namespaced: true,
};

export const SCALING_OVERRIDE_DEFINITION: ResourceDefinition<ScalingOverride> = {
  resource: SCALING_OVERRIDES,
  shortNames: ["sov"],
  schema: objectSchema("Replicas set by a person for a limited time and a stated reason.", SPEC, STATUS),
  printerColumns: [
    column("Policy", "string", ".spec.policyRef.name"),
    column("Phase", "string", ".status.phase"),
    column("Expires", "string", ".spec.expiresAt"),
    column("Reason", "string", ".spec.reason"),
    column("Requested-By", "string", ".spec.requestedBy", { priority: 1 }),
    AGE_COLUMN,
  ],
};

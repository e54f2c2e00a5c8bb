/** GPUBudget: GPUs that several policies of a cluster share. */
import { CONDITION_MAP } from "../kubernetes/conditions.ts";
import type { Resource } from "../kubernetes/meta.ts";
import { array, defaulted, type Infer, int32, int64, object, optional, string } from "../schema/builder.ts";
import {
  AGE_COLUMN,
  column,
  type ObjectInputOf,
  type ObjectOf,
  objectSchema,
  type ResourceDefinition,
} from "../schema/resource-definition.ts";
import { AUTOSCALING_GROUP, AUTOSCALING_VERSION } from "./shared.ts";

const SPEC = object(
  {
    capacity: int32({ minimum: 0, description: "GPUs." }),
    reserve: defaulted(int32({ minimum: 0, description: "GPUs kept free." }), 0),
    members: defaulted(
      array(
        object({
          namespace: string({ minLength: 1 }),
          policy: string({ minLength: 1 }),
          priority: optional(int32({ description: "Higher goes first; wins over the policy's own." })),
          weight: defaulted(int32({ minimum: 1, maximum: 1000, description: "Share within one priority." }), 1),
        }),
        { listType: "map", mapKeys: ["namespace", "policy"], maxItems: 10_000 },
      ),
      [],
    ),
  },
  {
    rules: [
      {
        rule: "self.reserve <= self.capacity",
        message: "must not be above capacity; lower it or raise capacity",
        fieldPath: ".reserve",
      },
    ],
  },
);

const STATUS = object({
  observedGeneration: optional(int64()),
  conditions: optional(CONDITION_MAP),
  used: optional(int32({ description: "Absent while a member holds what cannot be counted." })),
  requested: optional(int32()),
  members: optional(
    array(
      object({
        namespace: string(),
        policy: string(),
        used: int32(),
        requested: int32(),
        granted: int32(),
        unknown: optional(
          string({
            maxLength: 1024,
            description: "What it holds beside used, of which the GPUs are not known: no other member grows.",
          }),
        ),
      }),
      { listType: "map", mapKeys: ["namespace", "policy"], maxItems: 10_000 },
    ),
  ),
});

export type GPUBudgetSpec = Infer<typeof SPEC>;
export type GPUBudgetStatus = Infer<typeof STATUS>;
export type GPUBudget = ObjectOf<typeof SPEC, typeof STATUS>;
export type GPUBudgetInput = ObjectInputOf<typeof SPEC>;

export const GPU_BUDGETS: Resource<GPUBudget> = {
  group: AUTOSCALING_GROUP,
  version: AUTOSCALING_VERSION,
  kind: "GPUBudget",
  plural: "gpubudgets",
  namespaced: false,
};

export const GPU_BUDGET_DEFINITION: ResourceDefinition<GPUBudget> = {
  resource: GPU_BUDGETS,
  shortNames: ["gb"],
  schema: objectSchema("GPUs that several policies share.", SPEC, STATUS),
  printerColumns: [
    column("Capacity", "integer", ".spec.capacity"),
    column("Reserve", "integer", ".spec.reserve"),
    column("Used", "integer", ".status.used"),
    column("Requested", "integer", ".status.requested"),
    AGE_COLUMN,
  ],
};
